"""What the rules of deploy/prometheus cost a real Prometheus.

A played cluster is scraped each 5 s until a window of 5 minutes holds as many samples
as it does at 15 s. Then each rule is evaluated alone, several times, and the least CPU
time of Prometheus counts: the machine may be busy with something else, and Prometheus
itself goes on scraping. How long its own evaluations took is told as well.
"""

import argparse
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from bench.fleet import Fleet, Size, fleet
from bench.processes import cpu_seconds, rss_bytes
from bench.report import Target, table, targets
from tests.e2e.peers import Prometheus, started
from tests.fakes.promtool import RULES, Rule, rules

_SCRAPE_S = 5
_SAMPLES = 20
_LIMIT_S = 1.0
_SLOWEST = 8


@dataclass(frozen=True, slots=True)
class Cost:
    """What one rule takes.

    Attributes:
        rule: which one.
        cpu_s: the least CPU time, s.
        wall_s: the least time, s.
    """

    rule: Rule
    cpu_s: float
    wall_s: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000, help="(default: 1000)")
    parser.add_argument(
        "--tenants",
        type=int,
        default=25_000,
        help="users of tenants over all nodes, of two series each (default: 25000)",
    )
    parser.add_argument(
        "--users", type=int, default=997, help="different ones (default: 997)"
    )
    parser.add_argument("--budgets", type=int, default=100, help="(default: 100)")
    parser.add_argument(
        "--jobs", type=int, default=0, help="jobs over all nodes (default: 0)"
    )
    parser.add_argument(
        "--tries", type=int, default=7, help="evaluations of each rule (default: 7)"
    )
    args = parser.parse_args()
    if shutil.which("prometheus") is None:
        sys.exit("install prometheus")

    size = Size(args.nodes, args.tenants, args.users, args.jobs, args.budgets)
    with TemporaryDirectory() as folder, fleet(size) as cluster:
        print(f"{size}, {cluster.series} series")
        server = Prometheus(Path(folder) / "prometheus", _configuration(cluster))
        with started(server):
            time.sleep(_SCRAPE_S * _SAMPLES)
            costs = [_measure(server, rule, args.tries) for rule in rules()]
            said_s = _said(server)
            memory_mib = rss_bytes(server.pid) / 2**20
    _report(costs, said_s)
    print(f"memory of Prometheus {memory_mib:.0f} MiB")
    whole_s = sum(cost.cpu_s for cost in costs)
    print(f"CPU of all rules once {whole_s:.2f} s")
    named = ("record-tenants.yml", "record-budgets.yml", "alert-budgets.yml")
    cpu_s = sum(cost.cpu_s for cost in costs if cost.rule.file in named)
    what = "CPU of the rules on tenants and budgets once"
    print(targets([Target(what, _LIMIT_S, cpu_s, "s")]))


def _measure(server: Prometheus, rule: Rule, tries: int) -> Cost:
    cpu_s, wall_s = [], []
    for _ in range(tries):
        begin_cpu_s, begin_s = cpu_seconds(server.pid), time.monotonic()
        server.query_now(rule.expression)
        wall_s.append(time.monotonic() - begin_s)
        cpu_s.append(cpu_seconds(server.pid) - begin_cpu_s)
    return Cost(rule, min(cpu_s), min(wall_s))


def _said(server: Prometheus) -> Mapping[str, float]:
    """Return how long Prometheus took for the rules of each file at last, s."""
    said_s: defaultdict[str, float] = defaultdict(float)
    for group in server.rule_groups():
        failed = [r["name"] for r in group["rules"] if r["health"] == "err"]
        if failed:
            sys.exit(f"rules fail: {', '.join(failed)}")
        said_s[Path(group["file"]).name] += group["evaluationTime"]
    return said_s


def _report(costs: list[Cost], said_s: Mapping[str, float]) -> None:
    by_file: defaultdict[str, list[Cost]] = defaultdict(list)
    for cost in costs:
        by_file[cost.rule.file].append(cost)
    rows = [
        (
            file,
            str(len(found)),
            *(
                f"{seconds * 1e3:.0f}"
                for seconds in (
                    sum(cost.cpu_s for cost in found),
                    sum(cost.wall_s for cost in found),
                    said_s[file],
                )
            ),
        )
        for file, found in sorted(by_file.items())
    ]
    print(table(("file", "rules", "CPU ms", "alone ms", "its own last ms"), rows))
    slowest = sorted(costs, key=lambda cost: cost.cpu_s, reverse=True)[:_SLOWEST]
    print(
        table(
            ("slowest rules", "CPU ms"),
            [(cost.rule.name, f"{cost.cpu_s * 1e3:.0f}") for cost in slowest],
        )
    )


def _configuration(cluster: Fleet) -> str:
    address = f"127.0.0.1:{cluster.port}"

    def job(name: str, *paths: str) -> dict[str, object]:
        return {
            "job_name": name,
            "honor_labels": True,
            "static_configs": [
                {
                    "targets": [address],
                    "labels": {"cluster": "main", "__metrics_path__": path},
                }
                for path in paths
            ],
        }

    return yaml.safe_dump(
        {
            "global": {"scrape_interval": f"{_SCRAPE_S}s", "scrape_timeout": "4s"},
            "rule_files": [f"{RULES}/*.yml"],
            "scrape_configs": [
                job("jouled", *cluster.nodes),
                job("jouled-hub", cluster.hub),
            ],
        }
    )


if __name__ == "__main__":
    main()
