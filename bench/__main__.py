"""What the daemon costs, beside node_exporter, on this machine.

The daemon is the real one, with sockets and GPUs that are played and jobs that
come through the port of a scheduler. CPU time counts all its threads. The
stand-in driver answers at once: a real one makes the daemon wait, which takes
time but little CPU.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from bench import budgets, hub, pods
from bench.node import GPUS, Node, played_node
from bench.processes import Cost, observe, rss_bytes, running, sleeping
from bench.report import Target, table, targets
from bench.scrapes import (
    PLAIN,
    PROMETHEUS,
    Scrapes,
    free_port,
    scrape,
    wait_until_ready,
)

_WARM_UP_S = 10.0
_MORE_PROCESSES = 2000
_BUDGETS, _SERIES = 100, 50_000
_NODES = 2000
_PODS = 250
_NODE_EXPORTER = "prometheus-node-exporter"
# The case of the targets; its scrape has about a thousand series.
_USUAL_JOBS = 64


@dataclass(frozen=True, slots=True)
class Case:
    """One exporter, left alone and then scraped.

    Attributes:
        name: for a person.
        quiet: its cost while nobody scrapes it.
        rss_mib: resident memory after the scrapes, MiB.
        prometheus: scraped as Prometheus does: OpenMetrics if there is, gzip.
        plain: scraped as curl does: text, not compressed.
    """

    name: str
    quiet: Cost
    rss_mib: float
    prometheus: Scrapes
    plain: Scrapes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="length of a window (default: 60)"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        nargs="*",
        default=[0, 8, _USUAL_JOBS, 512],
        help="numbers of jobs to play (default: 0 8 64 512)",
    )
    parser.add_argument(
        "--hub",
        type=int,
        nargs="?",
        const=_NODES,
        metavar="NODES",
        help=f"measure the hub instead, with so many nodes (default: {_NODES})",
    )
    parser.add_argument(
        "--budgets",
        type=int,
        nargs="?",
        const=_SERIES,
        metavar="SERIES",
        help="measure 100 budgets instead, over so many counters of tenants "
        f"(default: {_SERIES})",
    )
    parser.add_argument(
        "--pods",
        type=int,
        nargs="?",
        const=_PODS,
        metavar="PODS",
        help=f"measure a node of Kubernetes instead (default: {_PODS} pods)",
    )
    args = parser.parse_args()
    if args.budgets is not None:
        _measure_budgets(args.budgets)
        return
    if args.pods is not None:
        _measure_pods(args.pods, args.seconds)
        return
    if args.hub is not None:
        _measure_hub(args.hub, args.seconds)
        return
    if shutil.which(_NODE_EXPORTER) is None:
        sys.exit(f"install {_NODE_EXPORTER}, which the daemon is compared with")

    # Also when told to end, what was started ends and what was written goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python", end=" ")
    print(f"{platform.python_version()}, windows of {args.seconds:g} s")
    with played_node() as node:
        peer = _measure_peer(args.seconds)
        cases = {jobs: _measure_daemon(node, jobs, args.seconds) for jobs in args.jobs}
        growth = _measure_growth(node, args.seconds)
        parts = {jobs: _measure_parts(node, jobs) for jobs in args.jobs}
    print(f"\nA node with 2 sockets and {GPUS} GPUs, one sample a second\n")
    print(_cost_table([peer, *cases.values()]))
    print("\nOne scrape a second, CPU of the exporter without its idle cost\n")
    print(_scrape_table([peer, *cases.values()], peer))
    print("\nCPU milliseconds of one tick and one scrape by part\n")
    print(_parts_table(parts))
    print()
    print(targets(_judge(peer, cases, growth)))


def _measure_budgets(series: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python", end=" ")
    print(f"{platform.python_version()}\n")
    print(budgets.report(_BUDGETS, series))


def _measure_pods(count: int, seconds: float) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python", end=" ")
    print(f"{platform.python_version()}, windows of {seconds:g} s\n")
    print(pods.report(count, seconds))


def _measure_hub(nodes: int, seconds: float) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python", end=" ")
    print(f"{platform.python_version()}\n")
    # An hour in as long again and half.
    print(hub.report(nodes, seconds, hub.HOUR_S / (1.5 * seconds)))


def _measure_daemon(node: Node, jobs: int, seconds: float) -> Case:
    port = free_port()
    address = f"127.0.0.1:{port}"
    _progress(f"jouled with {jobs} jobs")
    _forget(node)
    with running(node.daemon(jobs, address), node.env) as pid:
        return _measure(f"jouled, {jobs} jobs", pid, port, seconds)


def _measure_peer(seconds: float) -> Case:
    port = free_port()
    _progress(_NODE_EXPORTER)
    command = [_NODE_EXPORTER, f"--web.listen-address=127.0.0.1:{port}"]
    with running(command) as pid:
        return _measure("node_exporter", pid, port, seconds)


def _measure(name: str, pid: int, port: int, seconds: float) -> Case:
    wait_until_ready(port, "/metrics")
    time.sleep(min(_WARM_UP_S, seconds))
    quiet = observe(pid, seconds)
    as_prometheus = scrape(pid, port, PROMETHEUS, seconds=seconds / 2, idle=quiet)
    plain = scrape(pid, port, PLAIN, seconds=seconds / 2, idle=quiet)
    return Case(name, quiet, rss_bytes(pid) / 2**20, as_prometheus, plain)


def _measure_growth(node: Node, seconds: float) -> float:
    """CPU with many more processes over CPU without them, in one daemon."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    _forget(node)
    with running(node.daemon(0, address), node.env) as pid:
        wait_until_ready(port)
        time.sleep(min(_WARM_UP_S, seconds))
        _progress("jouled without jobs, once more")
        before = observe(pid, seconds)
        _progress(f"the same with {_MORE_PROCESSES} more processes")
        with sleeping(_MORE_PROCESSES):
            # Starting them keeps the machine busy; let it come to rest.
            time.sleep(min(_WARM_UP_S, seconds))
            after = observe(pid, seconds)
    return after.cpu_s_per_minute / before.cpu_s_per_minute


