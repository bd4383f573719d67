"""How long a real Prometheus takes for all that the dashboards of a whole site ask.

Its data directory is written beforehand: six hours of every series of a large site, at
the distances they are scraped and recorded at. Then each query is asked as Grafana asks
it, one after the other, over those six hours. The first answer comes with cold caches;
the others are what somebody sees who looks again each half minute.
"""

import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench import tsdb
from bench.dashboard_site import SCRAPE_S, Site
from bench.processes import rss_bytes
from bench.report import Target, table, targets
from tests.e2e.peers import Prometheus, started
from tests.grafana.reading import (
    Json,
    dashboards,
    panel_queries,
    query_of,
    replace_variables,
)

_HOURS = 6
_JOBS_PER_NODE = 30
_TRIES = 5
_ANSWERS_WITHIN_S = 120.0
# No graph is wider than this in pixels; Grafana asks for as many points.
_POINTS = 720
# Those that look at all nodes at once, and how long each may take; what *Budgets* asks
# does not grow with them. That of tenants has a month and hundreds of users to read.
_LIMITS_S = {"cluster": 2.0, "tenant": 10.0, "carbon": 2.0, "health": 2.0}
_LENGTHS_S = {"30s": 30.0, "1m": 60.0, "2m": 120.0, "5m": 300.0, "1d": 86400.0}
_CONFIGURATION = "global: {scrape_interval: 15s}\n"


@dataclass(frozen=True, slots=True)
class _Cost:
    """What one query takes: the first answer and a usual one, s, and its series."""

    what: str
    first_s: float
    usual_s: float
    series: int


def report(nodes: int) -> str:
    """Measure, and return what was found.

    Args:
        nodes: how many the site has; each has 30 jobs.
    """
    if shutil.which("prometheus") is None:
        sys.exit("install prometheus, which the dashboards ask")
    end_s = int(time.time()) // tsdb.BLOCK_S * tsdb.BLOCK_S
    begin_s = end_s - _HOURS * 3600
    with TemporaryDirectory(prefix="jouled-bench-") as name:
        folder = Path(name)
        server = Prometheus(folder / "prometheus", _CONFIGURATION)
        site = Site(nodes, _JOBS_PER_NODE, _HOURS)
        sys.stderr.write(f"writing {len(site.series):,} series …\n")
        samples = tsdb.write(
            folder / "prometheus" / "data",
            site.series,
            site.courses,
            begin_s,
            _HOURS * 3600 // tsdb.BLOCK_S,
        )
        series = len(site.series)
        del site
        with started(server):
            costs = {
                name: _asked(server, name, begin_s, end_s - SCRAPE_S)
                for name in _LIMITS_S
            }
            memory_mib = rss_bytes(server.pid) / 2**20
    told = [_told(name, found) for name, found in costs.items()]
    tables = "\n".join(text for text, _ in told)
    return (
        f"{nodes} nodes with {_JOBS_PER_NODE} jobs each, {_HOURS} h: "
        f"{series:,} series, {samples:,} samples\n\n"
        f"{tables}\n"
        f"Prometheus had {memory_mib:.0f} MiB; load {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} CPUs\n\n"
        f"{targets([target for _, found in told for target in found])}"
    )


def _told(name: str, costs: list[_Cost]) -> tuple[str, list[Target]]:
    """Return the table of a dashboard, and what is asked of it."""
    rows = [
        (
            each.what,
            f"{each.series}",
            f"{each.first_s * 1e3:.0f}",
            f"{each.usual_s * 1e3:.0f}",
        )
        for each in costs
    ]
    first_s = sum(each.first_s for each in costs)
    usual_s = sum(each.usual_s for each in costs)
    rows.append(("all together", "", f"{first_s * 1e3:.0f}", f"{usual_s * 1e3:.0f}"))
    what = f"{name}: all {len(costs)} queries"
    found = [
        Target(f"{what}, the first time", _LIMITS_S[name], first_s, "s"),
        Target(f"{what}, usually", _LIMITS_S[name], usual_s, "s"),
    ]
    head = (f"dashboard {name.capitalize()}", "series", "first ms", "usual ms")
    return f"{table(head, rows)}\n", found


def _asked(server: Prometheus, name: str, begin_s: float, end_s: float) -> list[_Cost]:
    """Ask everything that a dashboard asks; of *Cluster* each finds something."""
    dashboard = next(one for one in dashboards() if one.name == name)
    questions = []
    for variable in dashboard.variables():
        values = query_of(variable).removeprefix("label_values(").removesuffix(")")
        match, _, label = values.rpartition(",")
        if match:
            path = f"/api/v1/label/{label.strip()}/values"
            parameters = _window(begin_s, end_s) | {"match[]": _plain(match, 0)}
            questions.append((f"choice of {variable['name']}", path, parameters))
    for panel, query in panel_queries(dashboard):
        path, parameters = _question(panel, query.target, begin_s, end_s)
        questions.append(
            (f"{panel['title']}, {query.target['refId']}", path, parameters)
        )
    with httpx.Client(base_url=server.url, timeout=_ANSWERS_WITHIN_S) as client:
        costs = [_measured(client, *question) for question in questions]
    nothing = [cost.what for cost in costs if not cost.series]
    # The others also ask of what the site has not: budgets, a hub, alerts.
    if name == "cluster" and nothing:
        sys.exit(f"nothing was found by {', '.join(nothing)}")
    return costs


def _measured(
    client: httpx.Client, what: str, path: str, parameters: dict[str, str]
) -> _Cost:
    def ask() -> int:
        answer = client.get(path, params=parameters).raise_for_status().json()
        data = answer["data"]
        return len(data["result"] if isinstance(data, dict) else data)

    took_s, series = _timed(ask)
    return _Cost(what, took_s[0], statistics.median(took_s[1:]), series)


def _timed(ask: Callable[[], int]) -> tuple[list[float], int]:
    took_s, series = [], 0
    for _ in range(_TRIES):
        begin_s = time.perf_counter()
        series = ask()
        took_s.append(time.perf_counter() - begin_s)
    return took_s, series


def _question(
    panel: Json, target: Json, begin_s: float, end_s: float
) -> tuple[str, dict[str, str]]:
    """Return what Grafana asks for a query of a panel."""
    expression = _plain(target["expr"], end_s - begin_s)
    if target.get("instant"):
        return "/api/v1/query", {"query": expression, "time": f"{end_s}"}
    step_s = max((end_s - begin_s) / _POINTS, float(SCRAPE_S))
    if panel.get("interval"):
        step_s = max(step_s, _LENGTHS_S[panel["interval"]])
    step = {"step": f"{step_s:.0f}"}
    return (
        "/api/v1/query_range",
        {"query": expression} | _window(begin_s, end_s) | step,
    )


def _window(begin_s: float, end_s: float) -> dict[str, str]:
    return {"start": f"{begin_s}", "end": f"{end_s}"}


def _plain(expression: str, range_s: float) -> str:
    """Write an expression as Grafana does when everything is chosen."""
    everything = ("cluster", "scheduler", "tenant", "user", "zone")
    return replace_variables(
        expression,
        {
            **dict.fromkeys(everything, ".*"),
            "idle": "30m",
            "price": "0.30",
            "__range": f"{range_s:.0f}s",
            "__rate_interval": f"{4 * SCRAPE_S}s",
        },
    )
