"""The GPUs of a simulated machine, behind the functions of the ``pynvml`` module.

It takes the place of that module in ``exporter.power.nvml``. What it does not know,
it says it does not have, as a driver says that is older than the question.
"""

import time
import uuid
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

from exporter.power.nvml.library import Code
from exporter.simulation.machine import (
    GPU_LIMIT_W,
    GPU_MEMORY_BYTES,
    GpuState,
    Machine,
)

MODEL = "Simulated H100 80GB"
DRIVER = "simulated"

_MIB = 2**20


class SimulatedNvmlError(Exception):
    """What ``pynvml`` raises; ``value`` is NVML's code."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value} of a simulated driver")
        self.value = value


class _GpuIsLostError(SimulatedNvmlError):
    def __init__(self) -> None:
        super().__init__(Code.GPU_IS_LOST)


# Messages are made of the name of the class, without the first word.
_GpuIsLostError.__name__ = "NVMLError_GpuIsLost"


class SimulatedNvml(ModuleType):
    """Has the functions of ``pynvml`` that the daemon calls.

    Args:
        machine: whose GPUs these are.
        name: of the node; the GPUs' UUIDs are made of it.
        pids_of: returns the processes of a job by its number.
        monotonic: CLOCK_MONOTONIC, s.
    """

    NVMLError = SimulatedNvmlError
    nvmlMemory_v2 = 0x02000028  # noqa: N815 - as all names here, pynvml's

    def __init__(
        self,
        machine: Machine,
        name: str,
        pids_of: Callable[[int], tuple[int, ...]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("simulated_nvml")
        self._machine = machine
        self._monotonic = monotonic
        self._pids_of = pids_of
        self._uuids = [gpu_uuid(name, index) for index in range(len(machine.gpus))]

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Return a function that says it is not there."""
        if not name.startswith("nvml"):
            raise AttributeError(name)
        return _not_there

    # --- the library ----------------------------------------------------------------

    def nvmlInit(self) -> None:  # noqa: N802 - as above
        """Be there at once."""

    def nvmlShutdown(self) -> None:  # noqa: N802 - as above
        """Hold nothing."""

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802 - as above
        """Return what no driver is called."""
        return DRIVER

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 - as above
        """Count lost GPUs too."""
        return len(self._uuids)

    # --- one GPU --------------------------------------------------------------------

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802 - as above
        """Return the index itself."""
        self._gpu(index)
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802 - as above
        """Return a UUID that is the node's and the GPU's own."""
        self._gpu(handle)
        return self._uuids[handle]

    def nvmlDeviceGetIndex(self, handle: int) -> int:  # noqa: N802 - as above
        """Return its number."""
        self._gpu(handle)
        return handle

    def nvmlDeviceGetMinorNumber(self, handle: int) -> int:  # noqa: N802 - as above
        """Return the number of its device file."""
        self._gpu(handle)
        return handle

    def nvmlDeviceGetName(self, handle: int) -> str:  # noqa: N802 - as above
        """Return the model, which says what it is not."""
        self._gpu(handle)
        return MODEL

    def nvmlDeviceGetPciInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802 - as above
        """Return its address."""
        self._gpu(handle)
        return SimpleNamespace(domain=0, bus=0x10 + 0x11 * handle, device=0)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802 - as above
        """Return its power, mW."""
        return round(self._gpu(handle).power_w * 1e3)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802 - as above
        """Return its energy, mJ."""
        return int(self._gpu(handle).energy_at_j(self._monotonic()) * 1e3)

    def nvmlDeviceGetPowerManagementLimitConstraints(  # noqa: N802 - as above
        self, handle: int
    ) -> tuple[int, int]:
        """Return the least and the highest limit of its power, mW."""
        self._gpu(handle)
        return 200_000, round(GPU_LIMIT_W * 1e3)

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: int) -> int:  # noqa: N802 - as above
        """Return the limit of its power, mW."""
        self._gpu(handle)
        return round(GPU_LIMIT_W * 1e3)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> SimpleNamespace:  # noqa: N802 - as above
        """Return its utilisation, %."""
        percent = round(100 * self._gpu(handle).utilization)
        return SimpleNamespace(gpu=percent, memory=percent // 2)

    def nvmlDeviceGetMemoryInfo(  # noqa: N802 - as above
        self, handle: int, version: int | None = None
    ) -> SimpleNamespace:
        """Return its memory, bytes; the same in both versions of the call."""
        del version
        used = min(self._gpu(handle).memory_bytes // _MIB * _MIB, GPU_MEMORY_BYTES)
        return SimpleNamespace(
            total=GPU_MEMORY_BYTES, used=used, free=GPU_MEMORY_BYTES - used
        )

    def nvmlDeviceGetTemperatureV(self, handle: int, sensor: int) -> int:  # noqa: N802 - as above
        """Return its temperature, degrees Celsius."""
        del sensor
        return round(self._gpu(handle).temperature_c)

    def nvmlDeviceGetComputeRunningProcesses_v3(  # noqa: N802 - as above
        self, handle: int
    ) -> list[SimpleNamespace]:
        """Return the processes of those who hold it."""
        gpu = self._gpu(handle)
        pids = [pid for number in gpu.holders for pid in self._pids_of(number)]
        return [SimpleNamespace(pid=pid, usedGpuMemory=None) for pid in pids]

    def _gpu(self, index: int) -> GpuState:
        gpu = self._machine.gpus[index]
        if gpu.is_lost:
            raise _GpuIsLostError
        return gpu


def gpu_uuid(name: str, index: int) -> str:
    """Return the UUID of a GPU of a node, always the same."""
    return f"GPU-{uuid.uuid5(uuid.NAMESPACE_OID, f'jouled/{name}/{index}')}"


def _not_there(*_: object, **__: object) -> object:
    raise SimulatedNvmlError(Code.FUNCTION_NOT_FOUND)
