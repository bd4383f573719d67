"""What the daemon asks of the world; the edges implement these by shape.

A source is read by one worker thread, once a tick, with a deadline. It keeps
its files open, takes the time of each reading itself, and says what happened by
raising one of ``exporter.core.errors``: the sampler turns that into a status.
"""

from collections.abc import Mapping
from typing import Protocol, TypeVar, runtime_checkable

from exporter.core.forecast import Forecast, PuePlan
from exporter.core.gpu_activity import GpuActivity
from exporter.core.model import GpuInfo, GpuInstance, Intensity, Reading, SourceInfo
from exporter.core.units import Seconds
from exporter.core.workload import NodeUsage, WorkloadsReading

ReadT_co = TypeVar("ReadT_co", covariant=True)


class Source(Protocol[ReadT_co]):
    """Anything read once a tick."""

    @property
    def info(self) -> SourceInfo:
        """What it is; ``name`` does not change, the rest may."""

    def read(self) -> ReadT_co:
        """Read once.

        Raises:
            SourceError: there is no reading; the class says what to do.
        """

    def close(self) -> None:
        """Let go of files and handles; never raises."""


@runtime_checkable
class DoubtfulSource(Protocol):
    """A source that can be read, and yet has reason to doubt what it reads."""

    @property
    def doubt(self) -> str:
        """What an operator should look at, with the remedy; "" if nothing."""

    @property
    def doubts(self) -> tuple[tuple[str, int], ...]:
        """How often there was reason to, since it was built, by kind of reason."""


class PowerSource(Source[tuple[Reading, ...]], Protocol):
    """Reads the energy or power of one or more devices, all or none."""


class PowerDriver(PowerSource, Protocol):
    """A source that finds and loses devices, each read by a worker of its own.

    Its own ``read`` keeps the driver in order and returns no reading. Its members are
    called after it: its name, a slash, and that of the device.
    """

    @property
    def restart_needed(self) -> bool:
        """Only a new process can read this driver again."""

    def members(self) -> tuple[PowerSource, ...]:
        """The devices there are now; the same tuple until that changes."""

    def expect(self, names: tuple[str, ...]) -> None:
        """Know devices that were read before this process began.

        One of them that is not found is one that was lost. Called before the first
        ``read``, if at all.
        """


class NodeUsageSource(Source[NodeUsage], Protocol):
    """Reads how busy the node is."""


class WorkloadSource(Source[WorkloadsReading], Protocol):
    """Reads who is running under one scheduler."""


class GpuInventory(Protocol):
    """Knows which GPUs there are; answers at once, with what was read last.

    Any thread may ask. As long as nothing changes, the same objects are returned.
    """

    def gpus(self) -> tuple[GpuInfo, ...]:
        """All GPUs that were ever found, in the order of the driver."""

    def instances(self) -> tuple[GpuInstance, ...]:
        """The instances of those that are in MIG mode."""

    def processes(self) -> Mapping[str, tuple[int, ...]]:
        """Processes that compute, by ``GpuInfo.uuid``; seconds old, maybe empty."""

    def activity(self, uuid: str) -> GpuActivity | None:
        """What was done on a GPU that several share, until it was read last.

        Only a GPU that is asked about each tick is watched, since it takes time: the
        first answers are ``None``, as they are where nothing tells. Each reading
        gives another object.
        """


class IntensitySource(Protocol):
    """Knows the carbon intensity in force; answers at once, never fails."""

    def current(self, unix_s: Seconds) -> Intensity:
        """Carbon intensity in force at a moment of the wall clock."""

    def forecast(self, unix_s: Seconds) -> Forecast:
        """What is expected from a moment on; maybe nothing.

        As long as nothing changes, the same object is returned.
        """


class PueSource(Protocol):
    """Knows the power usage effectiveness; answers at once, never fails."""

    def current(self, unix_s: Seconds) -> float:
        """PUE in force at a moment of the wall clock, >= 1."""

    def plan(self, unix_s: Seconds) -> PuePlan:
        """What will be in force from a moment on; empty if it never changes.

        As long as nothing changes, the same object is returned.
        """
