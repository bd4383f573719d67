"""The time a budget is for: a week, month, quarter or year, or a rolling length."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

Calendar = Literal["week", "month", "quarter", "year"]

_MONTHS: dict[Calendar, int] = {"month": 1, "quarter": 3, "year": 12}


class Span(NamedTuple):
    """A time from ``begin_s`` on and before ``end_s``, Unix time, s."""

    begin_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """How long it is, s."""
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True)
class CalendarPeriod:
    """Calendar weeks (from Monday), months, quarters or years.

    Attributes:
        unit: which.
        zone: the time zone whose midnight they begin at.
    """

    unit: Calendar
    zone: ZoneInfo

    @property
    def name(self) -> str:
        """What it is called in metrics."""
        return self.unit

    def around(self, unix_s: float) -> Span:
        """Return the period that a moment is in."""
        day = datetime.fromtimestamp(unix_s, self.zone).date()
        if self.unit == "week":
            first = day - timedelta(days=day.weekday())
            after = first + timedelta(days=7)
        else:
            months = _MONTHS[self.unit]
            first = day.replace(month=day.month - (day.month - 1) % months, day=1)
            index = first.year * 12 + first.month - 1 + months
            after = first.replace(year=index // 12, month=index % 12 + 1)
        return Span(
            *(
                # Midnight of the wall: a day of 23 or 25 hours is a day too.
                datetime(each.year, each.month, each.day, tzinfo=self.zone).timestamp()
                for each in (first, after)
            )
        )


@dataclass(frozen=True, slots=True)
class RollingPeriod:
    """The last so many seconds, always.

    Attributes:
        length_s: how many, > 0.
        name: as it was written, such as "30d".
    """

    length_s: float
    name: str

    def around(self, unix_s: float) -> Span:
        """Return the period that ends at a moment."""
        return Span(unix_s - self.length_s, unix_s)


Period = CalendarPeriod | RollingPeriod
