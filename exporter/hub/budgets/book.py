"""The tallies of one metric: the one in force, and one that catches up.

A selection that is new, or whose past is not known, is counted by a tally of its
own that begins where its budgets need it. Looks are long as long as it is far
behind, and short near the present. When it has come as far as the tally in force,
that one takes it over; until then nothing is told of its budgets, because a part
of the past would look like a small sum.
"""

from collections.abc import Callable, Iterable

from exporter.hub.budgets.budget import Budget, Selection
from exporter.hub.budgets.following import LOOKBACK_DAYS
from exporter.hub.budgets.period import CalendarPeriod
from exporter.hub.budgets.projection import RATE_DAYS
from exporter.hub.budgets.spending import Spending
from exporter.hub.budgets.store import CounterStore
from exporter.hub.budgets.tally import Tally
from exporter.hub.prometheus.series import StoreOverloadError

_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S
_LONGEST_S = 6 * _HOUR_S
_SHORTEST_S = 300
# As old entries are joined: nothing finer is needed of what is so old.
_LOOKS_S = ((4 * _DAY_S, 6 * _HOUR_S), (6 * _HOUR_S, _HOUR_S))
# Rates look back a week, and a day more makes up for the length of a look.
_RECENT_S = (RATE_DAYS + 1) * _DAY_S
_KEPT_S = LOOKBACK_DAYS * _DAY_S
_SLACK_S = _HOUR_S


class Book:
    """What is counted of one metric.

    Args:
        metric: the counter of tenants.
        budgets: those that it is counted for.
        now_s: Unix time, whole s.
        main: the tally in force; ``None`` if there is none yet.
        side: one that catches up; ``None`` if there is none.
    """

    def __init__(
        self,
        metric: str,
        budgets: Iterable[Budget],
        now_s: int,
        main: Tally | None = None,
        side: Tally | None = None,
    ) -> None:
        self.metric = metric
        self._budgets = tuple(budgets)
        self.main, self.side = main, side
        self._longest_s = _LONGEST_S
        self._wanted = tuple(dict.fromkeys(one.selection for one in self._budgets))
        wanted = self._wanted
        if main is not None:
            main.drop([one for one in main.spending if one not in wanted])
            main.drop([one for one in main.spending if not self._is_covered(main, one)])
            self.main = main if main.spending else None
        served = () if self.main is None else self.main.spending
        self._missing = tuple(one for one in wanted if one not in served)
        if side is not None and not self._is_of_use(side, now_s):
            self.side = None

    def advance(
        self, store: CounterStore, now_s: int, is_over: Callable[[], bool]
    ) -> None:
        """Count on to now, and as far as there is time for what catches up.

        Args:
            store: is asked.
            now_s: Unix time, whole s.
            is_over: whether the time for catching up is over.

        Raises:
            StoreError: the store does not answer; what was counted stays.
        """
        if self.main is not None and self.main.at_s > now_s + _SLACK_S:
            # Our clock was ahead. What it made of that time is worth nothing.
            self.main, self.side, self._missing = None, None, self._wanted
        if self.main is not None:
            while self.main.at_s < now_s:
                self._step(self.main, store, now_s)
            self._forget(self.main, now_s)
        if self._missing and self.side is None:
            origin_s = self._origin_s(self._missing, now_s)
            self.side = Tally.begun(self.metric, self._missing, origin_s, store)
        while self.side is not None and not is_over():
            until_s = now_s if self.main is None else self.main.at_s
            if self.side.at_s < until_s:
                self._step(self.side, store, until_s)
            if self.side.at_s >= until_s:
                self._take_over(self.side)

    @property
    def at_s(self) -> int | None:
        """Up to when what is told is counted; ``None`` if nothing is."""
        return None if self.main is None else self.main.at_s

    @property
    def is_behind(self) -> bool:
        """Whether the past of some selections is still being counted."""
        return bool(self._missing)

    def spending(self, selection: Selection) -> Spending | None:
        """Return what was counted for a selection; ``None`` until it caught up."""
        return None if self.main is None else self.main.spending.get(selection)

    def _take_over(self, side: Tally) -> None:
        if self.main is None:
            self.main = side
        else:
            self.main.adopt(side)
        self.side = None
        self._missing = ()

    def _step(self, tally: Tally, store: CounterStore, until_s: int) -> None:
        """Take one look, as long as is sensible and as the store can bear."""
        begin_s = tally.at_s
        end_s = self._look_end_s(begin_s, until_s)
        try:
            tally.step(store, end_s, self._edges_s(begin_s, end_s))
        except StoreOverloadError:
            if end_s - begin_s <= _SHORTEST_S:
                raise
            self._longest_s = max(_SHORTEST_S, (end_s - begin_s) // 2)
        else:
            self._longest_s = min(_LONGEST_S, 2 * self._longest_s)

    def _look_end_s(self, begin_s: int, until_s: int) -> int:
        age_s = until_s - begin_s
        usual_s = next((each for old, each in _LOOKS_S if age_s > old), _SHORTEST_S)
        end_s = min(until_s, begin_s + min(usual_s, self._longest_s))
        # What a look finds belongs to one period.
        return min(
            (
                int(period.around(begin_s).end_s)
                for period in self._calendars()
                if begin_s < period.around(begin_s).end_s < end_s
            ),
            default=end_s,
        )

    def _edges_s(self, begin_s: int, end_s: int) -> set[float]:
        """Begins of all periods that sums may be asked from."""
        edges_s: set[float] = set()
        for period in self._calendars():
            edge_s = float(begin_s)
            # Entries that are joined are of this period or of the one before it.
            for _ in range(2):
                edge_s = period.around(edge_s).begin_s
                edges_s.add(edge_s)
                edge_s -= 1.0
            edges_s.add(period.around(end_s).begin_s)
        return edges_s

    def _calendars(self) -> set[CalendarPeriod]:
        periods = (budget.period for budget in self._budgets)
        return {period for period in periods if isinstance(period, CalendarPeriod)}

    def _origin_s(self, selections: Iterable[Selection], now_s: int) -> int:
        """Return where counting has to begin for some selections."""
        begins_s = self._begins_s(selections, now_s)
        # What is rolling is looked at as of a moment a little before now.
        return int(min(min(begins_s) - _SLACK_S, now_s - _RECENT_S))

    def _begins_s(self, selections: Iterable[Selection], at_s: int) -> list[float]:
        """Return the begins of the periods of all budgets of some selections."""
        return [
            budget.period.around(at_s).begin_s
            for budget in self._budgets
            if budget.selection in selections
        ]

    def _is_covered(self, main: Tally, selection: Selection) -> bool:
        """Whether a tally has counted all of the periods it is in."""
        begins_s = self._begins_s((selection,), main.at_s)
        return main.spending[selection].covers(min(begins_s))

    def _is_of_use(self, side: Tally, now_s: int) -> bool:
        """Whether a tally counts what is missing, and nothing else."""
        if set(side.spending) != set(self._missing):
            return False
        return side.tenants.origin_s <= min(self._begins_s(self._missing, now_s))

    def _forget(self, tally: Tally, now_s: int) -> None:
        origin_s = self._origin_s(tally.spending, now_s)
        tally.forget(now_s - _KEPT_S, origin_s - _SLACK_S)
