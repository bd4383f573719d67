from zoneinfo import ZoneInfo

import pytest

from exporter.core.forecast import ForecastPoint
from exporter.core.units import GramsPerKwh, Seconds
from exporter.hub.budgets.amount import parse_amount
from exporter.hub.budgets.budget import Budget
from exporter.hub.budgets.period import CalendarPeriod, Period, RollingPeriod, Span
from exporter.hub.budgets.projection import Grid, burn_rates, expected, rate_span
from exporter.hub.budgets.spending import Entry, Spending
from exporter.hub.budgets.status import BudgetStatus, status_of

HOUR_S, DAY_S = 3600.0, 86400.0
MONTH = CalendarPeriod("month", ZoneInfo("UTC"))
# The 15th of November 2026, 12:00 UTC.
NOW_S = 1794744000.0
BEGIN_S = MONTH.around(NOW_S).begin_s


def spent(
    gram_per_s: float,
    since_s: float,
    until_s: float = NOW_S,
    fallback: float = 0.0,
    complete: float = 1.0,
) -> Spending:
    """Spend evenly, hour by hour."""
    spending = Spending()
    begin_s = since_s
    while begin_s < until_s:
        end_s = min(until_s, begin_s + HOUR_S)
        amount, length_s = gram_per_s * (end_s - begin_s), end_s - begin_s
        spending.add(
            Entry(begin_s, end_s, amount, amount * fallback, length_s * complete)
        )
        begin_s = end_s
    return spending


def budget(amount: str, period: Period = MONTH, price: float | None = None) -> Budget:
    """Define a budget."""
    return Budget("b", parse_amount(amount, price), period)


def test_a_month_is_spent_from_its_midnight_on() -> None:
    """What was spent in the month before counts for its rates alone."""
    spending = spent(1.0, BEGIN_S - 8 * DAY_S)

    status = status_of(budget("5t"), spending, NOW_S, NOW_S)

    assert status.spent == pytest.approx(14.5 * DAY_S)
    assert status.period == MONTH.around(NOW_S)
    # It goes on as in the last week.
    assert status.projected == pytest.approx(30 * DAY_S)
    assert status.spent_ratio == pytest.approx(14.5 * DAY_S / 5e6)
    assert status.projected_ratio == pytest.approx(30 * DAY_S / 5e6)
    assert (status.live, status.complete, status.data_quality) == (1.0, 1.0, 1.0)


def test_a_rate_of_1_spends_exactly_the_budget() -> None:
    """That is what a burn rate is for: the same number for all budgets."""
    status = status_of(
        budget(f"{30 * 86400}g"), spent(1.0, BEGIN_S - 8 * DAY_S), NOW_S, NOW_S
    )

    assert set(status.burn_rates) == {"5m", "30m", "1h", "2h", "6h", "1d", "3d"}
    for rate in status.burn_rates.values():
        assert rate == pytest.approx(1.0)


def test_a_burst_shows_in_the_short_windows_first() -> None:
    """Two windows together tell a burst from a trend."""
    spending = spent(0.0, BEGIN_S, NOW_S - HOUR_S)
    spending.add(Entry(NOW_S - HOUR_S, NOW_S, HOUR_S, 0.0, HOUR_S))

    rates = burn_rates(spending, NOW_S, 0.1)

    assert rates["1h"] == pytest.approx(10.0)
    assert rates["5m"] == pytest.approx(10.0)
    assert rates["1d"] == pytest.approx(10.0 / 24)


def test_a_window_that_is_not_all_counted_has_no_rate() -> None:
    """Half a window would look like half the speed."""
    rates = burn_rates(spent(1.0, NOW_S - 2 * HOUR_S), NOW_S, 1.0)

    assert set(rates) == {"5m", "30m", "1h", "2h"}


@pytest.mark.parametrize(
    ("known_s", "period_s", "days"),
    [
        (30 * DAY_S, 30 * DAY_S, 7.0),
        (30 * DAY_S, 7 * DAY_S, 1.0),
        (30 * DAY_S, 365 * DAY_S, 7.0),
        (3.6 * DAY_S, 30 * DAY_S, 3.0),
        (0.5 * DAY_S, 30 * DAY_S, 0.5),
    ],
)
def test_a_rate_is_that_of_whole_days(
    known_s: float, period_s: float, days: float
) -> None:
    """Work and grid swing with the day; half a day more would tilt the mean."""
    span = rate_span(spent(1.0, NOW_S - known_s), NOW_S, period_s)

    assert span == Span(NOW_S - days * DAY_S, NOW_S)


