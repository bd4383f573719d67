"""Real HTTP to a played slurmrestd, good and bad; tests/slurm/ has the real one."""

from pathlib import Path

import pytest

from exporter.carbon.errors import (
    CredentialsError,
    NonsenseError,
    NotCoveredError,
    ProviderError,
    UnavailableError,
)
from exporter.hub.slurm.plan import SlurmPlan
from exporter.hub.slurm.rest import open_rest
from tests.fakes.carbon_server import Play
from tests.fakes.slurm_rest import JOBS_PATH, answer, old_row, played_rest

TOKEN = "eyJ-t0ken"  # noqa: S105 - of nobody


def _token_file(folder: Path) -> Path:
    path = folder / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def test_the_newest_version_is_found_and_asked_with_the_token(tmp_path: Path) -> None:
    """Nobody has to know which versions a Slurm offers."""
    with played_rest(old_row()) as server:
        plan = SlurmPlan(server.url, user="hub", token_file=_token_file(tmp_path))
        with open_rest(plan) as rest:
            found = [rest.jobs(), rest.jobs()]

    assert [[job.job_id for job in jobs] for jobs in found] == [["2"], ["2"]]
    assert [ask.path for ask in server.asks] == ["/openapi/v3", JOBS_PATH, JOBS_PATH]
    for ask in server.asks:
        assert ask.headers["x-slurm-user-name"] == "hub"
        assert ask.headers["x-slurm-user-token"] == TOKEN


def test_a_token_that_was_replaced_is_taken_over(tmp_path: Path) -> None:
    """They expire, and sites replace them by a timer."""
    with played_rest() as server:
        path = _token_file(tmp_path)
        plan = SlurmPlan(server.url, None, "hub", path, "v0.0.38")
        with open_rest(plan) as rest:
            rest.jobs()
            path.write_text("second")
            rest.jobs()

    told = [ask.headers["x-slurm-user-token"] for ask in server.asks]
    assert told == [TOKEN, "second"]


def test_a_name_that_is_no_text_hides_no_job() -> None:
    """Any user may give one, from another locale; slurmrestd passes it on."""
    latin = answer(old_row(name="NAME")).encode().replace(b"NAME", b"tr\xe4in")
    with played_rest() as server, open_rest(SlurmPlan(server.url)) as rest:
        server.play(JOBS_PATH, Play(latin))

        (job,) = rest.jobs()

    assert job.name == "tr\ufffdin"


def test_after_an_upgrade_the_version_is_looked_for_again() -> None:
    """Versions go after two or three releases."""
    with played_rest(old_row()) as server, open_rest(SlurmPlan(server.url)) as rest:
        server.play(JOBS_PATH, Play(b"gone", status=404), Play(answer().encode()))
        with pytest.raises(NotCoveredError):
            rest.jobs()
        rest.jobs()

    assert [ask.path for ask in server.asks] == ["/openapi/v3", JOBS_PATH] * 2


@pytest.mark.parametrize(
    ("play", "error"),
    [
        (Play(TOKEN.encode(), status=401), CredentialsError),
        (Play(TOKEN.encode(), status=500), UnavailableError),
        (Play(TOKEN.encode(), status=404), NotCoveredError),
        (Play(TOKEN.encode()), NonsenseError),
        (Play(TOKEN.encode(), status=302), UnavailableError),
        (Play(behaviour="reset"), UnavailableError),
        (Play(b"x" * 99, behaviour="truncate"), UnavailableError),
        (Play(behaviour="endless"), NonsenseError),
        (Play(behaviour="silence"), UnavailableError),
        (Play(behaviour="drip"), UnavailableError),
    ],
)
def test_no_failure_takes_long_or_repeats_what_was_said(
    tmp_path: Path, play: Play, error: type[ProviderError]
) -> None:
    """Each is told as what is to be done about it."""
    waits = play.behaviour in {"silence", "drip"}
    with played_rest() as server:
        server.play(JOBS_PATH, play)
        plan = SlurmPlan(
            server.url,
            None,
            "hub",
            _token_file(tmp_path),
            "v0.0.38",
            timeout_s=1.0 if waits else 60.0,
            largest_bytes=2**20,
        )
        with open_rest(plan) as rest, pytest.raises(error) as told:
            rest.jobs()

    assert type(told.value) is error
    assert TOKEN not in str(told.value)


def test_a_socket_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """Slurmrestd may start after the hub."""
    plan = SlurmPlan(socket=tmp_path / "socket")

    with open_rest(plan) as rest, pytest.raises(UnavailableError, match="reached"):
        rest.jobs()


def test_a_token_that_cannot_be_read_names_the_setting(tmp_path: Path) -> None:
    """Without a token nobody needs to be asked."""
    plan = SlurmPlan("http://127.0.0.1:9", None, "hub", tmp_path / "none")

    with open_rest(plan) as rest, pytest.raises(CredentialsError, match="token_file"):
        rest.jobs()
