from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.hub.budgets.period import Calendar, CalendarPeriod, RollingPeriod, Span

BERLIN = ZoneInfo("Europe/Berlin")
KATHMANDU = ZoneInfo("Asia/Kathmandu")


def unix_s(text: str, zone: ZoneInfo = BERLIN) -> float:
    """Return a moment of a wall clock, Unix time, s."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("unit", "begin", "end"),
    [
        ("week", "2026-11-16", "2026-11-23"),
        ("month", "2026-11-01", "2026-12-01"),
        ("quarter", "2026-10-01", "2027-01-01"),
        ("year", "2026-01-01", "2027-01-01"),
    ],
)
def test_a_calendar_period_is_between_two_midnights(
    unit: Calendar, begin: str, end: str
) -> None:
    """The midnights of the people whose budget it is."""
    period = CalendarPeriod(unit, BERLIN)

    span = period.around(unix_s("2026-11-18 15:30"))

    assert span == Span(unix_s(begin), unix_s(end))


def test_a_month_may_be_an_hour_longer() -> None:
    """In October the clocks go back."""
    october = CalendarPeriod("month", BERLIN).around(unix_s("2026-10-15 12:00"))

    assert october.length_s == 31 * 86400 + 3600


def test_midnight_is_not_on_the_hour_everywhere() -> None:
    """Nothing may take whole hours for granted."""
    span = CalendarPeriod("month", KATHMANDU).around(unix_s("2026-11-18", KATHMANDU))

    assert span.begin_s == unix_s("2026-11-01", KATHMANDU)
    assert span.begin_s % 3600 == 900


@given(
    st.sampled_from(["week", "month", "quarter", "year"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu"]),
    st.integers(1_000_000_000, 3_000_000_000),
)
def test_periods_follow_each_other_without_gap_or_overlap(
    unit: Calendar, zone: str, now_s: int
) -> None:
    """Each moment belongs to exactly one, first and last second included."""
    period = CalendarPeriod(unit, ZoneInfo(zone))

    span = period.around(now_s)

    assert span.begin_s <= now_s < span.end_s
    assert period.around(span.begin_s) == span
    assert period.around(span.end_s - 1) == span
    assert period.around(span.end_s).begin_s == span.end_s


def test_a_rolling_period_ends_now() -> None:
    """It never begins anew: what is older than its length leaves it."""
    assert RollingPeriod(86400.0, "1d").around(1e9) == Span(1e9 - 86400.0, 1e9)
