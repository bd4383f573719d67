"""How busy each MIG instance was: by GPM, the performance counters of Hopper and newer.

    nvmlGpmQueryDeviceSupport                       whether the GPU has them
    nvmlGpmSampleAlloc, nvmlGpmSampleFree           memory for one sample
    nvmlGpmMigSampleGet                             a sample of one GPU instance
    nvmlGpmMetricsGet                               what was between two of them

The last sample of each instance is kept, and one buffer more, into which the next one
is read. They are the library's memory: whoever makes this object has to ``close`` it
before the library is shut down.
"""

import logging
from contextlib import suppress
from types import ModuleType
from typing import Any, NewType, Protocol

from exporter.core.gpu_activity import GpuActivity
from exporter.core.model import GpuInstance
from exporter.core.units import Ratio
from exporter.power.nvml.library import UNSUPPORTED, Code, Handle, code_of, say

_log = logging.getLogger(__name__)

_Buffer = NewType("_Buffer", object)

_FULL_PERCENT = 100.0


class _Metric(Protocol):
    metricId: int  # noqa: N815 -- pynvml's name
    nvmlReturn: int  # noqa: N815 -- pynvml's name
    value: float


class InstanceSamples:
    """Reads the activity of the instances of one GPU.

    Args:
        nvml: the ``pynvml`` module, initialised.
        handle: the GPU.
        uuid: of the GPU.
        said: what was already reported as not supported; added to.
    """

    def __init__(
        self, nvml: ModuleType, handle: Handle, uuid: str, said: set[str]
    ) -> None:
        self._nvml = nvml
        self._handle = handle
        self._uuid = uuid
        self._said = said
        self._is_supported: bool | None = None
        # By the number of the GPU instance.
        self._last: dict[int, _Buffer] = {}
        self._spare: list[_Buffer] = []
        self._question: Any = None

    def read(self, instances: tuple[GpuInstance, ...]) -> GpuActivity | None:
        """Return how busy they were since the last reading; ``None`` if nobody tells.

        Args:
            instances: those that there are now. Several can be made of one GPU
                instance: then each is taken to be as busy as that.
        """
        try:
            if not self._asks():
                return None
            return self._read(instances)
        except self._nvml.NVMLError as error:
            if code_of(error) in UNSUPPORTED:
                self._give_up(say(error))
            return None

    def close(self) -> None:
        """Give the library's memory back."""
        for buffer in (*self._last.values(), *self._spare):
            with suppress(self._nvml.NVMLError):
                self._nvml.nvmlGpmSampleFree(buffer)
        self._last.clear()
        self._spare.clear()

    def _asks(self) -> bool:
        if self._is_supported is None:
            support = self._nvml.nvmlGpmQueryDeviceSupport(self._handle)
            self._is_supported = bool(support.isSupportedDevice)
            if not self._is_supported:
                self._give_up("it has no GPM")
                return False
            # Kept: it is 19 kB.
            self._question = self._nvml.c_nvmlGpmMetricsGet_t()
        return self._is_supported

    def _read(self, instances: tuple[GpuInstance, ...]) -> GpuActivity | None:
        numbers = {instance.number for instance in instances}
        for number in self._last.keys() - numbers:
            self._spare.append(self._last.pop(number))
        busy = {number: self._measure(number) for number in numbers}
        told = {
            instance.uuid: ratio
            for instance in instances
            if (ratio := busy[instance.number]) is not None
        }
        return GpuActivity(instances=told) if told else None

    def _measure(self, number: int) -> Ratio | None:
        """Take a sample of a GPU instance, and compare it with the last one."""
        nvml = self._nvml
        new = self._spare.pop() if self._spare else nvml.nvmlGpmSampleAlloc()
        try:
            nvml.nvmlGpmMigSampleGet(self._handle, number, new)
        except nvml.NVMLError as error:
            self._spare.append(new)
            if code_of(error) in UNSUPPORTED:
                raise
            # It is just being taken away, perhaps.
            return None
        last = self._last.get(number)
        self._last[number] = new
        if last is None:
            return None
        self._spare.append(last)
        return self._compare(last, new)

    def _compare(self, last: _Buffer, new: _Buffer) -> Ratio | None:
        nvml, question = self._nvml, self._question
        question.version, question.numMetrics = nvml.NVML_GPM_METRICS_GET_VERSION, 1
        question.sample1, question.sample2 = last, new
        metric: _Metric = question.metrics[0]
        metric.metricId = nvml.NVML_GPM_METRIC_SM_UTIL
        nvml.nvmlGpmMetricsGet(question)
        percent = metric.value
        # NaN is in no range.
        if metric.nvmlReturn != Code.SUCCESS or not 0 <= percent <= _FULL_PERCENT:
            return None
        return Ratio(percent / _FULL_PERCENT)

    def _give_up(self, why: str) -> None:
        self._is_supported = False
        self.close()
        if "instances" not in self._said:
            self._said.add("instances")
            _log.info(
                "GPU does not tell what its instances do; jobs are charged by the "
                "slices they hold: %s",
                why,
                extra={"gpu": self._uuid},
            )
