import re

import pytest

from exporter.config.pue_rules import parse_pue_rules
from exporter.config.texts import RefusedValueError
from exporter.core.pue import ALL_DAY, ALL_MONTHS, ALL_WEEKDAYS, PueRule

SUMMER = frozenset({6, 7, 8, 9})
WORKDAYS = frozenset(range(5))


def test_a_rule_names_months_days_and_times() -> None:
    """In any order, in capitals or not, with as many blanks as one likes."""
    expected = (PueRule(1.35, SUMMER, WORKDAYS, ((600, 1200),)),)

    assert parse_pue_rules("Jun-Sep Mon-Fri 10:00-20:00 = 1.35") == expected
    assert parse_pue_rules(" 10:00-20:00  mon-FRI\njun-sep=1.35 ;") == expected


def test_what_a_rule_does_not_name_is_always() -> None:
    """All months, all days, all day."""
    assert parse_pue_rules("Jun-Sep = 1.3; Sun = 1.1; 0:00-6:30 = 1") == (
        PueRule(1.3, SUMMER, ALL_WEEKDAYS, ALL_DAY),
        PueRule(1.1, ALL_MONTHS, frozenset({6}), ALL_DAY),
        PueRule(1.0, ALL_MONTHS, ALL_WEEKDAYS, ((0, 390),)),
    )


def test_ranges_go_round() -> None:
    """Over new year, over the weekend, over midnight."""
    (rule,) = parse_pue_rules("Nov-Feb Sat-Mon 22:00-06:00 = 1.05")

    assert rule.months == {11, 12, 1, 2}
    assert rule.weekdays == {5, 6, 0}
    assert rule.spans == ((1320, 360),)


def test_several_ranges_are_joined_by_commas() -> None:
    """Two peaks of a day need not be two rules."""
    (rule,) = parse_pue_rules("Jan,Mar-Apr Mon,Wed 06:00-10:00,17:00-24:00 = 1.4")

    assert rule.months == {1, 3, 4}
    assert rule.weekdays == {0, 2}
    assert rule.spans == ((360, 600), (1020, 1440))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Jun-Sep 1.3; Feb = 1", "'Jun-Sep 1.3' is no rule such as 'Jun-Sep Mon-Fri"),
        ("Jun = 1.3; 1.2", "'1.2' is no rule"),
        ("Jun = ", "'Jun =': the PUE must be a number from 1 to 10"),
        ("Jun = 0.9", "'Jun = 0.9': the PUE must be a number from 1 to 10"),
        ("Jun = 1.2 = 1.3", "the PUE must be a number"),
        ("= 1.2", "'= 1.2' does not say when; what always holds is the key pue"),
        ("Jun-Sept = 1.3", "'Jun-Sept' in 'Jun-Sept = 1.3' is no month, day or time"),
        ("Jun- = 1.3", "'Jun-' in"),
        ("Jun, = 1.3", "'Jun,' in"),
        ("Jun-Fri = 1.3", "'Jun-Fri' in"),
        ("Jun Jul = 1.3", "'Jul' in 'Jun Jul = 1.3' is no month, day or time, or the"),
        ("Sat Sun = 1.3", "'Sun' in"),
        ("10:00 = 1.3", "'10:00' in"),
        ("10:00-10:00 = 1.3", "'10:00-10:00' in"),
        ("24:00-06:00 = 1.3", "'24:00-06:00' in"),
        ("10:00-24:01 = 1.3", "'10:00-24:01' in"),
        ("10:00-20:60 = 1.3", "'10:00-20:60' in"),
        ("1\u0660:00-20:00 = 1.3", "is no month, day or time"),
        ("9:00-10:00 11:00-12:00 = 1.3", "'11:00-12:00' in"),
        ("Jun = 1.1;" * 101, "at most 100 rules"),
        (" " * 4000 + "Jun = 1.1", "4000 characters in all, got 1 of 4009"),
        ("x" * 200 + "; =", f"'{'x' * 60}...' is no rule"),
    ],
)
def test_what_is_no_schedule_is_refused_with_what_is_wrong(
    text: str, message: str
) -> None:
    """In one line, with the remedy."""
    with pytest.raises(RefusedValueError, match=re.escape(message)) as refused:
        parse_pue_rules(text)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", " ; ", "1.3", "Jun-Sep 1.3"])
def test_what_has_no_rule_at_all_is_refused_as_any_other_value(text: str) -> None:
    """The message then says what is expected."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$") as refused:
        parse_pue_rules(text)

    assert not isinstance(refused.value, RefusedValueError)
