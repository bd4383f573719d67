"""The carbon intensity in force: live, else last good, else yearly, else world.

Each step is visible in ``Intensity.fallback_level``. Another provider, zone or
level is another value object with its own labels: nothing that was counted
changes, and what comes next is counted with the new value.
"""

from exporter.carbon.live import LiveIntensity
from exporter.core.forecast import Forecast
from exporter.core.model import Intensity
from exporter.core.ports import IntensitySource
from exporter.core.units import Seconds


class Chain:
    """Answers at once, and always: whoever fetches does so elsewhere.

    Args:
        live: what providers told of the zone; of the average, because what a
            marginal kilowatt-hour emits is advice and is never counted.
        floor: what there is without them: the yearly figure of the zone, which
            is itself the world's where the zone has none.

    Raises:
        ValueError: ``live`` is marginal.
    """

    def __init__(self, live: LiveIntensity, floor: IntensitySource) -> None:
        if live.signal != "average":
            msg = f"the {live.signal} intensity of {live.zone} may not be counted"
            raise ValueError(msg)
        self._live = live
        self._floor = floor

    @property
    def live(self) -> LiveIntensity:
        """What providers told, with their forecasts."""
        return self._live

    def current(self, unix_s: Seconds) -> Intensity:
        """Return the carbon intensity in force at a moment of the wall clock."""
        standing = self._live.standing(unix_s)
        return self._floor.current(unix_s) if standing is None else standing.intensity

    def forecast(self, unix_s: Seconds) -> Forecast:
        """Return what the providers expect from a moment on; maybe nothing."""
        return self._live.forecast(unix_s)
