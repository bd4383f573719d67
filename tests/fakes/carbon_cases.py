"""Every provider that speaks HTTP, each with a good answer to spoil."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from exporter.carbon.electricity_maps import ElectricityMaps
from exporter.carbon.energi_data_service import EnergiDataService
from exporter.carbon.energy_charts import EnergyCharts
from exporter.carbon.entsoe import Entsoe
from exporter.carbon.fetch_rules import USUAL_LIMITS, Limits
from exporter.carbon.fetching import open_web
from exporter.carbon.http_json import HttpJson, HttpJsonSettings
from exporter.carbon.neso import Neso
from exporter.carbon.provider import Provider, Web
from exporter.carbon.relay import Relay
from exporter.carbon.rte_eco2mix import RteEco2mix
from exporter.carbon.secret import Secret, basic_authorization
from exporter.carbon.streams import open_streams
from exporter.carbon.watttime import WattTime
from tests.fakes.carbon import sample
from tests.fakes.carbon_server import CarbonServer, Play

TOKEN = "pl4nted-t0ken+with/odd=signs"  # noqa: S105 - it opens nothing
"""A token that is not in any sample."""

PASSWORD = "pl4nted passw0rd"  # noqa: S105 - it opens nothing


@dataclass(frozen=True)
class Case:
    """One provider.

    Attributes:
        name: in the name of a test.
        zone: what it is asked for.
        build: makes it for the address of a server.
        body: a good answer.
        value: finds the number in it that tells the intensity, and what is
            before it.
        zone_mark: what in the answer tells the zone, and what tells another;
            ``None`` if nothing does.
        before: answers to other paths, which a good answer takes.
        opener: opens the way to it.
    """

    name: str
    zone: str
    build: Callable[[str], Provider]
    body: bytes
    value: str
    zone_mark: tuple[bytes, bytes] | None = None
    content_type: str = "application/json"
    before: dict[str, bytes] = field(default_factory=dict)
    opener: Callable[[Limits], AbstractAsyncContextManager[Web]] = open_web

    def __str__(self) -> str:
        """Return the name, for pytest."""
        return self.name

    def open_web(
        self, limits: Limits = USUAL_LIMITS
    ) -> AbstractAsyncContextManager[Web]:
        """Open the way to it."""
        return self.opener(limits)

    def with_value(self, written: str) -> bytes:
        """Return the answer with something else in place of each number."""
        body, count = re.subn(self.value, rf"\g<1>{written}", self.body.decode())
        assert count > 0
        return body.encode()

    def prepare(self, server: CarbonServer, *plays: Play) -> Provider:
        """Let a server play for it, and build it."""
        for path, body in self.before.items():
            server.play(path, Play(body))
        server.play_everywhere(*plays)
        return self.build(server.url)

    def good(self, body: bytes | None = None) -> Play:
        """Return the good answer, or another one of its kind."""
        return Play(self.body if body is None else body, content_type=self.content_type)


CASES = (
    Case(
        "electricity-maps",
        "DE",
        lambda url: ElectricityMaps(Secret(TOKEN), url=url),
        sample("electricity_maps_latest.json"),
        r'("carbonIntensity": )[\d.]+',
        (b'"zone": "DE"', b'"zone": "FR"'),
    ),
    Case(
        "watttime",
        "CAISO_NORTH",
        lambda url: WattTime("ada", Secret(PASSWORD), url=url),
        sample("watttime_forecast.json"),
        r'("value": )[\d.]+',
        (b'"CAISO_NORTH"', b'"CAISO_SOUTH"'),
        before={"/login": sample("watttime_login.json")},
    ),
    Case(
        "neso",
        "GB",
        lambda url: Neso(url=url),
        sample("neso_national.json"),
        r'("(?:actual|forecast)": )[\d.]+',
    ),
    Case(
        "neso-region",
        "GB-R13",
        lambda url: Neso(url=url),
        sample("neso_region.json"),
        r'("forecast": )[\d.]+',
        (b'"regionid": 13', b'"regionid": 12'),
    ),
    Case(
        "energi-data-service",
        "DK-DK1",
        lambda url: EnergiDataService(url=url),
        sample("energi_data_service_emissions.json"),
        r'("CO2Emission": )[\d.]+',
        (b'"DK1"', b'"DK2"'),
    ),
    Case(
        "energy-charts",
        "DE",
        lambda url: EnergyCharts(url=url),
        sample("energy_charts_day.json"),
        r"()(?:491.5|497.4|502.6)",
    ),
    Case(
        "rte-eco2mix",
        "FR",
        lambda url: RteEco2mix(url=url),
        sample("rte_records.json"),
        r'("taux_co2": )[\d.]+',
    ),
    Case(
        "entsoe",
        "DE",
        lambda url: Entsoe(Secret(TOKEN), url=url),
        sample("entsoe_generation.xml"),
        r"(<quantity>)[\d.]+",
        content_type="text/xml",
    ),
    Case(
        "http-json",
        "DE",
        lambda url: HttpJson(
            HttpJsonSettings(
                f"{url}/feed?key={TOKEN.replace('+', '%2B')}",
                "data.0.intensity.value",
                time_path="data.0.at",
                headers={"Authorization": Secret(f"Bearer {TOKEN}")},
            )
        ),
        sample("site_feed.json"),
        r'("value": )[\d.]+',
    ),
    Case(
        "energy-charts-by-hub",
        "DE",
        lambda url: Relay(url, basic_authorization("ada", Secret(PASSWORD))),
        sample("hub_intensity.json"),
        r'("intensity_g_per_kwh": )497.4',
        (b'"zone": "DE"', b'"zone": "FR"'),
        opener=lambda limits: open_streams(limits=limits),
    ),
)
