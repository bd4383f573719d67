"""Any service that answers with JSON: a site's own feed, or a meter's gateway.

The address, where in the answer the value is, and its unit are configured. The
query of the address is treated as secret as a whole, because that is where such
services often want their token.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from exporter.carbon.answer import member, moment, number
from exporter.carbon.errors import NonsenseError
from exporter.carbon.intensity_units import GRAMS_PER_KWH_OF
from exporter.carbon.json_path import JsonPath, parse_json_path
from exporter.carbon.observation import Factors, Observation, Report
from exporter.carbon.provider import Call, Traits, Web, base_url
from exporter.carbon.secret import Secret
from exporter.core.errors import ConfigError
from exporter.core.units import GramsPerKwh, Seconds

NAME = "http-json"

_NUMBER = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,12})?", re.ASCII)
_MILLISECONDS_FROM = 1e11


@dataclass(frozen=True, slots=True)
class HttpJsonSettings:
    """What is asked for, and where it is in the answer.

    Attributes:
        url: address, with its query.
        value_path: where the value is, such as ``data.0.intensity``.
        unit: its unit; see ``intensity_units``.
        time_path: where the moment it speaks of is: ISO 8601 with an offset, or
            Unix time in seconds or milliseconds; "" for the moment of asking,
            which cannot show a feed that stands still.
        cadence_s: how often it has something new, s.
        live_for_s: how long after that moment it is believed, s, > 0.
        factors: what it counts.
        headers: with tokens, such as ``Authorization``.
        name: as in the label ``provider``, to tell several apart.
    """

    url: str
    value_path: str
    unit: str = "g/kWh"
    time_path: str = ""
    cadence_s: Seconds = Seconds(300.0)
    live_for_s: Seconds = Seconds(3600.0)
    factors: Factors = ""
    headers: Mapping[str, Secret] = field(default_factory=dict)
    name: str = NAME


class HttpJson:
    """Asks a service that is configured.

    Raises:
        ConfigError: address, path or unit is none.
    """

    def __init__(self, settings: HttpJsonSettings) -> None:
        address, _, query = settings.url.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        self._call = Call(
            base_url(address, f"{NAME} url"),
            params=tuple((name, value) for name, value in pairs if not value),
            secret_params=tuple(
                (name, Secret(value)) for name, value in pairs if value
            ),
            secret_headers=dict(settings.headers),
        )
        if settings.unit not in GRAMS_PER_KWH_OF:
            msg = f"{NAME} unit: one of {', '.join(GRAMS_PER_KWH_OF)} is needed"
            raise ConfigError(msg)
        self._factor = GRAMS_PER_KWH_OF[settings.unit]
        self._value_path = parse_json_path(settings.value_path, f"{NAME} value path")
        self._time_path = (
            parse_json_path(settings.time_path, f"{NAME} time path")
            if settings.time_path
            else None
        )
        self._factors = settings.factors
        self.traits = Traits(
            settings.name, cadence_s=settings.cadence_s, live_for_s=settings.live_for_s
        )

    def covers(self, zone: str) -> bool:
        """Whether it may have a zone: whoever configured it knows."""
        return bool(zone)

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Ask, whatever the zone is called."""
        (zone,) = zones
        data = await web.json(self._call)
        return Report({zone: self.read(data, zone, unix_s)})

    def read(self, data: object, zone: str, unix_s: Seconds) -> Observation:
        """Read an answer.

        Raises:
            NonsenseError: there is no number or no time where it should be.
        """
        value = _number(data, self._value_path) * self._factor
        observed_unix_s = unix_s
        if self._time_path is not None:
            observed_unix_s = _moment(data, self._time_path)
        return Observation(
            zone=zone,
            provider=self.traits.name,
            value=GramsPerKwh(value),
            observed_unix_s=observed_unix_s,
            slot_s=self.traits.cadence_s,
            factors=self._factors,
        )


def _number(data: object, path: JsonPath) -> float:
    """Read a number; some gateways write it as a text."""
    value = member(data, *path)
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            msg = f"{'.'.join(map(str, path))} is not a number"
            raise NonsenseError(msg)
        return float(value)
    return number(value)


def _moment(data: object, path: JsonPath) -> Seconds:
    value = member(data, *path)
    if isinstance(value, str):
        return moment(data, *path)
    unix_s = number(data, *path)
    return Seconds(unix_s / 1000 if abs(unix_s) >= _MILLISECONDS_FROM else unix_s)
