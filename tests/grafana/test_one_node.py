"""The smallest site: one node, no hub, no rules, and no label ``cluster``."""

import contextlib
import shutil
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.peers import prometheus
from tests.e2e.waiting import until
from tests.fakes.simulated_cluster import simulated_node
from tests.grafana.live import Asking
from tests.grafana.reading import Dashboard, dashboards, panel_queries

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus"),
]

ALL = dashboards()
NODE = next(one for one in ALL if one.name == "node")
# What there is although no job may run for minutes.
WITHOUT_JOBS = {
    *("Power", "Energy in this time", "CO2e in this time", "Charged to nobody"),
    *("CPUs busy", "Power by component", "Power of each GPU", "GPUs", "Sources"),
    *("CPU and memory devices", "Use of each GPU", "CO2e", "Idle power"),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Return who asks its Prometheus."""
    folder = tmp_path_factory.mktemp("one")
    with (
        simulated_node(folder, 0, 1) as node,
        prometheus(folder / "prometheus", {"jouled": node.port}) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        until(lambda: server.query_now("jouled_node_power_watts"), "a scrape")
        yield client


@pytest.mark.parametrize("dashboard", ALL, ids=lambda one: one.name)
def test_no_dashboard_asks_what_cannot_be_answered(
    dashboard: Dashboard, client: httpx.Client
) -> None:
    """Where a hub, rules or a label are missing, a panel says what it needs."""
    asking = Asking(client, dashboard)
    asking.choose(None)

    for panel, query in panel_queries(dashboard):
        asking.answer(panel, query.target)
    silent = [
        panel["title"]
        for panel in dashboard.data_panels()
        if not panel["fieldConfig"]["defaults"].get("noValue")
    ]
    assert silent == []


def test_the_dashboard_of_a_node_needs_the_node_alone(client: httpx.Client) -> None:
    """It is what one looks at first, before there is anything else."""
    asking = Asking(client, NODE)
    found: set[str] = set()

    def all_there() -> bool:
        asking.choose(None)
        found.update(
            panel["title"]
            for panel, query in panel_queries(NODE)
            if asking.answer(panel, query.target)
        )
        return found >= WITHOUT_JOBS

    with contextlib.suppress(TimeoutError):
        until(all_there, "data", 120)

    assert WITHOUT_JOBS - found == set()
