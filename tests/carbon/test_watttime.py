"""WattTime, asked for frozen answers over real HTTP."""

import json

import pytest

from exporter.carbon.errors import (
    CredentialsError,
    NonsenseError,
)
from exporter.carbon.observation import Report
from exporter.carbon.provider import Web
from exporter.carbon.secret import Secret
from exporter.carbon.watttime import WattTime
from exporter.core.units import Seconds
from tests.fakes.carbon import NOW, sample
from tests.fakes.carbon_server import CarbonServer, Play
from tests.fakes.carbon_story import play


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

    report, server = play(story)

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

    _, server = play(story)

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

    report, server = play(story)

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

    play(story)

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
        play(story)


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
        play(story)
