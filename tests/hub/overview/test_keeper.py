"""When Prometheus is asked, and what is left of an answer when it is away."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.carbon.poller import Time
from exporter.hub.overview.keeper import LOOKED_FOR_S, Keeper
from exporter.hub.overview.service import Overviews
from exporter.hub.prometheus.client import Prometheus, open_prometheus
from exporter.hub.prometheus.series import History, Values
from exporter.hub.prometheus.settings import PrometheusSettings
from tests.fakes.cluster_sums import NOW, ClusterSums, recorded
from tests.fakes.fake_time import FakeTime
from tests.fakes.prometheus_server import (
    Ask,
    Play,
    PrometheusServer,
    playing_prometheus,
    vector,
)
from tests.fakes.waiting import wait_until

_LONG_S = 60.0
_AWAY = Play(status=502)


class World(NamedTuple):
    """A Prometheus that is played, and who keeps its overview."""

    server: PrometheusServer
    sums: ClusterSums
    time: FakeTime
    keeper: Keeper
    store: Prometheus


@pytest.fixture
def world() -> Iterator[World]:
    """Return a Prometheus of 3,000 nodes, and a keeper that was not asked yet."""
    with playing_prometheus() as server:
        sums = ClusterSums(recorded())
        server.answers = sums
        time = FakeTime(NOW, 1e9)
        settings = PrometheusSettings(server.url)
        with open_prometheus(settings) as store:
            keeper = Keeper(settings, lambda: open_prometheus(settings), time.clocks)
            yield World(server, sums, time, keeper, store)


def test_a_refresh_replaces_the_overview_and_is_counted(world: World) -> None:
    """What others read never changes under their hands."""
    wait_s = world.keeper.refresh(world.store)
    first = world.keeper.standing
    world.time.pass_s(30.0)
    world.keeper.refresh(world.store)

    assert wait_s == 30.0
    assert first.overview is not None
    assert (first.overview.at_s, first.outcome, first.error) == (NOW, "ok", "")
    second = world.keeper.standing.overview
    assert second is not None
    assert second.at_s == NOW + 30
    assert first.refreshes["ok"] == 1
    assert world.keeper.standing.refreshes["ok"] == 2
    assert world.keeper.standing.queries["ok"] == len(world.sums.asked)


def test_while_prometheus_is_away_the_last_overview_stays(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """With its age, and since when; it is said once, and once that it is over."""
    caplog.set_level(logging.INFO)
    world.keeper.refresh(world.store)
    world.sums.plays["up"] = _AWAY
    waits_s = []
    for _ in range(4):
        world.time.pass_s(30.0)
        waits_s.append(world.keeper.refresh(world.store))
    away = world.keeper.standing
    world.sums.plays.clear()
    wait_s = world.keeper.refresh(world.store)

    assert away.overview is not None
    assert (away.overview.at_s, away.outcome) == (NOW, "unavailable")
    assert away.failing_since_s == NOW + 30
    assert "502" in away.error
    assert waits_s == [30.0, 60.0, 120.0, 120.0]
    assert wait_s == 30.0
    assert world.keeper.standing.failing_since_s is None
    told = [one.getMessage() for one in caplog.records if "overview" in one.msg]
    assert told == [
        "the overview stays as it is: 127.0.0.1 answered 502",
        "the overview is refreshed again",
    ]


def test_when_all_answers_are_too_late_the_refresh_has_failed(world: World) -> None:
    """An overview of nothing must not take the place of the last good one."""
    world.keeper.refresh(world.store)
    world.server.answers = None
    world.server.play = Play(status=413)

    world.keeper.refresh(world.store)

    standing = world.keeper.standing
    assert standing.outcome == "overload"
    assert standing.overview is not None
    assert standing.overview.power_w == 1_200_000


def test_nobody_is_asked_while_nobody_looks(world: World) -> None:
    """A page that is closed costs Prometheus nothing; one that opens is served."""
    settings = PrometheusSettings(world.server.url)
    keeper = Keeper(
        settings,
        lambda: open_prometheus(settings),
        world.time.clocks,
        every_s=0.01,
    )
    stop = threading.Event()

    def answer(ask: Ask) -> Play:
        # Everybody goes away while it is asked.
        world.time.pass_s(LOOKED_FOR_S + 1)
        return world.sums(ask)

    world.server.answers = answer
    thread = threading.Thread(target=keeper.run, args=(stop,))
    thread.start()
    try:
        for number in (1, 2, 3):
            wait_until(
                lambda number=number: _counted(keeper) == number,  # type: ignore[misc]
                f"refresh {number}",
                _LONG_S,
            )
            keeper.look()
        wait_until(lambda: _counted(keeper) == 4, "the last refresh", _LONG_S)
    finally:
        stop.set()
        keeper.wake()
        thread.join()

    assert _counted(keeper) == 4


def test_a_fault_of_ours_is_counted_and_ends_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The hub has nodes to serve, whatever its page is up to."""

    class Broken:
        def values(self, _query: str, _unix_s: float) -> Values:
            raise ZeroDivisionError

        def course(self, *_: object) -> History:
            raise ZeroDivisionError

    wait_s = world.keeper.refresh(Broken())

    standing = world.keeper.standing
    assert wait_s == 30.0
    assert (standing.outcome, standing.refreshes["failed"]) == ("failed", 1)
    assert standing.error == "ZeroDivisionError, see the log"
    assert "a refresh of the overview failed" in caplog.text


def test_authorities_that_cannot_be_read_are_told_and_tried_again(
    tmp_path: Path,
) -> None:
    """They may be there the next time."""
    overviews = Overviews(Time())
    try:
        settings = PrometheusSettings("https://127.0.0.1:9", ca_file=tmp_path / "none")
        overviews.follow(settings)
        wait_until(lambda: _error(overviews) != "", "it has failed", _LONG_S)

        assert "certificates" in _error(overviews)
    finally:
        overviews.end()


def test_another_prometheus_begins_anew_and_counts_go_on() -> None:
    """What the one before told may be of another cluster."""
    before = threading.active_count()
    overviews = Overviews(Time())
    with playing_prometheus() as server:
        server.answers = ClusterSums(recorded())
        try:
            overviews.follow(PrometheusSettings(server.url))
            wait_until(lambda: _refreshes(overviews) == 1, "it is read", _LONG_S)
            server.answers, server.play = None, Play(vector(), status=502)
            overviews.follow(PrometheusSettings(server.url, timeout_s=5.0))
            wait_until(lambda: _failed(overviews) == 1, "it has failed", _LONG_S)

            assert overviews.standing is not None
            assert overviews.standing.overview is None
            assert _refreshes(overviews) == 1
            overviews.follow(None)
            assert overviews.standing is None
        finally:
            overviews.end()
        wait_until(
            lambda: threading.active_count() <= before + 1, "threads end", _LONG_S
        )


def _counted(keeper: Keeper) -> int:
    return sum(keeper.standing.refreshes.values())


def _error(overviews: Overviews) -> str:
    return "" if overviews.standing is None else overviews.standing.error


def _refreshes(overviews: Overviews) -> int:
    standing = overviews.standing
    return 0 if standing is None else standing.refreshes["ok"]


def _failed(overviews: Overviews) -> int:
    standing = overviews.standing
    return 0 if standing is None else standing.refreshes["unavailable"]
