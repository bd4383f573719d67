from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.hub import Answer, Hub, running
from tests.fakes.played_providers import played_providers
from tests.fakes.played_time import PlayedTime

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

INTENSITY = "jouled_carbon_intensity_grams_per_kwh"
LEVEL = "jouled_carbon_intensity_fallback_level"

# An hour in half a minute: each level lasts for seconds, and nobody misses one.
FACTOR = 120.0
# An hour in ten seconds, where there is nothing to be missed.
FAST = 360.0


def is_of_level(level: int) -> Callable[[Answer], bool]:
    """Return what asks an answer for its level."""
    return lambda answer: bool(answer["fallback_level"] == level)


def test_a_dead_provider_costs_one_level_after_the_other_and_comes_back(
    tmp_path: Path,
) -> None:
    """Live, last good, yearly, and live again; each is said, none is a gap."""
    clock = PlayedTime.begin(FACTOR)
    with played_providers(clock.unix) as providers:
        text = f"""
zones: {{DE: {{providers: site, max_age: 1h}}}}
providers:
  site:
    type: http-json
    url: {providers.url}/feed
    value: now.value
    time: now.at
    every: 1m
    live_for: 10m
"""
        with running(Hub(tmp_path, text, clock=clock)) as hub:
            levels = [hub.wait_for(is_of_level(0), "a live value")]
            providers.is_dead = True
            for level in (1, 2):
                levels.append(hub.wait_for(is_of_level(level), f"level {level}"))
                series = hub.scrape().series(INTENSITY, zone="DE")
                assert len(series) == 1, "the series of before is gone"
            providers.is_dead, providers.value = False, 99.0
            levels.append(hub.wait_for(is_of_level(0), "a live value"))
            assert hub.scrape().value(LEVEL, zone="DE") == 0

    told = [(answer["provider"], answer["intensity_g_per_kwh"]) for answer in levels]
    assert told[0] == told[1] == ("site", 321.0)
    assert told[2][0] == "owid-yearly"
    assert told[3] == ("site", 99.0)
    assert levels[1]["observed_unix_s"] <= levels[1]["unix_s"] - 600.0
    assert levels[1]["valid_until_unix_s"] == levels[1]["observed_unix_s"] + 3600.0


def test_an_hour_of_many_questions_costs_each_provider_its_cadence(
    tmp_path: Path,
) -> None:
    """However many nodes there are: that is what the hub is for."""
    clock = PlayedTime.begin(FAST)
    with played_providers(clock.unix) as providers:
        text = f"""
zones: {{DE: , AT: , IT: {{providers: site}}}}
providers:
  energy-charts: {{url: {providers.url}}}
  site: {{type: http-json, url: {providers.url}/feed, value: now.value, every: 5m}}
"""

        def calls(path: str) -> int:
            return len(providers.asked(path))

        with running(Hub(tmp_path, text, clock=clock)) as hub:
            asked, end_s = 0, clock.elapsed() + 3600.0
            # Each provider is asked again, on however slow a machine.
            while clock.elapsed() < end_s or calls("/co2eq") < 4 or calls("/feed") < 2:
                for zone in ("DE", "AT", "IT"):
                    hub.intensity(zone)
                    asked += 1
        hours = clock.elapsed() / 3600.0

    # Two zones four times an hour, and one twelve times; once more at first, and once
    # because a slot may begin at either end.
    assert calls("/co2eq") <= 2 * (4 * hours + 2)
    assert calls("/feed") <= 12 * hours + 2
    assert asked > calls("/co2eq") + calls("/feed")
