"""Countries of Europe, from Fraunhofer ISE's Energy-Charts; no token.

Source: its API's documentation, "co2eq". The average of what is generated, with
the emissions of life cycles; a quarter of an hour in some countries, an hour in
others. One call tells the day so far and what is expected of its rest. Hours that
are not measured yet are null, and after midnight all of them are for a while.
"""

from itertools import pairwise

from exporter.carbon.answer import number, number_or_none, rows
from exporter.carbon.errors import NonsenseError, NotCoveredError
from exporter.carbon.observation import (
    Observation,
    Report,
    forecast_of,
    newest_begun,
)
from exporter.carbon.provider import Call, Traits, Web, base_url
from exporter.core.units import GramsPerKwh, Seconds

NAME = "energy-charts"
BASE_URL = "https://api.energy-charts.info"

COUNTRIES = frozenset(
    {
        *("AT", "BE", "BG", "CH", "CZ", "DE", "DK", "EE", "ES", "FI"),
        *("FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "ME"),
        *("MK", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK"),
    }
)
"""Those it is asked for by itself; it answers 404 for one it does not have."""

_USUAL_SLOT_S = Seconds(900.0)


class EnergyCharts:
    """Asks Energy-Charts.

    Args:
        url: address of the service.

    Raises:
        ConfigError: it is no such address.
    """

    traits = Traits(NAME, cadence_s=_USUAL_SLOT_S, live_for_s=Seconds(3 * 3600.0))

    def __init__(self, *, url: str = BASE_URL) -> None:
        self._url = base_url(url, NAME)

    def covers(self, zone: str) -> bool:
        """Whether a zone is a country it has; parts of countries are not."""
        return zone.upper() in COUNTRIES

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Ask for the day of one country."""
        (zone,) = zones
        if not self.covers(zone):
            msg = f"{zone} is not a country Energy-Charts has"
            raise NotCoveredError(msg)
        call = Call(f"{self._url}/co2eq", (("country", zone.lower()),))
        return read_day(await web.json(call), zone, unix_s)


def read_day(data: object, zone: str, unix_s: Seconds) -> Report:
    """Read what was measured and what is expected of a day.

    Raises:
        NonsenseError: it is no such answer.
        UnavailableError: nothing is measured yet.
    """
    times = [
        Seconds(number(data, "unix_seconds", index))
        for index in range(len(rows(data, "unix_seconds")))
    ]
    measured = _values(data, "co2eq", times)
    expected = _values(data, "co2eq_forecast", times)
    slot_s = _slot_s(times)
    begin_s, value = newest_begun(measured, unix_s, zone)
    observation = Observation(
        zone=zone,
        provider=NAME,
        value=GramsPerKwh(value),
        observed_unix_s=begin_s,
        slot_s=slot_s,
        factors="lifecycle",
    )
    ahead = [pair for pair in expected if pair[0] + slot_s > unix_s]
    return Report({zone: observation}, {zone: forecast_of(ahead, slot_s)})


def _values(
    data: object, name: str, times: list[Seconds]
) -> list[tuple[Seconds, float]]:
    column = rows(data, name)
    if len(column) != len(times):
        msg = f"{name} is not as long as unix_seconds"
        raise NonsenseError(msg)
    return [
        (begin_s, value)
        for index, begin_s in enumerate(times)
        if (value := number_or_none(column, index)) is not None
    ]


def _slot_s(times: list[Seconds]) -> Seconds:
    steps = [after - before for before, after in pairwise(times)]
    if not steps:
        return _USUAL_SLOT_S
    if min(steps) <= 0:
        msg = "unix_seconds is not in order"
        raise NonsenseError(msg)
    return Seconds(min(steps))
