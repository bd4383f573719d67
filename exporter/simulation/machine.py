"""The hardware of one simulated node: what it draws, and what it has drawn.

Loads are looked up once a second; in between power is constant, and everything that
counts (energy, CPU time) is its exact integral. So what the counters of files and
driver say adds up, whenever they are read.

    package   45 W + 190 W x its utilisation
    dram       6 W + 16 W x what is used of the memory
    GPU       72 W + (700 W - 72 W) x utilisation x heat of the job
"""

from dataclasses import dataclass, field
from math import floor

from exporter.simulation.chance import Chance, wave
from exporter.simulation.cluster import Job
from exporter.simulation.load import Load, load_of
from exporter.simulation.script import Script

SOCKETS = 2
GPU_LIMIT_W = 700.0
GPU_MEMORY_BYTES = 80 * 2**30

_PACKAGE_IDLE_W, _PACKAGE_DYNAMIC_W = 45.0, 190.0
_DRAM_IDLE_W, _DRAM_DYNAMIC_W = 6.0, 16.0
_GPU_IDLE_W = 72.0
_GPU_COOL_C, _GPU_WARMS_BY_C = 31.0, 46.0
_GPU_WARMS_IN_S = 25.0
_SYSTEM_CPUS = 0.6
_SYSTEM_BYTES = 9 * 2**30
_GPU_RESERVED_BYTES = 600 * 2**20


@dataclass(slots=True)
class RunningJob:
    """A job on this node.

    Attributes:
        job: which one.
        load: what it uses now.
        cpu_s: CPU time it has used here since it was first seen, s.
    """

    job: Job
    load: Load
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class GpuState:
    """One GPU from a moment on; exchanged as a whole, so any thread may look.

    Attributes:
        since_s: CLOCK_MONOTONIC of that moment, s.
        energy_j: what it had drawn by then, J.
        power_w: what it draws from then on, W.
        utilization: 0..1.
        memory_bytes: in use.
        temperature_c: of the chip.
        holders: numbers of the jobs on it.
        is_lost: the driver cannot reach it.
    """

    since_s: float
    energy_j: float
    power_w: float = _GPU_IDLE_W
    utilization: float = 0.0
    memory_bytes: int = 0
    temperature_c: float = _GPU_COOL_C
    holders: tuple[int, ...] = ()
    is_lost: bool = False

    def energy_at_j(self, now_s: float) -> float:
        """Return what it has drawn by a moment, J."""
        return self.energy_j + self.power_w * max(0.0, now_s - self.since_s)


@dataclass(slots=True)
class _Sums:
    """What has been used since the beginning, and is used now."""

    package_j: list[float] = field(default_factory=lambda: [0.0] * SOCKETS)
    dram_j: list[float] = field(default_factory=lambda: [0.0] * SOCKETS)
    package_w: float = 0.0
    dram_w: float = 0.0
    busy_s: float = 0.0
    idle_s: float = 0.0
    busy_cpus: float = 0.0


