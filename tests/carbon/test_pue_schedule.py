"""Times are of 2026; Central Europe's clocks change on 29 March and 25 October."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.carbon.pue_schedule import ScheduledPue, scheduled_pue
from exporter.core.pue import PueRule
from exporter.core.units import Seconds

QUARTER_S = 900.0
WEEK_S = 7 * 86400.0


def utc(month: int, day: int, hour: int, minute: int = 0) -> Seconds:
    """Return a moment of 2026."""
    return Seconds(datetime(2026, month, day, hour, minute, tzinfo=UTC).timestamp())


def between(begin: int, end: int, zone: str = "Europe/Berlin") -> ScheduledPue:
    """Return a PUE of 1.5 between two hours of each day, else 1.2."""
    return scheduled_pue((PueRule(1.5, spans=((begin * 60, end * 60),)),), zone, 1.2)


def hours_of(pue: ScheduledPue, month: int, day: int) -> list[float]:
    """Return the quarters of an hour before noon in which it is 1.5, in hours."""
    begin_s = utc(month, day, 0)
    return [
        quarter / 4
        for quarter in range(12 * 4)
        if pue.current(Seconds(begin_s + quarter * QUARTER_S)) == 1.5
    ]


def test_rules_speak_of_local_time() -> None:
    """In summer and in winter time; without a zone it is UTC."""
    assert hours_of(between(10, 11), 7, 1) == [8.0, 8.25, 8.5, 8.75]
    assert hours_of(between(10, 11), 1, 15) == [9.0, 9.25, 9.5, 9.75]
    assert hours_of(between(10, 11, "UTC"), 7, 1) == [10.0, 10.25, 10.5, 10.75]


def test_a_rule_for_an_hour_that_is_skipped_does_not_hold_that_day() -> None:
    """There is no 02:30 on the 29th of March."""
    assert hours_of(between(2, 3), 3, 29) == []
    assert hours_of(between(1, 4), 3, 29) == [h / 4 for h in range(8)]


def test_a_rule_for_an_hour_that_is_repeated_holds_twice() -> None:
    """02:30 comes twice on the 25th of October."""
    assert hours_of(between(2, 3), 10, 25) == [h / 4 for h in range(8)]
    assert hours_of(between(3, 4), 10, 25) == [2.0, 2.25, 2.5, 2.75]


def test_days_of_the_week_and_months_are_local_too() -> None:
    """It is the 1st of July in Berlin while it is still June elsewhere."""
    july = scheduled_pue((PueRule(1.5, frozenset({7})),), "Europe/Berlin", 1.2)

    assert july.current(utc(6, 30, 21, 59)) == 1.2
    assert july.current(utc(6, 30, 22)) == 1.5


def test_it_changes_with_the_minute_and_not_before() -> None:
    """To the second, also when the clock was put back."""
    pue = between(10, 11, "UTC")
    ten = utc(7, 1, 10)

    values = [pue.current(Seconds(ten + s)) for s in (-0.001, 0.0, 59.9, -60.0, 7200)]

    assert values == [1.2, 1.5, 1.5, 1.2, 1.2]


def test_a_plan_says_what_will_be_in_force_for_a_week() -> None:
    """And after it, the mean of that week."""
    pue = between(10, 16, "UTC")

    plan = pue.plan(utc(7, 1, 12, 7))

    assert plan[0] == (utc(7, 1, 12), 1.5)
    assert plan[1:4] == (
        (utc(7, 1, 16), 1.2),
        (utc(7, 2, 10), 1.5),
        (utc(7, 2, 16), 1.2),
    )
    assert plan[-1].begin_unix_s == utc(7, 8, 12)
    assert plan[-1].value == pytest.approx(1.275)


def test_a_plan_is_the_same_object_for_some_hours() -> None:
    """What is computed from it need not be computed in each tick."""
    pue = between(10, 16)
    plan = pue.plan(utc(7, 1, 12))

    assert pue.plan(utc(7, 1, 17, 59)) is plan
    assert pue.plan(utc(7, 1, 18))[0].begin_unix_s == utc(7, 1, 18)
    assert pue.plan(utc(1, 1, 0))[0].begin_unix_s == utc(1, 1, 0)


@given(st.integers(0, 364 * 96), st.integers(0, 671))
def test_a_plan_says_what_will_be_so(begin: int, later: int) -> None:
    """In each quarter of an hour of the year, over changes of the clock too."""
    pue = between(1, 3)
    begin_s = utc(1, 1, 0) + begin * QUARTER_S
    at_s = begin_s + later * QUARTER_S

    plan = pue.plan(Seconds(begin_s))

    planned = [step.value for step in plan if step.begin_unix_s <= at_s][-1]
    assert planned == pue.current(Seconds(at_s))
    assert plan[-1].begin_unix_s == begin_s + WEEK_S
