"""Reads a schedule of PUE: ``Jun-Sep Mon-Fri 10:00-20:00 = 1.35; Nov-Feb = 1.1``.

A rule names months, days of the week and times of the day, each at most once and
at least one of them, and the PUE that holds then. Ranges go round: ``Nov-Feb``,
``Sat-Mon``, ``22:00-06:00``. Several are joined by commas.
"""

import re
from collections.abc import Iterator

from exporter.config.texts import RefusedValueError, shorten
from exporter.config.values import number
from exporter.core.pue import ALL_DAY, ALL_MONTHS, ALL_WEEKDAYS, DAY_MINUTES, PueRule

_MONTHS = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
_PUE = number(1, 10)

_MOST_CHARACTERS = 4000
_MOST_RULES = 100
_EXAMPLE = "'Jun-Sep Mon-Fri 10:00-20:00 = 1.35'"


def parse_pue_rules(text: str) -> tuple[PueRule, ...]:
    """Read a schedule.

    Args:
        text: rules with ``;`` between them; later ones win.

    Raises:
        RefusedValueError: a rule is none; the message says what is wrong with it.
        ValueError: it is nothing like rules.
    """
    if "=" not in text:
        raise ValueError(text)
    rules = [one.strip() for one in text.split(";") if one.strip()]
    if len(rules) > _MOST_RULES or len(text) > _MOST_CHARACTERS:
        msg = (
            f"at most {_MOST_RULES} rules of {_MOST_CHARACTERS} characters in all, "
            f"got {len(rules)} of {len(text)}"
        )
        raise RefusedValueError(msg)
    return tuple(map(_rule, rules))


def _rule(text: str) -> PueRule:
    when, equals, value = text.partition("=")
    if not equals:
        msg = f"{shorten(text)} is no rule such as {_EXAMPLE}"
        raise RefusedValueError(msg)
    try:
        pue = _PUE.parse(value.strip())
    except ValueError:
        msg = f"{shorten(text)}: the PUE must be {_PUE.expected}"
        raise RefusedValueError(msg) from None
    months = weekdays = spans = None
    for word in when.split():
        ranges = [_ends(one) for one in word.casefold().split(",")]
        if months is None and _all_in(ranges, _MONTHS):
            months = frozenset(1 + each for each in _numbers(ranges, _MONTHS))
        elif weekdays is None and _all_in(ranges, _WEEKDAYS):
            weekdays = frozenset(_numbers(ranges, _WEEKDAYS))
        elif spans is None and all(map(_is_span, ranges)):
            spans = tuple((_minute(begin), _minute(end)) for begin, end in ranges)
        else:
            raise RefusedValueError(_odd_word(word, text))
    if months is None and weekdays is None and spans is None:
        msg = f"{shorten(text)} does not say when; what always holds is the key pue"
        raise RefusedValueError(msg)
    return PueRule(
        pue, months or ALL_MONTHS, weekdays or ALL_WEEKDAYS, spans or ALL_DAY
    )


def _ends(text: str) -> tuple[str, str]:
    first, dash, last = text.partition("-")
    return first, last if dash else first


def _all_in(ranges: list[tuple[str, str]], names: list[str]) -> bool:
    return all(name in names for ends in ranges for name in ends)


def _numbers(ranges: list[tuple[str, str]], names: list[str]) -> Iterator[int]:
    for first, last in ranges:
        begin, count = names.index(first), len(names)
        length = (names.index(last) - begin) % count + 1
        yield from ((begin + step) % count for step in range(length))


def _is_span(ends: tuple[str, str]) -> bool:
    """Whether these are two times; the same one twice is no time at all."""
    begin, end = ends
    are_times = bool(_TIME.fullmatch(begin) and _TIME.fullmatch(end))
    return are_times and _minute(begin) not in {_minute(end), DAY_MINUTES}


def _minute(time: str) -> int:
    hours, _, minutes = time.partition(":")
    return 60 * int(hours) + int(minutes)


def _odd_word(word: str, rule: str) -> str:
    return (
        f"{shorten(word)} in {shorten(rule)} is no month, day or time, or the second; "
        "write such as Jun-Sep, Mon,Wed-Fri or 10:00-20:00"
    )
