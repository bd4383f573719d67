"""A node that lives: what its devices really draw, and what its sources show.

The truth is known: power is constant between two ticks, and every job keeps a
constant number of CPUs busy. What the sources show of it may be wrong in all the
ways that real ones are: not read at all, stuck, or restarted from 0.
"""

import json
from dataclasses import dataclass, field, replace

from exporter.core.model import (
    Device,
    Intensity,
    Reading,
    Sample,
    SourceInfo,
    SourceStatus,
)
from exporter.core.snapshot import Snapshot
from exporter.core.units import Seconds
from exporter.core.workload import GpuHold, WorkloadLabels, WorkloadUsage
from exporter.pipeline.decoding import decode
from exporter.pipeline.encoding import encode
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings, EngineState
from tests.fakes.node import (
    GREEN,
    failing,
    job_id,
    jobs,
    labels,
    node,
    reading,
    sample,
    usage,
)

_SYSTEM_CPUS = 0.5


@dataclass
class PlayedDevice:
    """A device, what it draws, and what ails its sensor.

    Attributes:
        device: what its source declares.
        power_w: what it draws, W.
        drawn_j: what it has drawn in all, J.
        readable: its source can be read.
        first_j: ``drawn_j`` at its first reading; ``None`` before.
    """

    device: Device
    power_w: float
    drawn_j: float = 1e6
    readable: bool = True
    first_j: float | None = None
    _restarted_j: float = 0.0
    _seen_j: float = 0.0
    _stuck_j: float | None = None

    @property
    def stuck(self) -> bool:
        """Its counter does not move, while its gauge does."""
        return self._stuck_j is not None

    @property
    def status(self) -> SourceStatus:
        """What its source says of itself."""
        device = self.device
        scope = device.scope
        info = SourceInfo(
            device.source, device.id.component, "counter", "measured", scope
        )
        reason = "" if self.readable else "faulty"
        return SourceStatus(info, up=self.readable, reason=reason)

    def stick(self) -> None:
        """Let the counter stand where it was last seen."""
        self._stuck_j = self._seen_j

    def unstick(self) -> None:
        """Let the counter show what it should."""
        self._stuck_j = None

    def restart_counter(self) -> None:
        """Let the counter go on from 0, as a driver does that is loaded again."""
        self._restarted_j = self.drawn_j

    def read(self, now_s: float) -> Reading:
        """Return what its sensor shows."""
        gauge_w = self.power_w if self.device.id.component == "gpu" else None
        return reading(self.device, now_s, self._shown_j, gauge_w, 0.5)

    def remember(self) -> None:
        """Know that it was read, and that somebody remembers it."""
        self._seen_j = self._shown_j
        if self.first_j is None:
            self.first_j = self.drawn_j

    @property
    def _shown_j(self) -> float:
        if self._stuck_j is not None:
            return self._stuck_j
        return self.drawn_j - self._restarted_j


@dataclass
class LivingJob:
    """A job that keeps some CPUs busy; ``labels`` are ``None`` until known.

    ``started_unix_s`` and ``limit_s`` are what its scheduler says of its time.
    """

    cpus: float
    gpus: tuple[GpuHold, ...] = ()
    labels: WorkloadLabels | None = None
    cpu_s: float = 0.0
    started_unix_s: float | None = None
    limit_s: float | None = None

    def usage(self, key: str, *, ended: bool = False) -> WorkloadUsage:
        """Return what a scheduler's source would read of it."""
        start_s, limit_s = self.started_unix_s, self.limit_s
        used = usage(
            key,
            None if ended else self.cpu_s,
            cpus=self.cpus,
            memory_bytes=2**30,
            reserved_memory_bytes=2**31,
            gpus=self.gpus,
            labels=self.labels,
        )
        return replace(
            used,
            start_unix_s=None if start_s is None else Seconds(start_s),
            time_limit_s=None if limit_s is None else Seconds(limit_s),
        )


@dataclass
class Life:
    """A node with devices and jobs, and the engine that counts what they use.

    Where ``reports_ended`` the scheduler's source names a job once more after its
    end, without a counter; else it just is not there any longer.
    """

    devices: list[PlayedDevice]
    settings: EngineSettings = field(default_factory=EngineSettings)
    now_s: float = 5000.0
    intensity: Intensity = GREEN
    pue: float = 1.25
    jobs: dict[str, LivingJob] = field(default_factory=dict)
    reports_ended: bool = False
    node_readable: bool = True
    jobs_readable: bool = True
    _busy_s: float = 7e5
    _group_s: float = 3e5
    _ended: dict[str, LivingJob] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine(self.settings)
        self._checkpoint = json.dumps(encode(self.engine.state))

    @property
    def state(self) -> EngineState:
        """The engine's memory."""
        return self.engine.state

    def start(self, key: str, cpus: float, *gpus: GpuHold) -> None:
        """Start a job whose labels are known."""
        self.jobs[key] = LivingJob(cpus, gpus, labels(key))

    def end(self, key: str) -> None:
        """End a job, if it is there."""
        job = self.jobs.pop(key, None)
        if job is not None and self.reports_ended:
            self._ended[key] = job

    def pass_s(self, seconds: float) -> None:
        """Let everything go on as it is."""
        self.now_s += seconds
        for played in self.devices:
            played.drawn_j += played.power_w * seconds
        self._busy_s += _SYSTEM_CPUS * seconds
        for job in self.jobs.values():
            job.cpu_s += job.cpus * seconds
            self._busy_s += job.cpus * seconds
            self._group_s += job.cpus * seconds

    def sample(self) -> Sample:
        """Return what the sources show now."""
        ended = {k: job for k, job in self._ended.items() if k not in self.jobs}
        running = jobs(
            *(job.usage(key) for key, job in self.jobs.items()),
            *(job.usage(key, ended=True) for key, job in ended.items()),
            group_cpu_s=self._group_s,
            members=[job_id(key) for key in (*self.jobs, *ended)],
        )
        readable = self.jobs_readable
        return sample(
            self.now_s,
            *(one.read(self.now_s) for one in self.devices if one.readable),
            node=node(self.now_s, self._busy_s, memory_bytes=2**33)
            if self.node_readable
            else None,
            workloads=(running,) if readable else (),
            intensity=self.intensity,
            pue=self.pue,
            sources=(
                *(one.status for one in self.devices),
                *(() if readable else (failing(),)),
            ),
        )

    def tick(self, seconds: float = 1.0) -> Snapshot:
        """Let time pass, and count it; what is returned has been saved."""
        self.pass_s(seconds)
        snapshot = self.engine.fold(self.sample())
        for played in self.devices:
            if played.readable:
                played.remember()
        if self.jobs_readable:
            self._ended.clear()
        self._checkpoint = json.dumps(encode(self.engine.state))
        return snapshot

    def crash_in_tick(self) -> None:
        """Count a tick that is never saved nor shown, and restart."""
        self.engine.fold(self.sample())
        self.restart()

    def restart(self) -> None:
        """Kill the daemon; another goes on from the checkpoint."""
        state = decode(json.loads(self._checkpoint))
        state.learners = self.engine.state.learners
        self.engine = Engine(self.settings, state)
