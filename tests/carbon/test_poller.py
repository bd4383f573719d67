"""The poller on a clock that goes only while it sleeps."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from exporter.carbon.chain import Chain
from exporter.carbon.errors import (
    CredentialsError,
    NotCoveredError,
    ThrottledError,
    UnavailableError,
)
from exporter.carbon.feed import OUTCOMES, Feed
from exporter.carbon.fetching import open_web
from exporter.carbon.last_good import LastGood
from exporter.carbon.live import Kept, LiveIntensity
from exporter.carbon.observation import ForecastPoint, Report
from exporter.carbon.poller import Poller, Time, sleep_until_told
from exporter.carbon.provider import Call, Traits, Web
from exporter.carbon.yearly import YearlyIntensity
from exporter.core.units import GramsPerKwh, Seconds
from tests.fakes.carbon import NOW, FakeProvider, observation
from tests.fakes.fake_time import FakeTime

_HOUR = 3600.0
_DAY = 86_400.0


class NoWeb:
    """The way to providers that need none."""

    async def json(self, call: Call) -> object:
        """Nobody asks."""
        raise AssertionError(call)

    async def text(self, call: Call) -> str:
        """Nobody asks."""
        raise AssertionError(call)


@contextlib.asynccontextmanager
async def _no_web() -> AsyncIterator[Web]:
    yield NoWeb()


def _traits(name: str = "one", **changes: object) -> Traits:
    known: dict[str, object] = {"cadence_s": 300.0, "live_for_s": 900.0}
    return Traits(name, **{**known, **changes})  # type: ignore[arg-type]  # by name


class World:
    """A poller with providers, on a clock.

    Args:
        providers: in order of preference.
        lasts_s: how long it runs, s.
        zones: what is asked for.
    """

    def __init__(
        self,
        *providers: FakeProvider,
        lasts_s: float,
        zones: tuple[str, ...] = ("DE",),
        store: LastGood | None = None,
        chance: float = 0.5,
        start_within_s: float = 0.0,
    ) -> None:
        self.time = FakeTime(NOW, lasts_s)
        self.sinks = {
            zone: LiveIntensity(zone, tuple(one.traits for one in providers))
            for zone in zones
        }
        self.poller = Poller(
            [Feed(one, zones) for one in providers],
            self.sinks.values(),
            _no_web,
            store=store,
            clocks=self.time.clocks,
            chance=lambda: chance,
            start_within_s=start_within_s,
        )
        self.chain = Chain(self.sinks[zones[0]], YearlyIntensity("DE"))

    def run(self) -> None:
        """Let it run to the end."""
        asyncio.run(self.poller.run(asyncio.Event()))

    def level(self) -> int:
        """Fallback level at this moment."""
        return self.chain.current(Seconds(self.time.unix_s)).fallback_level

    def count(self, outcome: str, provider: str = "one") -> int:
        """How often a provider was asked with an outcome."""
        return {(c.provider, c.outcome): c.fetches for c in self.poller.counts}[
            provider, outcome
        ]


def test_all_providers_dead_for_a_day_and_back() -> None:
    """Level 0, 1, 2 while they are dead, and 0 within a period of their return."""
    one = FakeProvider(_traits("one"), value=100.0)
    two = FakeProvider(_traits("two", cadence_s=900.0, live_for_s=7200.0), value=200.0)
    world = World(one, two, lasts_s=3 * _DAY)
    seen: list[tuple[float, int, str]] = []

    def look() -> None:
        intensity = world.chain.current(Seconds(world.time.unix_s))
        seen.append(
            (
                world.time.unix_s - NOW,
                intensity.fallback_level,
                intensity.provider,
            )
        )

    def die() -> None:
        one.failure = UnavailableError("down")
        two.failure = UnavailableError("down")

    def return_to_life() -> None:
        one.failure = two.failure = None

    for minute in range(1, 3 * 24 * 60):
        world.time.after(minute * 60.0, look)
    world.time.after(_DAY, die)
    world.time.after(2 * _DAY, return_to_life)

    world.run()

    steps = [seen[0]]
    steps += [after for before, after in pairwise(seen) if before[1:] != after[1:]]
    assert [(level, provider) for _, level, provider in steps] == [
        (0, "one"),
        (0, "two"),
        (1, "one"),
        (2, "owid-yearly"),
        (0, "one"),
    ]
    died_s, good_s, yearly_s, back_s = (at for at, *_ in steps[1:])
    assert _DAY < died_s <= _DAY + 900
    assert _DAY + 7200 - 900 <= good_s <= _DAY + 7200
    assert _DAY + 6 * _HOUR - 300 <= yearly_s <= _DAY + 6 * _HOUR
    assert 2 * _DAY < back_s <= 2 * _DAY + 300 + 60


def test_a_dead_provider_is_asked_no_more_often_than_a_live_one() -> None:
    """And it is not given up either."""
    dead = FakeProvider(failure=UnavailableError("down"))
    world = World(dead, lasts_s=_DAY, chance=1.0)

    world.run()

    asked = [at for _, at in dead.asked]
    gaps = [after - before for before, after in pairwise(asked)]
    assert gaps[:4] == [60.0, 120.0, 240.0, 300.0]
    assert set(gaps[4:]) == {300.0}
    assert world.count("unavailable") == len(asked)


def test_a_live_provider_is_asked_once_a_slot_and_nothing_else_wakes() -> None:
    """An idle daemon sleeps."""
    one = FakeProvider()
    world = World(one, lasts_s=_DAY)

    world.run()

    assert len(one.asked) == 288
    assert len(world.time.sleeps) == len(one.asked) + 1
    assert world.count("ok") == len(one.asked)


def test_who_refuses_us_is_told_once_and_asked_again_after_hours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Hammering a service with a bad token gets the address shut out."""
    refusing = FakeProvider(failure=CredentialsError("answered 401"))
    world = World(refusing, lasts_s=_DAY)

    world.run()

    assert len(refusing.asked) == 4
    assert world.count("denied") == 4
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "answered 401" in record.getMessage()


