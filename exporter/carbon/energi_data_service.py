"""Denmark, from Energinet's Energi Data Service; no token.

Source: the guides of the service and of the data sets CO2Emis and CO2EmisProg.
Five minutes; the average of what is used, imports included, of what burns. Times
are without offset, in UTC as asked for. Without ``sort`` the oldest row may come
first.

It allows one request a minute for each data set and address, and asks not to be
the source of every unit: one call tells both areas, and a cluster asks once.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from exporter.carbon.answer import moment, number, number_or_none, rows, text
from exporter.carbon.errors import NotCoveredError, ProviderError
from exporter.carbon.observation import (
    Observation,
    Report,
    forecast_of,
    newest_begun,
)
from exporter.carbon.provider import Call, Traits, Web, base_url
from exporter.core.units import GramsPerKwh, Seconds

NAME = "energi-data-service"
BASE_URL = "https://api.energidataservice.dk"

_AREAS: Mapping[str, str] = {
    "DK1": "DK1",
    "DK2": "DK2",
    "DK-DK1": "DK1",
    "DK-DK2": "DK2",
}
_SLOT_S = Seconds(300.0)
# Newest first, and one area can be ahead of the other.
_ROWS = 12
_FORECAST_ROWS = 1200


class EnergiDataService:
    """Asks Energi Data Service.

    Args:
        url: address of the service.

    Raises:
        ConfigError: it is no such address.
    """

    traits = Traits(
        NAME,
        cadence_s=_SLOT_S,
        live_for_s=Seconds(2700.0),
        least_interval_s=Seconds(60.0),
        all_zones_at_once=True,
        forecast_every_s=Seconds(3600.0),
    )

    def __init__(self, *, url: str = BASE_URL) -> None:
        self._url = f"{base_url(url, NAME)}/dataset"

    def covers(self, zone: str) -> bool:
        """Whether a zone is the west (DK-DK1) or the east (DK-DK2) of Denmark."""
        return zone.upper() in _AREAS

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Ask for the newest rows of both areas."""
        data = await web.json(
            self._call("CO2Emis", ("sort", "Minutes5UTC desc"), ("limit", str(_ROWS)))
        )
        return read_emissions(data, zones, unix_s)

    async def forecast(
        self, web: Web, zones: tuple[str, ...], unix_s: Seconds
    ) -> Report:
        """Ask for the rows from now on of both areas."""
        begin = datetime.fromtimestamp(unix_s // _SLOT_S * _SLOT_S, UTC)
        data = await web.json(
            self._call(
                "CO2EmisProg",
                ("start", f"{begin:%Y-%m-%dT%H:%M}"),
                ("sort", "Minutes5UTC asc"),
                ("limit", str(_FORECAST_ROWS)),
            )
        )
        return read_forecast(data, zones)

    def _call(self, data_set: str, *params: tuple[str, str]) -> Call:
        areas = json.dumps({"PriceArea": ["DK1", "DK2"]}, separators=(",", ":"))
        return Call(
            f"{self._url}/{data_set}",
            (("filter", areas), *params, ("timezone", "UTC")),
        )


def read_emissions(data: object, zones: tuple[str, ...], unix_s: Seconds) -> Report:
    """Read rows of CO2Emis.

    Raises:
        ProviderError: there is no value of any of the zones.
    """
    observations: dict[str, Observation] = {}
    problems: dict[str, ProviderError] = {}
    records = rows(data, "records")
    for zone in zones:
        try:
            values = [
                (_moment(record), value)
                for record in _of_area(records, zone)
                if (value := number_or_none(record, "CO2Emission")) is not None
            ]
            begin_s, value = newest_begun(values, unix_s, zone)
            observations[zone] = Observation(
                zone=zone,
                provider=NAME,
                value=GramsPerKwh(value),
                observed_unix_s=begin_s,
                slot_s=_SLOT_S,
                factors="direct",
            )
        except ProviderError as error:
            problems[zone] = error
    if not observations:
        raise next(iter(problems.values()))
    return Report(observations, problems=problems)


def read_forecast(data: object, zones: tuple[str, ...]) -> Report:
    """Read rows of CO2EmisProg.

    Raises:
        ProviderError: it is no such answer, or a zone is not covered.
    """
    records = rows(data, "records")
    return Report(
        forecasts={
            zone: forecast_of(
                [
                    (_moment(record), number(record, "CO2Emission"))
                    for record in _of_area(records, zone)
                ],
                _SLOT_S,
            )
            for zone in zones
        }
    )


def _of_area(records: object, zone: str) -> Iterator[object]:
    area = _AREAS.get(zone.upper())
    if area is None:
        msg = f"{zone} is neither DK-DK1 nor DK-DK2"
        raise NotCoveredError(msg)
    return (record for record in rows(records) if text(record, "PriceArea") == area)


def _moment(record: object) -> Seconds:
    return moment(record, "Minutes5UTC", naive_is_utc=True)
