"""Each provider is asked for a frozen answer over real HTTP."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from exporter.carbon import energy_charts
from exporter.carbon.electricity_maps import ElectricityMaps
from exporter.carbon.energi_data_service import EnergiDataService
from exporter.carbon.energy_charts import EnergyCharts
from exporter.carbon.entsoe import Entsoe
from exporter.carbon.errors import (
    CredentialsError,
    NonsenseError,
    NotCoveredError,
    UnavailableError,
)
from exporter.carbon.fetching import open_web
from exporter.carbon.http_json import HttpJson, HttpJsonSettings
from exporter.carbon.neso import Neso
from exporter.carbon.observation import Report
from exporter.carbon.provider import Provider, Web
from exporter.carbon.rte_eco2mix import RteEco2mix
from exporter.carbon.secret import Secret
from exporter.carbon.watttime import WattTime
from exporter.core.units import Seconds
from tests.fakes.carbon import NOW, sample
from tests.fakes.carbon_server import CarbonServer, Play, queries

_MAPS = "/v3/carbon-intensity/latest"

_Story = Callable[[CarbonServer, Web], Awaitable[Report]]


def _told(story: _Story) -> tuple[Report, CarbonServer]:
    """Play a story against a server; return its report and the server."""

    async def run() -> tuple[Report, CarbonServer]:
        async with CarbonServer() as server, open_web() as web:
            return await story(server, web), server

    return asyncio.run(run())


# --- Electricity Maps -------------------------------------------------------


def test_electricity_maps_tells_an_estimate_as_an_estimate() -> None:
    """The first value of an hour is one, and a graph must be able to say so."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(_MAPS, Play(sample("electricity_maps_latest.json")))
        provider = ElectricityMaps(Secret("t0ken"), url=server.url)
        return await provider.fetch(web, ("DE",), NOW)

    report, server = _told(story)

    told = report.observations["DE"]
    assert (told.value, told.factors, told.estimated) == (412.0, "lifecycle", True)
    assert (told.observed_unix_s, told.slot_s) == (NOW - 2400, 3600.0)
    assert (told.zone, told.provider, told.signal) == (
        "DE",
        "electricity-maps",
        "average",
    )
    (ask,) = server.asks
    assert ask.headers["auth-token"] == "t0ken"
    assert ask.query == {
        "zone": "DE",
        "emissionFactorType": "lifecycle",
        "shouldUseFallbackCallerLookup": "false",
    }


def test_electricity_maps_has_a_fourth_version_with_shorter_slots() -> None:
    """The version is part of the address, and the answer tells its slot."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/v4/carbon-intensity/latest",
            Play(sample("electricity_maps_latest_v4.json")),
        )
        provider = ElectricityMaps(
            Secret("t"),
            url=server.url,
            version="v4",
            factors="direct",
            granularity="5_minutes",
        )
        return await provider.fetch(web, ("US-CAL-CISO",), NOW)

    report, server = _told(story)

    told = report.observations["US-CAL-CISO"]
    assert (told.value, told.factors, told.estimated) == (187.4, "direct", False)
    assert (told.observed_unix_s, told.slot_s) == (NOW - 300, 300.0)
    assert server.asks[0].query["temporalGranularity"] == "5_minutes"


def test_electricity_maps_without_a_value_has_none() -> None:
    """Null is not zero."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(_MAPS, Play(sample("electricity_maps_null.json")))
        provider = ElectricityMaps(Secret("t"), url=server.url)
        return await provider.fetch(web, ("DE",), NOW)

    with pytest.raises(UnavailableError, match="no value of DE"):
        _told(story)


