"""Which GPUs there are, for those who have to tell them apart."""

from collections.abc import Mapping

from exporter.core.gpu_activity import GpuActivity
from exporter.core.model import GpuInfo, GpuInstance
from exporter.power.nvml.driver import NvmlDriver


class NvmlInventory:
    """Tells what the GPUs' workers found out; implements ``core.ports.GpuInventory``.

    It calls no driver. A GPU that is lost, or that was released, is still told of:
    who holds it, holds it.
    """

    def __init__(self, driver: NvmlDriver) -> None:
        self._driver = driver
        self._gpus: tuple[GpuInfo, ...] = ()
        self._instances: tuple[GpuInstance, ...] = ()
        self._processes: Mapping[str, tuple[int, ...]] = {}

    def gpus(self) -> tuple[GpuInfo, ...]:
        """Return all GPUs that were ever found, in the order in which they came."""
        known = [gpu.identity for gpu in self._driver.known()]
        gpus = tuple(identity for identity in known if identity is not None)
        if gpus != self._gpus:
            self._gpus = gpus
        return self._gpus

    def instances(self) -> tuple[GpuInstance, ...]:
        """Return the MIG instances of those that can be read."""
        known = self._driver.known()
        instances = tuple(one for gpu in known for one in gpu.instances)
        if instances != self._instances:
            self._instances = instances
        return self._instances

    def processes(self) -> Mapping[str, tuple[int, ...]]:
        """Return processes that compute, by UUID, on those that can be read."""
        known = self._driver.known()
        processes = {gpu.uuid: gpu.processes for gpu in known if gpu.processes}
        if processes != self._processes:
            self._processes = processes
        return self._processes

    def activity(self, uuid: str) -> GpuActivity | None:
        """Return what was done on a GPU until it was read last."""
        gpu = self._driver.find(uuid)
        return None if gpu is None else gpu.activity()
