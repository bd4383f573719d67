"""Great Britain, from its National Energy System Operator; no token.

Source: the Carbon Intensity API's definitions, version 2. Half hours; the average
of generation and imports, of what burns. One call tells the slot of now and the 48
hours after it. ``actual`` is null until a slot is over, and does not exist for
regions: then the forecast of the slot is taken and called an estimate.

Grid zones: ``GB`` is the nation, ``GB-R13`` one of its regions 1 to 17, and
``GB-RG10`` the region of an outward postcode. No postcode area is called R, so
the two are told apart. Northern Ireland has another grid.
"""

import re
from datetime import UTC, datetime

from exporter.carbon.answer import member, moment, number_or_none, optional, rows
from exporter.carbon.errors import NonsenseError, NotCoveredError, UnavailableError
from exporter.carbon.observation import Observation, Report, forecast_of
from exporter.carbon.provider import Call, Traits, Web, base_url
from exporter.core.units import GramsPerKwh, Seconds

NAME = "neso"
BASE_URL = "https://api.carbonintensity.org.uk"

_SLOT_S = 1800.0
_REGION = re.compile(r"GB-R([1-9]|1[0-7])", re.ASCII)
_POSTCODE = re.compile(r"GB-((?!R\d)[A-Z]{1,2}[0-9][A-Z0-9]?)", re.ASCII)
_ULSTER = "BT"


class Neso:
    """Asks the Carbon Intensity API of Great Britain.

    Args:
        url: address of the service.

    Raises:
        ConfigError: it is no such address.
    """

    traits = Traits(
        NAME, cadence_s=Seconds(_SLOT_S), live_for_s=Seconds(2 * _SLOT_S + 600.0)
    )

    def __init__(self, *, url: str = BASE_URL) -> None:
        self._url = base_url(url, NAME)

    def covers(self, zone: str) -> bool:
        """Whether a zone is Great Britain, a region of it or a postcode."""
        return place_of(zone) is not None

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Ask for the slot of now and the 48 hours after it."""
        (zone,) = zones
        place = place_of(zone)
        if place is None:
            msg = f"{zone} is not a zone of Great Britain"
            raise NotCoveredError(msg)
        begin = datetime.fromtimestamp(unix_s // _SLOT_S * _SLOT_S, UTC)
        period = f"{begin:%Y-%m-%dT%H:%MZ}/fw48h"
        path = (
            f"regional/intensity/{period}/{place}" if place else f"intensity/{period}"
        )
        return read_slots(await web.json(Call(f"{self._url}/{path}")), zone, unix_s)


def place_of(zone: str) -> str | None:
    """Return the end of the path for a zone; ``None`` if it is not covered."""
    zone = zone.upper()
    if zone == "GB":
        return ""
    if match := _REGION.fullmatch(zone):
        return f"regionid/{match[1]}"
    match = _POSTCODE.fullmatch(zone)
    if match is None or match[1].startswith(_ULSTER):
        return None
    return f"postcode/{match[1]}"


def read_slots(data: object, zone: str, unix_s: Seconds) -> Report:
    """Read slots of the nation or of one region.

    Raises:
        NonsenseError: it is no such answer, or of another region.
        UnavailableError: the slot of now is not in it, or has no value.
    """
    slots = member(data, "data")
    if isinstance(slots, list) and slots and optional(slots[0], "data") is not None:
        slots = slots[0]
    if isinstance(slots, dict):
        _check_region(slots, zone)
        slots = member(slots, "data")
    now: Observation | None = None
    points: list[tuple[Seconds, float]] = []
    for slot in rows(slots):
        begin_s, end_s = moment(slot, "from"), moment(slot, "to")
        intensity = member(slot, "intensity")
        forecast = number_or_none(intensity, "forecast")
        if begin_s <= unix_s < end_s:
            actual = None
            if optional(intensity, "actual") is not None:
                actual = number_or_none(intensity, "actual")
            value = forecast if actual is None else actual
            if value is not None:
                now = _observation(zone, value, begin_s, end_s, actual is None)
        if end_s > unix_s and forecast is not None:
            points.append((begin_s, forecast))
    if now is None:
        msg = f"it has no value of {zone} for now"
        raise UnavailableError(msg)
    return Report({zone: now}, {zone: forecast_of(points, Seconds(_SLOT_S))})


def _check_region(region: object, zone: str) -> None:
    match = _REGION.fullmatch(zone.upper())
    told = optional(region, "regionid")
    if match is not None and told is not None and told != int(match[1]):
        msg = f"the answer is not of the region {match[1]}"
        raise NonsenseError(msg)


def _observation(
    zone: str,
    value: float,
    begin_s: Seconds,
    end_s: Seconds,
    estimated: bool,  # noqa: FBT001 - the last of a private list
) -> Observation:
    return Observation(
        zone=zone,
        provider=NAME,
        value=GramsPerKwh(value),
        observed_unix_s=begin_s,
        slot_s=Seconds(end_s - begin_s),
        factors="direct",
        estimated=estimated,
    )
