"""The hub as one provider of the node."""

import asyncio
import json

import pytest

from exporter.carbon.errors import (
    ImplausibleError,
    NonsenseError,
    UnavailableError,
)
from exporter.carbon.live import LiveIntensity
from exporter.carbon.observation import Report
from exporter.carbon.relay import Relay, read_forecast, read_observation
from exporter.carbon.streams import open_streams
from exporter.core.errors import ConfigError
from exporter.core.units import Seconds
from tests.fakes.carbon import NOW, sample
from tests.fakes.carbon_server import Ask, CarbonServer, Play

_ANSWER: dict[str, object] = json.loads(sample("hub_intensity.json"))


def _answer(**changes: object) -> dict[str, object]:
    return {**_ANSWER, **changes}


def _played(*plays: Play) -> tuple[list[Report], list[Ask]]:
    """Ask once for each answer that a hub plays."""

    async def run() -> tuple[list[Report], list[Ask]]:
        async with CarbonServer() as server, open_streams() as web:
            server.play_everywhere(*plays)
            relay = Relay(server.url)
            return [await relay.fetch(web, ("DE",), NOW) for _ in plays], server.asks

    return asyncio.run(run())


def _play(
    answer: dict[str, object], *headers: tuple[str, str], status: int = 200
) -> Play:
    return Play(json.dumps(answer).encode(), status=status, headers=headers)


def test_a_value_keeps_its_provider_and_its_time() -> None:
    """A dashboard shows the same, whichever way the value came."""
    ((report,), (ask,)) = _played(_play(_ANSWER))

    told = report.observations["DE"]
    assert (ask.path, ask.query) == ("/api/v1/intensity", {"zone": "DE"})
    assert (told.provider, told.value) == ("energy-charts", 497.4)
    assert (told.factors, told.signal, told.estimated) == (
        "lifecycle",
        "average",
        False,
    )
    assert (float(told.observed_unix_s), float(told.slot_s)) == (NOW - 600, 900.0)
    assert told.live_for_s == Seconds(7200.0)


def test_what_the_hub_calls_live_is_live_until_it_said() -> None:
    """And no longer, should the hub go away."""
    told = read_observation(_ANSWER, "DE")
    sink = LiveIntensity("DE", (Relay("http://hub").traits,))

    assert sink.offer("hub", told, NOW)
    levels = []
    for later_s in (0.0, 6599.0, 6600.0):
        standing = sink.standing(Seconds(NOW + later_s))
        assert standing is not None
        levels.append(standing.level)
    assert levels == [0, 0, 1]


def test_the_hub_s_last_good_value_is_a_last_good_one_here() -> None:
    """However long the hub goes on with it: its age counts."""
    old = _answer(fallback_level=1, observed_unix_s=NOW - 4 * 3600)
    sink = LiveIntensity("DE", (Relay("http://hub").traits,))

    is_live = sink.offer("hub", read_observation(old, "DE"), NOW)

    standing = sink.standing(NOW)
    assert not is_live
    assert standing is not None
    assert standing.level == 1
    assert standing.intensity.provider == "energy-charts"
    assert sink.standing(Seconds(NOW + 2 * 3600)) is None


@pytest.mark.parametrize("level", [2, 3])
def test_yearly_figures_of_the_hub_are_no_live_value(level: int) -> None:
    """The node goes on with its own last good value, which may be newer."""
    yearly = _answer(
        fallback_level=level,
        provider="owid-yearly",
        slot_s=None,
        valid_until_unix_s=None,
    )

    with pytest.raises(UnavailableError, match="the hub itself has no live value"):
        read_observation(yearly, "DE")


@pytest.mark.parametrize(
    "changes",
    [
        {"zone": "FR"},
        {"zone": None},
        {"signal": "marginal"},
        {"fallback_level": 4},
        {"fallback_level": 0.5},
        {"fallback_level": None},
        {"factors": "other"},
        {"provider": "Bad Provider\n"},
        {"provider": "x" * 65},
        {"provider": ""},
        {"intensity_g_per_kwh": "497"},
        {"observed_unix_s": None},
        {"slot_s": None},
        {"valid_until_unix_s": None},
        {"estimated": "no"},
    ],
    ids=str,
)
def test_what_is_not_as_agreed_is_nonsense(changes: dict[str, object]) -> None:
    """Half an answer may be of another version, or of something in between."""
    with pytest.raises(NonsenseError):
        read_observation(_answer(**changes), "DE")


