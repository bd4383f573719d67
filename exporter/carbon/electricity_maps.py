"""Electricity Maps: many zones of the world, with a token.

Source: its API reference, "carbon intensity"; versions 3 and 4 have the same
fields. The average is flow-traced: imports count as what they were made of. A
value appears as an estimate first and is replaced by a measured one later.

A zone it does not know is replaced by the zone of the caller's address unless
that is switched off, so it is switched off in every call, and the zone of every
answer is compared.
"""

from typing import Literal

from exporter.carbon.answer import (
    flag,
    member,
    moment,
    number,
    number_or_none,
    optional,
    rows,
    text,
)
from exporter.carbon.errors import NonsenseError, UnavailableError
from exporter.carbon.observation import Observation, Report, forecast_of
from exporter.carbon.provider import Call, Traits, Web, base_url
from exporter.carbon.secret import Secret
from exporter.core.forecast import Forecast
from exporter.core.units import GramsPerKwh, Seconds

NAME = "electricity-maps"
BASE_URL = "https://api.electricitymaps.com"

Granularity = Literal["hourly", "15_minutes", "5_minutes"]
_SLOT_S: dict[str, Seconds] = {
    "hourly": Seconds(3600.0),
    "15_minutes": Seconds(900.0),
    "5_minutes": Seconds(300.0),
}
# The value of an hour is revised during the hour.
_LONGEST_CADENCE_S = 900.0
_LIVE_FOR_S = Seconds(3 * 3600.0)
_FORECAST_EVERY_S = Seconds(3600.0)


class ElectricityMaps:
    """Asks Electricity Maps.

    Args:
        token: of an account; the free plan tells one zone.
        url: address of the service.
        version: of its API.
        factors: of life cycles, or of what burns at that moment.
        granularity: the length of a slot; shorter ones take a better plan.
        forecast: ask for forecasts as well, which takes a paid plan.

    Raises:
        ConfigError: it is no such address.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of the operator
        self,
        token: Secret,
        *,
        url: str = BASE_URL,
        version: Literal["v3", "v4"] = "v3",
        factors: Literal["lifecycle", "direct"] = "lifecycle",
        granularity: Granularity = "hourly",
        forecast: bool = False,
    ) -> None:
        self._url = f"{base_url(url, NAME)}/{version}/carbon-intensity"
        self._token = token
        self._factors = factors
        self._granularity = granularity
        slot_s = _SLOT_S[granularity]
        self.traits = Traits(
            NAME,
            cadence_s=Seconds(min(slot_s, _LONGEST_CADENCE_S)),
            live_for_s=_LIVE_FOR_S,
            forecast_every_s=_FORECAST_EVERY_S if forecast else None,
        )

    def covers(self, zone: str) -> bool:
        """Whether it may know a zone: that depends on the plan."""
        return bool(zone)

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:  # noqa: ARG002 - the answer tells its time
        """Ask for the latest value of one zone."""
        (zone,) = zones
        data = await web.json(self._call("latest", zone))
        return Report({zone: read_latest(data, zone, self._factors, self._granularity)})

    async def forecast(
        self, web: Web, zones: tuple[str, ...], unix_s: Seconds
    ) -> Report:
        """Ask for what is expected of one zone."""
        del unix_s
        (zone,) = zones
        data = await web.json(self._call("forecast", zone))
        points = read_forecast(data, zone, _SLOT_S[self._granularity])
        return Report(forecasts={zone: points})

    def _call(self, what: str, zone: str) -> Call:
        params = [
            ("zone", zone),
            ("emissionFactorType", self._factors),
            ("shouldUseFallbackCallerLookup", "false"),
        ]
        if self._granularity != "hourly":
            params.append(("temporalGranularity", self._granularity))
        return Call(
            f"{self._url}/{what}",
            tuple(params),
            secret_headers={"auth-token": self._token},
        )


def read_latest(
    data: object,
    zone: str,
    factors: Literal["lifecycle", "direct"],
    granularity: Granularity = "hourly",
) -> Observation:
    """Read an answer to "latest".

    Raises:
        NonsenseError: it is none, or is of another zone or other factors.
        UnavailableError: there is no value for now.
    """
    _check_zone(data, zone)
    told = optional(data, "emissionFactorType")
    if told is not None and told != factors:
        msg = f"emissionFactorType is not {factors}, which was asked for"
        raise NonsenseError(msg)
    value = number_or_none(data, "carbonIntensity")
    if value is None:
        msg = f"it has no value of {zone} for now"
        raise UnavailableError(msg)
    slot = optional(data, "temporalGranularity")
    slot_s = _SLOT_S.get(slot) if isinstance(slot, str) else None
    return Observation(
        zone=zone,
        provider=NAME,
        value=GramsPerKwh(value),
        observed_unix_s=moment(data, "datetime"),
        slot_s=slot_s or _SLOT_S[granularity],
        factors=factors,
        estimated=flag(data, "isEstimated"),
    )


def read_forecast(data: object, zone: str, slot_s: Seconds) -> Forecast:
    """Read an answer to "forecast".

    Raises:
        NonsenseError: it is none, or is of another zone.
    """
    _check_zone(data, zone)
    points = rows(data, "forecast")
    return forecast_of(
        [
            (moment(point, "datetime"), number(point, "carbonIntensity"))
            for point in points
            if member(point, "carbonIntensity") is not None
        ],
        slot_s,
    )


def _check_zone(data: object, zone: str) -> None:
    if text(data, "zone").upper() != zone.upper():
        msg = f"the answer is not of the zone {zone}"
        raise NonsenseError(msg)
