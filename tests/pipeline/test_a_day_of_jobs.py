"""A day of a busy node: 10,000 jobs, and a tick every twenty seconds."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import fsum
from pathlib import Path

import pytest

from exporter.core.model import COMPONENTS, Sample
from exporter.core.workload import GpuHold, WorkloadUsage
from exporter.pipeline.archive import Archive, Patience
from exporter.pipeline.checkpoint import Checkpoint
from exporter.pipeline.engine import Engine
from exporter.pipeline.recorder import JobRecorder
from exporter.pipeline.state import EngineSettings
from tests.fakes.node import (
    UNIX_S,
    cpu,
    dram,
    gpu,
    hold,
    jobs,
    labels,
    node,
    reading,
    sample,
    usage,
)
from tests.fakes.records import rows

JOBS = 10_000
DAY_S = 86_400
TICK_S = 20.0
KEEP_S = 600.0
USERS, ACCOUNTS, GPUS = 40, 8, 4
CPUS = 256
LONG_S = 100.0
ZONES = (cpu("package-0"), cpu("package-1"), dram())
DEVICES = (*ZONES, *(gpu(f"G{index}") for index in range(GPUS)))


@dataclass(frozen=True)
class Job:
    """A job that keeps some CPUs busy from its start to its end, s of the day."""

    key: str
    start_s: float
    end_s: float
    busy_cpus: float
    gpus: tuple[GpuHold, ...]

    def cpu_s(self, now_s: float) -> float:
        """CPU time it has used by then, s."""
        return self.busy_cpus * max(0.0, min(now_s, self.end_s) - self.start_s)

    def usage(self, now_s: float) -> WorkloadUsage:
        """What Slurm's source reads; without a count if it ended meanwhile."""
        number = int(self.key)
        return usage(
            self.key,
            self.cpu_s(now_s) if now_s < self.end_s else None,
            cpus=1.0,
            memory_bytes=2**28,
            reserved_memory_bytes=2**29,
            gpus=self.gpus,
            labels=labels(
                self.key, f"user{number % USERS}", f"account{number % ACCOUNTS}"
            ),
        )


def a_day() -> list[Job]:
    """Jobs by their start: many shorter than a tick, few of hours."""
    chance = random.Random(20260320)  # noqa: S311 - the same day each time
    starts = sorted(chance.uniform(0, DAY_S - 7200) for _ in range(JOBS))
    free_s = [0.0] * GPUS
    day = []
    for number, start_s in enumerate(starts):
        seconds = chance.choice((1.5, 8.0, chance.expovariate(1 / 400)))
        end_s = min(start_s + 0.2 + seconds, DAY_S - 3600.0)
        gpus: tuple[GpuHold, ...] = ()
        index = number % GPUS
        if chance.random() < 0.05 and free_s[index] <= start_s:
            free_s[index] = end_s + 2 * TICK_S
            gpus = (hold(f"G{index}"),)
        day.append(Job(str(number), start_s, end_s, chance.choice((0.1, 1.0)), gpus))
    return day


def samples(day: list[Job]) -> Iterator[Sample]:
    """What the sources read through the day."""
    coming, running = deque(day), list[Job]()
    ended_cpu_s = 0.0
    for tick in range(int(DAY_S / TICK_S) + 1):
        now_s = tick * TICK_S
        seen = list(running)
        while coming and coming[0].start_s <= now_s:
            running.append(coming.popleft())
        # A job that came and went since the last reading is told of once.
        told = [job for job in running if job.end_s > now_s or job not in seen]
        ended_cpu_s += fsum(job.cpu_s(now_s) for job in running if job.end_s <= now_s)
        running = [job for job in running if job.end_s > now_s]
        group_s = ended_cpu_s + fsum(job.cpu_s(now_s) for job in running)
        yield sample(
            now_s + 1000.0,
            *(
                reading(device, now_s + 1000.0, (50.0 + index) * now_s, 50.0, 0.5)
                for index, device in enumerate(DEVICES)
            ),
            node=node(now_s + 1000.0, group_s + now_s, cpus=CPUS, memory_bytes=2**35),
            workloads=(
                jobs(
                    *(job.usage(now_s) for job in told),
                    group_cpu_s=group_s,
                ),
            ),
            interval_s=TICK_S,
        )


def test_ten_thousand_jobs_of_a_day_cost_what_those_of_an_hour_do(
    tmp_path: Path,
) -> None:
    """Series and memory are bounded, each job has its row, and no joule is missing."""
    path = tmp_path / "archive.db"
    archive = Archive(
        path,
        retention_s=400.0 * DAY_S,
        patience=Patience(waiting=JOBS),
        wall=lambda: UNIX_S,
    )
    recorder = JobRecorder(archive)
    engine = Engine(EngineSettings(ended_jobs_s=KEEP_S))
    ledger = engine.state.ledger
    checkpoint = Checkpoint(tmp_path, "boot")
    day = a_day()
    series, accounts, checkpoint_bytes = [], [], []

    for number, one in enumerate(samples(day)):
        snapshot = engine.fold(one)
        recorder.after_tick(ledger, engine.ended, one.time_s, one.unix_s)
        series.append(len(snapshot.jobs))
        accounts.append(len(ledger.jobs))
        if number % 100 == 0:
            checkpoint.save(engine.state)
            checkpoint_bytes.append((tmp_path / "checkpoint.0").stat().st_size)
    recorder.close(ledger, LONG_S)
    checkpoint.close()

    found = rows(path)
    assert found.keys() == {job.key for job in day}
    assert {row["state"] for row in found.values()} == {"ended"}
    # In ten minutes some 75 jobs start, and they take a few minutes on average.
    assert series == accounts
    assert 80 < max(accounts) < 250
    assert ledger.jobs_dropped == 0
    assert len(ledger.tenants) <= USERS * ACCOUNTS
    # The whole memory of the engine: after the first hour it stays as it is.
    assert max(checkpoint_bytes) < 3 * checkpoint_bytes[2]

    for component in COMPONENTS[:3]:
        jobs_j = fsum(row[f"{component}_j"] for row in found.values())
        rest_j = fsum(j for (c, _), j in ledger.unattributed.items() if c == component)
        assert jobs_j + rest_j == pytest.approx(ledger.components[component], rel=1e-9)
    assert fsum(row["cpu_s"] for row in found.values()) == pytest.approx(
        fsum(job.cpu_s(DAY_S) for job in day), rel=1e-6
    )
    assert fsum(tenant.energy_j for tenant in ledger.tenants.values()) == pytest.approx(
        fsum(row["energy_j"] for row in found.values()), rel=1e-9
    )
