"""GPUs that a test makes up, as NVML's side of the daemon would know them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.core.gpu_activity import GpuActivity
from exporter.core.model import GpuInfo, GpuInstance


def gpu(index: int, *, minor: int | None = None, pci: str = "") -> GpuInfo:
    """Make up a GPU; its UUID tells its index."""
    return GpuInfo(
        uuid=f"GPU-{index:08x}-1111-2222-3333-444444444444",
        index=index,
        minor=index if minor is None else minor,
        model="NVIDIA H100",
        driver="570.86.15",
        pci=pci or f"0000:{index + 1:02x}:00.0",
    )


@dataclass
class FakeInventory:
    """Implements ``core.ports.GpuInventory``."""

    infos: tuple[GpuInfo, ...] = ()
    parts: tuple[GpuInstance, ...] = ()
    pids: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    activities: dict[str, GpuActivity] = field(default_factory=dict)
    asked_about: list[str] = field(default_factory=list)

    def gpus(self) -> tuple[GpuInfo, ...]:
        """Return all GPUs."""
        return self.infos

    def instances(self) -> tuple[GpuInstance, ...]:
        """Return their instances."""
        return self.parts

    def processes(self) -> Mapping[str, tuple[int, ...]]:
        """Return processes that compute."""
        return self.pids

    def activity(self, uuid: str) -> GpuActivity | None:
        """Return what was done on a GPU, and remember that somebody asked."""
        self.asked_about.append(uuid)
        return self.activities.get(uuid)
