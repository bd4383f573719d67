"""Two real nodes, a real Prometheus, a real hub, and an alert that reaches a person."""

import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hub import Hub, running
from tests.e2e.jobs import Job, write_script
from tests.e2e.node import ZONES, Node, playing
from tests.e2e.waiting import until
from tests.fakes.alerting import PAGER_PATH, Alerting, alerting, has_alerting
from tests.fakes.machine_procfs import BOOT_ID

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not has_alerting(), reason="needs prometheus and alertmanager on PATH"
    ),
]

TENANTS = "jouled_tenant_emissions_grams_total"
JOBS = "jouled_job_emissions_grams_total"
SHORT_JOBS = 20
SHORT_S = 3.0
_ZONES_W = dict.fromkeys(ZONES, 100.0)
_GPU_W = 400.0
_FLAGS = ("--carbon.intensity", "500", "--attribution.idle", "used")
# The yearly figure, so that nobody is asked.
_ZONE = "ZA"
_SOON_S = 300.0

BUDGETS = """\
zones: {ZA: }
prometheus: {url: "URL", interval: 5s, delay: 1s, match: {cluster: main}}
budgets:
  - {name: all, amount: 50kg, period: month, team: site}
  - {name: shorts, amount: 10kWh, period: 30d, match: {tenant: {regex: short.*}}}
  - {name: tiny, amount: 0.5g, period: week, match: {tenant: physics}, team: physics}
"""


@dataclass(frozen=True)
class Life:
    """What is known afterwards; hub and Prometheus still run.

    Attributes:
        hub: it has counted.
        world: Prometheus and Alertmanager.
        emitted_g: what the nodes' own ledgers say, by tenant, boots added up.
        begin_s: when it began, Unix time.
    """

    hub: Hub
    world: Alerting
    emitted_g: dict[str, float]
    begin_s: float

    def budget(self, name: str) -> dict[str, Any]:
        """Return how a budget stands."""
        answer = self.hub.ask("/api/v1/budgets").raise_for_status().json()
        (found,) = [one for one in answer["budgets"] if one["name"] == name]
        assert isinstance(found, dict)
        return found


class _Living:
    """The life while it goes on: two restarts, a reboot, short jobs, a pause."""

    def __init__(self, nodes: tuple[Node, Node], world: Alerting) -> None:
        self.one, self.other = nodes
        self.world = world
        self.jobs: dict[Node, list[Job]] = {node: [] for node in nodes}
        self.emitted_g: dict[str, float] = {}

    def live(self) -> None:
        """Go through everything, and end at rest."""
        for number, node in enumerate((self.one, self.other)):
            self._add(node, self._job(f"{number}", "physics", gpus=node.gpus))
            self._work(node)
        self._let_pass(3)
        self.one.daemon.kill()
        self.one.daemon.start()
        self._let_pass(3)
        self._short_jobs()
        self.one.daemon.stop()
        self.one.daemon.start()
        self._let_pass(3)
        self._reboot()
        self._pause_prometheus()
        self._let_pass(3)
        for node in (self.one, self.other):
            self._rest(node)

    def _job(
        self,
        job_id: str,
        account: str,
        length_s: float | None = None,
        **more: Any,  # noqa: ANN401 - as Job has it
    ) -> Job:
        now_s = time.monotonic()
        end_s = None if length_s is None else now_s + length_s
        return Job(job_id, "ada", account, now_s, end_s, **more)

    def _add(self, node: Node, job: Job) -> None:
        self.jobs[node].append(job)
        write_script(node.script, tuple(self.jobs[node]))

    def _work(self, node: Node) -> None:
        node.machine.set_utilization(0.5)
        node.set_power(_ZONES_W, {0: _GPU_W})

    def _short_jobs(self) -> None:
        for number in range(SHORT_JOBS):
            job = self._job(f"9{number}", f"short{number}", SHORT_S, cpus=8.0)
            self._add(self.other, job)
            self._let_pass(1)

    def _rest(self, node: Node) -> None:
        """Let a node rest, and put down what its ledger says of this boot."""
        node.rest()
        for labels, grams in node.daemon.scrape().series(TENANTS):
            before_g = self.emitted_g.get(labels["tenant"], 0.0)
            self.emitted_g[labels["tenant"]] = before_g + grams
        self._wait_for_prometheus()

    def _reboot(self) -> None:
        """Reboot: its counters begin from 0, and soon are where they were."""
        self._rest(self.one)
        self.one.daemon.kill()
        boot_id = self.one.machine.procfs / "sys/kernel/random/boot_id"
        boot_id.write_text(f"{BOOT_ID[::-1]}\n")
        self.jobs[self.one] = []
        self._add(self.one, self._job("7", "physics", gpus=self.one.gpus))
        self.one.daemon.start()
        self._work(self.one)

    def _pause_prometheus(self) -> None:
        """Let nobody scrape for a while."""
        self.world.prometheus.send(signal.SIGSTOP)
        try:
            self._let_pass(8)
        finally:
            self.world.prometheus.send(signal.SIGCONT)
        self._wait_for_prometheus()

    def _let_pass(self, ticks: int) -> None:
        for _ in range(ticks):
            for node in (self.one, self.other):
                node.daemon.tick_after(time.time())

    def _wait_for_prometheus(self) -> None:
        now_s = time.time()
        until(
            lambda: (
                len(
                    self.world.prometheus.query_now(
                        f"timestamp(jouled_node_energy_joules_total) > {now_s}"
                    )
                )
                == 2
            ),
            "Prometheus to scrape both nodes",
        )


