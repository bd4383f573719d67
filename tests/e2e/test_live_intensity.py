"""A node asks a hub that is played, and counts grams by what it tells."""

import signal
import time
from pathlib import Path

import pytest

from tests.e2e.exposition import Scrape
from tests.e2e.scripted_node import (
    ENERGY,
    FALLBACK_GRAMS,
    FETCHES,
    GRAMS,
    INTENSITY,
    LEVEL,
    ScriptedNode,
    drawn_j,
    grew,
    scripted,
)
from tests.e2e.waiting import until
from tests.fakes.carbon_server import Play
from tests.fakes.played_hub import PlayedHub, played_hub

# A node asks again within a minute, and some machines are slow.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

PUE = 1.25
JOULES_PER_KWH = 3.6e6
GERMANY_2024 = 344.14
PATIENCE_S = 180.0
FORECAST = "jouled_carbon_intensity_forecast_grams_per_kwh"


def node_of(hub: PlayedHub, folder: Path, *flags: str) -> ScriptedNode:
    """Return a node that asks a hub for Germany."""
    return ScriptedNode(
        folder,
        (
            *("--carbon.zone", "DE", "--carbon.hub-url", hub.url),
            *("--pue", str(PUE), "--log.level", "debug", *flags),
        ),
    )


def wait_until(node: ScriptedNode, *, level: int, value: float) -> Scrape:
    """Wait until a value of some level is in force."""

    def look() -> bool:
        told = node.daemon.get("/api/v1/intensity").json()
        return (told["fallback_level"], told["intensity_g_per_kwh"]) == (level, value)

    until(look, f"level {level} with {value:g} g/kWh", PATIENCE_S)
    return node.daemon.scrape()


def test_grams_are_energy_times_the_intensity_of_that_time(tmp_path: Path) -> None:
    """The grid changes from 100 to 500 in mid-run, at constant power.

    A mean of the intensities, not weighted by energy, would be far off.
    """
    with played_hub() as hub, scripted(node_of(hub, tmp_path)) as node:
        wait_until(node, level=0, value=100.0)
        begin, before = node.work(30.0)
        hub.value = 500.0
        wait_until(node, level=0, value=500.0)
        after, end = node.work(90.0)

    assert grew(ENERGY, begin, before) == pytest.approx(drawn_j(30.0), rel=1e-6)
    assert grew(ENERGY, after, end) == pytest.approx(drawn_j(90.0), rel=1e-6)
    assert grew(ENERGY, before, after) == 0
    integral_g = (drawn_j(30.0) * 100 + drawn_j(90.0) * 500) / JOULES_PER_KWH * PUE
    mean_g = drawn_j(120.0) * (100 + 500) / 2 / JOULES_PER_KWH * PUE
    assert grew(GRAMS, begin, end) == pytest.approx(integral_g, rel=1e-6)
    assert grew(GRAMS, begin, end) != pytest.approx(mean_g, rel=0.2)
    assert grew(FALLBACK_GRAMS, begin, end) == 0


def test_without_its_hub_a_node_goes_on_and_says_on_what(tmp_path: Path) -> None:
    """Live, last good, yearly, and live again: each gram is of the figure shown."""
    flags = ("--carbon.max-age", "90s")
    with played_hub() as hub, scripted(node_of(hub, tmp_path, *flags)) as node:
        wait_until(node, level=0, value=100.0)
        hub.value, hub.observed_unix_s, hub.valid_for_s = 110.0, time.time(), 40.0
        node.daemon.send(signal.SIGHUP)
        wait_until(node, level=0, value=110.0)
        live = node.work(10.0)
        hub.instead = Play(behaviour="reset")
        wait_until(node, level=1, value=110.0)
        good = node.work(10.0)
        wait_until(node, level=2, value=GERMANY_2024)
        yearly = node.work(10.0)
        hub.value, hub.observed_unix_s, hub.instead = 300.0, None, None
        wait_until(node, level=0, value=300.0)
        again = node.work(10.0)
        said = node.daemon.said()

    each_g = drawn_j(10.0) / JOULES_PER_KWH * PUE
    for (before, after), value, fallback in (
        (live, 110.0, 0.0),
        (good, 110.0, 1.0),
        (yearly, GERMANY_2024, 1.0),
        (again, 300.0, 0.0),
    ):
        grams = value * each_g
        assert grew(GRAMS, before, after) == pytest.approx(grams, rel=1e-6)
        assert grew(FALLBACK_GRAMS, before, after) == pytest.approx(grams * fallback)
    total_j = grew(ENERGY, live[0], again[1])
    assert total_j == pytest.approx(drawn_j(40.0), rel=1e-6)
    assert again[1].value(FETCHES, provider="hub", outcome="unavailable") > 0
    assert said.count("carbon intensity is not told") == 1
    assert said.count("carbon intensity is told again") == 1


