"""A node that works for a while between two rests: what was drawn, and counted."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.exposition import Scrape
from tests.e2e.jobs import Job, write_script
from tests.e2e.node import Node, playing
from tests.e2e.peers import node_exporter

GPUS = 8
INTENSITY_G_PER_KWH, PUE = 400, 1.25
_FLAGS = ("--carbon.intensity", str(INTENSITY_G_PER_KWH), "--pue", str(PUE))
_PHASES = 8


def seconds() -> float:
    """How long the node works; the figure that is promised is one of 60 s."""
    return float(os.environ.get("JOULED_E2E_SECONDS", "16"))


@dataclass(frozen=True, slots=True)
class Moment:
    """The same moment as the truth, the daemon and node_exporter know it.

    Attributes:
        true_j: energy of each device, J.
        scrape: what the daemon says.
        node_exporter: what that says; ``None`` where it is not installed.
    """

    true_j: dict[str, float]
    scrape: Scrape
    node_exporter: Scrape | None


@dataclass(frozen=True, slots=True)
class Measured:
    """The run.

    Attributes:
        gpus: names of the GPUs.
        begin: at rest, before the work.
        end: at rest, after it.
        at_work: scrapes in between.
        log: what the daemon said.
    """

    gpus: tuple[str, ...]
    begin: Moment
    end: Moment
    at_work: tuple[Scrape, ...]
    log: str


def measure(folder: Path) -> Measured:
    """Let a node of eight GPUs work, with jobs that come and go."""
    with (
        playing(Node(folder, GPUS, flags=_FLAGS, scripted=True)) as node,
        node_exporter(folder, node.machine.sysfs) as exporter,
    ):

        def moment() -> Moment:
            return Moment(
                node.true_energy_j(),
                node.daemon.scrape(),
                None if exporter is None else exporter.scrape(),
            )

        steady = Job("1", "ada", "physics", time.monotonic(), gpus=node.gpus[:2])
        write_script(node.script, (steady,))
        node.daemon.start()
        node.rest()
        begin = moment()
        at_work: list[Scrape] = []
        now_s = time.monotonic()
        ends_early = Job(
            "2", "bob", "biology", now_s, now_s + seconds() / 2, gpus=node.gpus[2:3]
        )
        idles_on_gpu = Job("3", "eve", "biology", now_s, cpus=0.0, gpus=node.gpus[3:5])
        write_script(node.script, (steady, ends_early, idles_on_gpu))
        for phase in range(_PHASES):
            _work(node, phase)
            time.sleep(seconds() / _PHASES)
            at_work.append(node.daemon.scrape())
        node.rest()
        return Measured(node.gpus, begin, moment(), tuple(at_work), node.daemon.said())


def _work(node: Node, phase: int) -> None:
    """Let every device draw another power than before, some of them none."""
    node.machine.set_utilization(phase / _PHASES)
    node.set_power(
        {
            "intel-rapl:0": 60.0 + 35.0 * ((phase * 3) % _PHASES),
            "intel-rapl:1": 45.0 + 30.0 * ((phase * 5) % _PHASES),
            "intel-rapl:0:2": 4.0 + 3.0 * phase,
            "intel-rapl:1:0": 25.0 - 3.0 * phase,
        },
        {gpu: 85.0 * ((gpu * 3 + phase * 5) % _PHASES) for gpu in range(GPUS)},
    )
