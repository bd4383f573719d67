"""Power usage effectiveness (PUE) by the month, the day of the week and the hour.

Cooling costs more on a summer afternoon than in a winter night. Whoever measures
that writes rules for it; they speak of local time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

DAY_MINUTES = 24 * 60

ALL_MONTHS = frozenset(range(1, 13))
ALL_WEEKDAYS = frozenset(range(7))
ALL_DAY = ((0, DAY_MINUTES),)


class Day(NamedTuple):
    """A day as far as a rule knows it: month 1..12, and weekday, Monday is 0."""

    month: int
    weekday: int


@dataclass(frozen=True, slots=True)
class PueRule:
    """A PUE and when it holds.

    Attributes:
        value: power usage effectiveness, >= 1.
        months: 1..12.
        weekdays: 0..6, Monday is 0.
        spans: begin and end in minutes of the day, 0..1440; one that does not end
            after its begin goes over midnight, and belongs to the day it begins on.
    """

    value: float
    months: frozenset[int] = ALL_MONTHS
    weekdays: frozenset[int] = ALL_WEEKDAYS
    spans: tuple[tuple[int, int], ...] = ALL_DAY

    def covers(self, day: Day, before: Day, minute: int) -> bool:
        """Whether it holds.

        Args:
            day: the local day.
            before: the day before it.
            minute: minute of the local day, 0..1439.
        """
        return any(
            begin <= minute < end and self._is_on(day)
            if begin < end
            else self._is_on(day if minute >= begin else before)
            and not end <= minute < begin
            for begin, end in self.spans
        )

    def _is_on(self, day: Day) -> bool:
        return day.month in self.months and day.weekday in self.weekdays


def pue_by_rules(
    rules: Sequence[PueRule], day: Day, before: Day, minute: int, otherwise: float
) -> float:
    """Return the PUE of the last rule that holds.

    Args:
        rules: in the order they were written.
        day: the local day.
        before: the day before it.
        minute: minute of the local day, 0..1439.
        otherwise: what no rule covers.
    """
    for rule in reversed(rules):
        if rule.covers(day, before, minute):
            return rule.value
    return otherwise
