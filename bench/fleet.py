"""A whole cluster behind a few addresses: the series of its nodes, and of its hub.

Each part answers for some hundred nodes at once, with ``instance`` in the series
themselves: Prometheus takes them as if it had scraped every node.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

_PARTS = 20
_COMPONENTS = ("cpu", "dram", "gpu")
_REASONS = ("idle", "system", "unallocated", "unknown")
_SOURCES = ("rapl", "nvml", "node", "slurm", "checkpoint", "archive")
_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a cluster is.

    Attributes:
        nodes: how many.
        tenants: users of tenants, summed over all nodes.
        users: how many different ones these are.
        jobs: jobs with GPUs, summed over all nodes; each is on one.
        budgets: how many the hub keeps.
    """

    nodes: int
    tenants: int
    users: int
    jobs: int
    budgets: int


class Part:
    """Some series, as text: gauges that stay, and counters that grow.

    Args:
        gauges: whole lines.
        counters: name with labels, and how fast it grows, 1/s.
    """

    def __init__(
        self, gauges: Sequence[str], counters: Sequence[tuple[str, float]]
    ) -> None:
        self.series = len(gauges) + len(counters)
        self._gauges = "".join(f"{line}\n" for line in gauges)
        self._counters = list(counters)
        self._begin_s = time.monotonic()

    def text(self) -> bytes:
        """Return all series as they are now."""
        age_s = 1e6 + time.monotonic() - self._begin_s
        lines = [f"{name} {rate * age_s:.1f}\n" for name, rate in self._counters]
        return (self._gauges + "".join(lines)).encode()


@dataclass(frozen=True, slots=True)
class Fleet:
    """What answers, and where.

    Attributes:
        port: of the loopback.
        nodes: paths of the parts with nodes.
        hub: path of the hub's metrics.
        series: how many all of them have.
    """

    port: int
    nodes: tuple[str, ...]
    hub: str
    series: int


@contextmanager
def fleet(size: Size) -> Iterator[Fleet]:
    """Answer for a cluster for a while."""
    parts = {f"/nodes/{number}": _nodes(size, number) for number in range(_PARTS)}
    served = {**parts, "/hub": _hub(size)}
    server = _Server(("127.0.0.1", 0), _Handler)
    server.parts = served
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        series = sum(part.series for part in served.values())
        yield Fleet(server.server_port, tuple(parts), "/hub", series)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    parts: dict[str, Part]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = cast("_Server", self.server).parts[self.path].text()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overrides
        """Say nothing on standard error."""


def _nodes(size: Size, part: int) -> Part:
    gauges: list[str] = []
    counters: list[tuple[str, float]] = []
    for number in range(part, size.nodes, _PARTS):
        at = f'instance="n{number}:9878"'
        gauges += _gauges_of_a_node(at)
        counters += _counters_of_a_node(at)
        for tenant in range(number, size.tenants, size.nodes):
            user = tenant % size.users
            who = f'{at},scheduler="slurm",tenant="t{user % 100}",user="u{user}"'
            counters += [
                (f"jouled_tenant_energy_joules_total{{{who}}}", 100.0),
                (f"jouled_tenant_emissions_grams_total{{{who}}}", 0.01),
            ]
        for job in range(number, size.jobs, size.nodes):
            more_gauges, more_counters = _job(at, job)
            gauges += more_gauges
            counters += more_counters
    return Part(gauges, counters)


def _gauges_of_a_node(at: str) -> list[str]:
    about = {
        source: "measured" if source in _SOURCES[:2] else "none" for source in _SOURCES
    }
    return [
        # As many as there would be if each node were a target.
        f"up{{{at}}} 1",
        f"jouled_node_power_watts{{{at}}} 900",
        *(
            f'jouled_component_power_watts{{{at},component="{component}"}} 300'
            for component in _COMPONENTS
        ),
        *(
            f'jouled_devices_missing{{{at},component="{component}"}} 0'
            for component in _COMPONENTS
        ),
        *(f'jouled_source_up{{{at},source="{source}"}} 1' for source in _SOURCES),
        *(
            f'jouled_source_info{{{at},source="{source}",quality="{quality}"}} 1'
            for source, quality in about.items()
        ),
        f'jouled_carbon_intensity_grams_per_kwh{{{at},zone="DE",signal="average"}} 380',
        f'jouled_carbon_intensity_fallback_level{{{at},zone="DE"}} 0',
        f"jouled_sample_duration_seconds{{{at}}} 0.004",
    ]


def _counters_of_a_node(at: str) -> list[tuple[str, float]]:
    unattributed = f'jouled_unattributed_energy_joules_total{{{at},component="cpu"'
    return [
        (f"jouled_node_energy_joules_total{{{at}}}", 900.0),
        (f"jouled_node_emissions_grams_total{{{at}}}", 0.1),
        (f"jouled_node_emissions_fallback_grams_total{{{at}}}", 0.01),
        (f"jouled_sample_timestamp_seconds{{{at}}}", 1.0),
        (f"jouled_samples_missed_total{{{at}}}", 0.0),
        (f"jouled_jobs_dropped_total{{{at}}}", 0.0),
        *(
            (
                f'jouled_component_energy_joules_total{{{at},component="{component}"}}',
                300.0,
            )
            for component in _COMPONENTS
        ),
        *(
            (f'jouled_unmeasured_seconds_total{{{at},component="{component}"}}', 0.0)
            for component in _COMPONENTS
        ),
        *((f'{unattributed},reason="{reason}"}}', 10.0) for reason in _REASONS),
        (f'jouled_source_errors_total{{{at},source="rapl",reason="timeout"}}', 0.0),
    ]


def _job(at: str, job: int) -> tuple[list[str], list[tuple[str, float]]]:
    who = (
        f'{at},scheduler="slurm",job_id="{job}",user="u{job % 997}",'
        f'account="t{job % 400}",partition="gpu"'
    )
    gauges = [
        f"jouled_job_gpus{{{who}}} 2",
        f"jouled_job_gpu_utilization_ratio{{{who}}} 0.8",
        *(
            f'jouled_job_power_watts{{{who},component="{component}"}} 100'
            for component in _COMPONENTS
        ),
    ]
    counters = [
        (f"jouled_job_emissions_grams_total{{{who}}}", 0.01),
        *(
            (f'jouled_job_energy_joules_total{{{who},component="{component}"}}', 100.0)
            for component in _COMPONENTS
        ),
    ]
    return gauges, counters


def _hub(size: Size) -> Part:
    now_s = time.time()
    lines = []
    for number in range(size.budgets):
        of = f'budget="b{number}"'
        values = {
            "spent_ratio": 0.3,
            "projected_ratio": 0.9,
            "grams": 2e5,
            "spent_grams": 6e4,
            "projected_grams": 1.8e5,
            "period_start_timestamp_seconds": now_s - 10 * 86400,
            "period_end_timestamp_seconds": now_s + 20 * 86400,
            "data_quality": 0.97,
            "observed_timestamp_seconds": now_s,
        }
        lines += [
            f"jouled_carbon_budget_{name}{{{of}}} {value}"
            for name, value in values.items()
        ]
        lines += [
            f'jouled_carbon_budget_burn_rate{{{of},window="{window}"}} 1.1'
            for window in _WINDOWS
        ]
        about = f'{of},team="t{number % 40}",unit="grams",period="month"'
        lines.append(f"jouled_carbon_budget_info{{{about}}} 1")
    return Part(lines, ())