def test_electricity_maps_of_another_zone_is_nonsense() -> None:
    """A zone it does not know may become that of the caller's address."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(_MAPS, Play(sample("electricity_maps_latest.json")))
        provider = ElectricityMaps(Secret("t"), url=server.url)
        return await provider.fetch(web, ("FR",), NOW)

    with pytest.raises(NonsenseError, match="not of the zone FR"):
        _told(story)


def test_electricity_maps_of_other_factors_is_nonsense() -> None:
    """Direct and life-cycle grams are different numbers of different things."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(_MAPS, Play(sample("electricity_maps_latest.json")))
        provider = ElectricityMaps(Secret("t"), url=server.url, factors="direct")
        return await provider.fetch(web, ("DE",), NOW)

    with pytest.raises(NonsenseError, match="emissionFactorType"):
        _told(story)


def test_the_forecast_of_electricity_maps_takes_a_call_and_a_plan() -> None:
    """It is asked for only if that is configured; hours without a value are left."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/v3/carbon-intensity/forecast",
            Play(sample("electricity_maps_forecast.json")),
        )
        provider = ElectricityMaps(Secret("t"), url=server.url, forecast=True)
        assert provider.traits.forecast_every_s == 3600.0
        return await provider.forecast(web, ("DE",), NOW)

    report, _ = _told(story)

    assert ElectricityMaps(Secret("t")).traits.forecast_every_s is None
    assert not report.observations
    points = report.forecasts["DE"]
    assert [point.value for point in points] == [415.0, 402.0, 388.0, 371.0, 395.0]
    assert points[0].begin_unix_s == NOW - 2400
    assert points[3].begin_unix_s - points[2].begin_unix_s == 7200


# --- WattTime ---------------------------------------------------------------


def test_watttime_is_marginal_and_in_grams() -> None:
    """1048.41 lb/MWh are 475.55 g/kWh, and they never enter a counter."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/login", Play(sample("watttime_login.json")))
        server.play("/v3/forecast", Play(sample("watttime_forecast.json")))
        provider = WattTime(
            "ada",
            Secret("pass word"),
            regions={"US-CAL-CISO": "CAISO_NORTH"},
            url=server.url,
        )
        return await provider.fetch(web, ("US-CAL-CISO",), NOW)

    report, server = _told(story)

    told = report.observations["US-CAL-CISO"]
    assert told.value == pytest.approx(1048.41 * 0.45359237)
    assert (told.signal, told.zone) == ("marginal", "US-CAL-CISO")
    assert (told.observed_unix_s, told.slot_s) == (NOW, 300.0)
    assert len(report.forecasts["US-CAL-CISO"]) == 5
    login, ask = server.asks
    assert login.headers["authorization"] == "Basic YWRhOnBhc3Mgd29yZA=="
    token = json.loads(sample("watttime_login.json"))["token"]
    assert ask.headers["authorization"] == f"Bearer {token}"
    assert ask.query == {
        "region": "CAISO_NORTH",
        "signal_type": "co2_moer",
        "horizon_hours": "24",
    }


def test_the_token_of_watttime_is_used_until_it_is_old() -> None:
    """Logging in has a limit of its own."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/login", Play(sample("watttime_login.json")))
        server.play("/v3/forecast", Play(sample("watttime_forecast.json")))
        provider = WattTime("ada", Secret("secret"), url=server.url)
        await provider.fetch(web, ("CAISO_NORTH",), NOW)
        await provider.fetch(web, ("CAISO_NORTH",), Seconds(NOW + 24 * 60))
        return await provider.fetch(web, ("CAISO_NORTH",), Seconds(NOW + 26 * 60))

    _, server = _told(story)

    paths = [ask.path for ask in server.asks]
    assert paths == ["/login", *["/v3/forecast"] * 2, "/login", "/v3/forecast"]


def test_a_token_of_watttime_that_ended_early_is_replaced_once() -> None:
    """The service may restart; a new token that is refused is another matter."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/login", Play(sample("watttime_login.json")))
        good = Play(sample("watttime_forecast.json"))
        server.play("/v3/forecast", good, Play(status=401), good)
        provider = WattTime("ada", Secret("secret"), url=server.url)
        await provider.fetch(web, ("CAISO_NORTH",), NOW)
        return await provider.fetch(web, ("CAISO_NORTH",), NOW)

    report, server = _told(story)

    assert "CAISO_NORTH" in report.observations
    assert [ask.path for ask in server.asks].count("/login") == 2


