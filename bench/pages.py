"""What a page of a person costs who opens it: the first paint, all of it, its weight.

The daemon and the hub are the real ones, the browser is the system's Chromium. Each
visit is a new one, with nothing kept from the one before.
"""

import statistics
import sys
from dataclasses import dataclass

from playwright.sync_api import Browser

from bench.figures import USUAL_JOBS
from bench.node import played_node
from bench.processes import running
from bench.report import Target, table, targets
from bench.scrapes import free_port, wait_until_ready
from tests.fakes.browser import system_chromium
from tests.fakes.page_checks import LARGEST_BYTES, visiting
from tests.fakes.played_providers import played_providers

_MOST_PAINT_S = 1.0
_VISITS = 9
_FIRST_PAINT = """() => new Promise((found) => new PerformanceObserver((list) =>
  list.getEntriesByName("first-contentful-paint").forEach((entry) =>
    found(entry.startTime))).observe({ type: "paint", buffered: true }))"""
_HUB = "zones: {{DE: }}\nproviders: {{energy-charts: {{url: {url}}}}}\n"


@dataclass(frozen=True, slots=True)
class PageCost:
    """What opening one page took.

    Attributes:
        name: whose page.
        paints_s: when something was to be seen first, of each visit, s.
        lives_s: when the numbers were there, of each visit, s.
        weight: bytes of its files, unpacked.
    """

    name: str
    paints_s: tuple[float, ...]
    lives_s: tuple[float, ...]
    weight: int


def report() -> str:
    """Measure the pages of a node and of a hub, and return the figures as text."""
    with (
        system_chromium() as browser,
        played_node() as node,
        played_providers() as providers,
    ):
        port, hub_port = free_port(), free_port()
        file = node.directory / "hub.yml"
        file.write_text(_HUB.format(url=providers.url), encoding="utf-8")
        file.chmod(0o600)
        hub = [
            *(sys.executable, "-m", "exporter", "hub", "--config.file", str(file)),
            *("--web.listen-address", f"127.0.0.1:{hub_port}"),
            *("--state.dir", str(node.directory / "hub")),
        ]
        daemon = node.daemon(USUAL_JOBS, f"127.0.0.1:{port}")
        with running(daemon, node.env), running(hub):
            wait_until_ready(port)
            wait_until_ready(hub_port)
            costs = (
                measure_page(browser, f"node, {USUAL_JOBS} jobs", port),
                measure_page(browser, "hub", hub_port),
            )
    rows = [
        (
            cost.name,
            f"{statistics.median(cost.paints_s) * 1e3:.0f}",
            f"{max(cost.paints_s) * 1e3:.0f}",
            f"{statistics.median(cost.lives_s) * 1e3:.0f}",
            f"{cost.weight / 1e3:.1f}",
        )
        for cost in costs
    ]
    found = [
        target
        for cost in costs
        for target in (
            Target(f"{cost.name}: first paint", _MOST_PAINT_S, max(cost.paints_s), "s"),
            Target(
                f"{cost.name}: weight", LARGEST_BYTES / 1e3, cost.weight / 1e3, "kB"
            ),
        )
    ]
    header = ("page", "first paint ms", "longest ms", "numbers there ms", "weight kB")
    return f"{table(header, rows)}\n\n{targets(found)}"


def measure_page(browser: Browser, name: str, port: int) -> PageCost:
    """Open a page again and again.

    Args:
        browser: of ``system_chromium()``.
        name: whose page it is.
        port: of 127.0.0.1, where it is.
    """
    paints_s, lives_s, weight = [], [], 0
    for _ in range(_VISITS):
        with visiting(browser, f"http://127.0.0.1:{port}/") as visit:
            live_ms: float = visit.page.evaluate("performance.now()")
            paint_ms: float = visit.page.evaluate(_FIRST_PAINT)
            lives_s.append(live_ms / 1e3)
            paints_s.append(paint_ms / 1e3)
            weight = visit.weight()
    return PageCost(name, tuple(paints_s), tuple(lives_s), weight)
