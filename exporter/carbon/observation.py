"""What a provider tells: a value of now, and values to come.

Whatever can be built here is plausible. What cannot be is a named error, so
that no number that nobody has checked reaches a counter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

from exporter.carbon.errors import ImplausibleError, ProviderError, UnavailableError
from exporter.core.forecast import Forecast, ForecastPoint
from exporter.core.units import GramsPerKwh, Seconds

Signal = Literal["average", "marginal"]
Factors = Literal["lifecycle", "direct", ""]

MOST_GRAMS_PER_KWH = 2000.0
"""No grid is dirtier: lignite alone, with everything that is behind it, is not."""

CLOCK_TOLERANCE_S = 300.0
"""How far two clocks may differ before one of them is not believed."""

_MOST_POINTS = 2000
# The first and the last moment that a provider may speak of: 2000 and 2100.
_FIRST_UNIX_S = 946_684_800.0
_LAST_UNIX_S = 4_102_444_800.0
_LONGEST_SLOT_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Observation:
    """Carbon intensity of one zone in one slot of time.

    Attributes:
        zone: the grid zone as it is configured.
        provider: name of the provider.
        value: gCO2e per kWh, finite, 0 < value <= 2000.
        observed_unix_s: begin of the slot it speaks of, Unix time, s.
        slot_s: length of the slot, s, > 0.
        signal: "average" of the mix, or "marginal" of one more kWh.
        factors: "lifecycle", "direct" combustion, or "" if it is not told.
        estimated: the provider itself calls it an estimate or a forecast.
        live_for_s: how long after the begin of its slot it is live, if who tells
            it knows better than the traits of the provider, s, > 0.

    Raises:
        ImplausibleError: a number is not what is said above.
    """

    zone: str
    provider: str
    value: GramsPerKwh
    observed_unix_s: Seconds
    slot_s: Seconds
    signal: Signal = "average"
    factors: Factors = ""
    estimated: bool = False
    live_for_s: Seconds | None = None

    def __post_init__(self) -> None:
        plausible(self.value)
        _check_slot(self.observed_unix_s, self.slot_s)
        if self.live_for_s is not None:
            _check_slot(self.observed_unix_s, self.live_for_s)

    def is_future(self, unix_s: Seconds) -> bool:
        """Whether it speaks of a time that cannot have begun yet.

        A slot may be named by its end, and clocks differ.
        """
        return self.observed_unix_s > unix_s + self.slot_s + CLOCK_TOLERANCE_S


@dataclass(frozen=True, slots=True)
class Report:
    """What one call told, by zone.

    Attributes:
        observations: values of now.
        forecasts: values to come, in order of time.
        problems: why a zone that was asked for is in neither.
        fresh_for_s: how long there will be nothing new, s, if who was asked tells;
            ``None``: as long as its traits say.
    """

    observations: Mapping[str, Observation] = field(default_factory=dict)
    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    problems: Mapping[str, ProviderError] = field(default_factory=dict)
    fresh_for_s: Seconds | None = None


def plausible(value: float) -> GramsPerKwh:
    """Return the value if a grid can have it.

    Raises:
        ImplausibleError: it is not finite, not above 0, or above 2000 g/kWh.
            Zero is a gap in somebody's data, not electricity without carbon.
    """
    if not isfinite(value):
        msg = "the intensity is not a finite number"
        raise ImplausibleError(msg)
    if not 0 < value <= MOST_GRAMS_PER_KWH:
        msg = f"no grid has an intensity of {value:g} g/kWh"
        raise ImplausibleError(msg)
    return GramsPerKwh(value)


def forecast_of(points: Sequence[tuple[Seconds, float]], slot_s: Seconds) -> Forecast:
    """Build a forecast from what is plausible of it, in order of time.

    It is advice and enters no counter: a point that cannot be is left out.

    Args:
        points: begin, Unix time, s, and gCO2e per kWh.
        slot_s: length of each slot, s, > 0.
    """
    forecast: dict[Seconds, ForecastPoint] = {}
    for begin_unix_s, value in points[:_MOST_POINTS]:
        try:
            _check_slot(begin_unix_s, slot_s)
            point = ForecastPoint(begin_unix_s, slot_s, plausible(value))
        except ImplausibleError:
            continue
        forecast[begin_unix_s] = point
    return tuple(forecast[begin] for begin in sorted(forecast))


def newest_begun(
    values: Iterable[tuple[Seconds, float]], unix_s: Seconds, zone: str
) -> tuple[Seconds, float]:
    """Return the newest of several values whose slot has begun.

    Args:
        values: begin of the slot, Unix time, s, and the value, in any order.
        unix_s: now.
        zone: what a message calls them.

    Raises:
        UnavailableError: none has begun, or there is none.
    """
    credible = [pair for pair in values if pair[0] <= unix_s + CLOCK_TOLERANCE_S]
    if not credible:
        msg = f"it has no value of {zone} for now"
        raise UnavailableError(msg)
    begun = [pair for pair in credible if pair[0] <= unix_s]
    # Their clock may be ahead of ours: then what begins first has just begun.
    return max(begun) if begun else min(credible)


def _check_slot(begin_unix_s: Seconds, slot_s: Seconds) -> None:
    if not _FIRST_UNIX_S <= begin_unix_s <= _LAST_UNIX_S:
        msg = "the time it speaks of is not in this century"
        raise ImplausibleError(msg)
    if not 0 < slot_s <= _LONGEST_SLOT_S:
        msg = "the slot of time it speaks of has no credible length"
        raise ImplausibleError(msg)
