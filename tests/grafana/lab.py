"""A cluster for dashboards to look at: simulated nodes, a hub, a real Prometheus.

Nodes of both schedulers ask the hub for the carbon intensity, the hub asks a provider
that is played, and keeps budgets of all three kinds; rules and alerts are those of
``deploy/``. A hub tells the pace of a budget after minutes and its projection after
half an hour. Nobody waits for that: a small exporter tells both of one more budget.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.hub import Hub, running
from tests.e2e.peers import Prometheus
from tests.fakes.hub_gauges import Told, hub_gauges
from tests.fakes.played_providers import played_providers
from tests.fakes.simulated_cluster import simulated_cluster

NODES = 4

_ZONES = """
zones:
  DE: {{providers: [energy-charts, watttime]}}
providers:
  energy-charts: {{url: "{url}"}}
  watttime:
    url: {url}
    user: somebody
    password: something-long
    regions: {{DE: DE}}
"""
# One that is spent at once, so that alerts fire; the others last.
_BUDGETS = """
prometheus: {{url: "{url}", interval: 10s, delay: 1s}}
budgets:
  - {{name: everybody, amount: 1g, period: month, team: operators}}
  - {{name: astro, amount: 1t, period: 30d, match: {{tenant: astro}}, team: astro}}
  - {{name: electricity, amount: 10MWh, period: month, team: operators}}
  - {{name: bill, amount: 1000EUR, price_per_kwh: 0.3, period: year, team: operators}}
"""
_GROWN = Told(
    name="grown",
    team="astro",
    amount_g=1e6,
    spent=0.4,
    projected=1.1,
    quality=0.9,
    burn=dict.fromkeys(("5m", "30m", "1h", "2h", "6h", "1d", "3d"), 1.5),
)


@dataclass(frozen=True)
class Lab:
    """What runs.

    Attributes:
        prometheus: knows all of it.
        hub: has a zone, forecasts and budgets.
    """

    prometheus: Prometheus
    hub: Hub


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """Run all of it for a while; ``folder`` gets the files and exists."""
    with ExitStack() as stack:
        providers = stack.enter_context(played_providers())
        gauges = stack.enter_context(hub_gauges())
        gauges.tell(_GROWN)
        home = folder / "hub"
        home.mkdir()
        zones = _ZONES.format(url=providers.url)
        hub = stack.enter_context(running(Hub(home, zones)))
        cluster = stack.enter_context(
            simulated_cluster(
                folder,
                NODES,
                ("--carbon.zone", "DE", "--carbon.hub-url", hub.url),
                {"jouled-hub": hub.port, "grown-hub": gauges.port},
            )
        )
        # Where Prometheus answers is known only now.
        hub.reload(zones + _BUDGETS.format(url=cluster.prometheus.url))
        yield Lab(cluster.prometheus, hub)
