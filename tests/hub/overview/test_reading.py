"""What is made of Prometheus' answers: a real client, a played server."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest

from exporter.hub.overview.asking import Asker
from exporter.hub.overview.figures import Overview
from exporter.hub.overview.reading import SLOWLY_S, Reader
from exporter.hub.prometheus.client import open_prometheus
from exporter.hub.prometheus.matching import Matcher
from exporter.hub.prometheus.series import StoreAwayError, StoreDeniedError
from exporter.hub.prometheus.settings import PrometheusSettings
from tests.fakes.cluster_sums import (
    MAIN,
    NOW,
    ClusterSums,
    component,
    job,
    recorded,
    tenant,
)
from tests.fakes.prometheus_server import Play, failure, playing_prometheus, vector

HOUR_S = 3600
DAY_S = 24 * HOUR_S
POWER = "cluster:jouled_node_power_watts:sum"


class World(NamedTuple):
    """A Prometheus that is played, and who reads it."""

    sums: ClusterSums
    settings: PrometheusSettings

    def read(self, *ours: Matcher) -> Overview:
        """Read one overview."""
        with open_prometheus(self.settings) as store:
            return Reader(ours).read(Asker(store, NOW))


@pytest.fixture
def world() -> Iterator[World]:
    """Return a Prometheus with the rules of deploy/, of 3,000 nodes."""
    with playing_prometheus() as server:
        sums = ClusterSums(recorded())
        server.answers = sums
        yield World(sums, PrometheusSettings(server.url))


def why(overview: Overview) -> dict[str, str]:
    """Return what is missing, and why."""
    return {one.part: one.why for one in overview.missing}


def test_a_large_cluster_is_told_by_its_recorded_sums(world: World) -> None:
    """Not one series of a job or a tenant of a node is read."""
    overview = world.read()

    assert overview.missing == ()
    assert overview.power_w == 1_200_000
    assert overview.components_w == {"cpu": 300_000, "gpu": 900_000}
    assert overview.devices_missing == {"cpu": 0, "gpu": 3}
    assert overview.schedulers_w == {"slurm": 900_000}
    assert overview.unattributed_w == {"idle": 80_000, "unallocated": 20_000}
    assert (overview.grams_per_s, overview.fallback_ratio) == (100, 0.25)
    assert (overview.running, overview.gpus, overview.gpus_idle) == (2, 16, 4)
    (cluster,) = overview.clusters
    assert (cluster.name, cluster.nodes, cluster.up) == ("main", 3000, 3000)
    assert cluster.power_w == 1_200_000
    (zone,) = overview.zones
    assert (zone.zone, zone.intensity_g_per_kwh, zone.level) == ("DE", 321, 0)
    assert overview.nodes is not None
    assert overview.nodes.estimated == {"cpu": 12}
    assert overview.nodes.simulated == 3
    for raw in ("jouled_job_power_watts", "jouled_tenant_energy_joules_total"):
        assert world.sums.about(raw) == []


def test_tenants_and_jobs_come_with_all_that_is_known_of_them(world: World) -> None:
    """The most first; what nobody tells of one is not 0."""
    overview = world.read()

    assert overview.day is not None
    assert overview.day.tenants is not None
    assert overview.jobs is not None
    first, second = overview.day.tenants
    assert (first.tenant, first.energy_j, first.emissions_g) == ("physics", 8e9, 70_000)
    assert (second.tenant, second.emissions_g) == ("biology", None)
    large, small = overview.jobs
    assert (large.labels["job_id"], large.power_w, large.energy_j) == ("12", 9000, None)
    assert (large.name, large.gpus) == ("", None)
    assert (small.name, small.nodes, small.gpus) == ("train", 2, 8)
    assert (small.energy_j, small.emissions_g) == (3.6e6, 400)
    assert small.gpu_utilization == 0.75


def test_the_last_day_says_for_how_much_of_it_it_is_known(world: World) -> None:
    """A sum over a gap is too low, and nobody should think it is not."""
    overview = world.read()

    assert overview.day is not None
    assert overview.day.energy is not None
    assert overview.day.energy.known_s == DAY_S
    assert overview.day.energy.amount == pytest.approx(1e6 * DAY_S)


def test_the_course_has_gaps_where_nothing_is_known(world: World) -> None:
    """A line drawn through them would be made up."""
    overview = world.read()

    assert overview.course is not None
    course = overview.course
    assert course.step_s * len(course.components_w["cpu"]) == 6 * HOUR_S
    assert set(course.components_w["gpu"]) == {900_000}
    assert course.begin_s + 6 * HOUR_S == pytest.approx(NOW, abs=2 * course.step_s)


def test_without_rules_a_small_cluster_is_added_up(world: World) -> None:
    """Who tries it out with a few nodes has figures at once."""
    world.sums.rows = {
        "up": [(MAIN, "3")],
        "jouled_node_power_watts": [(MAIN, "900")],
        "jouled_job_power_watts": [(job("7"), "500")],
        "jouled_tenant_energy_joules_total": [(tenant("physics"), "1000")],
    }

    overview = world.read()

    assert overview.power_w == 900
    assert overview.jobs is not None
    assert [one.power_w for one in overview.jobs] == [500]
    assert overview.day is not None
    assert overview.day.tenants is not None
    assert [one.energy_j for one in overview.day.tenants] == [1000]
    assert why(overview)["components"] == "absent"
    assert overview.components_w is None


def test_without_rules_a_large_cluster_is_not_added_up(world: World) -> None:
    """A page must not cost Prometheus a million series; it says what to load."""
    world.sums.rows = {
        "up": [(MAIN, "3000")],
        "jouled_node_power_watts": [(MAIN, "900")],
        "jouled_job_power_watts": [(job("7"), "500")],
    }

    overview = world.read()

    assert overview.power_w is None
    assert why(overview)["power"] == "rules"
    assert "record-nodes.yml" in overview.missing[0].remedy
    assert world.sums.about("jouled_job_power_watts") == []
    assert world.sums.about("jouled_node_power_watts") == []


def test_where_nobody_tells_what_power_lacks_that_is_not_nothing(world: World) -> None:
    """Daemons and rules of before do not; nor is there anything to be done at once."""
    name = "cluster_component:jouled_devices_missing:sum"
    world.sums.rows = {k: rows for k, rows in recorded().items() if k != name}

    overview = world.read()

    assert overview.devices_missing is None
    assert overview.missing == ()


def test_without_rules_for_jobs_a_large_cluster_is_not_said_to_be_empty(
    world: World,
) -> None:
    """Rules of nodes alone say nothing of who uses them: that is not 0."""
    world.sums.rows = {
        name: rows
        for name, rows in recorded().items()
        if "job" not in name and "tenant" not in name
    }

    overview = world.read()

    assert overview.power_w == 1_200_000
    assert (overview.running, overview.gpus, overview.gpus_idle) == (None, None, None)
    assert overview.jobs is None
    assert overview.schedulers_w is None
    assert overview.day is not None
    assert overview.day.tenants is None
    remedies = {one.part: one.remedy for one in overview.missing}
    assert set(remedies) == {"jobs", "running", "schedulers", "tenants"}
    assert "record-jobs.yml" in remedies["jobs"]
    assert "record-tenants.yml" in remedies["tenants"]


def test_a_prometheus_without_nodes_is_asked_nothing_further(world: World) -> None:
    """The page says how to add them; zero watts would be a lie."""
    world.sums.rows = {}

    overview = world.read()

    assert overview.nodes is None
    assert overview.power_w is None
    assert why(overview) == {"nodes": "absent"}
    assert "scrape_configs" in overview.missing[0].remedy
    assert len(world.sums.asked) == 4


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-5"])
def test_a_value_that_cannot_be_is_missing(world: World, value: str) -> None:
    """And what is left is told to be a part."""
    world.sums.rows[POWER] = [(MAIN, value)]

    overview = world.read()

    assert overview.power_w is None
    assert not overview.complete


def test_a_question_that_is_too_much_costs_its_figure_alone(world: World) -> None:
    """The rest of the page goes on."""
    slow = Play(failure("timeout"), status=503)
    world.sums.plays["cluster_job:jouled_job_power_watts:sum"] = slow

    overview = world.read()

    assert overview.jobs is None
    assert why(overview) == {"jobs": "overload"}
    assert overview.power_w == 1_200_000


@pytest.mark.parametrize(
    "play", [Play(b"<html>"), Play(vector(({}, "many"))), Play(b"[1]")]
)
def test_an_answer_that_is_none_costs_its_figure_alone(
    world: World, play: Play
) -> None:
    """Whatever stands between may say anything."""
    world.sums.plays[POWER] = play

    overview = world.read()

    assert overview.power_w is None
    assert why(overview) == {"power": "nonsense"}


@pytest.mark.parametrize(
    ("status", "kind"), [(502, StoreAwayError), (401, StoreDeniedError)]
)
def test_who_does_not_answer_is_not_asked_on(
    world: World, status: int, kind: type[Exception]
) -> None:
    """Thirty deadlines in a row help nobody."""
    world.sums.plays["cluster:jouled_up:count"] = Play(status=status)

    with pytest.raises(kind):
        world.read()

    assert len(world.sums.asked) == 1


def test_a_refresh_ends_in_time(world: World) -> None:
    """What was not asked is missing, and says so."""
    sums = world.sums
    with open_prometheus(world.settings) as store:
        overview = Reader(()).read(Asker(store, NOW, lambda: len(sums.asked) >= 6))

    assert overview.power_w == 1_200_000
    assert why(overview)["jobs"] == "overload"
    assert len(sums.asked) == 6


def test_names_reach_prometheus_as_texts(world: World) -> None:
    """A user may call a job or a namespace almost anything."""
    odd = 'a"} or up{x="b.*\\'
    world.sums.rows["cluster_tenant:jouled_tenant_energy_joules:rate5m"] = [
        (tenant(odd), "5"),
        (tenant("|"), "4"),
    ]

    overview = world.read()

    assert overview.day is not None
    assert overview.day.tenants is not None
    assert [one.tenant for one in overview.day.tenants] == [odd, "|"]
    asked = world.sums.about("cluster_tenant:jouled_tenant_emissions_grams:rate5m")
    escaped = r"a\"\\} or up\\{x=\"b\\.\\*\\\\|\\|"
    assert f'tenant=~"{escaped}"' in asked[0]


def test_matchers_of_the_site_narrow_all_questions(world: World) -> None:
    """Recorded sums carry all of them but the name of the scrape job."""
    ours = (Matcher("cluster", "=", ("main",)), Matcher("job", "=", ("jouled",)))

    world.read(*ours)

    for query in world.sums.asked:
        assert 'cluster="main"' in query
    assert world.sums.about("up")[0].count('job="jouled"') == 1
    assert 'job="jouled"' not in world.sums.about(POWER)[0]


def test_several_clusters_are_told_apart_and_added_up(world: World) -> None:
    """One hub may serve all clusters of a site."""
    other = {"cluster": "test"}
    world.sums.rows["up"] = [(MAIN, "10"), (other, "5")]
    world.sums.rows[POWER] = [(MAIN, "1000")]

    overview = world.read()

    assert [(one.name, one.nodes, one.power_w) for one in overview.clusters] == [
        ("main", 10, 1000),
        ("test", 5, None),
    ]
    assert overview.nodes is not None
    assert overview.nodes.known == 15


def test_nodes_that_are_away_and_sources_that_fail_are_named(world: World) -> None:
    """Who is on call begins there."""
    errors = "jouled_source_errors_total"
    fault = {**MAIN, "instance": "n2:9878", "source": "nvml", "reason": "timeout"}
    world.sums.rows |= {errors: [(fault, "3")]}

    overview = world.read()

    assert overview.nodes is not None
    assert overview.nodes.faults is not None
    (found,) = overview.nodes.faults
    assert (found.node.instance, found.source, found.reason) == (
        "n2:9878",
        "nvml",
        "timeout",
    )
    assert overview.nodes.down == ()


def test_a_prometheus_above_shards_knows_sums_alone(world: World) -> None:
    """It scrapes no node; that no fault is known of is no good news there."""
    for name in ("up", "jouled_source_info", "jouled_job_info"):
        del world.sums.rows[name]
    world.sums.rows["cluster:jouled_up:count"] = [(MAIN, "4000")]
    world.sums.rows["cluster:jouled_up:sum"] = [(MAIN, "3999")]

    overview = world.read()

    assert overview.nodes is not None
    assert (overview.nodes.known, overview.nodes.up) == (4000, 3999)
    assert overview.nodes.down == ()
    assert overview.nodes.faults is None
    assert overview.nodes.estimated is None
    assert why(overview) == {"faults": "absent"}
    assert "that scrapes the nodes" in overview.missing[0].remedy
    assert overview.power_w == 1_200_000


@pytest.mark.parametrize("size", [10**7, 5 * 10**6])
def test_an_answer_that_is_too_large_costs_its_figure_alone(
    world: World, size: int
) -> None:
    """Memory is bounded, whatever somebody has called jobs."""
    world.sums.plays["cluster_job:jouled_job_power_watts:sum"] = Play(b" " * size)
    settings = replace(world.settings, largest_bytes=4 * 2**20)

    overview = world._replace(settings=settings).read()

    assert overview.jobs is None
    assert why(overview) == {"jobs": "overload"}


def test_the_last_day_is_read_less_often(world: World) -> None:
    """It takes a thousand times the samples, and changes slowly."""
    reader = Reader(())
    with open_prometheus(world.settings) as store:
        first = reader.read(Asker(store, NOW))
        asked = len(world.sums.asked)
        second = reader.read(Asker(store, NOW + 30))
        again = len(world.sums.asked) - asked
        third = reader.read(Asker(store, NOW + SLOWLY_S))

    assert second.day == first.day
    assert again < asked
    assert third.day != first.day
    assert third.at_s == NOW + SLOWLY_S


def test_what_a_small_cluster_lacks_is_still_said_when_it_is_not_asked(
    world: World,
) -> None:
    """Else the page would forget for two minutes why there is no number."""
    world.sums.rows = {"up": [(MAIN, "3")]}
    reader = Reader(())
    with open_prometheus(world.settings) as store:
        first = reader.read(Asker(store, NOW))
        second = reader.read(Asker(store, NOW + 30))

    assert why(first)["day"] == why(second)["day"] == "absent"
    assert replace(first, at_s=second.at_s) == second


def test_components_of_several_clusters_are_added_up(world: World) -> None:
    """The page has one bar for each component."""
    name = "cluster_component:jouled_component_power_watts:sum"
    other = {**component("gpu"), "cluster": "test"}
    world.sums.rows[name].append((other, "100000"))

    assert world.read().components_w == {"cpu": 300_000, "gpu": 1_000_000}
