import pytest

from exporter.core.pue import Day, PueRule, pue_by_rules

JUNE, DECEMBER = 6, 12
FRIDAY, SATURDAY, SUNDAY = 4, 5, 6
NIGHT = PueRule(1.1, weekdays=frozenset({FRIDAY}), spans=((22 * 60, 6 * 60),))


@pytest.mark.parametrize(
    ("day", "before", "hour", "holds"),
    [
        (Day(JUNE, FRIDAY), Day(JUNE, 3), 21, False),
        (Day(JUNE, FRIDAY), Day(JUNE, 3), 22, True),
        (Day(JUNE, FRIDAY), Day(JUNE, 3), 5, False),
        (Day(JUNE, SATURDAY), Day(JUNE, FRIDAY), 5, True),
        (Day(JUNE, SATURDAY), Day(JUNE, FRIDAY), 6, False),
        (Day(JUNE, SATURDAY), Day(JUNE, FRIDAY), 23, False),
    ],
)
def test_a_night_belongs_to_the_day_it_begins_on(
    day: Day, before: Day, hour: int, *, holds: bool
) -> None:
    """Friday night ends on Saturday morning."""
    assert NIGHT.covers(day, before, hour * 60) is holds


def test_the_last_night_of_a_month_belongs_to_that_month() -> None:
    """Though it ends in another one."""
    rule = PueRule(1.1, months=frozenset({JUNE}), spans=((1320, 360),))

    assert rule.covers(Day(JUNE + 1, SUNDAY), Day(JUNE, SATURDAY), 0)
    assert not rule.covers(Day(JUNE, SUNDAY), Day(JUNE - 1, SATURDAY), 0)


def test_a_rule_without_times_holds_all_day() -> None:
    """To its last minute."""
    rule = PueRule(1.3, months=frozenset({JUNE}))

    for minute in (0, 1439):
        assert rule.covers(Day(JUNE, SUNDAY), Day(JUNE, SATURDAY), minute)
        assert not rule.covers(Day(DECEMBER, SUNDAY), Day(JUNE, SATURDAY), minute)


def test_of_two_rules_that_hold_the_later_one_wins() -> None:
    """So a file says what is usual first, and then the exceptions."""
    rules = (PueRule(1.3, frozenset({JUNE})), PueRule(1.5, spans=((600, 1200),)))
    before = Day(JUNE, SATURDAY)

    values = [
        pue_by_rules(rules, Day(month, SUNDAY), before, minute, 1.2)
        for month, minute in [(JUNE, 0), (JUNE, 600), (DECEMBER, 600), (DECEMBER, 0)]
    ]

    assert values == [1.3, 1.5, 1.5, 1.2]
