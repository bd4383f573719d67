"""Keeps the budgets up to date: a thread of its own, beside the hub's loop.

Reading many thousands of series takes seconds, which nobody else has to wait for.
What others read is one immutable object, replaced after each refresh.

When the store does not answer, every number stays as it was and its age is told.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from exporter.core.forecast import Forecast
from exporter.hub.budgets.book import Book
from exporter.hub.budgets.budget import EMISSIONS, Budget
from exporter.hub.budgets.plan import BudgetPlan
from exporter.hub.budgets.projection import NO_GRID, RATE_DAYS, Grid
from exporter.hub.budgets.shared_store import SharedStore
from exporter.hub.budgets.state_file import NOTHING_KEPT, Kept, StateFile
from exporter.hub.budgets.status import BudgetStatus, Standing, status_of
from exporter.hub.budgets.store import CounterStore
from exporter.hub.budgets.tally import NODE_EMISSIONS
from exporter.hub.prometheus.series import OUTCOMES, History, StoreError, labels_of

_log = logging.getLogger(__name__)

_HOUR_S = 3600
_SAVE_EACH_S = 600.0
# Catching up pauses for a moment, so that others get answers from the store too.
_CATCH_UP_S = 20.0
_BREATHE_S = 5.0
# What is read may be so many intervals old before the rest counts as missing.
_LATE_INTERVALS = 2
GRID = 'avg by (zone) (jouled_carbon_intensity_grams_per_kwh{signal="average"})'


class SeriesStore(CounterStore, Protocol):
    """A store that also evaluates expressions."""

    def course(self, query: str, begin_s: int, end_s: int, step_s: int) -> History:
        """Evaluate an expression again and again, each ``step_s`` of a time."""


class Clocks(NamedTuple):
    """What time it is: of the wall, and of one that never jumps, s."""

    unix: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


OpenStore = Callable[[], AbstractContextManager[SeriesStore]]


class Keeper:
    """Refreshes the budgets of one plan.

    Args:
        plan: the budgets.
        open_store: opens the way to the store.
        state: where what was counted is kept.
        clocks: what time it is.
        zone: grid zone of the budgets that name none; "" if it is not known.
    """

    def __init__(
        self,
        plan: BudgetPlan,
        open_store: OpenStore,
        state: StateFile,
        clocks: Clocks = Clocks(),  # noqa: B008 - immutable, two functions
        zone: str = "",
    ) -> None:
        self._plan = plan
        self._open_store = open_store
        self._state = state
        self._clocks = clocks
        self._zone = zone
        self._books: dict[str, Book] = {}
        self._counts = dict.fromkeys(OUTCOMES, 0)
        self._hourly: Mapping[str, tuple[tuple[float, float], ...]] = {}
        self._hourly_at_s = 0.0
        self._saved_s = clocks.monotonic()
        self._error = ""
        # Written by the loop of the hub, read by this thread.
        self.forecasts: Mapping[str, Forecast] = {}
        self.standing = Standing(
            tuple(BudgetStatus(budget) for budget in plan.budgets),
            refreshes=dict(self._counts),
        )

    def run(self, stop: threading.Event) -> None:
        """Refresh until told to stop, and keep what was counted."""
        while not stop.is_set():
            try:
                with self._open_store() as store:
                    self._serve(store, stop)
            except StoreError as error:
                # A file of certificates; it may be there the next time.
                self._publish(str(error), error.outcome, None)
                stop.wait(self._plan.interval_s)
        if self._books:
            self._save()

    def refresh(self, store: SeriesStore, stop: threading.Event) -> bool:
        """Refresh once.

        Args:
            store: is asked.
            stop: set when it is time to end.

        Returns:
            Whether there is more to catch up, so that the next one should follow
            soon.
        """
        begin_s = self._clocks.monotonic()
        error, outcome = "", "ok"
        try:
            self._advance(
                store,
                lambda: (
                    stop.is_set() or self._clocks.monotonic() - begin_s > _CATCH_UP_S
                ),
            )
        except StoreError as failure:
            error, outcome = str(failure), failure.outcome
        except Exception as fault:  # noqa: BLE001 - a fault of ours ends no budget
            _log.error("a refresh of the budgets failed", exc_info=fault)
            error, outcome = f"{type(fault).__name__}, see the log", "failed"
        self._publish(error, outcome, self._clocks.monotonic() - begin_s)
        if self._clocks.monotonic() - self._saved_s > _SAVE_EACH_S:
            self._save()
        return self.standing.catching_up and not error

    def _begin(self) -> None:
        kept = self._state.load()
        now_s = self._now_s()
        for metric in dict.fromkeys(b.selection.metric for b in self._plan.budgets):
            budgets = [b for b in self._plan.budgets if b.selection.metric == metric]
            tallies = kept.get(metric, NOTHING_KEPT)
            self._books[metric] = Book(
                metric, budgets, now_s, tallies.main, tallies.side
            )

    def _serve(self, store: SeriesStore, stop: threading.Event) -> None:
        while not stop.is_set():
            begin_s = self._clocks.monotonic()
            if self.refresh(store, stop):
                stop.wait(_BREATHE_S)
                continue
            took_s = self._clocks.monotonic() - begin_s
            stop.wait(max(_BREATHE_S, self._plan.interval_s - took_s))

    def _advance(self, store: SeriesStore, is_over: Callable[[], bool]) -> None:
        if not self._books:
            self._begin()
        now_s = self._now_s()
        shared = SharedStore(store, (NODE_EMISSIONS, f"{NODE_EMISSIONS}_created"))
        caught_up = False
        for book in self._books.values():
            was_behind = book.is_behind
            book.advance(shared, now_s, is_over)
            caught_up = caught_up or (was_behind and not book.is_behind)
            if book.is_behind != was_behind:
                what = "is read again" if book.is_behind else "is all read"
                _log.info("the past of budgets %s", what, extra={"of": book.metric})
        if caught_up:
            self._save()
        self._look_at_grid(store, now_s)

    def _look_at_grid(self, store: SeriesStore, now_s: int) -> None:
        """Read the intensity of the last days once an hour, where it is of use."""
        old = now_s - self._hourly_at_s > _HOUR_S
        if not (old and self.forecasts and EMISSIONS in self._books):
            return
        begin_s = now_s - RATE_DAYS * 24 * _HOUR_S
        course = store.course(GRID, begin_s, now_s, _HOUR_S).by_key
        self._hourly = {
            labels_of(key).get("zone", ""): tuple(samples)
            for key, samples in course.items()
        }
        self._hourly_at_s = now_s

    def _publish(self, error: str, outcome: str, duration_s: float | None) -> None:
        self._counts[outcome] += 1
        if error and error != self._error:
            _log.warning("the budgets stay as they are: %s", error)
        elif self._error and not error:
            _log.info("the budgets are refreshed again")
        self._error = error
        self.standing = Standing(
            tuple(map(self._status, self._plan.budgets)),
            any(book.is_behind for book in self._books.values()),
            error,
            dict(self._counts),
            duration_s,
        )

    def _status(self, budget: Budget) -> BudgetStatus:
        book = self._books.get(budget.selection.metric)
        spending = None if book is None else book.spending(budget.selection)
        if book is None or spending is None or book.at_s is None:
            return BudgetStatus(budget)
        late_s = self._plan.delay_s + _LATE_INTERVALS * self._plan.interval_s
        now_s = self._clocks.unix()
        until_s = now_s if now_s - book.at_s > late_s else book.at_s
        return status_of(budget, spending, book.at_s, until_s, self._grid(budget))

    def _grid(self, budget: Budget) -> Grid:
        if budget.amount.kind != "carbon":
            return NO_GRID
        zone = budget.zone or self._zone
        return Grid(self._hourly.get(zone, ()), self.forecasts.get(zone, ()))

    def _save(self) -> None:
        self._state.save(
            {metric: Kept(b.main, b.side) for metric, b in self._books.items()}
        )
        self._saved_s = self._clocks.monotonic()

    def _now_s(self) -> int:
        return int(self._clocks.unix() - self._plan.delay_s)
