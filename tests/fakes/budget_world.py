"""A keeper of budgets over a store in memory, on a clock of the test's own."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from exporter.hub.budgets.amount import parse_amount
from exporter.hub.budgets.budget import Budget
from exporter.hub.budgets.keeper import Clocks, Keeper
from exporter.hub.budgets.period import CalendarPeriod, Period, RollingPeriod
from exporter.hub.budgets.plan import BudgetPlan
from exporter.hub.budgets.state_file import StateFile
from exporter.hub.budgets.status import BudgetStatus
from exporter.hub.prometheus.matching import Matcher
from exporter.hub.prometheus.settings import PrometheusSettings
from tests.fakes.cluster_life import PlayedNode
from tests.fakes.series_store import SeriesStore

# The 1st of November 2026, 00:00 UTC.
MONTH_BEGIN_S = 1793491200
SCRAPE_S = 60
MONTH = CalendarPeriod("month", ZoneInfo("UTC"))
DAYS_30 = RollingPeriod(30 * 86400.0, "30d")


def budget(
    name: str, amount: str = "1t", period: Period = MONTH, tenant: str = ""
) -> Budget:
    """Define a budget, of one tenant or of all."""
    matchers = (Matcher("tenant", "=", (tenant,)),) if tenant else ()
    price = 0.36 if amount.endswith("EUR") else None
    return Budget(name, parse_amount(amount, price), period, matchers, team="physics")


class BudgetWorld:
    """One node, scraped each minute, and the keeper that counts it.

    Args:
        folder: the state directory.
        budgets: what is kept.
        begin_s: when it all begins, Unix time, s.
    """

    def __init__(
        self, folder: Path, *budgets: Budget, begin_s: int = MONTH_BEGIN_S
    ) -> None:
        self.folder = folder
        self.now_s = float(begin_s)
        self.store = SeriesStore()
        self.node = PlayedNode("node1", self.store)
        self._stop = threading.Event()
        self.keeper = self.start(*budgets)

    def start(self, *budgets: Budget) -> Keeper:
        """Start another keeper over the same state, as a restart does."""
        plan = BudgetPlan(budgets, PrometheusSettings("http://nowhere"))
        clocks = Clocks(lambda: self.now_s, lambda: self.now_s)
        self.keeper = Keeper(plan, self._open, StateFile(self.folder), clocks, "DE")
        return self.keeper

    def end(self) -> None:
        """End the keeper as a signal does: it keeps what was counted."""
        stop = threading.Event()
        stop.set()
        self.keeper.run(stop)

    def live(self, minutes: int, grams: float = 0.0, tenant: str = "ada") -> None:
        """Let a tenant emit so much each minute, and scrape."""
        for _ in range(minutes):
            self.now_s += SCRAPE_S
            if grams:
                self.node.emit(tenant, grams, self.now_s - 30)
            self.node.scrape(self.now_s)

    def refresh(self) -> None:
        """Refresh until there is nothing to catch up."""
        while self.keeper.refresh(self.store, self._stop):
            pass

    def status(self, name: str) -> BudgetStatus:
        """Return how a budget stands."""
        statuses = {one.budget.name: one for one in self.keeper.standing.statuses}
        return statuses[name]

    @contextlib.contextmanager
    def _open(self) -> Iterator[SeriesStore]:
        yield self.store
