"""A grid that is made up: sun at noon, wind for a day or two, demand in the evening.

For clusters that are made up too. It asks nobody, says the same to everybody who asks
at the same time, and calls each of its values an estimate.
"""

from math import cos, exp, sin, tau

from exporter.carbon.observation import Observation, Report, forecast_of
from exporter.carbon.provider import Traits, Web
from exporter.core.units import GramsPerKwh, Seconds

NAME = "simulated"

_SLOT_S = Seconds(900.0)
_AHEAD_S = 36 * 3600
_DAY_S = 86_400.0
_LIVE_FOR_S = Seconds(2700.0)


class SimulatedGrid:
    """Implements ``provider.Provider``; has every zone, and the same for all."""

    def __init__(self) -> None:
        self.traits = Traits(NAME, cadence_s=_SLOT_S, live_for_s=_LIVE_FOR_S)

    def covers(self, zone: str) -> bool:
        """Whatever it is called."""
        return bool(zone)

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Make up the value of now and of the next day and a half."""
        del web
        (zone,) = zones
        begin_s = Seconds(unix_s // _SLOT_S * _SLOT_S)
        later = [
            Seconds(begin_s + ahead_s) for ahead_s in range(0, _AHEAD_S, int(_SLOT_S))
        ]
        return Report(
            {
                zone: Observation(
                    zone=zone,
                    provider=NAME,
                    value=intensity_at(begin_s),
                    observed_unix_s=begin_s,
                    slot_s=_SLOT_S,
                    factors="lifecycle",
                    estimated=True,
                )
            },
            {zone: forecast_of([(at, intensity_at(at)) for at in later], _SLOT_S)},
        )


def intensity_at(unix_s: float) -> GramsPerKwh:
    """Return the made-up intensity of a moment, gCO2e per kWh, 60 to 600.

    Args:
        unix_s: of the wall clock; noon is that of UTC.
    """
    hour = unix_s % _DAY_S / 3600
    sun = max(0.0, cos((hour - 12.0) / 24 * tau)) ** 1.5
    evening = exp(-(((hour - 19.0) / 2.2) ** 2))
    wind = 0.5 + 0.5 * sin(unix_s / (1.7 * _DAY_S) * tau)
    return GramsPerKwh(max(60.0, 430.0 - 190.0 * sun + 90.0 * evening - 150.0 * wind))
