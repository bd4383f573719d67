"""A node whose hub is dead for a day: every gram, and what it was computed on."""

import asyncio
from dataclasses import dataclass

import pytest

from exporter.carbon.chain import Chain
from exporter.carbon.errors import UnavailableError
from exporter.carbon.feed import Feed
from exporter.carbon.live import LiveIntensity
from exporter.carbon.poller import Poller
from exporter.carbon.yearly import YearlyIntensity
from exporter.core.model import Intensity
from exporter.core.units import JOULES_PER_KWH, Seconds
from tests.fakes.carbon import NOW, FakeProvider
from tests.fakes.carbon_world import no_web, traits
from tests.fakes.fake_time import FakeTime
from tests.fakes.life import Life, PlayedDevice
from tests.fakes.node import cpu

_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_TICK_S = 60.0
_LIVE_G, _BACK_G = 100.0, 250.0
_GERMANY_2024 = 344.14


@dataclass(frozen=True)
class _Tick:
    at_s: float
    intensity: Intensity
    energy_j: float
    grams: float
    fallback_grams: float


def _lived() -> list[_Tick]:
    """Live three days; the hub is dead in the second."""
    hub = FakeProvider(
        traits(
            "hub",
            cadence_s=60.0,
            live_for_s=3600.0,
            least_interval_s=10.0,
            many_ask=True,
        ),
        value=_LIVE_G,
    )
    time = FakeTime(NOW, 3 * _DAY_S)
    live = LiveIntensity("DE", (hub.traits,))
    chain = Chain(live, YearlyIntensity("DE"))
    poller = Poller(
        [Feed(hub, ("DE",))], [live], no_web, clocks=time.clocks, chance=lambda: 0.5
    )
    life = Life([PlayedDevice(cpu(), 200.0)])
    before = life.tick()
    ticks: list[_Tick] = []

    def tick() -> None:
        nonlocal before
        life.intensity = chain.current(Seconds(time.unix_s))
        after = life.tick(_TICK_S)
        ticks.append(
            _Tick(
                time.unix_s - NOW,
                life.intensity,
                after.node_energy_j - before.node_energy_j,
                after.emissions_g - before.emissions_g,
                after.fallback_emissions_g - before.fallback_emissions_g,
            )
        )
        before = after

    def die() -> None:
        hub.failure = UnavailableError("down")

    def return_to_life() -> None:
        hub.failure, hub.value = None, _BACK_G

    for number in range(1, int(3 * _DAY_S / _TICK_S)):
        time.after(number * _TICK_S, tick)
    time.after(_DAY_S, die)
    time.after(2 * _DAY_S, return_to_life)
    asyncio.run(poller.run(asyncio.Event()))
    return ticks


def test_grams_of_a_day_without_providers_go_on_and_are_told_apart() -> None:
    """Last good for some hours, then yearly; nothing is quietly less."""
    ticks = _lived()

    levels: dict[int, list[_Tick]] = {}
    for tick in ticks:
        levels.setdefault(tick.intensity.fallback_level, []).append(tick)
        grams = tick.energy_j * tick.intensity.value / JOULES_PER_KWH * 1.25
        is_fallback = tick.intensity.fallback_level > 0
        assert tick.energy_j == pytest.approx(200.0 * _TICK_S)
        assert tick.grams == pytest.approx(grams, rel=1e-9)
        assert tick.fallback_grams == pytest.approx(grams if is_fallback else 0.0)
    assert sorted(levels) == [0, 1, 2]
    assert {tick.intensity.value for tick in levels[1]} == {_LIVE_G}
    assert {tick.intensity.value for tick in levels[2]} == {_GERMANY_2024}
    first_good, first_yearly = levels[1][0], levels[2][0]
    assert first_good.at_s == pytest.approx(_DAY_S + _HOUR_S, abs=180)
    assert first_yearly.at_s == pytest.approx(_DAY_S + 6 * _HOUR_S, abs=180)


def test_a_period_after_the_return_of_its_hub_a_node_is_live_again() -> None:
    """And what was counted on fallback meanwhile stays what it was."""
    ticks = _lived()

    last_fallback = max(tick.at_s for tick in ticks if tick.intensity.fallback_level)
    back = [tick for tick in ticks if tick.at_s > last_fallback]
    total_g = sum(tick.fallback_grams for tick in ticks)
    hours = {
        level: sum(t.intensity.fallback_level == level for t in ticks) / 60
        for level in (1, 2)
    }
    assert 2 * _DAY_S <= last_fallback <= 2 * _DAY_S + 60
    assert {tick.intensity.value for tick in back} == {_BACK_G}
    expected_g = 0.2 * 1.25 * (hours[1] * _LIVE_G + hours[2] * _GERMANY_2024)
    assert total_g == pytest.approx(expected_g, rel=1e-9)
    assert hours[2] == pytest.approx(18.0, abs=0.1)