def _measure_parts(node: Node, jobs: int) -> dict[str, float]:
    _progress(f"the parts with {jobs} jobs")
    _forget(node)
    done = subprocess.run(
        node.parts(jobs),
        env={**os.environ, **node.env},
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    parts: dict[str, float] = json.loads(done.stdout)
    return parts


def _forget(node: Node) -> None:
    """Drop the checkpoint: each case starts from nothing."""
    shutil.rmtree(node.directory / "run", ignore_errors=True)


def _cost_table(cases: list[Case]) -> str:
    return table(
        ("", "CPU s/min", "ms/tick", "RSS MiB", "after scrapes"),
        (
            (
                case.name,
                f"{case.quiet.cpu_s_per_minute:.3f}",
                f"{case.quiet.cpu_s_per_minute / 60 * 1e3:.2f}",
                f"{case.quiet.rss_mib:.1f}",
                f"{case.rss_mib:.1f}",
            )
            for case in cases
        ),
    )


def _scrape_table(cases: list[Case], peer: Case) -> str:
    rows = []
    for case in cases:
        for way, one, theirs in (
            ("as Prometheus", case.prometheus, peer.prometheus),
            ("plain text", case.plain, peer.plain),
        ):
            ratio = one.cpu_us_per_series / theirs.cpu_us_per_series
            rows.append(
                (
                    f"{case.name}, {way}",
                    str(one.series),
                    f"{one.bytes / 1024:.0f}",
                    f"{one.median_s * 1e3:.2f}",
                    f"{one.cpu_s * 1e3:.2f}",
                    f"{one.cpu_us_per_series:.2f}",
                    f"{ratio:.2f}",
                )
            )
    header = ("", "series", "KiB", "median ms", "CPU ms", "CPU µs/series", "ratio")
    return table(header, rows)


def _parts_table(parts: dict[int, dict[str, float]]) -> str:
    names = next(iter(parts.values()), {})
    return table(
        ("", *(f"{jobs} jobs" for jobs in parts)),
        ((name, *(f"{of[name]:.3f}" for of in parts.values())) for name in names),
    )


def _judge(peer: Case, cases: dict[int, Case], growth: float) -> list[Target]:
    none, usual = cases.get(0), cases.get(_USUAL_JOBS)
    ratio = None
    if usual is not None:
        ours, theirs = usual.prometheus, peer.prometheus
        ratio = ours.cpu_us_per_series / theirs.cpu_us_per_series
    return [
        Target(
            f"CPU, {GPUS} GPUs, no jobs",
            0.09,
            none.quiet.cpu_s_per_minute if none else None,
            "s/min",
        ),
        Target(
            f"CPU, {GPUS} GPUs, {_USUAL_JOBS} jobs",
            0.25,
            usual.quiet.cpu_s_per_minute if usual else None,
            "s/min",
        ),
        Target(
            f"CPU with {_MORE_PROCESSES} more processes, change",
            10,
            abs(growth - 1) * 100,
            "%",
        ),
        Target(
            f"RSS, {_USUAL_JOBS} jobs, after scrapes",
            60,
            usual.rss_mib if usual else None,
            "MiB",
        ),
        Target(
            f"scrape CPU per series, {_USUAL_JOBS} jobs, of node_exporter's",
            0.25,
            ratio,
            "",
        ),
        Target(
            f"median scrape as Prometheus, {_USUAL_JOBS} jobs, per 1,000 series",
            3,
            usual.prometheus.median_ms_per_thousand if usual else None,
            "ms",
        ),
        Target(
            f"median scrape as plain text, {_USUAL_JOBS} jobs, per 1,000 series",
            3,
            usual.plain.median_ms_per_thousand if usual else None,
            "ms",
        ),
    ]


def _progress(what: str) -> None:
    sys.stderr.write(f"measuring {what} …\n")


if __name__ == "__main__":
    main()
