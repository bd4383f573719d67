"""Denmark, asked for frozen answers over real HTTP."""

import json

from exporter.carbon.energi_data_service import EnergiDataService
from exporter.carbon.errors import (
    UnavailableError,
)
from exporter.carbon.observation import Report
from exporter.carbon.provider import Web
from tests.fakes.carbon import NOW, sample
from tests.fakes.carbon_server import CarbonServer, Play, queries
from tests.fakes.carbon_story import play


def test_energi_data_service_tells_both_areas_in_one_call() -> None:
    """It allows one call a minute, and one area can be ahead of the other."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/dataset/CO2Emis", Play(sample("energi_data_service_emissions.json"))
        )
        provider = EnergiDataService(url=server.url)
        return await provider.fetch(web, ("DK-DK1", "DK2"), NOW)

    report, server = play(story)

    west, east = report.observations["DK-DK1"], report.observations["DK2"]
    assert (west.value, west.observed_unix_s) == (87.0, NOW - 300)
    assert (east.value, east.observed_unix_s) == (121.0, NOW - 600)
    (query,) = queries(server.asks)
    assert query == {
        "filter": '{"PriceArea":["DK1","DK2"]}',
        "sort": "Minutes5UTC desc",
        "limit": "12",
        "timezone": "UTC",
    }


def test_energi_data_service_without_one_area_still_tells_the_other() -> None:
    """Bornholm's cable is no reason to lose Jutland."""
    data = json.loads(sample("energi_data_service_emissions.json"))
    data["records"] = [r for r in data["records"] if r["PriceArea"] == "DK1"]

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(json.dumps(data).encode()))
        provider = EnergiDataService(url=server.url)
        return await provider.fetch(web, ("DK-DK1", "DK-DK2"), NOW)

    report, _ = play(story)

    assert list(report.observations) == ["DK-DK1"]
    assert isinstance(report.problems["DK-DK2"], UnavailableError)


def test_energi_data_service_tells_what_it_expects() -> None:
    """From now on, not from the first row it ever had."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/dataset/CO2EmisProg", Play(sample("energi_data_service_prognosis.json"))
        )
        provider = EnergiDataService(url=server.url)
        return await provider.forecast(web, ("DK-DK1", "DK-DK2"), NOW)

    report, server = play(story)

    assert [p.value for p in report.forecasts["DK-DK1"]] == [86.0, 85.0]
    assert [p.begin_unix_s for p in report.forecasts["DK-DK2"]] == [NOW, NOW + 300]
    assert server.asks[0].query["start"] == "2026-11-22T10:40"
    assert server.asks[0].query["sort"] == "Minutes5UTC asc"
