import json
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from exporter.cli import main
from exporter.hub.budgets.api_models import BudgetsAnswer, budgets_answer
from exporter.hub.budgets.status import Standing
from tests.e2e.processes import free_port
from tests.fakes.budget_world import DAYS_30, BudgetWorld, budget
from tests.fakes.prometheus_server import Play, playing_prometheus, vector
from tests.fakes.serving import serving

ROW = {"instance": "n1", "tenant": "physics", "user": "ada", "scheduler": "slurm"}


def hub_file(folder: Path, url: str, *budgets: str) -> Path:
    """Write the file of a hub."""
    path = folder / "hub.yml"
    lines = [f"prometheus: {{url: '{url}'}}", "budgets:"]
    lines += [f"  - {{{each}}}" for each in budgets]
    path.write_text("\n".join([*lines, ""]))
    return path


def standing(folder: Path) -> Standing:
    """Let two budgets stand somehow."""
    world = BudgetWorld(
        folder, budget("physics", "1kg"), budget("power", "50kWh", DAYS_30)
    )
    world.live(600, grams=1.0)
    world.live(1)
    world.refresh()
    return world.keeper.standing


class AnsweringHub:
    """A hub of one answer, as an application.

    Args:
        answer: of ``/api/v1/budgets``.
        status: its HTTP status.
    """

    def __init__(self, answer: bytes, status: int = 200) -> None:
        self._answer, self._status = answer, status

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer."""
        head = {
            "type": "http.response.start",
            "status": self._status,
            "headers": [(b"content-type", b"application/json")],
        }
        await send(head)
        await send({"type": "http.response.body", "body": self._answer})


def answered(app: AnsweringHub, *flags: str) -> int:
    """Ask such a hub."""
    with serving(app) as port:
        return main(["budgets", "--hub", f"http://127.0.0.1:{port}", *flags])


def test_budgets_stand_below_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person asks for first: how much is left, and will it last."""
    answer = budgets_answer(standing(tmp_path), 1e9)

    code = answered(AnsweringHub(answer.model_dump_json().encode()))

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0].split()[:6] == ["BUDGET", "TEAM", "PERIOD", "AMOUNT", "SPENT", "%"]
    assert lines[1].split()[:8] == [
        *("physics", "physics", "month", "1", "kg", "600", "g", "60")
    ]
    assert lines[2].split()[:5] == ["power", "physics", "30d", "50", "kWh"]


def test_budgets_come_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the fields of the API."""
    answer = budgets_answer(standing(tmp_path), 1e9)

    code = answered(AnsweringHub(answer.model_dump_json().encode()), "--json")

    assert code == 0
    assert BudgetsAnswer(**json.loads(capsys.readouterr().out)) == answer


def test_what_is_to_be_known_of_the_numbers_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old numbers look like new ones."""
    state = standing(tmp_path)
    now_s = (state.statuses[0].at_s or 0.0) + 7200.0
    answer = budgets_answer(state, now_s).model_copy(
        update={"error": "it is\x1b away", "catching_up": True}
    )

    answered(AnsweringHub(answer.model_dump_json().encode()))

    said = capsys.readouterr().out
    assert "the numbers are 2h00m old" in said
    assert "still being read" in said
    assert "the last refresh failed: it is\\x1b away" in said


@pytest.mark.parametrize(
    ("app", "complaint"),
    [
        (AnsweringHub(b"{}"), "something else"),
        (AnsweringHub(b"", 404), "answered 404; is it a hub?"),
        (AnsweringHub(b" " * (17 * 2**20)), "more than"),
    ],
)
def test_a_hub_that_is_none_is_said_to_be(
    app: AnsweringHub, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and exit code 1."""
    assert answered(app) == 1
    assert complaint in capsys.readouterr().err


def test_a_hub_that_is_away_is_said_to_be(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As is a file without a password."""
    url = f"http://127.0.0.1:{free_port()}"

    assert main(["budgets", "--hub", url]) == 1
    assert "cannot be reached" in capsys.readouterr().err

    gone = str(tmp_path / "gone")
    flags = ["--username", "ada", "--password-file", gone]
    assert main(["budgets", "--hub", url, *flags]) == 1
    assert gone in capsys.readouterr().err
    assert main(["budgets", "--hub", url, "--username", "ada"]) == 2


def test_a_check_tells_what_each_budget_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A budget that matches nothing looks like a thrifty one."""
    many = [({**ROW, "user": f"u{n}"}, "1") for n in range(7)]
    with playing_prometheus() as server:
        server.play = Play(vector((ROW, "1"), *many))
        file = hub_file(
            tmp_path,
            server.url,
            "name: physics, amount: 200kg, period: month, match: {tenant: physics}",
            "name: art, amount: 5MWh, period: 30d, match: {tenant: art}",
        )
        code = main(["budgets", "check", str(file)])

    said = capsys.readouterr().out
    assert code == 0
    assert "allows   200 kg per month" in said
    assert 'jouled_tenant_emissions_grams_total{tenant="physics"}' in said
    assert "8 counters on 1 nodes; tenant physics; user ada, u0, u1, u2, u3" in said
    assert "and 3 more" in said
    assert "matches  nothing now" in said
    assert said.endswith("the budgets can be used\n")


def test_a_check_needs_no_prometheus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is written on another machine, or before there is one."""
    url = f"http://127.0.0.1:{free_port()}"
    file = hub_file(tmp_path, url, "name: a, amount: 1kg, period: week")

    assert main(["budgets", "check", str(file)]) == 0
    assert "what they match is not known" in capsys.readouterr().out
    assert main(["budgets", "check", str(file), "--offline"]) == 0
    assert "matches" not in capsys.readouterr().out


def test_a_check_refuses_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, as for any configuration that cannot be used."""
    file = hub_file(tmp_path, "http://x", "name: a, amount: lots, period: week")

    assert main(["budgets", "check", str(file)]) == 2
    assert "hub.yml:3: amount" in capsys.readouterr().err
