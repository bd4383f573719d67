"""Samplers of played sources, and a driver whose devices come and go."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from exporter.carbon.static import FixedPue
from exporter.core.errors import SourceError
from exporter.core.model import Reading, Sample, SourceInfo
from exporter.core.ports import PowerDriver, PowerSource, WorkloadSource
from exporter.core.units import Seconds
from exporter.pipeline.sampler import Clock as Clocks
from exporter.pipeline.sampler import Sampler, Sources
from tests.fakes.node import cpu
from tests.fakes.sources import FakeIntensity, FakeNode, FakePower

# Longer than any machine sleeps; nothing waits for so long unless it is broken.
LONG_S = 60.0


def power(name: str = "rapl") -> FakePower:
    """Return a package of 100 W."""
    return FakePower(name, time.monotonic, {cpu(name): 100.0})


@dataclass
class HangingPower(FakePower):
    """Hangs in each reading until ``gate`` is opened; ``begun`` since the first."""

    gate: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    def read(self) -> tuple[Reading, ...]:
        """Read, once the gate is open."""
        self.begun.set()
        self.gate.wait(LONG_S)
        return super().read()


@dataclass
class FakeDriver:
    """A driver whose devices a test plugs in and out."""

    devices: tuple[PowerSource, ...] = ()
    failure: SourceError | None = None
    restart_needed: bool = False
    closed: bool = False
    expected: tuple[str, ...] = ()

    @property
    def info(self) -> SourceInfo:
        """A driver of GPUs."""
        return SourceInfo("driver", "gpu", "none", "none", "device")

    def read(self) -> tuple[Reading, ...]:
        """Keep the driver in order."""
        if self.failure is not None:
            raise self.failure
        return ()

    def members(self) -> tuple[PowerSource, ...]:
        """Return the devices there are."""
        return self.devices

    def expect(self, names: tuple[str, ...]) -> None:
        """Remember them."""
        self.expected = names

    def close(self) -> None:
        """Remember it."""
        self.closed = True


@contextmanager
def sampling(
    *sources: PowerSource,
    drivers: tuple[PowerDriver, ...] = (),
    workloads: tuple[WorkloadSource, ...] = (),
    node: FakeNode | None = None,
    deadline_s: float = LONG_S,
) -> Iterator[Sampler]:
    """Run a sampler, and close it whatever happens."""
    sampler = Sampler(
        Sources(
            sources,
            drivers,
            FakeNode(time.monotonic) if node is None else node,
            workloads,
            FakeIntensity(),
        ),
        interval_s=Seconds(1.0),
        deadline_s=Seconds(deadline_s),
        pue=FixedPue(1.3),
    )
    try:
        yield sampler
    finally:
        for source in sources:
            if isinstance(source, HangingPower):
                source.gate.set()
        sampler.close()


def devices(sample: Sample) -> list[str]:
    """Return the names of the devices that were read."""
    return [reading.device.id.name for reading in sample.readings]


def status(sample: Sample) -> dict[str, str]:
    """Return the reason why each source is down, "" if it is up."""
    return {one.info.name: one.reason for one in sample.sources}


def sampler_of(
    source: FakePower,
    *,
    interval_s: float = 0.001,
    monotonic: Callable[[], float] = time.monotonic,
) -> Sampler:
    """Return a sampler of one source of power."""
    return Sampler(
        Sources((source,), (), FakeNode(monotonic), (), FakeIntensity()),
        interval_s=Seconds(interval_s),
        deadline_s=Seconds(LONG_S),
        pue=FixedPue(1.0),
        clock=Clocks(monotonic, time.time),
    )