def test_watttime_that_refuses_a_new_token_is_not_asked_again() -> None:
    """Without a subscription every region but one is refused, for ever."""
    refused: list[str] = []

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/login", Play(sample("watttime_login.json")))
        server.play("/v3/forecast", Play(status=403))
        provider = WattTime("ada", Secret("secret"), url=server.url)
        with pytest.raises(CredentialsError):
            await provider.fetch(web, ("DE",), NOW)
        refused.extend(ask.path for ask in server.asks)
        return Report()

    _told(story)

    assert refused == ["/login", "/v3/forecast"]


@pytest.mark.parametrize("body", [b"{}", b'{"token": ""}', b'{"token": 7}'])
def test_watttime_that_gives_no_token_is_nonsense(body: bytes) -> None:
    """There is nothing to ask with."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/login", Play(body))
        provider = WattTime("ada", Secret("secret"), url=server.url)
        assert provider.covers("DE")
        return await provider.fetch(web, ("DE",), NOW)

    with pytest.raises(NonsenseError, match="token"):
        _told(story)


def test_watttime_in_another_unit_is_nonsense() -> None:
    """Its index is a percentile, 0 to 100, and looks like a clean grid."""
    data = json.loads(sample("watttime_forecast.json"))
    data["meta"]["units"] = "percentile"

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/login", Play(sample("watttime_login.json")))
        server.play("/v3/forecast", Play(json.dumps(data).encode()))
        provider = WattTime("ada", Secret("secret"), url=server.url)
        return await provider.fetch(web, ("CAISO_NORTH",), NOW)

    with pytest.raises(NonsenseError, match=r"meta\.units"):
        _told(story)


# --- NESO -------------------------------------------------------------------


def test_neso_tells_what_was_measured_in_the_half_hour_of_now() -> None:
    """And what it expects of the next 48 hours, in the same call."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/intensity/2026-11-22T10:30Z/fw48h", Play(sample("neso_national.json"))
        )
        return await Neso(url=server.url).fetch(web, ("GB",), NOW)

    report, _ = _told(story)

    told = report.observations["GB"]
    assert (told.value, told.estimated, told.factors) == (163.0, False, "direct")
    assert (told.observed_unix_s, told.slot_s) == (NOW - 600, 1800.0)
    assert [point.value for point in report.forecasts["GB"]] == [
        166.0,
        160.0,
        155.0,
        149.0,
    ]


def test_neso_without_a_measured_value_tells_its_forecast_as_an_estimate() -> None:
    """The half hour of now is not over yet."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(sample("neso_national_forecast_only.json")))
        return await Neso(url=server.url).fetch(web, ("GB",), NOW)

    report, _ = _told(story)

    assert report.observations["GB"].value == 166.0
    assert report.observations["GB"].estimated is True


def test_neso_tells_a_region_of_great_britain() -> None:
    """Scotland and London are different grids to a job."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/regional/intensity/2026-11-22T10:30Z/fw48h/regionid/13",
            Play(sample("neso_region.json")),
        )
        return await Neso(url=server.url).fetch(web, ("GB-R13",), NOW)

    report, _ = _told(story)

    assert report.observations["GB-R13"].value == 138.0
    assert report.observations["GB-R13"].estimated is True
    assert len(report.forecasts["GB-R13"]) == 2


