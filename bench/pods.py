"""What the daemon costs on a node full of pods.

The daemon is the real one: it reads played cgroups, watches a played API server over
TLS, and asks a played kubelet over gRPC. Those are played by a process of its own, so
that what they cost is not the daemon's. A tick's CPU time is that of all threads in a
second, asking and watching included.
"""

import json
import re
import statistics
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from bench.cluster import NODE, TOLD
from bench.node import Node, played_node
from bench.processes import Cost, observe, rss_bytes, running
from bench.report import Target, table, targets
from bench.scrapes import PROMETHEUS, Scrapes, free_port, scrape, wait_until_ready

_READY_WITHIN_S = 60.0
_WARM_UP_S = 15.0
_MOST_TICK_MS = 15.0
_MOST_RSS_MIB = 90.0
_DURATION = re.compile(r"^jouled_sample_duration_seconds (\S+)$", re.MULTILINE)
_JOBS = re.compile(r"^jouled_job_cpu_seconds_total\{", re.MULTILINE)
_GPUS = re.compile(r"^jouled_job_gpus\{.*\} (?!0\.0$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Case:
    """What was measured with so many pods."""

    pods: int
    quiet: Cost
    scrapes: Scrapes
    durations_ms: tuple[float, ...]
    rss_mib: float
    has_grpc: bool
    jobs: int
    holders: int
    told: dict[str, int]


def report(pods: int, seconds: float) -> str:
    """Measure, and return the figures as text.

    Args:
        pods: how many there are at a time.
        seconds: length of a window, s.
    """
    with played_node() as node:
        case = _measure(node, pods, seconds)
    tick_ms = case.quiet.cpu_s_per_minute / 60 * 1e3
    rows = [
        ("CPU of a tick, all threads, ms", f"{tick_ms:.2f}"),
        (
            "reading all sources, median ms",
            f"{statistics.median(case.durations_ms):.2f}",
        ),
        ("reading all sources, longest ms", f"{max(case.durations_ms):.2f}"),
        ("CPU of a scrape, ms", f"{case.scrapes.cpu_s * 1e3:.2f}"),
        ("series", str(case.scrapes.series)),
        ("RSS before scrapes, MiB", f"{case.quiet.rss_mib:.1f}"),
        ("RSS after scrapes, MiB", f"{case.rss_mib:.1f}"),
        ("gRPC is in memory", "yes" if case.has_grpc else "NO"),
        ("pods exported, ended ones included", str(case.jobs)),
        ("pods that hold GPUs", str(case.holders)),
        ("pods started", str(case.told["started"])),
        ("watches asked for", str(case.told["watches"])),
        ("times the kubelet was asked", str(case.told["kubelet"])),
    ]
    found = [
        Target(f"tick with {pods} pods, CPU", _MOST_TICK_MS, tick_ms, "ms"),
        Target("lists of the API server", 1, case.told["lists"], ""),
        Target(
            f"RSS with {pods} pods and gRPC",
            _MOST_RSS_MIB,
            case.rss_mib if case.has_grpc else None,
            "MiB",
        ),
    ]
    return f"{table(('', 'measured'), rows)}\n\n{targets(found)}"


def _measure(node: Node, pods: int, seconds: float) -> _Case:
    directory = node.directory
    cluster = [
        *(sys.executable, "-m", "bench.cluster"),
        *(str(directory), str(pods), ",".join(node.gpus)),
    ]
    with running(cluster):
        told = _wait_for(directory / TOLD)
        port = free_port()
        env = {
            **node.env,
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(told["port"]),
            "NODE_NAME": NODE,
        }
        command = [
            *node.daemon(0, f"127.0.0.1:{port}"),
            *("--kubernetes.service-account-dir", str(directory / "cluster")),
            *(
                "--kubernetes.pod-resources-socket",
                str(directory / "kubelet" / "kubelet.sock"),
            ),
            *("--kubernetes.log-dir", str(directory / "logs")),
        ]
        with running(command, env) as pid:
            wait_until_ready(port)
            time.sleep(_WARM_UP_S)
            quiet = observe(pid, seconds)
            scrapes = scrape(pid, port, PROMETHEUS, seconds=seconds, idle=quiet)
            texts = [_text(port) for _ in range(10)]
            maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
            return _Case(
                pods=pods,
                quiet=quiet,
                scrapes=scrapes,
                durations_ms=tuple(
                    float(match[1]) * 1e3
                    for text in texts
                    for match in _DURATION.finditer(text)
                ),
                rss_mib=rss_bytes(pid) / 2**20,
                has_grpc="grpc" in maps,
                jobs=len(_JOBS.findall(texts[-1])),
                holders=len(_GPUS.findall(texts[-1])),
                told=_wait_for(directory / TOLD),
            )


def _text(port: int) -> str:
    """Scrape the next tick as text."""
    time.sleep(1.0)
    with urllib.request.urlopen(
        f"http://127.0.0.1:{port}/metrics", timeout=10
    ) as answer:
        text: str = answer.read().decode()
        return text


def _wait_for(path: Path) -> dict[str, int]:
    end_s = time.monotonic() + _READY_WITHIN_S
    while not path.exists():
        if time.monotonic() > end_s:
            msg = "the node that is to be measured was not played"
            raise RuntimeError(msg)
        time.sleep(0.1)
    told: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return told
