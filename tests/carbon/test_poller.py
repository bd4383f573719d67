"""When providers are asked, on a clock that goes only while the poller sleeps."""

import asyncio
import logging
from itertools import pairwise

import pytest

from exporter.carbon.errors import (
    CredentialsError,
    NotCoveredError,
    ThrottledError,
    UnavailableError,
)
from exporter.carbon.feed import OUTCOMES
from exporter.carbon.poller import Poller
from exporter.core.units import Seconds
from tests.fakes.carbon import NOW, FakeProvider
from tests.fakes.carbon_world import NoWeb, World, no_web, traits

_HOUR = 3600.0
_DAY = 86_400.0


def test_all_providers_dead_for_a_day_and_back() -> None:
    """Level 0, 1, 2 while they are dead, and 0 within a period of their return."""
    one = FakeProvider(traits("one"), value=100.0)
    two = FakeProvider(traits("two", cadence_s=900.0, live_for_s=7200.0), value=200.0)
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
    faulty = FakeProvider(traits("faulty"), failure=KeyError("t0ken"))
    good = FakeProvider(traits("good"))
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


def test_many_who_ask_the_same_spread_over_the_whole_slot() -> None:
    """Ten nodes that boot together are ten calls, not one heap of them."""
    hub = traits("hub", cadence_s=60.0, least_interval_s=10.0, many_ask=True)
    hosts = [FakeProvider(hub) for _ in range(10)]

    for number, host in enumerate(hosts):
        chance = (number + 0.5) / len(hosts)
        World(host, lasts_s=_HOUR, chance=chance, start_within_s=5.0).run()

    for second in range(1, 59):
        asked = sorted(host.asked[second][1] - NOW for host in hosts)
        gaps = [after - before for before, after in pairwise(asked)]
        assert gaps == pytest.approx([6.0] * 9)
    assert all(len(host.asked) in {60, 61} for host in hosts)


def test_what_was_counted_before_is_counted_on() -> None:
    """By the same dictionary, whoever made it: a counter must not fall."""
    counts = {("one", "ok"): 7, ("other", "denied"): 3}
    world = World(FakeProvider(), lasts_s=_HOUR, counts=counts)

    world.run()

    assert counts["one", "ok"] == 7 + 12
    assert counts["one", "denied"] == 0
    assert counts["other", "denied"] == 3


def test_it_tells_when_a_zone_is_asked_for_next() -> None:
    """Who serves the values tells others until when they are the newest."""
    one = FakeProvider(traits("one"))
    world = World(one, lasts_s=10.0, zones=("DE", "FR"))
    first = world.poller.next_unix_s("DE")
    world.run()

    second = world.poller.next_unix_s("DE")

    assert first == NOW
    assert second == pytest.approx(NOW + 300.0 + 30.0)
    assert world.poller.next_unix_s("XX") is None


def test_it_tells_for_how_long_a_call_has_been_due() -> None:
    """A poller that hangs is found out by that, and by nothing else."""
    world = World(FakeProvider(traits("one")), lasts_s=10.0)
    idle = Poller((), (), no_web)

    before = world.poller.overdue_s
    world.time.pass_s(77.0)
    late = world.poller.overdue_s
    asyncio.run(world.poller.ask_who_is_due(NoWeb()))

    assert (before, late) == (0.0, 77.0)
    assert world.poller.overdue_s == 0.0
    assert idle.overdue_s == 0.0
