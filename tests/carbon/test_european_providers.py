"""Providers of Europe, asked for frozen answers over real HTTP."""

import json
from collections.abc import Callable

import pytest

from exporter.carbon import energy_charts
from exporter.carbon.energi_data_service import EnergiDataService
from exporter.carbon.energy_charts import EnergyCharts
from exporter.carbon.entsoe import Entsoe
from exporter.carbon.errors import (
    NonsenseError,
    NotCoveredError,
    UnavailableError,
)
from exporter.carbon.http_json import HttpJson, HttpJsonSettings
from exporter.carbon.observation import Report
from exporter.carbon.provider import Provider, Web
from exporter.carbon.rte_eco2mix import RteEco2mix
from exporter.carbon.secret import Secret
from tests.fakes.carbon import NOW, sample
from tests.fakes.carbon_server import CarbonServer, Play, queries
from tests.fakes.carbon_story import play


def test_energy_charts_tells_the_last_measured_quarter_and_the_rest_of_the_day() -> (
    None
):
    """What is not measured yet is null."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/co2eq", Play(sample("energy_charts_day.json")))
        return await EnergyCharts(url=server.url).fetch(web, ("DE",), NOW)

    report, server = play(story)

    told = report.observations["DE"]
    assert (told.value, told.observed_unix_s, told.slot_s) == (502.6, NOW - 1500, 900.0)
    assert (told.factors, told.estimated) == ("lifecycle", False)
    assert [point.value for point in report.forecasts["DE"]] == [505.0, 511.2, 508.9]
    assert server.asks[0].query == {"country": "de"}


def test_energy_charts_just_after_midnight_has_no_value() -> None:
    """A forecast is not taken for a measured value."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/co2eq", Play(sample("energy_charts_midnight.json")))
        return await EnergyCharts(url=server.url).fetch(web, ("DE",), NOW)

    with pytest.raises(UnavailableError, match="no value of DE"):
        play(story)


def test_energy_charts_with_columns_of_different_lengths_is_nonsense() -> None:
    """Values would belong to other times than they seem to."""
    data = json.loads(sample("energy_charts_day.json"))
    data["co2eq"].pop(0)

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/co2eq", Play(json.dumps(data).encode()))
        return await EnergyCharts(url=server.url).fetch(web, ("DE",), NOW)

    with pytest.raises(NonsenseError, match="not as long"):
        play(story)


def test_rte_tells_the_newest_quarter_that_has_a_value() -> None:
    """The table has the rest of the day already, without values."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(sample("rte_records.json")))
        return await RteEco2mix(url=server.url).fetch(web, ("FR",), NOW)

    report, server = play(story)

    told = report.observations["FR"]
    assert (told.value, told.observed_unix_s, told.factors) == (
        23.0,
        NOW - 600,
        "direct",
    )
    (ask,) = server.asks
    assert ask.path.endswith("/eco2mix-national-tr/records")
    assert ask.query["where"] == "taux_co2 is not null"
    assert ask.query["order_by"] == "date_heure desc"


def test_rte_just_after_midnight_has_no_value() -> None:
    """An empty list is no zero."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(sample("rte_midnight.json")))
        return await RteEco2mix(url=server.url).fetch(web, ("FR",), NOW)

    with pytest.raises(UnavailableError, match="no value of FR"):
        play(story)


@pytest.mark.parametrize(
    "build",
    [
        lambda url: EnergiDataService(url=url),
        lambda url: EnergyCharts(url=url),
        lambda url: RteEco2mix(url=url),
        lambda url: Entsoe(Secret("t"), url=url),
    ],
    ids=["energi-data-service", "energy-charts", "rte-eco2mix", "entsoe"],
)
def test_a_zone_that_is_not_covered_is_refused_by_name(
    build: Callable[[str], Provider],
) -> None:
    """It is a slip in the configuration, and the zone is what to look at."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(sample("energi_data_service_emissions.json")))
        provider = build(server.url)
        assert provider.covers("US-TEX-ERCO") is False
        return await provider.fetch(web, ("US-TEX-ERCO",), NOW)

    with pytest.raises(NotCoveredError, match="US-TEX-ERCO"):
        play(story)


def test_energy_charts_with_one_time_has_a_usual_slot() -> None:
    """And with times that are not in order it has none at all."""
    data: dict[str, list[float | None]] = {
        "unix_seconds": [NOW],
        "co2eq": [400.5],
        "co2eq_forecast": [None],
    }

    told = energy_charts.read_day(data, "DE", NOW).observations["DE"]

    assert (told.value, told.slot_s) == (400.5, 900.0)
    again = {name: [*values, *values] for name, values in data.items()}
    with pytest.raises(NonsenseError, match="not in order"):
        energy_charts.read_day(again, "DE", NOW)


def test_entsoe_weighs_the_newest_complete_quarter() -> None:
    """Computed by hand: 41 GW at 9:45, when all but solar end; pumps left out."""
    megawatts = {490: 10000, 820: 5000, 48: 2500, 11: 22500, 24: 1000}
    by_hand = sum(g * mw for g, mw in megawatts.items()) / sum(megawatts.values())

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/api",
            Play(sample("entsoe_generation.xml"), content_type="text/xml"),
        )
        provider = Entsoe(Secret("t0ken"), url=f"{server.url}/api")
        return await provider.fetch(web, ("DE",), NOW)

    report, server = play(story)

    told = report.observations["DE"]
    assert told.value == pytest.approx(by_hand)
    assert (told.observed_unix_s, told.slot_s) == (NOW - 3300, 900.0)
    assert (told.factors, told.estimated) == ("lifecycle", True)
    assert queries(server.asks) == [
        {
            "documentType": "A75",
            "processType": "A16",
            "in_Domain": "10Y1001A1001A83F",
            "periodStart": "202611220500",
            "periodEnd": "202611221100",
            "securityToken": "t0ken",
        }
    ]


@pytest.mark.parametrize("status", [200, 400])
def test_entsoe_without_data_has_no_value(status: int) -> None:
    """It says so in a document of its own, with one status or the other."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(
            Play(sample("entsoe_no_data.xml"), status=status, content_type="text/xml")
        )
        return await Entsoe(Secret("t"), url=server.url).fetch(web, ("DE",), NOW)

    with pytest.raises(UnavailableError, match="no data"):
        play(story)


def test_a_feed_of_the_site_is_read_where_it_is_configured() -> None:
    """A supply contract knows better than the grid what it delivers."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/feed", Play(sample("site_feed.json")))
        provider = HttpJson(
            HttpJsonSettings(
                f"{server.url}/feed?key=abc&site=7",
                "$.data[0].intensity.value",
                time_path="data.0.at",
                headers={"X-Token": Secret("t0ken")},
            )
        )
        return await provider.fetch(web, ("DE",), NOW)

    report, server = play(story)

    told = report.observations["DE"]
    assert (told.value, told.observed_unix_s) == (35.5, NOW - 120)
    (ask,) = server.asks
    assert ask.query == {"key": "abc", "site": "7"}
    assert ask.headers["x-token"] == "t0ken"
