"""How a GPU is divided, and which processes compute on it.

    nvmlDeviceGetMigMode, GetMaxMigDeviceCount,
    GetMigDeviceHandleByIndex, GetAttributes        MIG instances and their slices
    nvmlDeviceGetComputeRunningProcesses_v3         process ids

Neither decides whether a GPU could be read, and both are asked rarely: the first
changes only when an operator divides a GPU anew, the second is a cross-check.

Instances can be made and destroyed while others compute. An answer that fails leaves
what is known as it is: who holds an instance holds it.
"""

import logging
from types import ModuleType

from exporter.core.model import GpuInstance
from exporter.core.units import Ratio, Seconds
from exporter.power.nvml.library import UNSUPPORTED, Code, Handle, code_of, say

_log = logging.getLogger(__name__)

_EVERY_S = Seconds(10.0)
_MOST_PROCESSES = 1024
_NOT_IN_USE = frozenset({Code.NOT_FOUND, Code.INVALID_ARGUMENT})


class Occupants:
    """Asks by one initialisation's handle, and keeps the answers.

    Args:
        nvml: the ``pynvml`` module, initialised.
        handle: the GPU.
        uuid: of the GPU.

    Attributes:
        instances: the MIG instances; empty if the GPU is not divided.
        processes: ids of processes that compute.
        is_divided: it is in MIG mode, with or without instances.
        due_s: when there is something to ask again, monotonic, s.
    """

    def __init__(self, nvml: ModuleType, handle: Handle, uuid: str) -> None:
        self.instances: tuple[GpuInstance, ...] = ()
        self.processes: tuple[int, ...] = ()
        self.is_divided = False
        self._nvml = nvml
        self._handle = handle
        self._uuid = uuid
        self.due_s = Seconds(0.0)

    def refresh(self, now_s: Seconds) -> None:
        """Ask again."""
        self.due_s = Seconds(now_s + _EVERY_S)
        instances = self._ask_instances()
        if instances != self.instances:
            self.instances = instances
        self.processes = self._ask_processes()

    def _ask_processes(self) -> tuple[int, ...]:
        try:
            running = self._nvml.nvmlDeviceGetComputeRunningProcesses_v3(self._handle)
        except self._nvml.NVMLError as error:
            self._note(error)
            return ()
        return tuple(sorted(process.pid for process in running[:_MOST_PROCESSES]))

    def _ask_instances(self) -> tuple[GpuInstance, ...]:
        nvml = self._nvml
        try:
            mode, _ = nvml.nvmlDeviceGetMigMode(self._handle)
            self.is_divided = bool(mode)
            # The most instances there can be are the slices there are to compute.
            slices = nvml.nvmlDeviceGetMaxMigDeviceCount(self._handle) if mode else 0
        except nvml.NVMLError as error:
            self._note(error)
            return () if code_of(error) in UNSUPPORTED else self.instances
        found: list[tuple[str, int, int, int]] = []
        for position in range(slices):
            try:
                found.append(self._ask_instance(position))
            except nvml.NVMLError as error:
                code = code_of(error)
                # Most positions are not in use; one may be cleared meanwhile.
                if code in _NOT_IN_USE:
                    continue
                self._note(error)
                return () if code in UNSUPPORTED else self.instances
        return tuple(_instance(self._uuid, each, found, slices) for each in found)

    def _ask_instance(self, position: int) -> tuple[str, int, int, int]:
        """UUID, id of the GPU instance, its slices, slices of the compute instance."""
        nvml = self._nvml
        mig = nvml.nvmlDeviceGetMigDeviceHandleByIndex(self._handle, position)
        attributes = nvml.nvmlDeviceGetAttributes_v2(mig)
        return (
            str(nvml.nvmlDeviceGetUUID(mig)),
            int(nvml.nvmlDeviceGetGpuInstanceId(mig)),
            # There is none without a slice, and whoever held it would hold nothing.
            max(1, int(attributes.gpuInstanceSliceCount)),
            max(1, int(attributes.computeInstanceSliceCount)),
        )

    def _note(self, error: Exception) -> None:
        _log.debug("GPU does not tell: %s", say(error), extra={"gpu": self._uuid})


def _instance(
    parent: str,
    one: tuple[str, int, int, int],
    all_of_them: list[tuple[str, int, int, int]],
    slices: int,
) -> GpuInstance:
    """Work out the part of the GPU that one MIG device is.

    Several can be made of one GPU instance: they divide its slices.
    """
    uuid, number, gpu_slices, compute_slices = one
    beside = sum(each[3] for each in all_of_them if each[1] == number)
    share = min(1.0, gpu_slices / slices * (compute_slices / beside))
    return GpuInstance(uuid, parent, number, Ratio(share))