@pytest.fixture(scope="module", name="life")
def _life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Give the one life that all tests look back on."""
    folder = tmp_path_factory.mktemp("budget-life")
    with ExitStack() as stack:
        nodes = (_node(stack, folder / "one"), _node(stack, folder / "other"))
        (folder / "hub").mkdir()
        hub = Hub(folder / "hub", "")
        ports = {
            "jouled-one": nodes[0].daemon.port,
            "jouled-other": nodes[1].daemon.port,
            "jouled-hub": hub.port,
        }
        begin_s = time.time()
        world = stack.enter_context(alerting(folder, ports))
        hub.write(BUDGETS.replace("URL", world.prometheus.url))
        stack.enter_context(running(hub))
        living = _Living(nodes, world)
        living.live()
        yield Life(hub, world, living.emitted_g, begin_s)


def _node(stack: ExitStack, folder: Path) -> Node:
    folder.mkdir()
    node = Node(folder, 1, flags=_FLAGS, scripted=True)
    write_script(node.script, ())
    stack.enter_context(playing(node))
    node.daemon.start()
    return node


def settled(life: Life, name: str, value: float) -> dict[str, Any]:
    """Wait until a budget has spent so much, within half a percent."""

    def look() -> dict[str, Any] | None:
        found = life.budget(name)
        spent = found["spent"]
        return found if spent == pytest.approx(value, rel=0.005) else None

    try:
        return until(look, f"{name} to have spent {value}", _SOON_S)
    except TimeoutError:
        # Says what it was instead.
        return life.budget(name)


def test_what_is_spent_is_what_the_ledgers_of_the_nodes_say(life: Life) -> None:
    """Two restarts, a reboot, twenty jobs of 3 seconds, and a pause of the scrapes."""
    emitted_g = sum(life.emitted_g.values())

    found = settled(life, "all", emitted_g)

    window_s = round(time.time() - life.begin_s)
    ((_, over_jobs_g),) = life.world.prometheus.query_now(
        f"sum(increase({JOBS}[{window_s}s]))"
    )
    sys.stdout.write(
        f"ledgers {emitted_g:.3f} g; budget {found['spent']:.3f} g "
        f"({found['spent'] / emitted_g - 1:+.4%}); increase() over jobs "
        f"{over_jobs_g:.3f} g ({over_jobs_g / emitted_g - 1:+.2%})\n"
    )
    assert len(life.emitted_g) == SHORT_JOBS + 1
    assert found["spent"] == pytest.approx(emitted_g, rel=0.005)
    assert found["live"] == 1.0
    assert over_jobs_g != pytest.approx(emitted_g, rel=0.005)


def test_short_jobs_are_counted_from_their_first_joule(life: Life) -> None:
    """Each is a tenant of its own, over before a second scrape can tell a rise."""
    grams = sum(g for name, g in life.emitted_g.items() if name.startswith("short"))

    found = settled(life, "shorts", grams / 500 * 3.6e6)

    assert found["spent"] == pytest.approx(grams / 500 * 3.6e6, rel=0.005)
    assert found["unit"] == "joules"


def test_a_budget_that_is_burnt_through_reaches_whoever_is_on_call(life: Life) -> None:
    """With the team it belongs to, and the numbers of the hub."""

    def paged() -> list[dict[str, Any]]:
        return [
            alert
            for alert in life.world.inbox.alerts(PAGER_PATH)
            if alert["labels"]["alertname"] == "JouledBudgetSpent"
        ]

    (alert, *_) = until(paged, "the pager", _SOON_S)

    tiny = settled(life, "tiny", life.emitted_g["physics"])
    assert alert["labels"]["budget"] == "tiny"
    assert alert["labels"]["team"] == "physics"
    assert alert["labels"]["unit"] == "grams"
    numbers = alert["annotations"]["numbers"]
    said = re.search(r"of 500m grams spent \(([0-9.]+)(k?)%\)", numbers)
    assert said is not None, numbers
    percent = float(said[1]) * (1000 if said[2] else 1)
    # It was sent as soon as it was over, and work went on.
    assert 100.0 <= percent <= 101 * tiny["spent_ratio"]
    assert tiny["spent"] == pytest.approx(life.emitted_g["physics"], rel=0.005)


def test_the_metrics_and_the_command_line_say_the_same(life: Life) -> None:
    """Whatever people look at, it is one number."""
    tiny = life.budget("tiny")
    scrape = life.hub.scrape()

    spent = scrape.value("jouled_carbon_budget_spent_grams", budget="tiny")
    ratio = scrape.value("jouled_carbon_budget_spent_ratio", budget="tiny")
    assert spent == pytest.approx(tiny["spent"], rel=0.01)
    assert ratio == pytest.approx(spent / 0.5)
    assert scrape.value("jouled_carbon_budget_refreshes_total", outcome="ok") > 0
    assert scrape.value("jouled_carbon_budget_data_quality", budget="tiny") < 1.0
