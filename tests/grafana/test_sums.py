"""What the graph of a node shows adds up to the node, on living nodes."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.waiting import until
from tests.fakes.simulated_cluster import SimulatedCluster, simulated_cluster
from tests.grafana.reading import (
    Query,
    dashboards,
    panel_queries,
    replace_variables,
)

pytestmark = [
    pytest.mark.e2e,
    # The nodes start within the first test.
    pytest.mark.timeout(400),
]

WINDOW_S = 6
PATIENCE_S = 150.0
STACK = "Power by job, and what is charged to nobody"
JOBS, OTHERS, NOBODY, NOT_TOLD, NODE = range(5)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    """Run nodes with jobs of Slurm and pods, long enough for a rate.

    One of them may have no job for minutes.
    """
    folder: Path = tmp_path_factory.mktemp("cluster")
    flags = ("--schedulers", "both")
    with simulated_cluster(folder, nodes=3, flags=flags) as cluster:
        enough = f"min(count_over_time(jouled_node_power_watts[1m])) > {WINDOW_S}"
        cluster.wait_for(enough)
        yield cluster


def queries_of_the_stack() -> list[Query]:
    """Return what the graph asks, in its order."""
    dashboard = next(one for one in dashboards() if one.name == "node")
    return [
        query for panel, query in panel_queries(dashboard) if panel["title"] == STACK
    ]


def plain(expression: str, node: str) -> str:
    """Write an expression as Grafana does when a node is chosen."""
    values = {"cluster": ".*", "node": node, "__rate_interval": f"{WINDOW_S}s"}
    return replace_variables(expression, values)


def layers(cluster: SimulatedCluster, node: str, unix_s: float) -> list[float]:
    """Return the power of each query at a moment, W, summed over its series.

    A scrape may come in between two queries, also one of a moment before: so all are
    asked until they say the same twice.
    """

    def ask() -> list[float]:
        return [
            sum(
                power_w
                for _, power_w in cluster.prometheus.query(
                    plain(query.expression, node), unix_s
                )
            )
            for query in queries_of_the_stack()
        ]

    def look() -> list[float] | None:
        found = ask()
        return found if found == ask() else None

    return until(look, "two answers that are the same")


def quiet_moment(cluster: SimulatedCluster) -> tuple[str, float]:
    """Wait until some node had the same jobs for a window; return it and when, s.

    Then every counter was there in each scrape of the window.
    """

    def scrapes(of: str, counter: str) -> str:
        told = f"count_over_time(jouled_{counter}_joules_total[{WINDOW_S}s])"
        return f"{of} by (instance) ({told})"

    all_of_them = scrapes("max", "node_energy")
    same_jobs = (
        f"({scrapes('min', 'job_energy')} == {all_of_them}) > 2"
        f" and {scrapes('min', 'unattributed_energy')} == {all_of_them}"
    )

    def look() -> tuple[str, float] | None:
        unix_s = time.time()
        found = cluster.prometheus.query(same_jobs, unix_s)
        return (found[0][0]["instance"], unix_s) if found else None

    return until(look, "a node on which no job comes or goes", PATIENCE_S)


def test_jobs_and_what_nobody_is_charged_for_are_the_node(
    cluster: SimulatedCluster,
) -> None:
    """To 0.1 %, by the queries of the dashboard itself."""
    node, unix_s = quiet_moment(cluster)

    found = layers(cluster, node, unix_s)

    assert found[JOBS] > 0
    stacked_w = found[JOBS] + found[OTHERS] + found[NOBODY]
    assert stacked_w == pytest.approx(found[NODE], rel=1e-3)
    assert found[NOT_TOLD] == 0


def test_the_stack_reaches_the_node_while_jobs_come_and_go(
    cluster: SimulatedCluster,
) -> None:
    """What no series tells of is a layer of its own, and not a gap."""
    node, unix_s = quiet_moment(cluster)
    lives = cluster.prometheus.raw(
        f'jouled_node_energy_joules_total{{instance="{node}"}}', unix_s - 60, unix_s
    )
    [(_, scrapes)] = lives

    for moment_s, _ in scrapes[2:]:
        *stack, node_w = layers(cluster, node, moment_s)

        # A layer of less than 0.1 % is not drawn.
        assert sum(stack) >= node_w * (1 - 2e-3)


def test_components_are_the_node(cluster: SimulatedCluster) -> None:
    """The graph beside it shows the same power by where."""
    dashboard = next(one for one in dashboards() if one.name == "node")
    components = next(
        query
        for panel, query in panel_queries(dashboard)
        if panel["title"] == "Power by component"
    )
    node, unix_s = quiet_moment(cluster)

    node_w = layers(cluster, node, unix_s)[NODE]
    found = cluster.prometheus.query(plain(components.expression, node), unix_s)

    assert sum(watts for _, watts in found) == pytest.approx(node_w, rel=1e-3)