@pytest.mark.parametrize(
    "changes",
    [
        {"intensity_g_per_kwh": 0},
        {"intensity_g_per_kwh": 2001},
        {"slot_s": -900},
        {"observed_unix_s": 7.0},
        {"valid_until_unix_s": NOW - 601},
        {"valid_until_unix_s": NOW + 30 * 86_400},
    ],
    ids=str,
)
def test_what_cannot_be_is_not_believed(changes: dict[str, object]) -> None:
    """A hub may have a wrong unit or clock like everybody else."""
    with pytest.raises(ImplausibleError):
        read_observation(_answer(**changes), "DE")


def test_small_and_capital_letters_name_the_same_zone() -> None:
    """The value carries the name that is configured here."""
    assert read_observation(_ANSWER, "de").zone == "de"


def test_the_forecast_comes_with_the_value_in_order() -> None:
    """What cannot be of it is left out; it is advice."""
    rows = [
        {"begin_unix_s": NOW + 7200, "slot_s": 3600, "intensity_g_per_kwh": 300.0},
        {"begin_unix_s": NOW + 3600, "slot_s": 900, "intensity_g_per_kwh": 400.0},
        {"begin_unix_s": NOW + 9000, "slot_s": 900, "intensity_g_per_kwh": 0.0},
    ]

    points = read_forecast(_answer(forecast=rows))

    told = [(p.begin_unix_s - NOW, float(p.slot_s), float(p.value)) for p in points]
    assert told == [(3600.0, 900.0, 400.0), (7200.0, 3600.0, 300.0)]


@pytest.mark.parametrize("forecast", [None, {}, "none", [1], [{"begin_unix_s": "x"}]])
def test_a_forecast_of_another_form_costs_no_value(forecast: object) -> None:
    """Grams need the value of now."""
    ((report,), _) = _played(_play(_answer(forecast=forecast)))

    assert report.observations["DE"].value == 497.4
    assert report.forecasts["DE"] == ()


@pytest.mark.parametrize(
    ("cache_control", "period_s"),
    [("max-age=120", 120), ("max-age=1", 30), ("max-age=86400", 300), ("no-cache", 60)],
)
def test_the_hub_says_how_often_it_is_asked_within_bounds(
    cache_control: str, period_s: float
) -> None:
    """Neither may it silence the nodes nor make them hammer it."""
    ((report,), _) = _played(_play(_ANSWER, ("Cache-Control", cache_control)))

    assert report.fresh_for_s == period_s


def test_what_has_not_changed_is_not_sent_again() -> None:
    """Its age goes on all the same: only what does not change is believed of it."""
    reports, asks = _played(_play(_ANSWER, ("ETag", '"1"')), Play(status=304))

    assert reports[0].observations == reports[1].observations
    assert asks[1].headers["if-none-match"] == '"1"'


def test_a_hub_that_lags_behind_its_twin_does_not_take_us_back() -> None:
    """Two hubs behind one name ask at moments of their own."""
    newer = _answer(observed_unix_s=NOW - 60, intensity_g_per_kwh=500.0)
    lagging = _ANSWER
    other = _answer(provider="entsoe")

    reports, _ = _played(_play(newer), _play(lagging), _play(other))

    told = [report.observations["DE"] for report in reports]
    assert [(one.provider, one.value) for one in told] == [
        ("energy-charts", 500.0),
        ("energy-charts", 500.0),
        ("entsoe", 497.4),
    ]


def test_an_address_with_a_password_in_it_is_refused_unquoted() -> None:
    """It would be seen wherever the address is."""
    with pytest.raises(ConfigError, match=r"carbon\.hub_url") as refusal:
        Relay("https://ada:t0ken@hub")

    assert "t0ken" not in str(refusal.value)


def test_a_hub_covers_what_it_is_asked_for() -> None:
    """It says itself what it does not know."""
    assert Relay("http://hub").covers("DE")
    assert not Relay("http://hub").covers("")
