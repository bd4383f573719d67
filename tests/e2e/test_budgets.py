"""Budgets over a real Prometheus, with a past that was written into its blocks."""

import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from exporter.hub.budgets.book import Book
from exporter.hub.budgets.budget import EMISSIONS, Budget
from exporter.hub.budgets.period import Span
from exporter.hub.prometheus.client import open_prometheus
from exporter.hub.prometheus.series import key_of
from exporter.hub.prometheus.settings import PrometheusSettings
from tests.e2e.peers import Prometheus, started
from tests.fakes.budget_world import MONTH_BEGIN_S, budget
from tests.fakes.cluster_life import PlayedNode
from tests.fakes.prometheus_blocks import write_blocks
from tests.fakes.series_store import SeriesStore

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        shutil.which("promtool") is None, reason="needs prometheus and promtool"
    ),
]

JOB_EMISSIONS = "jouled_job_emissions_grams_total"
SCRAPE_S = 60
HOUR_S = 3600
LENGTH_S = 60 * HOUR_S
BEGIN_S = MONTH_BEGIN_S + 7 * HOUR_S
END_S = BEGIN_S + LENGTH_S
# An ended job is exported for so long.
JOB_STAYS_S = 600
SHORT_JOBS = 20


@dataclass
class Past:
    """Two nodes through sixty hours, and who saw what of them.

    Node 1 has two restarts of its daemon and a reboot; nobody scrapes any node for
    five minutes; twenty jobs of 3 seconds come and go; a tenant rests for more than
    a day and comes back.
    """

    store: SeriesStore = field(default_factory=SeriesStore)
    nodes: list[PlayedNode] = field(default_factory=list)
    _jobs: dict[str, tuple[float, float]] = field(default_factory=dict)

    def live(self) -> None:
        """Go through all of it."""
        dice = random.Random(1)  # noqa: S311 - a story, not a secret
        self.nodes = [PlayedNode(f"node{n}:9878", self.store) for n in (1, 2)]
        one, other = self.nodes
        for second in range(0, LENGTH_S, SCRAPE_S):
            now_s, hour = BEGIN_S + second, second / HOUR_S
            for node in self.nodes:
                self._long_job(node, now_s, dice.uniform(0.5, 1.5))
            if hour < 2 or hour > 50:
                other.emit("weekly", dice.uniform(0.5, 1.5), now_s - 20)
            if second % (3 * HOUR_S) == HOUR_S and len(self._jobs) < SHORT_JOBS + 2:
                self._short_job(other, f"short{hour:.0f}", now_s - 17)
            if second == 30 * HOUR_S:
                one.reboot()
                self._jobs = {k: v for k, v in self._jobs.items() if k != one.instance}
            away = 40 * HOUR_S < second <= 40 * HOUR_S + 300
            for node in self.nodes:
                if not away and not self._is_down(node, second):
                    node.scrape(now_s)
                    self._scrape_jobs(node, now_s)

    @property
    def emitted(self) -> float:
        """Grams of all tenants, as the nodes' own ledgers have it."""
        return sum(node.emitted for node in self.nodes)

    def _is_down(self, node: PlayedNode, second: int) -> bool:
        """Whether the daemon of node 1 restarts, or all of it."""
        if node is not self.nodes[0]:
            return False
        restarts = (10 * HOUR_S, 20 * HOUR_S)
        rebooting = 30 * HOUR_S <= second < 30 * HOUR_S + 240
        return rebooting or any(0 < second - at <= 120 for at in restarts)

    def _long_job(self, node: PlayedNode, now_s: float, grams: float) -> None:
        if self._is_down(node, int(now_s - BEGIN_S)) and now_s > BEGIN_S + 30 * HOUR_S:
            return
        node.emit("physics", grams, now_s - 20)
        before, _ = self._jobs.get(node.instance, (0.0, 0.0))
        self._jobs[node.instance] = (before + grams, float("inf"))

    def _short_job(self, node: PlayedNode, name: str, now_s: float) -> None:
        node.emit(name, 40.0, now_s)
        self._jobs[name] = (40.0, now_s + JOB_STAYS_S)

    def _scrape_jobs(self, node: PlayedNode, now_s: float) -> None:
        of_other = node is not self.nodes[0]
        for name, (grams, until_s) in self._jobs.items():
            if (name != self.nodes[0].instance) == of_other and now_s <= until_s:
                labels = {"instance": node.instance, "job": "jouled", "job_id": name}
                self.store.write(JOB_EMISSIONS, key_of(labels), now_s, grams)


@pytest.fixture(scope="module", name="past")
def _past() -> Past:
    """Return the sixty hours."""
    past = Past()
    past.live()
    return past


@pytest.fixture(scope="module", name="server")
def _server(
    past: Past, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Return a Prometheus that has them."""
    folder = tmp_path_factory.mktemp("budgets") / "prometheus"
    server = Prometheus(folder, "scrape_configs: []\n")
    write_blocks(past.store, folder / "data")
    with started(server):
        yield server


def increase(server: Prometheus, metric: str) -> float:
    """Add up a metric as PromQL alone would."""
    ((_, value),) = server.query(f"sum(increase({metric}[{LENGTH_S}s]))", END_S)
    return value


def spent(server: Prometheus, one: Budget, *moments_s: int) -> float:
    """Count up to moments, as a hub that is started and stopped between them."""
    with open_prometheus(PrometheusSettings(server.url)) as store:
        book = Book(EMISSIONS, [one], moments_s[0])
        for moment_s in moments_s:
            book.advance(store, moment_s, lambda: False)
            book = Book(EMISSIONS, [one], moment_s, book.main, book.side)
    spending = book.spending(one.selection)
    assert spending is not None
    return spending.total(Span(MONTH_BEGIN_S, END_S)).amount


def test_what_is_spent_is_what_the_nodes_emitted(
    past: Past, server: Prometheus
) -> None:
    """To half a percent, where sums of ``increase()`` over jobs are far off."""
    one = budget("all")

    # Down from the 5th to the 50th hour, and then refreshed in small steps.
    early, late = BEGIN_S + 5 * HOUR_S, BEGIN_S + 50 * HOUR_S
    found = spent(server, one, early, late, *range(END_S - 3600, END_S + 1, 120))

    over_jobs = increase(server, JOB_EMISSIONS)
    sys.stdout.write(
        f"ledgers {past.emitted:.1f} g; budget {found:.1f} g "
        f"({found / past.emitted - 1:+.4%}); increase() over jobs {over_jobs:.1f} g "
        f"({over_jobs / past.emitted - 1:+.2%}), over tenants "
        f"{increase(server, EMISSIONS) / past.emitted - 1:+.2%}\n"
    )
    assert found == pytest.approx(past.emitted, rel=0.005)
    assert over_jobs != pytest.approx(past.emitted, rel=0.005)


def test_the_whole_past_in_one_go_comes_to_the_same(
    past: Past, server: Prometheus
) -> None:
    """A lost state is counted anew with long looks, and nobody sees a difference."""
    assert spent(server, budget("all"), END_S) == pytest.approx(past.emitted, rel=0.005)


def test_a_tenant_that_comes_back_after_a_day_counts_once(
    past: Past, server: Prometheus
) -> None:
    """It brings its old total along, which is spent already."""
    weekly = sum(node.told.get("weekly", 0.0) for node in past.nodes)

    found = spent(server, budget("weekly", tenant="weekly"), END_S)

    assert found == pytest.approx(weekly, rel=1e-6)