def test_a_new_poller_asks_who_refused_us_at_once() -> None:
    """As after a configuration with another token was read."""
    provider = FakeProvider(failure=CredentialsError("answered 401"))
    World(provider, lasts_s=_HOUR).run()
    provider.failure = None

    world = World(provider, lasts_s=60.0)
    world.run()

    assert world.level() == 0


def test_who_does_not_know_the_zone_is_asked_rarely() -> None:
    """It will not know it in five minutes."""
    world = World(FakeProvider(failure=NotCoveredError("404")), lasts_s=_DAY)

    world.run()

    assert world.count("not_covered") == 24


def test_retry_after_is_waited_for() -> None:
    """And a little more, so that not everybody comes back at that second."""
    throttling = FakeProvider(failure=ThrottledError("429", Seconds(1000.0)))
    world = World(throttling, lasts_s=_HOUR)

    world.run()

    asked = [at for _, at in throttling.asked]
    assert asked == [NOW, NOW + 1015, NOW + 2030, NOW + 3045]


def test_a_failure_is_told_when_it_begins_changes_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An hour of failures is three lines, not sixty."""
    caplog.set_level(logging.INFO)
    one = FakeProvider()
    world = World(one, lasts_s=4 * _HOUR)

    def fail(error: Exception | None) -> None:
        one.failure = error

    world.time.after(_HOUR, lambda: fail(UnavailableError("down")))
    world.time.after(2 * _HOUR, lambda: fail(NotCoveredError("gone")))
    world.time.after(3 * _HOUR, lambda: fail(None))

    world.run()

    ours = [r for r in caplog.records if r.name.startswith("exporter")]
    assert [(r.levelname, r.getMessage()) for r in ours] == [
        ("WARNING", "carbon intensity is not told: down"),
        ("WARNING", "carbon intensity is not told: gone"),
        ("INFO", "carbon intensity is told again"),
    ]
    (status,) = world.poller.statuses
    assert (status.outcome, status.error, status.failures) == ("ok", "", 0)


def test_a_fault_of_our_own_in_one_provider_does_not_end_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is counted, and told without its text, which may hold anything."""
    faulty = FakeProvider(_traits("faulty"), failure=KeyError("t0ken"))
    good = FakeProvider(_traits("good"))
    world = World(faulty, good, lasts_s=_HOUR)

    world.run()

    assert world.count("failed", "faulty") > 1
    assert world.count("ok", "good") == 12
    assert world.level() == 0
    assert "KeyError" in caplog.text
    assert "t0ken" not in caplog.text


