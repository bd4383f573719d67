"""What the rules of deploy/prometheus cost a real Prometheus.

A played cluster is scraped each 15 s until the windows of the rates are full; then
Prometheus tells how long its evaluations take while it goes on scraping. Rules are
evaluated each 20 s instead of each 30 or 60, and are else as they are.
"""

import argparse
import re
import shutil
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from bench.fleet import Fleet, Size, fleet
from bench.processes import rss_bytes
from bench.report import Target, table, targets
from tests.e2e.peers import Prometheus, started
from tests.fakes.promtool import rule_files

_SCRAPE_S = 15
_EVALUATE_S = 20
_WINDOW_S = 300
_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Group:
    """One group of rules.

    Attributes:
        rules: how many it has.
        seconds: how long each evaluation took, s.
    """

    rules: int
    seconds: tuple[float, ...]


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
    parser.add_argument("--budgets", type=int, default=100, help="(default: 100)")
    parser.add_argument(
        "--jobs", type=int, default=0, help="jobs over all nodes (default: 0)"
    )
    parser.add_argument(
        "--evaluations", type=int, default=5, help="how many to look at (default: 5)"
    )
    args = parser.parse_args()
    if shutil.which("prometheus") is None:
        sys.exit("install prometheus")

    size = Size(args.nodes, args.tenants, args.jobs, args.budgets)
    with TemporaryDirectory() as folder, fleet(size) as cluster:
        print(f"{size}, {cluster.series} series")
        text = _configuration(cluster, Path(folder))
        server = Prometheus(Path(folder) / "prometheus", text)
        with started(server):
            print(f"filling windows for {_WINDOW_S} s")
            time.sleep(_WINDOW_S)
            groups = _watch(server, args.evaluations)
            memory_mib = rss_bytes(server.pid) / 2**20

    rows = [
        (
            name,
            str(group.rules),
            f"{statistics.median(group.seconds) * 1e3:.0f}",
            f"{max(group.seconds) * 1e3:.0f}",
        )
        for name, group in sorted(groups.items())
    ]
    print(table(("group", "rules", "median ms", "most ms"), rows))
    whole_s = sum(statistics.median(group.seconds) for group in groups.values())
    print(f"memory of Prometheus {memory_mib:.0f} MiB")
    print(targets([Target("all rules once", _LIMIT_S, whole_s, "s")]))


def _watch(server: Prometheus, evaluations: int) -> Mapping[str, Group]:
    """Look at the groups until each was evaluated so often."""
    counts: dict[str, int] = {}
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    while not found or min(map(len, found.values())) < evaluations:
        time.sleep(_EVALUATE_S / 4)
        for group in server.rule_groups():
            failed = [r["name"] for r in group["rules"] if r["health"] == "err"]
            if failed:
                sys.exit(f"rules fail: {', '.join(failed)}")
            counts[group["name"]] = len(group["rules"])
            found[group["name"]][group["lastEvaluation"]] = group["evaluationTime"]
    return {
        # The first one may be of before the windows were full.
        name: Group(counts[name], tuple(seconds.values())[1:])
        for name, seconds in found.items()
    }


def _configuration(cluster: Fleet, folder: Path) -> str:
    rules = folder / "rules"
    rules.mkdir()
    for file in rule_files():
        text = file.read_text(encoding="utf-8")
        often = re.sub(
            r"^( +interval:) .*$", rf"\1 {_EVALUATE_S}s", text, flags=re.MULTILINE
        )
        (rules / file.name).write_text(often, encoding="utf-8")
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
            "global": {"scrape_interval": f"{_SCRAPE_S}s", "scrape_timeout": "10s"},
            "rule_files": [f"{rules}/*.yml"],
            "scrape_configs": [
                job("jouled", *cluster.nodes),
                job("jouled-hub", cluster.hub),
            ],
        }
    )


if __name__ == "__main__":
    main()
