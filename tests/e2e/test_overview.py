"""The hub's page of a cluster that lives: all of it real but for the machines."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.hub import Hub, running
from tests.e2e.waiting import until
from tests.fakes.browser import system_chromium
from tests.fakes.page_checks import LOOKS, Look, axe_violations, visiting
from tests.fakes.played_providers import played_providers
from tests.fakes.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="needs prometheus on PATH"
    ),
]

# Prometheus is asked each half minute, and machines are slow.
SOON_MS = 240_000
NODES = 2


class Living(NamedTuple):
    """What runs."""

    cluster: SimulatedCluster
    hub: Hub

    def overview(self) -> dict[str, Any]:
        """Ask for the overview until the hub knows one of all nodes and some jobs."""

        def look() -> dict[str, Any] | None:
            answer: dict[str, Any] = self.hub.ask("/api/v1/overview").json()
            known = answer["power"]["total_w"] is not None
            # A node that is late for one scrape is not up in it.
            known = known and answer["nodes"]["up"] == NODES
            return answer if known and answer["jobs"]["largest"] else None

        return until(look, "an overview", patience_s=SOON_MS / 1e3)


@contextmanager
def life(folder: Path) -> Iterator[Living]:
    """Let a cluster live, with a hub that asks its Prometheus."""
    with ExitStack() as stack:
        cluster = stack.enter_context(simulated_cluster(folder, NODES))
        cluster.wait_for(f"cluster:jouled_up:sum == {NODES}")
        cluster.wait_for("cluster_job:jouled_job_power_watts:sum")
        cluster.wait_for("cluster_tenant:jouled_tenant_energy_joules:rate5m")
        providers = stack.enter_context(played_providers())
        text = f"""
zones: {{DE: }}
providers: {{energy-charts: {{url: {providers.url}}}}}
prometheus: {{url: "{cluster.prometheus.url}"}}
"""
        (folder / "hub").mkdir()
        hub = stack.enter_context(running(Hub(folder / "hub", text)))
        yield Living(cluster, hub)


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """Return a cluster that nobody disturbs."""
    with life(tmp_path_factory.mktemp("life")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the Chromium of the system."""
    with system_chromium() as opened:
        yield opened


def test_the_overview_says_what_prometheus_knows(living: Living) -> None:
    """The same figures as its own page would show, and none that are made up."""
    answer = living.overview()

    at_s = answer["observed_unix_s"]
    ask = living.cluster.prometheus.query
    name = "cluster:jouled_node_power_watts:sum"
    ((_, least_w),) = ask(f"min_over_time({name}[60s])", at_s)
    ((_, most_w),) = ask(f"max_over_time({name}[60s])", at_s)
    jobs = ask("count by (job_id) (count_over_time(jouled_job_power_watts[60s]))", at_s)
    tenants = ask("count by (tenant) (jouled_tenant_energy_joules_total)", at_s)
    known = {labels["job_id"] for labels, _ in jobs}
    assert least_w <= answer["power"]["total_w"] <= most_w
    assert (answer["nodes"]["known"], answer["nodes"]["up"]) == (NODES, NODES)
    assert answer["nodes"]["simulated"] == NODES
    assert {job["job_id"] for job in answer["jobs"]["largest"]} <= known
    assert {one["tenant"] for one in answer["day"]["tenants"]} <= {
        labels["tenant"] for labels, _ in tenants
    }
    assert [one["part"] for one in answer["missing"]] == []
    assert answer["clusters"][0]["cluster"] == "main"


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_page_of_a_living_cluster_has_no_faults(
    living: Living, browser: Browser, tmp_path: Path, look: Look
) -> None:
    """Whatever its jobs are called today; on a phone, a desk and a wall."""
    living.overview()
    with visiting(browser, living.hub.url, look) as visit:
        page = visit.page
        expect(page.locator("#power")).to_contain_text("W", timeout=SOON_MS)
        expect(page.locator("#jobs tbody tr").first).to_be_visible(timeout=SOON_MS)
        expect(page.locator("#power-note .tag")).to_have_text("simulated")
        expect(page.get_by_role("region", name="Grid DE")).to_contain_text("Greenest")
        page.screenshot(path=tmp_path / f"{look}.png", full_page=True)
        assert visit.faults() == []
    assert axe_violations(browser, living.hub.url, look) == []


def test_what_goes_away_is_said_on_the_page(browser: Browser, tmp_path: Path) -> None:
    """First a node, then Prometheus; the last figures stay."""
    with life(tmp_path) as living, visiting(browser, living.hub.url) as visit:
        page = visit.page
        expect(page.locator("#power")).to_contain_text("W", timeout=SOON_MS)

        living.cluster.nodes[1].stop()
        needed = page.get_by_role("list", name="What needs somebody")
        expect(needed).to_contain_text("1 node silent", timeout=SOON_MS)
        nodes = page.get_by_role("region", name="Nodes", exact=True)
        expect(nodes).to_contain_text(f"127.0.0.1:{living.cluster.nodes[1].port}")

        living.cluster.prometheus.stop()
        expect(page.locator("#unknown")).to_contain_text(
            re.compile("Prometheus has not answered since"), timeout=SOON_MS
        )
        expect(page.locator("#power .tag")).to_have_text("stale")
        expect(page.get_by_role("status")).to_have_text("live")

    assert visit.complaints == []