def test_a_value_that_is_too_old_to_be_live_is_counted_as_stale() -> None:
    """The provider answers, and what it answers is of yesterday."""
    world = World(FakeProvider(lag_s=4 * _HOUR), lasts_s=_HOUR)

    world.run()

    assert world.count("stale") == 12
    assert world.count("ok") == 0
    assert world.level() == 1


def test_every_outcome_is_there_from_the_start() -> None:
    """A series that appears late loses its first value in increase()."""
    world = World(FakeProvider(), lasts_s=0.0)

    assert [(c.outcome, c.fetches) for c in world.poller.counts] == [
        (outcome, 0) for outcome in OUTCOMES
    ]


def test_zones_are_asked_for_one_by_one_unless_one_call_tells_all() -> None:
    """Each has a fate of its own, where it has a call of its own."""
    each = FakeProvider(_traits("each"))
    both = FakeProvider(_traits("both", all_zones_at_once=True))
    world = World(each, both, lasts_s=60.0, zones=("DE", "FR"))

    world.run()

    assert [zones for zones, _ in each.asked] == [("DE",), ("FR",)]
    assert [zones for zones, _ in both.asked] == [("DE", "FR")]


def test_one_zone_without_a_value_keeps_nothing_from_the_other() -> None:
    """The call counts as what went wrong, and the good value counts too."""
    both = FakeProvider(_traits(all_zones_at_once=True), silent_about=frozenset({"FR"}))
    world = World(both, lasts_s=60.0, zones=("DE", "FR"))

    world.run()

    assert world.level() == 0
    assert world.sinks["FR"].standing(NOW) is None
    assert world.count("unavailable") == 2
    assert world.poller.statuses[0].error == "nothing of FR"


def test_the_zones_of_one_provider_are_never_asked_at_the_same_time() -> None:
    """While an answer is outstanding, nobody asks again."""
    running: list[int] = [0]
    most: list[int] = [0]

    class Slow(FakeProvider):
        async def fetch(
            self, web: Web, zones: tuple[str, ...], unix_s: Seconds
        ) -> Report:
            running[0] += 1
            most[0] = max(most[0], running[0])
            for _ in range(5):
                await asyncio.sleep(0)
            running[0] -= 1
            return await super().fetch(web, zones, unix_s)

    world = World(Slow(), lasts_s=_HOUR, zones=("DE", "FR", "AT"))

    world.run()

    assert most == [1]


def test_setting_the_wall_clock_does_not_hold_up_the_next_call() -> None:
    """NTP sets the clock of a node that just booted back by a day."""
    one = FakeProvider()
    world = World(one, lasts_s=_HOUR)

    def set_back() -> None:
        world.time.unix_s -= _DAY

    world.time.after(1000.0, set_back)

    world.run()

    assert len(one.asked) >= 12
    assert world.level() == 0


def test_last_good_values_are_there_before_anybody_was_asked(tmp_path: Path) -> None:
    """A node that boots without network begins with them."""
    store = LastGood(tmp_path)
    World(FakeProvider(value=123.0), lasts_s=60.0, store=store).run()

    world = World(
        FakeProvider(failure=UnavailableError("down")), lasts_s=0.0, store=store
    )

    assert world.chain.current(NOW).value == 123.0
    assert world.chain.current(Seconds(NOW + 1200)).fallback_level == 1


def test_another_provider_does_not_take_over_what_the_last_one_said(
    tmp_path: Path,
) -> None:
    """Its values have other factors: that would be a jump in one series."""
    store = LastGood(tmp_path)
    World(FakeProvider(value=123.0), lasts_s=60.0, store=store).run()

    other = World(FakeProvider(_traits("other")), lasts_s=0.0, store=store)

    assert other.chain.current(NOW).provider == "owid-yearly"


