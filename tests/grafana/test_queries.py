"""Every query of every dashboard against a real Prometheus with something to tell."""

import contextlib
import shutil
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import httpx
import pytest

from tests.e2e.waiting import until
from tests.grafana.example import as_dashboard, example
from tests.grafana.lab import NODES, Lab, lab
from tests.grafana.live import Asking
from tests.grafana.reading import Dashboard, Json, dashboards, panel_queries, query_of

pytestmark = [
    pytest.mark.e2e,
    # Half a minute to start, and as long as everything needs to have data.
    pytest.mark.timeout(400),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus"),
]

ALL = dashboards()
BY_NAME = {dashboard.name: dashboard for dashboard in ALL}
PATIENCE_S = 150.0

every_dashboard = pytest.mark.parametrize("dashboard", ALL, ids=lambda one: one.name)

# Queries that may find nothing: by dashboard and panel their letters, and why.
MAY_BE_EMPTY: Mapping[tuple[str, str], tuple[str, str]] = {
    ("budgets", "Budgets of energy"): ("C", "nothing is projected for half an hour"),
    ("budgets", "Budgets of money"): ("C", "nothing is projected for half an hour"),
    ("carbon", "Calls of the hub to providers, in this time"): (
        "A",
        "a provider is asked once in many minutes",
    ),
    ("cluster", "By tenant"): ("B", "there are fewer tenants than are told apart"),
    ("health", "Nodes whose numbers stand still"): ("A", "all of them go on"),
    ("health", "Down, by kind and reason"): ("A", "a GPU fails now and then"),
    ("health", "Down, by node"): ("A", "a GPU fails now and then"),
    ("health", "Checkpoint and archive"): ("A", "both are written"),
    ("health", "Age of the jobs of Slurm"): ("A", "the hub asks no slurmrestd"),
    ("job", "Progress"): ("A", "no job tells how far it is"),
    ("job", "By node"): ("B", "there are fewer nodes than are told apart"),
    ("node", "Power by job, and what is charged to nobody"): (
        "BD",
        "all jobs are told apart",
    ),
    ("node", "Sources"): ("B", "every source can be read"),
    ("tenant", "Jobs that hold GPUs idle"): ("ABC", "nothing is idle for so long yet"),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return what is looked at, the same for all tests."""
    with lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(cluster: Lab) -> Iterator[httpx.Client]:
    """Return who asks its Prometheus."""
    with httpx.Client(base_url=cluster.prometheus.url, timeout=60) as client:
        up = f'sum(up{{job="jouled"}}) == {NODES}'
        until(lambda: cluster.prometheus.query_now(up), up)
        yield client


def busiest(prometheus: httpx.Client) -> list[str]:
    """Return the node with most jobs that hold GPUs; a node may rest for minutes."""
    asking = Asking(prometheus, as_dashboard(example()))
    expression = "topk(1, count by (instance) (jouled_job_gpu_utilization_ratio))"
    rows = asking.answer({}, {"expr": expression, "instant": True})
    return [row["metric"]["instance"] for row in rows]


def may_be_empty(dashboard: Dashboard, panel: Json, target: Json) -> bool:
    """Return whether it is known why a query may find nothing."""
    refs, _ = MAY_BE_EMPTY.get((dashboard.name, panel["title"]), ("", ""))
    return target["refId"] in refs


def empty(asking: Asking, known: Container[str] = ()) -> list[str]:
    """Return the queries of a dashboard that find nothing although they should.

    Args:
        asking: with everything chosen.
        known: queries that have found something before.
    """
    found = []
    for panel, query in panel_queries(asking.dashboard):
        name = f"{query.place}: {query.target['refId']}"
        if may_be_empty(asking.dashboard, panel, query.target):
            # Not whether it finds something, but whether it can be asked.
            asking.answer(panel, query.target)
        elif name not in known and not asking.answer(panel, query.target):
            found.append(name)
    return found


def wait_for_all(asking: Asking, given: Mapping[str, Sequence[str]]) -> list[str]:
    """Wait until each query has found something, and return those that never did.

    Not all at once: jobs come and go, and some are of one kind only.
    """
    missing = [
        f"{query.place}: {query.target['refId']}"
        for _, query in panel_queries(asking.dashboard)
    ]
    known: set[str] = set()

    def all_there() -> bool:
        asking.choose(None, given)
        still = empty(asking, known)
        known.update(set(missing) - set(still))
        missing[:] = still
        return not missing

    with contextlib.suppress(TimeoutError):
        until(all_there, "data", PATIENCE_S)
    return missing


@every_dashboard
def test_each_query_finds_something(
    dashboard: Dashboard, prometheus: httpx.Client
) -> None:
    """With everything chosen, and without an error or a warning of Prometheus."""
    node = until(lambda: busiest(prometheus), "a job that holds GPUs")

    missing = wait_for_all(Asking(prometheus, dashboard), {"node": node})

    assert missing == []


@every_dashboard
def test_each_variable_offers_something(
    dashboard: Dashboard, prometheus: httpx.Client
) -> None:
    """An empty list at the top makes an empty page."""
    asking = Asking(prometheus, dashboard)
    asking.choose(None)

    asked = [one["name"] for one in dashboard.variables() if query_of(one)]

    assert [name for name in asked if not asking.offered[name]] == []


@every_dashboard
@pytest.mark.parametrize("most", [1, 2])
def test_each_query_is_answered_whatever_is_chosen(
    dashboard: Dashboard, prometheus: httpx.Client, most: int
) -> None:
    """One value, and several, are written into a query in different ways."""
    asking = Asking(prometheus, dashboard)
    asking.choose(most)

    for panel, query in panel_queries(dashboard):
        asking.answer(panel, query.target)


@every_dashboard
def test_events_are_found_without_an_error(
    dashboard: Dashboard, prometheus: httpx.Client
) -> None:
    """Their values are moments in milliseconds, of our time."""
    asking = Asking(prometheus, dashboard)
    asking.choose(None)

    for annotation in dashboard.annotations():
        for series in asking.events(annotation["expr"]):
            assert all(1e12 < float(value) < 1e13 for _, value in series["values"])


@pytest.mark.parametrize("scheduler", ["slurm", "kubernetes"])
def test_a_link_to_a_job_shows_that_job(
    scheduler: str, prometheus: httpx.Client
) -> None:
    """Tables lead to it by its scheduler and id, and leave the rest at "All"."""
    asking = Asking(prometheus, BY_NAME["job"])
    newest = f'topk(1, jouled_job_power_watts{{scheduler="{scheduler}"}})'
    target = {"expr": newest, "instant": True}
    found = until(lambda: asking.answer({}, target), f"a job of {scheduler}")
    given = {"scheduler": [scheduler], "job": [found[0]["metric"]["job_id"]]}

    asking.choose(None, given)

    shown = [
        panel["title"]
        for panel, query in panel_queries(asking.dashboard)
        if asking.answer(panel, query.target)
    ]
    assert {"Power", "Energy", "CO2e", "Running for", "By component"} <= set(shown)


def test_what_may_be_empty_is_a_panel_that_there_is() -> None:
    """An exception that is left over would hide the next fault."""
    there = {
        (name, panel["title"]): {target["refId"] for target in panel["targets"]}
        for name, dashboard in BY_NAME.items()
        for panel in dashboard.data_panels()
    }

    for place, (refs, reason) in MAY_BE_EMPTY.items():
        assert set(refs) <= there[place], place
        assert reason, place


def asked(prometheus: httpx.Client, expression: str) -> Asking:
    """Return who asks for a dashboard whose first query is another."""
    raw: dict[str, Any] = example()
    raw["panels"][0]["targets"][0]["expr"] = expression
    asking = Asking(prometheus, as_dashboard(raw))
    asking.choose(None)
    return asking


def test_a_query_that_finds_nothing_is_told(prometheus: httpx.Client) -> None:
    """A check that finds nothing may as well not be there."""
    asking = asked(prometheus, 'jouled_node_power_watts{cluster="another"}')

    assert empty(asking) == ["example: Power of nodes: A"]


@pytest.mark.parametrize(
    "expression",
    [
        "sum(jouled_node_power_watts",
        # Several nodes on both sides.
        "jouled_node_power_watts * on (cluster) jouled_cpu_busy_ratio",
    ],
)
def test_a_query_that_prometheus_refuses_is_told(
    expression: str, prometheus: httpx.Client
) -> None:
    """Some faults show only where there is more than one node."""
    asking = asked(prometheus, expression)

    with pytest.raises(AssertionError, match=r"bad_data|execution"):
        empty(asking)
