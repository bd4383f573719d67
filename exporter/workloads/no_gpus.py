"""A node whose GPUs nobody reads."""

from collections.abc import Mapping
from types import MappingProxyType

from exporter.core.gpu_activity import GpuActivity
from exporter.core.model import GpuInfo, GpuInstance

_NOTHING: Mapping[str, tuple[int, ...]] = MappingProxyType({})


class NoGpus:
    """Has none; implements ``core.ports.GpuInventory``."""

    def gpus(self) -> tuple[GpuInfo, ...]:
        """Return none."""
        return ()

    def instances(self) -> tuple[GpuInstance, ...]:
        """Return none."""
        return ()

    def processes(self) -> Mapping[str, tuple[int, ...]]:
        """Return none."""
        return _NOTHING

    def activity(self, uuid: str) -> GpuActivity | None:  # noqa: ARG002 - of none
        """Return nothing."""
        return None