def test_a_daemon_that_starts_again_and_again_asks_no_more_often(
    tmp_path: Path,
) -> None:
    """Denmark's service allows one call a minute."""
    store = LastGood(tmp_path)
    fetched = Kept("one", observation(100.0, NOW - 300), Seconds(NOW - 10))
    store.save([fetched])
    one = FakeProvider(_traits(least_interval_s=60.0))

    World(one, lasts_s=100.0, store=store).run()

    assert one.asked[0][1] == NOW + 50


def test_first_calls_are_spread_over_a_time() -> None:
    """A thousand nodes that boot together ask the hub one after the other."""
    one = FakeProvider()

    World(one, lasts_s=_HOUR, chance=0.25, start_within_s=60.0).run()

    assert one.asked[0][1] == NOW + 15


def test_a_forecast_that_comes_with_the_value_is_handed_on() -> None:
    """It is advice for who can wait."""
    points = (ForecastPoint(NOW, Seconds(_DAY), GramsPerKwh(50.0)),)
    world = World(FakeProvider(outlook=points), lasts_s=60.0)

    world.run()

    assert world.sinks["DE"].forecast(NOW) == points


class Forecasting(FakeProvider):
    """Has a call of its own for the forecast."""

    async def forecast(
        self, web: Web, zones: tuple[str, ...], unix_s: Seconds
    ) -> Report:
        """Tell what it expects, or refuse."""
        del web
        self.asked.append((("forecast", *zones), unix_s))
        if not self.outlook:
            msg = "answered 403"
            raise CredentialsError(msg)
        return Report(forecasts=dict.fromkeys(zones, self.outlook))


def test_a_forecast_with_a_call_of_its_own_has_a_time_of_its_own() -> None:
    """It changes once an hour, not every five minutes."""
    points = (ForecastPoint(NOW, Seconds(_DAY), GramsPerKwh(50.0)),)
    provider = Forecasting(_traits(forecast_every_s=3600.0), outlook=points)
    world = World(provider, lasts_s=_DAY)

    world.run()

    assert len([zones for zones, _ in provider.asked if "forecast" in zones]) == 25
    assert world.sinks["DE"].forecast(NOW) == points


def test_a_forecast_that_is_refused_leaves_the_values_alone() -> None:
    """It takes a better plan than the values do."""
    provider = Forecasting(_traits(forecast_every_s=3600.0))
    world = World(provider, lasts_s=_DAY)

    world.run()

    assert world.count("denied") == 4
    assert world.count("ok") == 288
    assert world.level() == 0


def test_a_poller_with_nothing_to_ask_ends_at_once() -> None:
    """As where the operator fixed a figure."""
    poller = Poller([], [], _no_web)

    asyncio.run(poller.run(asyncio.Event()))

    assert poller.counts == ()


def test_what_nobody_takes_is_not_asked_for() -> None:
    """A feed without a sink is a mistake in how the daemon is put together."""
    sink = LiveIntensity("FR", (FakeProvider().traits,))

    with pytest.raises(ValueError, match="nobody takes the average intensity of DE"):
        Poller([Feed(FakeProvider(), ("DE",))], [sink], _no_web)


def test_a_stop_ends_a_call_that_is_outstanding() -> None:
    """A daemon ends in seconds, whatever a server in the world does."""
    begun = asyncio.Event()

    class Hanging(FakeProvider):
        async def fetch(
            self, web: Web, zones: tuple[str, ...], unix_s: Seconds
        ) -> Report:
            begun.set()
            await asyncio.Event().wait()
            return await super().fetch(web, zones, unix_s)

    async def run() -> None:
        provider = Hanging()
        sink = LiveIntensity("DE", (provider.traits,))
        poller = Poller([Feed(provider, ("DE",))], [sink], open_web)
        stop = asyncio.Event()
        running = asyncio.create_task(poller.run(stop))
        await begun.wait()
        stop.set()
        async with asyncio.timeout(60):
            await running

    asyncio.run(run())


def test_a_real_sleep_ends_when_it_is_told() -> None:
    """It would be six hours."""

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set)
        async with asyncio.timeout(60):
            await sleep_until_told(stop, 6 * _HOUR)
            await sleep_until_told(asyncio.Event(), -1.0)

    asyncio.run(run())

    assert Time().sleep is sleep_until_told
