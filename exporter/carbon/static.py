"""Figures that the operator fixed: a site's own supply, and its PUE."""

from math import isfinite

from exporter.core.errors import ConfigError
from exporter.core.forecast import Forecast, PuePlan
from exporter.core.model import Intensity
from exporter.core.units import GramsPerKwh, Seconds


class FixedIntensity:
    """One figure for ever; no fallback, because nothing can fail.

    Args:
        value: gCO2e per kWh, finite, > 0.
        zone: what the figure is called in the label ``zone``.

    Raises:
        ConfigError: the value is not a positive number.
    """

    def __init__(self, value: GramsPerKwh, zone: str) -> None:
        if not (isfinite(value) and value > 0):
            msg = f"the carbon intensity must be a positive number of g/kWh: {value}"
            raise ConfigError(msg)
        self._intensity = Intensity(zone=zone, provider="static", value=value)

    def current(self, unix_s: Seconds) -> Intensity:  # noqa: ARG002 - a constant has no time
        """Return the fixed figure."""
        return self._intensity

    def forecast(self, unix_s: Seconds) -> Forecast:  # noqa: ARG002 - nothing is expected
        """Return nothing: what does not change needs no forecast."""
        return ()


class FixedPue:
    """One power usage effectiveness for ever.

    Args:
        value: >= 1.
    """

    def __init__(self, value: float) -> None:
        self._value = value

    def current(self, unix_s: Seconds) -> float:  # noqa: ARG002 - a constant has no time
        """Return the fixed figure."""
        return self._value

    def plan(self, unix_s: Seconds) -> PuePlan:  # noqa: ARG002 - nothing changes
        """Return nothing: it never changes."""
        return ()
