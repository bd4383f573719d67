"""What the API and a scrape make of the overview."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.core.forecast import ForecastPoint
from exporter.core.units import GramsPerKwh, Seconds
from exporter.hub.overview.keeper import Keeper
from exporter.hub.prometheus.client import open_prometheus
from exporter.hub.prometheus.settings import PrometheusSettings
from exporter.hub.slurm.keeper import SlurmStanding
from tests.e2e.exposition import Scrape
from tests.fakes.carbon import NOW, FakeProvider
from tests.fakes.cluster_sums import ClusterSums, recorded
from tests.fakes.hub import HubWorld
from tests.fakes.prometheus_server import Play, playing_prometheus
from tests.fakes.promtool import rules

_REFRESHES = "jouled_hub_overview_refreshes_total"
_OBSERVED = "jouled_hub_overview_observed_timestamp_seconds"


@pytest.fixture
def world(tmp_path: Path) -> HubWorld:
    """Return a hub that knows of no Prometheus."""
    return HubWorld(tmp_path, DE=(FakeProvider(),))


class Asked(NamedTuple):
    """A hub, and a Prometheus that it asks."""

    world: HubWorld
    sums: ClusterSums
    refresh: Callable[[], None]


@pytest.fixture
def asked(world: HubWorld) -> Iterator[Asked]:
    """Give the hub a Prometheus that knows 3,000 nodes."""
    with playing_prometheus() as server:
        sums = ClusterSums(recorded())
        server.answers = sums
        settings = PrometheusSettings(server.url)
        keeper = Keeper(settings, lambda: open_prometheus(settings), world.time.clocks)
        with open_prometheus(settings) as store:

            def refresh() -> None:
                keeper.refresh(store)
                world.overview.standing = keeper.standing

            yield Asked(world, sums, refresh)


def test_without_a_prometheus_there_is_an_answer_all_the_same(world: HubWorld) -> None:
    """The page says which setting is missing, and shows what the hub has itself."""
    answer = world.asker.get("/api/v1/overview").json()
    scrape = Scrape(world.asker.get("/metrics").text)

    assert answer["prometheus"] is None
    assert answer["observed_unix_s"] is None
    assert answer["power"]["total_w"] is None
    assert answer["nodes"] is answer["day"] is answer["course"] is None
    assert scrape.series(_REFRESHES) == []


def test_the_answer_holds_what_the_page_shows(asked: Asked) -> None:
    """Each quantity names its unit."""
    asked.refresh()

    answer = asked.world.asker.get("/api/v1/overview").json()

    assert answer["observed_unix_s"] == NOW
    assert answer["missing"] == []
    assert answer["power"]["total_w"] == 1_200_000
    assert answer["nodes"]["known"] == 3000
    assert answer["day"]["tenants"][0]["tenant"] == "physics"
    assert answer["jobs"]["largest"][1]["name"] == "train"
    assert len(answer["course"]["components_w"]["gpu"]) == 180
    assert answer["zones"][0] == {
        "zone": "DE",
        "intensity_g_per_kwh": 321.0,
        "fallback_level": 0,
    }


def test_who_asks_keeps_it_up_to_date_and_a_scrape_does_not(asked: Asked) -> None:
    """A Prometheus that scrapes the hub would else ask itself for ever."""
    world = asked.world
    asked.refresh()

    world.asker.get("/metrics")
    world.asker.get("/api/v1/hub")
    before = world.overview.looks
    world.asker.get("/api/v1/overview")

    assert (before, world.overview.looks) == (0, 1)


def test_no_request_waits_for_prometheus(asked: Asked) -> None:
    """However many look: it is asked by one, on a timer."""
    asked.refresh()
    before = len(asked.sums.asked)

    for _ in range(5):
        asked.world.asker.get("/api/v1/overview")

    assert len(asked.sums.asked) == before


def test_a_prometheus_that_is_away_is_told_with_what_is_left(asked: Asked) -> None:
    """The last figures, how old they are, and since when it is away."""
    asked.refresh()
    asked.sums.plays["up"] = Play(status=502)
    asked.world.pass_s(60.0)
    asked.refresh()

    answer = asked.world.asker.get("/api/v1/overview").json()
    scrape = Scrape(asked.world.asker.get("/metrics").text)

    assert answer["power"]["total_w"] == 1_200_000
    assert answer["unix_s"] - answer["observed_unix_s"] == 60
    assert answer["prometheus"]["outcome"] == "unavailable"
    assert answer["prometheus"]["failing_since_unix_s"] == NOW + 60
    assert "502" in answer["prometheus"]["error"]
    assert scrape.value(_REFRESHES, outcome="ok") == 1
    assert scrape.value(_REFRESHES, outcome="unavailable") == 1
    assert scrape.value(_OBSERVED) == NOW


def test_everything_that_is_asked_for_is_recorded_by_the_rules(asked: Asked) -> None:
    """A record that is renamed would empty the page of every large cluster."""
    names = {rule.name for rule in rules()}

    asked.refresh()

    records = {
        name
        for query in asked.sums.asked
        for name in re.findall(r"cluster[a-z_]*:[a-z0-9_:]+", query)
    }
    assert len(records) >= 15
    assert records <= names


def test_it_is_told_how_it_stands_with_slurm(world: HubWorld) -> None:
    """Else nobody sees on the page why nodes know no names of jobs."""
    before = world.asker.get("/api/v1/hub").json()
    world.slurm = SlurmStanding(next_unix_s=NOW + 60, error="it answered 401")

    after = world.asker.get("/api/v1/hub").json()

    assert before["slurm"] is None
    assert after["slurm"] == {
        "jobs": None,
        "fetched_unix_s": None,
        "next_unix_s": NOW + 60,
        "error": "it answered 401",
    }


def test_the_greenest_hours_of_a_zone_are_told(tmp_path: Path) -> None:
    """So that nobody has to find them in a chart."""
    values = [300.0] * 10 + [100.0] * 4 + [300.0] * 30
    outlook = tuple(
        ForecastPoint(
            Seconds(NOW + hour * 3600.0), Seconds(3600.0), GramsPerKwh(values[hour])
        )
        for hour in range(40)
    )
    world = HubWorld(tmp_path, DE=(FakeProvider(outlook=outlook),), FR=())
    world.poll()

    germany, france = world.asker.get("/api/v1/hub").json()["zones"]

    assert germany["greenest"] == {
        "begin_unix_s": NOW + 10 * 3600.0,
        "end_unix_s": NOW + 14 * 3600.0,
        "intensity_g_per_kwh": 100.0,
    }
    assert france["greenest"] is None


def test_the_api_describes_the_overview(world: HubWorld) -> None:
    """Programs are written from that."""
    paths = world.asker.get("/openapi.json").json()["paths"]

    assert "/api/v1/overview" in paths
