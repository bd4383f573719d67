"""What a budget will have cost at the end of its period, and how fast it goes. Pure.

The rate is that of whole days where they are known: work and grid swing with the
day, the grid by a factor of three. Where a forecast of the grid is known, the grams
of the hours it covers are scaled by it, in proportion to the grid of the days that
the rate was taken from.
"""

from collections.abc import Mapping
from typing import NamedTuple

from exporter.core.forecast import Forecast, Outlook
from exporter.core.units import GramsPerKwh, Seconds
from exporter.hub.budgets.period import Span
from exporter.hub.budgets.spending import Spending

WINDOWS_S: Mapping[str, float] = {
    "5m": 300.0,
    "30m": 1800.0,
    "1h": 3600.0,
    "2h": 7200.0,
    "6h": 21600.0,
    "1d": 86400.0,
    "3d": 259200.0,
}
RATE_DAYS = 7
"""From no more days than these a rate is taken."""

_DAY_S = 86400.0
_LEAST_RATE_S = 1800.0


class Grid(NamedTuple):
    """What is known of a grid.

    Attributes:
        hourly: its intensity of the last days, Unix time in s and g/kWh.
        forecast: what is expected of it.
    """

    hourly: tuple[tuple[float, float], ...] = ()
    forecast: Forecast = ()

    def mean(self, span: Span) -> float | None:
        """Return its mean in a time, g/kWh; ``None`` if less than half is known."""
        values = [v for time_s, v in self.hourly if span.begin_s < time_s <= span.end_s]
        if len(values) * 3600.0 < span.length_s / 2:
            return None
        return sum(values) / len(values)


NO_GRID = Grid()


def burn_rates(
    spending: Spending, at_s: float, per_second: float
) -> Mapping[str, float]:
    """Return how fast a budget goes, by window, of those whose time is all counted.

    Args:
        spending: what was counted.
        at_s: until when.
        per_second: what the budget allows each second, in the same unit, > 0.
    """
    since_s = spending.seen_since_s
    return {
        name: spending.total(Span(at_s - window_s, at_s)).amount / window_s / per_second
        for name, window_s in WINDOWS_S.items()
        if since_s is not None and since_s <= at_s - window_s
    }


def rate_span(spending: Spending, at_s: float, period_s: float) -> Span | None:
    """Return the time that a rate is taken from; ``None`` if too little is known.

    A week if the period is a month or longer, else a quarter of it, in whole days;
    less only where less is counted.
    """
    begin_s = spending.seen_since_s
    if begin_s is None or at_s - begin_s < _LEAST_RATE_S:
        return None
    known_s = at_s - begin_s
    wanted_days = max(1, min(RATE_DAYS, int(period_s / 4 / _DAY_S)))
    days = min(wanted_days, int(known_s / _DAY_S))
    return Span(at_s - (days * _DAY_S if days else known_s), at_s)


def expected(
    spending: Spending, ahead: Span, period_s: float, grid: Grid = NO_GRID
) -> float | None:
    """Return what a time to come will cost, if work goes on as it did lately.

    Args:
        spending: what was counted, until the begin of that time.
        ahead: the time.
        period_s: length of the budget's period, s.
        grid: what is known of the grid; nothing of it for energy.

    Returns:
        In the unit of ``spending``; ``None`` if too little is known.
    """
    lately = rate_span(spending, ahead.begin_s, period_s)
    if lately is None:
        return None
    amount = spending.total(lately).amount / lately.length_s * ahead.length_s
    mean = grid.mean(lately)
    if mean is None or not grid.forecast or ahead.length_s <= 0:
        return amount
    outlook = Outlook(grid.forecast)
    # What nobody forecasts will be as it was.
    to_come = outlook.mean(
        Seconds(ahead.begin_s), Seconds(ahead.end_s), GramsPerKwh(mean)
    )
    return amount * to_come / mean
