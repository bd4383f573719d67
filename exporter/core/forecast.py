"""What is expected of the carbon intensity of a grid, and what follows from it.

A forecast is advice: it never enters a counter. It says what a job will have
emitted at its end, and when a kilowatt-hour is cleanest.
"""

from bisect import bisect_right
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from exporter.core.units import GramsPerKwh, Seconds


@dataclass(frozen=True, slots=True)
class ForecastPoint:
    """What is expected of one slot of time.

    Attributes:
        begin_unix_s: begin of the slot, Unix time, s.
        slot_s: length of the slot, s, > 0.
        value: gCO2e per kWh, finite, > 0.

    Raises:
        ValueError: a number is not what is said above.
    """

    begin_unix_s: Seconds
    slot_s: Seconds
    value: GramsPerKwh

    def __post_init__(self) -> None:
        if not (isfinite(self.begin_unix_s) and isfinite(self.slot_s)):
            msg = "a slot of a forecast needs a begin and a length"
            raise ValueError(msg)
        if self.slot_s <= 0 or not isfinite(self.value) or self.value <= 0:
            msg = "a slot of a forecast and its value must be above 0"
            raise ValueError(msg)

    @property
    def end_unix_s(self) -> Seconds:
        """End of the slot, Unix time, s."""
        return Seconds(self.begin_unix_s + self.slot_s)


Forecast = tuple[ForecastPoint, ...]
"""In order of time; slots do not overlap, and there may be gaps between them."""


class PueStep(NamedTuple):
    """A power usage effectiveness, and from when on it holds, Unix time, s."""

    begin_unix_s: Seconds
    value: float


PuePlan = tuple[PueStep, ...]
"""In order of time; each step holds until the next begins, the last for ever."""


class Window(NamedTuple):
    """A time without gaps, and the mean of what is expected in it, g/kWh."""

    begin_unix_s: Seconds
    end_unix_s: Seconds
    mean: GramsPerKwh


def forecast_at(forecast: Forecast, unix_s: Seconds) -> GramsPerKwh | None:
    """Return what is expected at a moment, g/kWh; ``None`` if nobody says."""
    for point in forecast:
        if point.begin_unix_s <= unix_s < point.end_unix_s:
            return point.value
    return None


def greenest_window(
    forecast: Forecast, length_s: Seconds, from_unix_s: Seconds
) -> Window | None:
    """Return the cleanest time of some length; the first of several equal ones.

    The mean over a window of fixed length is least where the window begins or
    ends with a slot (or at ``from_unix_s``): between those it changes in one
    direction only. So these are all that are tried.

    Args:
        forecast: what is expected.
        length_s: length of the window, s, > 0.
        from_unix_s: when it may begin.

    Returns:
        ``None`` if no time of that length is forecast without a gap.
    """
    outlook = Outlook(forecast)
    begins = {float(from_unix_s)}
    for point in forecast:
        begins |= {point.begin_unix_s, point.end_unix_s - length_s}
    best: Window | None = None
    for begin_s in sorted(begins):
        end_s = Seconds(begin_s + length_s)
        if begin_s < from_unix_s or not outlook.covers(Seconds(begin_s), end_s):
            continue
        mean = outlook.mean(Seconds(begin_s), end_s, GramsPerKwh(0.0))
        # Not for a difference that is only one of rounding.
        if best is None or mean < best.mean * (1 - 1e-9):
            best = Window(Seconds(begin_s), end_s, mean)
    return best


class Outlook:
    """A forecast, prepared for many questions about its mean.

    Args:
        forecast: what is expected.
    """

    def __init__(self, forecast: Forecast) -> None:
        self._begins = [point.begin_unix_s for point in forecast]
        self._values = [point.value for point in forecast]
        ends_s = [*self._begins[1:], float("inf")]
        # Who gives slots that overlap means the later one.
        self._lengths_s = [
            min(point.slot_s, end_s - point.begin_unix_s)
            for point, end_s in zip(forecast, ends_s, strict=False)
        ]
        # Up to the begin of each slot: g/kWh x s, and s that are forecast.
        self._sums: list[tuple[float, float]] = [(0.0, 0.0)]
        for value, length_s in zip(self._values, self._lengths_s, strict=True):
            value_s, known_s = self._sums[-1]
            self._sums.append((value_s + value * length_s, known_s + length_s))

    def mean(
        self, begin_unix_s: Seconds, end_unix_s: Seconds, otherwise: GramsPerKwh
    ) -> GramsPerKwh:
        """Return the mean of what is expected in a time.

        Args:
            begin_unix_s: its begin.
            end_unix_s: its end, after its begin.
            otherwise: what is taken where nothing is forecast, g/kWh.
        """
        value_s, known_s = self._between(begin_unix_s, end_unix_s)
        length_s = end_unix_s - begin_unix_s
        rest_s = max(0.0, length_s - known_s)
        return GramsPerKwh((value_s + otherwise * rest_s) / length_s)

    def covers(self, begin_unix_s: Seconds, end_unix_s: Seconds) -> bool:
        """Whether all of a time is forecast."""
        _, known_s = self._between(begin_unix_s, end_unix_s)
        length_s = end_unix_s - begin_unix_s
        return known_s >= length_s * (1 - 1e-9)

    def _between(self, begin_s: float, end_s: float) -> tuple[float, float]:
        begin_sum, end_sum = self._until(begin_s), self._until(end_s)
        return end_sum[0] - begin_sum[0], end_sum[1] - begin_sum[1]

    def _until(self, unix_s: float) -> tuple[float, float]:
        """Sums over everything before a moment."""
        index = bisect_right(self._begins, unix_s) - 1
        if index < 0:
            return 0.0, 0.0
        within_s = min(unix_s - self._begins[index], self._lengths_s[index])
        value_s, known_s = self._sums[index]
        return value_s + self._values[index] * within_s, known_s + within_s
