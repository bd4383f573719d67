"""One simulated node: a directory that looks like a machine, and goes on like one."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.simulation.cgroups import CgroupTree
from exporter.simulation.kernel_files import Powercap, Procfs
from exporter.simulation.machine import Machine, RunningJob
from exporter.simulation.nvml import SimulatedNvml
from exporter.simulation.pods import PodNode
from exporter.simulation.script import Script
from exporter.simulation.slurm import SlurmNode
from exporter.simulation.sources import mark
from exporter.stand_ins import StandIns

_log = logging.getLogger(__name__)

# What is slow to read on a real node is brought up this often.
_REST_EVERY_S = 1.0
_PERIOD_S = 0.05


class SimulatedNode:
    """A node that is played; without ``playing``, time passes with ``play`` alone.

    Args:
        script: what happens on it.
        name: what it is called.
        folder: an empty directory; gets ``sys``, ``proc``, ``cgroup`` and ``run``.
        monotonic: CLOCK_MONOTONIC, s.
        wall: the wall clock, s; looked at once.

    Attributes:
        machine: its hardware.
        sysfs: its powercap.
        procfs: its /proc.
        cgroupfs: its cgroups.
        run_dir: where the daemon of this node has to keep its run directory: the
            Prolog leaves its files there.
        stand_ins: driver, kubelet and API server.
    """

    def __init__(
        self,
        script: Script,
        name: str,
        folder: Path,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.sysfs = folder / "sys"
        self.procfs = folder / "proc"
        self.cgroupfs = folder / "cgroup"
        self.run_dir = folder / "run"
        self._monotonic = monotonic
        cluster, node = script.cluster, script.node
        self.machine = Machine(script, monotonic(), wall())
        self._powercap = Powercap(self.sysfs, cluster.seed, name)
        self._procfs = Procfs(self.procfs, cluster.size)
        tree = CgroupTree(self.cgroupfs, self.procfs, folder / "workshop")
        schedulers = cluster.schedulers(node)
        self._slurm: SlurmNode | None = None
        if "slurm" in schedulers:
            drops = self.run_dir / "slurm" / "jobs"
            self._slurm = SlurmNode(tree, drops, name, node)
        # Without pods there is a kubelet nobody asks.
        self._pods = PodNode(tree, name, node, cluster.size.gpus)
        nvml = SimulatedNvml(self.machine, name, self._pids, monotonic)
        self.stand_ins = StandIns(
            name=name,
            nvml=lambda: nvml,
            kubelet=self._pods.kubelet,
            witnesses=(self._pods.api,),
            mark=mark,
        )
        self._places: tuple[SlurmNode | PodNode, ...] = (self._pods,)
        if self._slurm is not None:
            self._places = (self._pods, self._slurm)
        self._rest_due_s = 0.0
        for running in self.machine.running.values():
            self._begin(running)
        self._write()

    def play(self) -> None:
        """Bring everything up to now."""
        self.machine.advance(self._monotonic())
        for running in self.machine.ended:
            self._place_of(running).end(running)
        for running in self.machine.begun:
            self._begin(running)
        self._write()

    @contextmanager
    def playing(self, period_s: float = _PERIOD_S) -> Iterator[None]:
        """Play in a thread; what it leaves behind stands still.

        Args:
            period_s: time between two writes, s. They keep to a grid, and so does the
                daemon: it meets counters of the same age in each tick.
        """
        stop = threading.Event()

        def play_on() -> None:
            due_s = time.monotonic() + period_s
            while not stop.wait(max(0.0, due_s - time.monotonic())):
                self.play()
                late_s = max(0.0, time.monotonic() - due_s)
                due_s += period_s * (1 + late_s // period_s)

        thread = threading.Thread(target=play_on, name="simulation")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def close(self) -> None:
        """Close all files; they stay as they are."""
        self._powercap.close()
        self._procfs.close()
        for place in self._places:
            place.close()

    def _begin(self, running: RunningJob) -> None:
        self._place_of(running).begin(running)
        job = running.job
        _log.debug("job begins", extra={"job": job.number, "job_name": job.name})

    def _place_of(self, running: RunningJob) -> SlurmNode | PodNode:
        if running.job.kind.scheduler == "slurm" and self._slurm is not None:
            return self._slurm
        return self._pods

    def _pids(self, number: int) -> tuple[int, ...]:
        held = () if self._slurm is None else self._slurm.pids(number)
        return held or self._pods.pids(number)

    def _write(self) -> None:
        machine = self.machine
        self._powercap.write(machine)
        places = self._places
        for place in places:
            place.write(machine.running)
        if machine.unix_s >= self._rest_due_s:
            self._rest_due_s = machine.unix_s + _REST_EVERY_S
            self._procfs.write_rest(machine)
            for place in places:
                place.write_rest(machine.running)
        else:
            self._procfs.write(machine)
