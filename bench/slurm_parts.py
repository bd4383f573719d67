"""What one tick costs on a node of Slurm, part by part, in a process of its own.

    python -m bench.slurm_parts JOBS

Prints one JSON object: part -> median CPU milliseconds. Jobs are real files of cgroups
in version 1, whose counters move between two ticks, and a real reader looks at them;
nothing else is measured but a package that makes the energy.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from exporter.core.model import Sample
from exporter.core.units import Seconds
from exporter.core.workload import WorkloadsReading
from exporter.exposition.scrape import Scrapes
from exporter.pipeline.checkpoint import Checkpoint
from exporter.pipeline.engine import Engine
from exporter.pipeline.runner import Publisher
from exporter.pipeline.state import EngineSettings
from exporter.workloads.no_gpus import NoGpus
from exporter.workloads.slurm import SlurmPlaces, SlurmWorkloads
from exporter.workloads.users import UserNames
from tests.fakes.cgroups import PlayedSlurm, drop
from tests.fakes.clock import Clock
from tests.fakes.node import GREEN, cpu, dram, node, reading

_MEMORY = Path("/dev/shm")  # noqa: S108 - a fresh directory is made in it
_WARM_TICKS = 15
_USERS = 16


class SlurmBench:
    """A node with so many jobs, and the pipeline that looks at it.

    Args:
        directory: an empty one.
        jobs: how many there are.
    """

    def __init__(self, directory: Path, jobs: int) -> None:
        self.spent_ms: dict[str, list[float]] = {}
        self._clock = Clock(1000.0)
        self._slurm = PlayedSlurm(directory, "v1", self._clock)
        self._slurm.start_slurmd()
        drops = directory / "run" / "slurm" / "jobs"
        for job_id in range(1, jobs + 1):
            user = f"user{job_id % _USERS:02}"
            drop(
                drops,
                job_id,
                SLURM_JOB_USER=user,
                SLURM_JOB_ACCOUNT=f"project{job_id % 4}",
                SLURM_JOB_PARTITION="batch",
                SLURM_JOB_CPUS_PER_NODE="1",
            )
            self._slurm.start_job(
                job_id, uid=1000 + job_id % _USERS, busy_cpus=job_id % 7 / 7
            )
        ended = directory / "run" / "slurm" / "ended"
        self.source = SlurmWorkloads(
            SlurmPlaces(self._slurm.cgroupfs, self._slurm.procfs, drops, ended),
            NoGpus(),
            users=UserNames(lambda uid: f"user{uid - 1000:02}", self._clock),
            monotonic=self._clock,
        )
        self._engine = Engine(EngineSettings())
        self._checkpoint = Checkpoint(directory / "run", "bench")
        self._publisher = Publisher(1.0)
        self._scrapes = Scrapes(self._publisher, "job", "bench")

    def tick(self) -> None:
        """Let a second pass, tick, and be scraped."""
        self._clock.pass_s(1.0)
        self._slurm.play()
        with self._timing("tick: read the jobs"):
            told = self.source.read()
        sample = self._sample(told)
        with self._timing("tick: fold"):
            snapshot = self._engine.fold(sample)
        with self._timing("tick: checkpoint"):
            self._checkpoint.save(self._engine.state)
        with self._timing("tick: publish"):
            self._publisher.publish(snapshot)
        with self._timing("scrape: OpenMetrics"):
            self._scrapes.body("openmetrics", gzip=False)

    def _sample(self, told: WorkloadsReading) -> Sample:
        now_s = self._clock()
        return Sample(
            Seconds(now_s),
            Seconds(time.time()),
            Seconds(1.0),
            (
                reading(cpu(wraps_at=10**15), now_s, 300.0 * now_s),
                reading(dram(), now_s, 20.0 * now_s),
            ),
            node(now_s, 300.0 * now_s, cpus=512, memory_bytes=2**34),
            (told,),
            GREEN,
            1.2,
        )

    @contextmanager
    def _timing(self, part: str) -> Iterator[None]:
        begin_s = time.process_time()
        yield
        spent_ms = (time.process_time() - begin_s) * 1e3
        self.spent_ms.setdefault(part, []).append(spent_ms)


def main() -> None:
    """Tick for a while, and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("jobs", type=int, help="how many jobs run")
    parser.add_argument("--ticks", type=int, default=60, help="how many are measured")
    args = parser.parse_args()
    memory = _MEMORY if _MEMORY.is_dir() else None
    with TemporaryDirectory(prefix="jouled-bench-", dir=memory) as name:
        bench = SlurmBench(Path(name), args.jobs)
        try:
            for _ in range(_WARM_TICKS + args.ticks):
                bench.tick()
        finally:
            bench.source.close()
    figures = {
        part: median(spent_ms[_WARM_TICKS:])
        for part, spent_ms in bench.spent_ms.items()
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
