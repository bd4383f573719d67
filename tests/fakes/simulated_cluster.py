"""Simulated nodes under a real Prometheus with our rules: something living to look at.

For tests of dashboards, pages, rules and the hub that want a cluster with jobs:

    with simulated_cluster(tmp_path, nodes=4) as cluster:
        cluster.wait_for("count(jouled_node_power_watts) == 4")
        rows = cluster.prometheus.query_now("sum by (account) (jouled_job_power_watts)")
        page = httpx.get(cluster.nodes[0].url)

Every node is a real ``jouled simulate``; all are scraped as ``job="jouled"`` with
``cluster="main"`` and a label ``node``. Rules are evaluated each second. Which jobs
there are depends on the time of day: ask for what has to hold of any jobs. Four nodes
and a Prometheus take a few hundred MB and a tenth of a CPU. Programs that a test adds,
such as a hub, are its own: give ``targets`` their ports.

As a program, for a look from outside until Ctrl-C:

    python -m tests.fakes.simulated_cluster --nodes 4
"""

import argparse
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.e2e.exposition import Scrape
from tests.e2e.peers import Labels, Prometheus, started
from tests.e2e.processes import Program, free_port
from tests.e2e.waiting import until
from tests.fakes import plain_http
from tests.fakes.alerting import quickened
from tests.fakes.command_line import command
from tests.fakes.promtool import RULES

_ANSWERS_WITHIN_S = 30.0
# It takes two; so long only where a machine is slow beyond belief.
_ENDS_WITHIN_S = 60.0


class SimulatedProgram(Program):
    """``jouled simulate`` in a process of its own.

    Args:
        folder: gets its log, and is where its machine's directory is made.
        index: which node, from 0.
        nodes: how many the cluster has.
        flags: further flags.
    """

    def __init__(
        self, folder: Path, index: int, nodes: int, flags: Sequence[str] = ()
    ) -> None:
        self.name = f"node{index + 1:02d}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.files = folder / "machines"
        self.files.mkdir(exist_ok=True)
        super().__init__(
            [
                *command("simulate"),
                *("--node-index", str(index), "--nodes", str(nodes)),
                *("--web.listen-address", f"127.0.0.1:{self.port}"),
                *flags,
            ],
            folder / f"{self.name}.log",
            {"TMPDIR": str(self.files)},
        )

    def start(self) -> None:
        """Start it and wait for its first tick."""
        self.launch()
        until(self._is_ready, f"the first tick of {self.name}")

    def get(self, path: str) -> httpx.Response:
        """Ask for anything; the answer has to be a good one."""
        response = plain_http.get(f"{self.url}{path}", timeout=_ANSWERS_WITHIN_S)
        return response.raise_for_status()

    def scrape(self) -> Scrape:
        """Scrape it."""
        return Scrape(self.get("/metrics").text)

    def node(self) -> dict[str, Any]:
        """Ask its API about the node."""
        answer: dict[str, Any] = self.get("/api/v1/node").json()
        return answer

    def stop(self) -> int:
        """Ask it to end, with its files, and return its exit code."""
        self.send(signal.SIGTERM)
        return self.wait(_ENDS_WITHIN_S)

    def close(self) -> None:
        """Stop it if it still runs, so that it takes its files along."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        super().close()

    def _is_ready(self) -> bool:
        self.assert_alive()
        try:
            self.get("/readyz")
        except httpx.HTTPError:
            return False
        return True


@dataclass(frozen=True)
class SimulatedCluster:
    """What runs.

    Attributes:
        nodes: in the order of their numbers.
        prometheus: scrapes all of them each second.
    """

    nodes: tuple[SimulatedProgram, ...]
    prometheus: Prometheus

    def wait_for(self, expression: str) -> list[tuple[Labels, float]]:
        """Wait until Prometheus finds something by an expression, and return it."""
        return until(lambda: self.prometheus.query_now(expression), expression)


@contextmanager
def simulated_node(
    folder: Path, index: int = 0, nodes: int = 4, flags: Sequence[str] = ()
) -> Iterator[SimulatedProgram]:
    """Run one simulated node for a while."""
    program = SimulatedProgram(folder, index, nodes, flags)
    try:
        program.start()
        yield program
    finally:
        program.close()


@contextmanager
def simulated_cluster(
    folder: Path,
    nodes: int = 4,
    flags: Sequence[str] = (),
    targets: Mapping[str, int] | None = None,
) -> Iterator[SimulatedCluster]:
    """Run simulated nodes and a Prometheus with all our rules for a while.

    Args:
        folder: gets files of all of them; it exists.
        nodes: how many.
        flags: of ``jouled simulate``, the same for all.
        targets: port of whatever else is scraped, by the name of its scrape job, such
            as ``{"jouled-hub": 9879}``.
    """
    with ExitStack() as stack:
        programs = tuple(
            stack.enter_context(simulated_node(folder, index, nodes, flags))
            for index in range(nodes)
        )
        text = _configuration(folder, programs, targets or {})
        server = stack.enter_context(started(Prometheus(folder / "prometheus", text)))
        yield SimulatedCluster(programs, server)


def _configuration(
    folder: Path, nodes: Sequence[SimulatedProgram], targets: Mapping[str, int]
) -> str:
    rules = folder / "rules"
    rules.mkdir()
    for file in sorted(RULES.glob("*.yml")):
        quick = quickened(file.read_text(encoding="utf-8"))
        (rules / file.name).write_text(quick, encoding="utf-8")
    scraped = {"jouled": [(node.port, {"node": node.name}) for node in nodes]}
    scraped |= {job: [(port, {})] for job, port in targets.items()}
    every = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    return yaml.safe_dump(
        {
            "global": {**every, "evaluation_interval": "1s"},
            "rule_files": [f"{rules}/*.yml"],
            "scrape_configs": [
                {
                    "job_name": job,
                    "static_configs": [
                        {
                            "targets": [f"127.0.0.1:{port}"],
                            "labels": {"cluster": "main", **labels},
                        }
                        for port, labels in addresses
                    ],
                }
                for job, addresses in scraped.items()
            ],
        }
    )


def main() -> None:
    """Run a cluster until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=4)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        simulated_cluster(Path(folder), arguments.nodes) as cluster,
    ):
        for node in cluster.nodes:
            print(node.name, node.url)  # noqa: T201 - it is a program
        print("prometheus", cluster.prometheus.url)  # noqa: T201 - as above
        threading.Event().wait()


if __name__ == "__main__":
    main()
