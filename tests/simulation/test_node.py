"""A simulated node, read by the real sources and folded by the real engine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from exporter.bootstrap import build_runner, build_sources
from exporter.bootstrap_live import build_live
from exporter.config import Config, Gpu, Kubernetes, Paths, Power, Slurm, State
from exporter.core.snapshot import Snapshot
from exporter.pipeline.runner import Publisher, Runner
from exporter.power.nvml.library import Code
from exporter.simulation.cluster import Cluster
from exporter.simulation.node import SimulatedNode
from exporter.simulation.rack import ACT_S
from exporter.simulation.script import Script
from tests.fakes.clock import Clock
from tests.fakes.waiting import wait_until

_GENEROUS_S = 60.0


def _with_both() -> float:
    """Return a moment at which node 0 has jobs of both schedulers and all its GPUs."""
    script = Script(Cluster(nodes=4), 0)
    return next(
        float(unix_s)
        for unix_s in range(82_500 * ACT_S, 82_501 * ACT_S, 60)
        if len({job.kind.scheduler for job in script.jobs(unix_s)}) > 1
        and not any(
            script.lost_gpu(unix_s + second) is not None for second in range(0, 300, 10)
        )
    )


_UNIX_S = _with_both()


@dataclass
class Watched:
    """A node that is played from tick to tick, and what the daemon makes of it."""

    node: SimulatedNode
    runner: Runner
    publisher: Publisher
    clock: Clock

    def tick(self) -> Snapshot:
        """Let everything be as it is now, and read it while it stands still."""
        self.clock.now_s = time.monotonic()
        self.node.play()
        self.runner.tick()
        snapshot = self.publisher.latest()
        assert snapshot is not None
        return snapshot


@contextmanager
def _watched(folder: Path, index: int = 0) -> Iterator[Watched]:
    clock = Clock(time.monotonic())
    script = Script(Cluster(nodes=4), index)
    node = SimulatedNode(script, "node01", folder, clock, lambda: _UNIX_S)
    config = Config(
        path=Paths(node.procfs, node.sysfs, node.cgroupfs),
        state=State(run_dir=node.run_dir, dir=folder / "lib"),
        power=Power(model="off"),
        slurm=Slurm(enabled=True),
        kubernetes=Kubernetes(enabled="true"),
        gpu=Gpu(device_dir=folder / "dev", gpustat_dir=folder / "gpustat"),
    )
    (folder / "lib").mkdir()
    sources = build_sources(config, stand_ins=node.stand_ins)
    publisher = Publisher(config.sampling.interval_s)
    settings = build_live(config).settings
    runner = build_runner(config, sources, settings, publisher, {})
    try:
        yield Watched(node, runner, publisher, clock)
    finally:
        # It closes the sources at its end.
        runner.stop()
        runner.run()
        node.close()


def test_jobs_and_their_gpus_are_those_of_the_script(tmp_path: Path) -> None:
    """Prolog, cgroups, kubelet and API server tell the readers what is so."""
    with _watched(tmp_path) as watched:
        script = watched.node.machine.running

        def is_known() -> bool:
            jobs = [j for j in watched.tick().jobs if j.end_unix_s is None]
            held = sum(len(each.job.gpus_on(0)) for each in script.values())
            return len(jobs) == len(script) and sum(j.gpus or 0 for j in jobs) == held

        wait_until(is_known, "all GPUs have their jobs", _GENEROUS_S)
        snapshot = watched.tick()

    schedulers = {job.workload.scheduler for job in snapshot.jobs}
    assert schedulers == {"slurm", "kubernetes"}
    users = {job.labels.user for job in snapshot.jobs if job.labels.account}
    assert users == {each.job.user for each in script.values() if each.job.user}


def test_ended_jobs_take_their_cgroups_and_files_along(tmp_path: Path) -> None:
    """What comes and goes for days leaves no more behind than a real node."""
    wall_s = [_UNIX_S]
    node = SimulatedNode(
        Script(Cluster(nodes=4), 0),
        "node01",
        tmp_path,
        monotonic=lambda: wall_s[0] - _UNIX_S + 1000.0,
        wall=lambda: wall_s[0],
    )
    seen: set[int] = set()
    for _ in range(400):
        wall_s[0] += 10.0
        node.play()
        seen |= set(node.machine.running)

    running = node.machine.running.values()
    jobs = {str(e.job.number) for e in running if e.job.kind.scheduler == "slurm"}
    scope = node.cgroupfs / "system.slice" / "slurmstepd.scope"
    in_cgroups = {path.name.removeprefix("job_") for path in scope.glob("job_*")}
    drops = {path.name for path in (node.run_dir / "slurm" / "jobs").iterdir()}
    pods = list(node.cgroupfs.glob("kubepods.slice/*/kubepods-burstable-pod*"))
    processes = [path for path in node.procfs.iterdir() if path.name.isdecimal()]
    node.close()

    assert len(seen) > 3 * len(running)
    assert in_cgroups == drops == jobs
    assert len(pods) == len(running) - len(jobs)
    assert len(processes) == len(running)


def test_a_lost_gpu_is_missing_and_comes_back(tmp_path: Path) -> None:
    """The daemon does with it what it does with a real one."""
    script = Script(Cluster(nodes=4), 0)
    lost_s = next(
        unix_s
        for unix_s in range(int(_UNIX_S), int(_UNIX_S) + 24 * 3600, 10)
        if script.lost_gpu(unix_s) is not None
    )
    wall_s = [lost_s - 60.0]
    node = SimulatedNode(
        script,
        "node01",
        tmp_path,
        monotonic=lambda: wall_s[0],
        wall=lambda: wall_s[0],
    )
    nvml = node.stand_ins.nvml()

    def lost() -> list[int]:
        wall_s[0] += 5.0
        node.play()
        return [index for index in range(8) if _is_lost(nvml, index)]

    story = [lost() for _ in range(120)]
    node.close()

    assert story[0] == []
    assert [script.lost_gpu(lost_s)] in story
    assert story[-1] == []


def _is_lost(nvml: ModuleType, index: int) -> bool:
    try:
        nvml.nvmlDeviceGetPowerUsage(index)
    except nvml.NVMLError as error:
        return int(error.value) == Code.GPU_IS_LOST
    return False


def test_what_a_driver_does_not_know_it_refuses(tmp_path: Path) -> None:
    """A daemon that asks for more goes on with what it gets."""
    node = SimulatedNode(Script(Cluster(nodes=4), 0), "node01", tmp_path)
    nvml = node.stand_ins.nvml()

    with pytest.raises(nvml.NVMLError, match="13"):
        nvml.nvmlDeviceGetSomethingNew(0)
    with pytest.raises(AttributeError):
        _ = nvml.__wrapped__
    node.close()
