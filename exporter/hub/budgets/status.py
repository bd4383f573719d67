"""How a budget stands: the immutable result of a refresh. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.core.units import Ratio
from exporter.hub.budgets.budget import Budget
from exporter.hub.budgets.period import CalendarPeriod, Span
from exporter.hub.budgets.projection import NO_GRID, Grid, burn_rates, expected
from exporter.hub.budgets.spending import Spending


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """One budget at the last moment that is known of.

    Amounts are in the unit of the budget: g, J, or its currency.

    Attributes:
        budget: its definition.
        at_s: the moment, Unix time, s; ``None`` if nothing is known yet.
        period: the period it is in.
        spent: what was spent in it.
        projected: what will be, at its end; of a rolling one, what a whole period
            costs at the present rate.
        burn_rates: how fast it goes, by window.
        live: the part of ``spent`` that was computed on live intensity, 0..1.
        complete: the part of the time with complete data, 0..1.
    """

    budget: Budget
    at_s: float | None = None
    period: Span | None = None
    spent: float | None = None
    projected: float | None = None
    burn_rates: Mapping[str, float] = field(default_factory=dict)
    live: Ratio = Ratio(0.0)
    complete: Ratio = Ratio(0.0)

    @property
    def data_quality(self) -> Ratio:
        """How far the numbers can be trusted, 0..1."""
        return Ratio(self.live * self.complete)

    @property
    def spent_ratio(self) -> float | None:
        """The part that is spent."""
        return None if self.spent is None else self.spent / self.budget.amount.value

    @property
    def projected_ratio(self) -> float | None:
        """The part that will be spent."""
        if self.projected is None:
            return None
        return self.projected / self.budget.amount.value


@dataclass(frozen=True, slots=True)
class Standing:
    """How all budgets stand: what a scrape, the page and the API read.

    Attributes:
        statuses: in the order of the file.
        catching_up: the past of some budgets is still being read.
        error: why the last refresh failed; "" if it did not.
        refreshes: how many there were since the start, by outcome.
        duration_s: how long the last one took, s; ``None`` before it.
    """

    statuses: tuple[BudgetStatus, ...] = ()
    catching_up: bool = False
    error: str = ""
    refreshes: Mapping[str, int] = field(default_factory=dict)
    duration_s: float | None = None


NOTHING_STANDS = Standing()


def status_of(
    budget: Budget,
    spending: Spending,
    at_s: float,
    until_s: float,
    grid: Grid = NO_GRID,
) -> BudgetStatus:
    """Look how a budget stands.

    Args:
        budget: its definition.
        spending: what was counted for its selection.
        at_s: up to when everything is counted.
        until_s: up to when it should be; what lies between is not complete.
        grid: what is known of its grid.
    """
    period = budget.period.around(at_s)
    length_s = period.length_s
    per_count = budget.amount.per_count
    total = spending.total(Span(period.begin_s, at_s))
    if isinstance(budget.period, CalendarPeriod):
        ahead = expected(spending, Span(at_s, period.end_s), length_s, grid)
        projected = None if ahead is None else (total.amount + ahead) * per_count
    else:
        ahead = expected(spending, Span(at_s, at_s + length_s), length_s, grid)
        projected = None if ahead is None else ahead * per_count
    elapsed_s = max(at_s, until_s) - period.begin_s
    live = 1 - total.fallback / total.amount if total.amount > 0 else 1.0
    complete = total.complete_s / elapsed_s if elapsed_s > 0 else 1.0
    return BudgetStatus(
        budget,
        at_s,
        period,
        total.amount * per_count,
        projected,
        burn_rates(spending, at_s, budget.amount.value / per_count / length_s),
        Ratio(min(1.0, max(0.0, live))),
        Ratio(min(1.0, max(0.0, complete))),
    )