class Machine:
    """The node as it is after the last ``advance``; for one thread, but see ``gpus``.

    Args:
        script: what happens here.
        now_s: CLOCK_MONOTONIC, s.
        unix_s: the wall clock at the same moment, s.

    Attributes:
        gpus: the GPUs; the tuple is exchanged as a whole.
        running: the jobs that run, by number.
        begun: those that have begun with the last ``advance``.
        ended: those that have ended with it.
        package_j: energy of each socket since the beginning, J.
        dram_j: energy of the memory of each socket since the beginning, J.
        memory_bytes: memory in use, the page cache excluded.
    """

    def __init__(self, script: Script, now_s: float, unix_s: float) -> None:
        self._script = script
        self._size = script.cluster.size
        self._offset_s = unix_s - now_s
        self._now_s = now_s
        self._sums = _Sums()
        self._second = -1
        self.running: dict[int, RunningJob] = {}
        self.begun: tuple[RunningJob, ...] = ()
        self.ended: tuple[RunningJob, ...] = ()
        self.memory_bytes = _SYSTEM_BYTES
        chance = Chance(script.cluster.seed, "driver", script.node)
        # The driver has been loaded for a while.
        self.gpus = tuple(
            GpuState(now_s, chance.between(1e6, 9e6)) for _ in range(self._size.gpus)
        )
        self._look(unix_s)

    @property
    def package_j(self) -> tuple[float, ...]:
        """Energy of each socket since the beginning, J."""
        return tuple(self._sums.package_j)

    @property
    def dram_j(self) -> tuple[float, ...]:
        """Energy of the memory of each socket since the beginning, J."""
        return tuple(self._sums.dram_j)

    @property
    def busy_s(self) -> float:
        """CPU time of all CPUs that was not idle since the beginning, s."""
        return self._sums.busy_s

    @property
    def idle_s(self) -> float:
        """CPU time of all CPUs that was idle since the beginning, s."""
        return self._sums.idle_s

    @property
    def unix_s(self) -> float:
        """Wall clock of the last ``advance``, s."""
        return self._now_s + self._offset_s

    def advance(self, now_s: float) -> None:
        """Let it be now.

        Args:
            now_s: CLOCK_MONOTONIC, s; not before the last one.
        """
        elapsed_s = now_s - self._now_s
        self._now_s = now_s
        sums = self._sums
        for socket in range(SOCKETS):
            sums.package_j[socket] += sums.package_w * elapsed_s
            sums.dram_j[socket] += sums.dram_w * elapsed_s
        sums.busy_s += sums.busy_cpus * elapsed_s
        sums.idle_s += (self._size.cpus - sums.busy_cpus) * elapsed_s
        for running in self.running.values():
            running.cpu_s += running.load.busy_cpus * elapsed_s
        self.begun = self.ended = ()
        if floor(self.unix_s) != self._second:
            self._look(self.unix_s)

    def _look(self, unix_s: float) -> None:
        """Look up what happens from now on."""
        self._second = floor(unix_s)
        jobs = {job.number: job for job in self._script.jobs(unix_s)}
        gone = [number for number in self.running if number not in jobs]
        self.ended = tuple(self.running.pop(number) for number in gone)
        begun: list[RunningJob] = []
        for number, job in jobs.items():
            load = load_of(job, self._script.node, unix_s)
            running = self.running.get(number)
            if running is None:
                self.running[number] = running = RunningJob(job, load)
                begun.append(running)
            running.load = load
        self.begun = tuple(begun)
        loads = [running.load for running in self.running.values()]
        self._set_cpu_power(loads, unix_s)
        self._set_gpus(unix_s)

    def _set_cpu_power(self, loads: list[Load], unix_s: float) -> None:
        size, sums = self._size, self._sums
        system = _SYSTEM_CPUS * (1 + 0.3 * wave(unix_s, 60.0, 0.1))
        busy = system + sum(load.busy_cpus for load in loads)
        sums.busy_cpus = min(float(size.cpus), busy)
        self.memory_bytes = _SYSTEM_BYTES + sum(load.memory_bytes for load in loads)
        # Jobs are spread over the sockets evenly.
        sums.package_w = (
            _PACKAGE_IDLE_W + _PACKAGE_DYNAMIC_W * sums.busy_cpus / size.cpus
        )
        sums.dram_w = (
            _DRAM_IDLE_W + _DRAM_DYNAMIC_W * self.memory_bytes / size.memory_bytes
        )

    def _set_gpus(self, unix_s: float) -> None:
        node, now_s = self._script.node, self._now_s
        lost = self._script.lost_gpu(unix_s)
        holders: dict[int, RunningJob] = {
            gpu: running
            for running in self.running.values()
            for gpu in running.job.gpus_on(node)
        }
        self.gpus = tuple(
            _next_gpu(before, now_s, holders.get(index), is_lost=index == lost)
            for index, before in enumerate(self.gpus)
        )


def _next_gpu(
    before: GpuState, now_s: float, holder: RunningJob | None, *, is_lost: bool
) -> GpuState:
    utilization, power_w, memory_bytes = 0.0, _GPU_IDLE_W, _GPU_RESERVED_BYTES
    if holder is not None:
        utilization = holder.load.gpu
        heat = holder.job.kind.gpu_heat
        power_w += (GPU_LIMIT_W - _GPU_IDLE_W) * utilization * heat
        memory_bytes += int(holder.load.gpu_memory * 0.95 * GPU_MEMORY_BYTES)
    aim_c = _GPU_COOL_C + _GPU_WARMS_BY_C * power_w / GPU_LIMIT_W
    nearer = min(1.0, (now_s - before.since_s) / _GPU_WARMS_IN_S)
    return GpuState(
        since_s=now_s,
        energy_j=before.energy_at_j(now_s),
        power_w=power_w,
        utilization=utilization,
        memory_bytes=memory_bytes,
        temperature_c=before.temperature_c + (aim_c - before.temperature_c) * nearer,
        holders=() if holder is None else (holder.job.number,),
        is_lost=is_lost,
    )
