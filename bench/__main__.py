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

from bench import budgets, dashboards, hub, pods
from bench.figures import (
    USUAL_JOBS,
    Case,
    cost_table,
    judge,
    judge_slurm,
    parts_table,
    scrape_table,
)
from bench.node import GPUS, Node, played_node
from bench.processes import observe, rss_bytes, running, sleeping
from bench.report import targets
from bench.scrapes import (
    PLAIN,
    PROMETHEUS,
    free_port,
    scrape,
    wait_until_ready,
)

_WARM_UP_S = 10.0
_MORE_PROCESSES = 2000
_BUDGETS, _SERIES = 100, 50_000
_NODES = 2000
_PODS = 250
_DASHBOARD_NODES = 500
_NODE_EXPORTER = "prometheus-node-exporter"
# A node of many small jobs, whose reader is measured too.
_MANY_JOBS = 500


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
        default=[0, 8, USUAL_JOBS, 512],
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
    parser.add_argument(
        "--dashboards",
        type=int,
        nargs="?",
        const=_DASHBOARD_NODES,
        metavar="NODES",
        help="measure what the dashboards of a site ask instead, over 6 hours of "
        f"data of so many nodes with 30 jobs each (default: {_DASHBOARD_NODES})",
    )
    parser.add_argument(
        "--pages",
        action="store_true",
        help="measure the pages for people instead, in the system's Chromium",
    )
    args = parser.parse_args()
    if args.pages:
        _measure_pages()
        return
    if args.dashboards is not None:
        _measure_dashboards(args.dashboards)
        return
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
    slurm = {jobs: _measure_slurm(jobs) for jobs in (USUAL_JOBS, _MANY_JOBS)}
    print(f"\nA node with 2 sockets and {GPUS} GPUs, one sample a second\n")
    print(cost_table([peer, *cases.values()]))
    print("\nOne scrape a second, CPU of the exporter without its idle cost\n")
    print(scrape_table([peer, *cases.values()], peer))
    print("\nCPU milliseconds of one tick and one scrape by part\n")
    print(parts_table(parts))
    print("\nThe same with jobs of Slurm, read from their cgroups\n")
    print(parts_table(slurm))
    print()
    found = judge(peer, cases, _MORE_PROCESSES, growth)
    print(targets([*found, judge_slurm(_MANY_JOBS, slurm[_MANY_JOBS])]))


def _measure_budgets(series: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python", end=" ")
    print(f"{platform.python_version()}\n")
    print(budgets.report(_BUDGETS, series))


def _measure_dashboards(nodes: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python", end=" ")
    print(f"{platform.python_version()}\n")
    print(dashboards.report(nodes))


def _measure_pages() -> None:
    # Playwright is of the tests; a bench of anything else does without.
    from bench import pages  # noqa: PLC0415 - see above

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python", end=" ")
    print(f"{platform.python_version()}\n")
    print(pages.report())


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


def _measure_slurm(jobs: int) -> dict[str, float]:
    _progress(f"the parts with {jobs} jobs of Slurm")
    done = subprocess.run(
        [sys.executable, "-m", "bench.slurm_parts", str(jobs)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    parts: dict[str, float] = json.loads(done.stdout)
    return parts


def _forget(node: Node) -> None:
    """Drop the checkpoint: each case starts from nothing."""
    shutil.rmtree(node.directory / "run", ignore_errors=True)


def _progress(what: str) -> None:
    sys.stderr.write(f"measuring {what} …\n")


if __name__ == "__main__":
    main()