def test_a_node_shows_what_the_hub_told_and_expects(tmp_path: Path) -> None:
    """Value, origin, age, until when, and what comes: the same as at the hub."""
    with played_hub() as hub, scripted(node_of(hub, tmp_path)) as node:
        scrape = wait_until(node, level=0, value=100.0)
        answer = node.daemon.get("/api/v1/intensity").json()
        told = hub.tells()

    labels = {"zone": "DE", "provider": "energy-charts", "signal": "average"}
    assert scrape.value(INTENSITY, **labels, factors="lifecycle") == 100.0
    horizons = {
        labels["horizon"]: value for labels, value in scrape.series(FORECAST, zone="DE")
    }
    assert horizons == {"1h": 110, "3h": 130, "6h": 160, "12h": 220, "24h": 340}
    assert set(told) - set(answer) == {"marginal"}
    assert answer["valid_until_unix_s"] - answer["observed_unix_s"] == 7200
    assert answer["slot_s"] == 900
    assert answer["forecast"][0].keys() == {
        "begin_unix_s",
        "slot_s",
        "intensity_g_per_kwh",
    }
    assert scrape.value(FETCHES, provider="hub", outcome="ok") >= 1


def test_a_killed_daemon_goes_on_with_the_last_good_value_and_its_counts(
    tmp_path: Path,
) -> None:
    """Counters do not fall, and grams are not of the yearly figure meanwhile."""
    with played_hub() as hub, scripted(node_of(hub, tmp_path)) as node:
        killed = wait_until(node, level=0, value=100.0)
        hub.instead = Play(behaviour="reset")
        node.daemon.kill()
        node.daemon.start()
        reborn = node.daemon.scrape()
        before, after = node.work(10.0)

    assert reborn.value(INTENSITY, zone="DE") == 100.0
    assert reborn.value(LEVEL, zone="DE") == 0
    for labels, count in killed.series(FETCHES):
        assert reborn.value(FETCHES, **labels) >= count
    grams = drawn_j(10.0) / JOULES_PER_KWH * PUE * 100
    assert grew(GRAMS, before, after) == pytest.approx(grams, rel=1e-6)


@pytest.mark.parametrize(
    ("instead", "outcome"),
    [
        (Play(b"<html>Sign in</html>", content_type="text/html"), "nonsense"),
        (Play(b'{"zone": "FR", "signal": "average"}'), "nonsense"),
        (Play(b" " * (2**20 + 1)), "nonsense"),
        (Play(b"{}", status=404), "not_covered"),
        (Play(b"{}", status=401), "denied"),
        (Play(b"{}", status=503, headers=(("Retry-After", "60"),)), "throttled"),
        (Play(b'{"zone": "DE"}', behaviour="truncate"), "unavailable"),
    ],
    ids=["page", "zone", "gigantic", "404", "401", "503", "half"],
)
def test_what_a_bad_hub_answers_is_counted_told_once_and_never_used(
    tmp_path: Path, instead: Play, outcome: str
) -> None:
    """The yearly figure is in force, marked as what it is."""
    with played_hub() as hub:
        hub.instead = instead
        with scripted(node_of(hub, tmp_path)) as node:
            scrape = node.daemon.wait_for(
                lambda one: bool(one.get(FETCHES, provider="hub", outcome=outcome)),
                f"a fetch that is {outcome}",
            )
            said = node.daemon.said()

    assert scrape.value(LEVEL, zone="DE") == 2
    assert scrape.value(INTENSITY, zone="DE") == GERMANY_2024
    assert said.count("carbon intensity is not told") == 1
    assert f"outcome={outcome}" in said


def test_a_hub_that_is_silent_does_not_delay_the_end(tmp_path: Path) -> None:
    """Nor the ticks: what is outstanding is given up."""
    with played_hub() as hub, scripted(node_of(hub, tmp_path)) as node:
        hub.instead = Play(behaviour="silence")
        asked = len(hub.asks)
        node.daemon.send(signal.SIGHUP)
        until(lambda: len(hub.asks) > asked, "the hub to be asked", PATIENCE_S)
        node.daemon.tick_after(time.time())

        code = node.daemon.stop()

        assert code == 0
        assert "Traceback" not in node.daemon.said()


def test_a_reload_takes_another_source_and_goes_on(tmp_path: Path) -> None:
    """From a hub to a file and back: no counter falls, and none is lost."""
    file = tmp_path / "intensity"
    file.write_text("42.5")
    config = tmp_path / "jouled.yml"
    with played_hub() as hub:
        by_hub = f"carbon: {{zone: DE, hub_url: '{hub.url}'}}\npue: 1.25\n"
        by_file = f"carbon: {{zone: DE, file: '{file}'}}\npue: 1.25\n"
        config.write_text(by_hub)
        with scripted(ScriptedNode(tmp_path, ("--config.file", config))) as node:
            wait_until(node, level=0, value=100.0)
            begin, _ = node.work(10.0)
            config.write_text(by_file)
            node.daemon.send(signal.SIGHUP)
            wait_until(node, level=0, value=42.5)
            node.work(10.0)
            config.write_text(by_hub)
            node.daemon.send(signal.SIGHUP)
            wait_until(node, level=0, value=100.0)
            _, end = node.work(10.0)
            said = node.daemon.said()

    grams = (100 + 42.5 + 100) * drawn_j(10.0) / JOULES_PER_KWH * PUE
    assert grew(GRAMS, begin, end) == pytest.approx(grams, rel=1e-6)
    assert end.value(FETCHES, provider="hub", outcome="ok") >= 1
    assert end.value(FETCHES, provider="file", outcome="ok") >= 1
    assert "some changes wait for a restart" not in said
