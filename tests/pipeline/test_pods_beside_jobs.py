"""Joules of a node of both schedulers, where pods and jobs come and go all the time."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import fsum
from pathlib import Path
from random import Random

import pytest

from exporter.core.snapshot import Snapshot
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from exporter.workloads.cgroups import FileBudget
from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.slurm import SlurmPlaces, SlurmWorkloads
from tests.fakes.cgroups import PlayedJob, PlayedSlurm
from tests.fakes.node import cpu, node, reading, sample
from tests.fakes.pod_cgroups import Driver, PlayedPod, Version, uid_of
from tests.fakes.pod_node import PodNode, ToldNames, no_inotify

_WATTS = 160.0
_CPUS = 8
_TICKS = 240
# What all that run at a time keep busy at most; the rest is the system's.
_MOST_RUNNING = 5
# Of so many pods somebody tells the name.
_KNOWN = 0.8


@dataclass
class _Node:
    """A node of both schedulers, folded tick by tick.

    Attributes:
        kubernetes: its pods, and who reads them.
        slurm: its jobs.
        jobs: who reads those.
        told: who tells names of pods.
        engine: counts what all of them used.
        snapshots: what it told at each tick.
        ticks: how many there have been.
    """

    kubernetes: PodNode
    slurm: PlayedSlurm
    jobs: SlurmWorkloads
    told: ToldNames
    engine: Engine = field(
        default_factory=lambda: Engine(EngineSettings(idle_policy="none"))
    )
    snapshots: list[Snapshot] = field(default_factory=list)
    ticks: int = 0

    def pass_s(self, seconds: float) -> None:
        """Let all go on as it is."""
        self.kubernetes.clock.pass_s(seconds)
        self.kubernetes.pods.play()
        self.slurm.play()

    def tick(self) -> None:
        """Read both and count what they used."""
        self.ticks += 1
        now_s = float(self.ticks)
        workloads = (self.kubernetes.source.read(), self.jobs.read())
        self.snapshots.append(
            self.engine.fold(
                sample(
                    now_s,
                    reading(cpu(), now_s, energy_j=_WATTS * now_s),
                    node=node(now_s, now_s * _CPUS, cpus=_CPUS),
                    workloads=workloads,
                )
            )
        )

    def energy_j(self) -> dict[str, float]:
        """Energy of all workloads of each scheduler, ended ones included."""
        found: defaultdict[str, float] = defaultdict(float)
        for job in self.engine.state.ledger.jobs.values():
            found[job.workload.scheduler] += fsum(job.energy_j)
        return found

    def check(self) -> None:
        """At every tick, all parts are what was measured, and nothing falls."""
        snapshot = self.snapshots[-1]
        measured_j = fsum(device.energy_j for device in snapshot.devices)
        nobody_j = fsum(one.energy_j for one in snapshot.unattributed)
        parts_j = fsum([*self.energy_j().values(), nobody_j])
        assert parts_j == pytest.approx(measured_j, rel=1e-9, abs=1e-9)
        assert measured_j == pytest.approx(_WATTS * (self.ticks - 1), rel=1e-6)

    def check_series(self) -> None:
        """Counters of workloads never fell, and never had other labels."""
        counters: dict[tuple[str, ...], list[float]] = defaultdict(list)
        labels: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for snapshot in self.snapshots:
            for job in snapshot.jobs:
                own = (job.labels.job_id, job.labels.namespace, job.labels.pod)
                labels[job.workload.key].add(own)
                key = (*job.workload, *own)
                counters[key].append(fsum(energy_j for _, energy_j in job.energy_j))
        assert all(len(each) == 1 for each in labels.values())
        assert all(each == sorted(each) for each in counters.values())


@pytest.fixture(params=[("v1", "cgroupfs"), ("v2", "systemd")])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Node]:
    """Play a node of both schedulers."""
    version: Version
    driver: Driver
    version, driver = request.param
    told = ToldNames()
    kubernetes = PodNode(
        tmp_path,
        version,
        driver,
        witnesses=(told,),
        # Who has a played file open does not see that it is gone.
        budget=FileBudget(0),
        open_inotify=no_inotify,
    )
    kubernetes.pods.start_kubelet()
    slurm = PlayedSlurm(tmp_path, version, kubernetes.clock)
    slurm.start_slurmd()
    jobs = SlurmWorkloads(
        SlurmPlaces(
            slurm.cgroupfs, slurm.procfs, tmp_path / "drops", tmp_path / "ended"
        ),
        kubernetes.inventory,
        monotonic=kubernetes.clock,
        budget=FileBudget(0),
        open_inotify=no_inotify,
    )
    try:
        yield _Node(kubernetes, slurm, jobs, told)
    finally:
        jobs.close()
        kubernetes.source.close()


def test_pods_and_jobs_that_come_and_go_are_charged_for_what_they_used(
    both: _Node,
) -> None:
    """Each scheduler's exactly, whatever happens on the other one's side."""
    chance = Random(6)  # noqa: S311 - a story, not a secret
    pods: dict[int, PlayedPod] = {}
    jobs: list[PlayedJob] = []
    seen_s: dict[int, float] = {}
    # Of a cgroup that is made anew under its name, nobody sees the last part of a tick.
    unseen_s = 0.0
    both.tick()

    for _ in range(_TICKS):
        both.pass_s(chance.uniform(0.1, 0.9))
        event = chance.choice(("pod", "pod", "job", "job", "restart", "evict", "end"))
        running = len(pods) + len(jobs)
        if event == "pod" and running < _MOST_RUNNING:
            number = both.ticks
            if chance.random() < _KNOWN:
                facts = PodFacts(uid_of(number), "team-a", f"pod-{number}")
                both.told.tell(facts)
            pods[number] = both.kubernetes.pods.start_pod(number)
        elif event == "job" and running < _MOST_RUNNING:
            jobs.append(both.slurm.start_job(both.ticks))
        elif event == "restart" and pods:
            number = chance.choice(list(pods))
            old = pods[number]
            pods[number] = both.kubernetes.pods.restart_pod(old)
            unseen_s += old.used_s - seen_s[number]
        elif event == "evict" and pods:
            # Its containers are killed; its cgroup goes with the next event.
            number = chance.choice(list(pods))
            pods[number].busy_cpus = 0.0
        elif event == "end" and pods:
            both.kubernetes.pods.end_pod(pods.pop(chance.choice(list(pods))))
        elif event == "end" and jobs:
            both.slurm.end_job(jobs.pop())
        rest_s = both.ticks + 1 - (both.kubernetes.clock() - 1000.0)
        both.pass_s(rest_s)
        both.tick()
        both.check()
        seen_s = {number: pod.used_s for number, pod in pods.items()}

    both.check_series()
    used_s = {
        "kubernetes": both.kubernetes.pods.ended_s
        + sum(pod.used_s for pod in pods.values())
        - unseen_s,
        "slurm": both.slurm.ended_s + sum(job.used_s for job in jobs),
    }
    expected_j = {name: s * _WATTS / _CPUS for name, s in used_s.items()}
    assert both.energy_j() == pytest.approx(expected_j, rel=1e-5)
    assert min(used_s.values()) > _TICKS / 4
