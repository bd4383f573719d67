"""Electricity Maps, asked for frozen answers over real HTTP."""

import pytest

from exporter.carbon.electricity_maps import ElectricityMaps
from exporter.carbon.errors import (
    NonsenseError,
    UnavailableError,
)
from exporter.carbon.observation import Report
from exporter.carbon.provider import Web
from exporter.carbon.secret import Secret
from tests.fakes.carbon import NOW, sample
from tests.fakes.carbon_server import CarbonServer, Play
from tests.fakes.carbon_story import play

_MAPS = "/v3/carbon-intensity/latest"


def test_electricity_maps_tells_an_estimate_as_an_estimate() -> None:
    """The first value of an hour is one, and a graph must be able to say so."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(_MAPS, Play(sample("electricity_maps_latest.json")))
        provider = ElectricityMaps(Secret("t0ken"), url=server.url)
        return await provider.fetch(web, ("DE",), NOW)

    report, server = play(story)

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

    report, server = play(story)

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
        play(story)


def test_electricity_maps_of_another_zone_is_nonsense() -> None:
    """A zone it does not know may become that of the caller's address."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(_MAPS, Play(sample("electricity_maps_latest.json")))
        provider = ElectricityMaps(Secret("t"), url=server.url)
        return await provider.fetch(web, ("FR",), NOW)

    with pytest.raises(NonsenseError, match="not of the zone FR"):
        play(story)


def test_electricity_maps_of_other_factors_is_nonsense() -> None:
    """Direct and life-cycle grams are different numbers of different things."""

    async def story(server: CarbonServer, web: Web) -> Report:
        server.play(_MAPS, Play(sample("electricity_maps_latest.json")))
        provider = ElectricityMaps(Secret("t"), url=server.url, factors="direct")
        return await provider.fetch(web, ("DE",), NOW)

    with pytest.raises(NonsenseError, match="emissionFactorType"):
        play(story)


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

    report, _ = play(story)

    assert ElectricityMaps(Secret("t")).traits.forecast_every_s is None
    assert not report.observations
    points = report.forecasts["DE"]
    assert [point.value for point in points] == [415.0, 402.0, 388.0, 371.0, 395.0]
    assert points[0].begin_unix_s == NOW - 2400
    assert points[3].begin_unix_s - points[2].begin_unix_s == 7200