def test_neso_tells_the_region_of_a_postcode() -> None:
    """The answer is a list where that of a region is an object."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/regional/intensity/2026-11-22T10:30Z/fw48h/postcode/RG10",
            Play(sample("neso_postcode.json")),
        )
        return await Neso(url=server.url).fetch(web, ("GB-RG10",), NOW)

    report, _ = _told(story)

    assert report.observations["GB-RG10"].value == 126.0


def test_neso_of_another_region_is_nonsense() -> None:
    """A wrong region is a wrong number that looks right."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(sample("neso_region.json")))
        return await Neso(url=server.url).fetch(web, ("GB-R2",), NOW)

    with pytest.raises(NonsenseError, match="region 2"):
        _told(story)


def test_neso_does_not_know_an_invented_postcode() -> None:
    """It says so with 400, and asking more often does not help."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(sample("neso_error.json"), status=400))
        return await Neso(url=server.url).fetch(web, ("GB-ZZ99",), NOW)

    with pytest.raises(NotCoveredError, match="400"):
        _told(story)


@pytest.mark.parametrize("zone", ["GB-NIR", "GB-R18", "GB-R0", "GB-BT1", "DE", "GB-"])
def test_neso_is_not_asked_for_what_it_does_not_cover(zone: str) -> None:
    """Northern Ireland has another grid."""

    async def story(server: CarbonServer, web: Web) -> Report:
        assert Neso().covers(zone) is False
        return await Neso(url=server.url).fetch(web, (zone,), NOW)

    with pytest.raises(NotCoveredError, match="not a zone"):
        _told(story)


# --- Energi Data Service ----------------------------------------------------


def test_energi_data_service_tells_both_areas_in_one_call() -> None:
    """It allows one call a minute, and one area can be ahead of the other."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(
            "/dataset/CO2Emis", Play(sample("energi_data_service_emissions.json"))
        )
        provider = EnergiDataService(url=server.url)
        return await provider.fetch(web, ("DK-DK1", "DK2"), NOW)

    report, server = _told(story)

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

    report, _ = _told(story)

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

    report, server = _told(story)

    assert [p.value for p in report.forecasts["DK-DK1"]] == [86.0, 85.0]
    assert [p.begin_unix_s for p in report.forecasts["DK-DK2"]] == [NOW, NOW + 300]
    assert server.asks[0].query["start"] == "2026-11-22T10:40"
    assert server.asks[0].query["sort"] == "Minutes5UTC asc"


# --- Energy-Charts ----------------------------------------------------------


def test_energy_charts_tells_the_last_measured_quarter_and_the_rest_of_the_day() -> (
    None
):
    """What is not measured yet is null."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/co2eq", Play(sample("energy_charts_day.json")))
        return await EnergyCharts(url=server.url).fetch(web, ("DE",), NOW)

    report, server = _told(story)

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
        _told(story)


def test_energy_charts_with_columns_of_different_lengths_is_nonsense() -> None:
    """Values would belong to other times than they seem to."""
    data = json.loads(sample("energy_charts_day.json"))
    data["co2eq"].pop(0)

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play("/co2eq", Play(json.dumps(data).encode()))
        return await EnergyCharts(url=server.url).fetch(web, ("DE",), NOW)

    with pytest.raises(NonsenseError, match="not as long"):
        _told(story)


# --- RTE --------------------------------------------------------------------


def test_rte_tells_the_newest_quarter_that_has_a_value() -> None:
    """The table has the rest of the day already, without values."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play_everywhere(Play(sample("rte_records.json")))
        return await RteEco2mix(url=server.url).fetch(web, ("FR",), NOW)

    report, server = _told(story)

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
        _told(story)


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
        _told(story)


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


# --- ENTSO-E ----------------------------------------------------------------


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

    report, server = _told(story)

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
        _told(story)


# --- a site's own -----------------------------------------------------------


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

    report, server = _told(story)

    told = report.observations["DE"]
    assert (told.value, told.observed_unix_s) == (35.5, NOW - 120)
    (ask,) = server.asks
    assert ask.query == {"key": "abc", "site": "7"}
    assert ask.headers["x-token"] == "t0ken"