def test_from_a_moment_no_rate_can_be_told() -> None:
    """The first minutes of a new installation are no month."""
    spending = spent(1.0, NOW_S - 600.0)

    assert rate_span(spending, NOW_S, 30 * DAY_S) is None
    assert expected(spending, Span(NOW_S, NOW_S + DAY_S), 30 * DAY_S) is None
    assert status_of(budget("1t"), spending, NOW_S, NOW_S).projected is None


def test_a_forecast_counts_for_the_hours_it_covers() -> None:
    """The grid of tomorrow may be twice as dirty as that of the last week."""
    hourly = tuple((NOW_S - n * HOUR_S, 200.0) for n in range(7 * 24))
    tomorrow = ForecastPoint(Seconds(NOW_S), Seconds(DAY_S), GramsPerKwh(400.0))
    grid = Grid(hourly, (tomorrow,))

    plain = expected(spent(1.0, BEGIN_S), Span(NOW_S, NOW_S + 3 * DAY_S), 30 * DAY_S)
    scaled = expected(
        spent(1.0, BEGIN_S), Span(NOW_S, NOW_S + 3 * DAY_S), 30 * DAY_S, grid
    )

    assert plain == pytest.approx(3 * DAY_S)
    assert scaled == pytest.approx(4 * DAY_S)


def test_a_forecast_without_a_past_to_compare_with_is_not_used() -> None:
    """A rate of unknown grids cannot be scaled."""
    tomorrow = ForecastPoint(Seconds(NOW_S), Seconds(DAY_S), GramsPerKwh(400.0))
    grid = Grid(((NOW_S, 200.0),), (tomorrow,))

    found = expected(spent(1.0, BEGIN_S), Span(NOW_S, NOW_S + DAY_S), 30 * DAY_S, grid)

    assert found == pytest.approx(DAY_S)


def test_a_rolling_budget_loses_what_is_too_old() -> None:
    """Its projection is what a whole period costs at the present rate."""
    spending = spent(0.0, NOW_S - 40 * DAY_S, NOW_S - 10 * DAY_S)
    for hour in range(240):
        begin_s = NOW_S - 10 * DAY_S + hour * HOUR_S
        spending.add(Entry(begin_s, begin_s + HOUR_S, HOUR_S, 0.0, HOUR_S))
    rolling = budget("1t", RollingPeriod(5 * DAY_S, "5d"))

    status = status_of(rolling, spending, NOW_S, NOW_S)

    assert status.spent == pytest.approx(5 * DAY_S)
    assert status.period == Span(NOW_S - 5 * DAY_S, NOW_S)
    assert status.projected == pytest.approx(5 * DAY_S)


def test_money_is_energy_times_its_price() -> None:
    """All of its numbers are in its currency."""
    # 1 kW for 14.5 days at 0.30 a kWh.
    status = status_of(
        budget("500EUR", price=0.30), spent(1000.0, BEGIN_S), NOW_S, NOW_S
    )

    assert status.spent == pytest.approx(14.5 * 24 * 0.30)
    assert status.burn_rates["1d"] == pytest.approx(30 * 24 * 0.30 / 500)


def test_quality_is_what_is_live_times_what_is_complete() -> None:
    """Either alone would hide the other."""
    spending = spent(1.0, BEGIN_S, fallback=0.25, complete=0.5)

    status = status_of(budget("1t"), spending, NOW_S, NOW_S)

    assert status.live == pytest.approx(0.75)
    assert status.complete == pytest.approx(0.5)
    assert status.data_quality == pytest.approx(0.375)


def test_while_nothing_new_comes_in_the_numbers_stay_and_the_quality_falls() -> None:
    """A failure never lowers a budget; it says that it does not know."""
    spending = spent(1.0, BEGIN_S - 8 * DAY_S)

    before = status_of(budget("5t"), spending, NOW_S, NOW_S)
    later = status_of(budget("5t"), spending, NOW_S, NOW_S + 2 * DAY_S)

    assert (later.spent, later.projected) == (before.spent, before.projected)
    assert later.data_quality == pytest.approx(14.5 / 16.5)


def test_where_nothing_is_spent_all_of_it_is_live() -> None:
    """Nothing divided by nothing is no fallback."""
    assert status_of(budget("1t"), spent(0.0, BEGIN_S), NOW_S, NOW_S).live == 1.0


def test_a_budget_nobody_has_counted_for_has_no_numbers() -> None:
    """And no quality."""
    status = BudgetStatus(budget("1t"))

    assert status.spent_ratio is None
    assert status.projected_ratio is None
    assert status.data_quality == 0.0
