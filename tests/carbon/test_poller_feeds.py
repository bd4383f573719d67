"""What is asked of whom, and what becomes of what was told."""

import asyncio
from pathlib import Path

import pytest

from exporter.carbon.errors import (
    CredentialsError,
    UnavailableError,
)
from exporter.carbon.feed import Feed
from exporter.carbon.fetching import open_web
from exporter.carbon.last_good import LastGood
from exporter.carbon.live import LiveIntensity
from exporter.carbon.observation import Report
from exporter.carbon.poller import Poller, Time, sleep_until_told
from exporter.carbon.provider import Web
from exporter.carbon.standing import Kept
from exporter.core.forecast import ForecastPoint
from exporter.core.units import GramsPerKwh, Seconds
from tests.fakes.carbon import NOW, FakeProvider, observation
from tests.fakes.carbon_world import World, no_web, traits

_HOUR = 3600.0
_DAY = 86_400.0


def test_zones_are_asked_for_one_by_one_unless_one_call_tells_all() -> None:
    """Each has a fate of its own, where it has a call of its own."""
    each = FakeProvider(traits("each"))
    both = FakeProvider(traits("both", all_zones_at_once=True))
    world = World(each, both, lasts_s=60.0, zones=("DE", "FR"))

    world.run()

    assert [zones for zones, _ in each.asked] == [("DE",), ("FR",)]
    assert [zones for zones, _ in both.asked] == [("DE", "FR")]


def test_one_zone_without_a_value_keeps_nothing_from_the_other() -> None:
    """The call counts as what went wrong, and the good value counts too."""
    both = FakeProvider(traits(all_zones_at_once=True), silent_about=frozenset({"FR"}))
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

    other = World(FakeProvider(traits("other")), lasts_s=0.0, store=store)

    assert other.chain.current(NOW).provider == "owid-yearly"


def test_a_daemon_that_starts_again_and_again_asks_no_more_often(
    tmp_path: Path,
) -> None:
    """Denmark's service allows one call a minute."""
    store = LastGood(tmp_path)
    fetched = Kept("one", observation(100.0, NOW - 300), Seconds(NOW - 10))
    store.save([fetched])
    one = FakeProvider(traits(least_interval_s=60.0))

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
    provider = Forecasting(traits(forecast_every_s=3600.0), outlook=points)
    world = World(provider, lasts_s=_DAY)

    world.run()

    assert len([zones for zones, _ in provider.asked if "forecast" in zones]) == 25
    assert world.sinks["DE"].forecast(NOW) == points


def test_a_forecast_that_is_refused_leaves_the_values_alone() -> None:
    """It takes a better plan than the values do."""
    provider = Forecasting(traits(forecast_every_s=3600.0))
    world = World(provider, lasts_s=_DAY)

    world.run()

    assert world.count("denied") == 4
    assert world.count("ok") == 288
    assert world.level() == 0


def test_a_poller_with_nothing_to_ask_ends_at_once() -> None:
    """As where the operator fixed a figure."""
    poller = Poller([], [], no_web)

    asyncio.run(poller.run(asyncio.Event()))

    assert poller.counts == ()


def test_what_nobody_takes_is_not_asked_for() -> None:
    """A feed without a sink is a mistake in how the daemon is put together."""
    sink = LiveIntensity("FR", (FakeProvider().traits,))

    with pytest.raises(ValueError, match="nobody takes the average intensity of DE"):
        Poller([Feed(FakeProvider(), ("DE",))], [sink], no_web)


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
