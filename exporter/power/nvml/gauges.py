"""What a GPU shows besides energy: load, memory, temperature, power limit.

None of these decides whether a GPU could be read: one that fails is ``None``
until it is asked again, and energy goes on.
"""

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Generic, TypeVar

from exporter.core.model import GpuInfo, GpuStatus
from exporter.core.units import (
    Bytes,
    Milliwatts,
    Ratio,
    Seconds,
    Watts,
    watts_from_milliwatts,
)
from exporter.power.nvml.library import UNSUPPORTED, Handle, code_of

_log = logging.getLogger(__name__)
ValueT = TypeVar("ValueT")

# Memory in use and in all, temperature in degrees Celsius, power limit.
_Slow = tuple[Bytes | None, Bytes | None, float | None, Watts | None]

_EVERY_TIME_S = Seconds(0.0)
# A little less than five ticks of a second, so that jitter does not make six.
_SLOW_S = Seconds(4.5)
_RARE_S = Seconds(60.0)

_SENSOR_GPU = 0
_FULL_PERCENT = 100
_COLDEST_C, _HOTTEST_C = -50, 200


class _Gauge(Generic[ValueT]):
    """One quantity, asked no more often than it is worth.

    There may be several ways to ask, newest first; a way that this driver or
    GPU does not know is not tried again.
    """

    __slots__ = ("_error", "_period_s", "_unknown", "_value", "_ways", "due_s")

    def __init__(
        self,
        error: type[Exception],
        period_s: Seconds,
        ways: tuple[Callable[[], ValueT | None], ...],
        unknown: Callable[[], None],
    ) -> None:
        self._error = error
        self._period_s = period_s
        self._ways = ways
        self._unknown = unknown
        self.due_s = Seconds(0.0)
        self._value: ValueT | None = None

    def read(self, now_s: Seconds) -> ValueT | None:
        if now_s >= self.due_s:
            self.due_s = Seconds(now_s + self._period_s)
            self._value = self._ask() if self._ways else None
        return self._value

    def _ask(self) -> ValueT | None:
        while self._ways:
            try:
                return self._ways[0]()
            except self._error as error:
                if code_of(error) not in UNSUPPORTED:
                    return None
                self._ways = self._ways[1:]
        self._unknown()
        return None


class Gauges:
    """The gauges of one GPU by one initialisation's handle.

    Args:
        nvml: the ``pynvml`` module, initialised.
        handle: the GPU.
        info: what identifies it.
        said: quantities already reported as not supported; added to, so that
            it is said once and not after every new initialisation.

    Attributes:
        info: as given.
    """

    def __init__(
        self, nvml: ModuleType, handle: Handle, info: GpuInfo, said: set[str]
    ) -> None:
        self._nvml = nvml
        self._handle = handle
        self.info = info
        self._said = said
        self._utilization: _Gauge[Ratio] = self._gauge(
            "utilization", _EVERY_TIME_S, self._ask_utilization
        )
        self._memory: _Gauge[tuple[Bytes, Bytes]] = self._gauge(
            "memory", _SLOW_S, self._ask_memory_v2, self._ask_memory
        )
        self._temperature: _Gauge[float] = self._gauge(
            "temperature",
            _SLOW_S,
            *(
                self._temperature_by(name)
                for name in ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature")
                # Old bindings lack the first, future ones will lack the second.
                if hasattr(nvml, name)
            ),
        )
        self._limit: _Gauge[Watts] = self._gauge(
            "power_limit", _RARE_S, self._ask_limit
        )
        self._slow: _Slow = (None, None, None, None)
        self._slow_due_s = Seconds(0.0)

    def read(self, now_s: Seconds) -> GpuStatus:
        """Return the gauges; those that change slowly may be seconds old."""
        if now_s >= self._slow_due_s:
            self._read_slow(now_s)
        return GpuStatus(self.info, self._utilization.read(now_s), *self._slow)

    def _read_slow(self, now_s: Seconds) -> None:
        used, total = self._memory.read(now_s) or (None, None)
        self._slow = (
            used,
            total,
            self._temperature.read(now_s),
            self._limit.read(now_s),
        )
        self._slow_due_s = min(
            self._memory.due_s, self._temperature.due_s, self._limit.due_s
        )

    def _gauge(
        self, label: str, period_s: Seconds, *ways: Callable[[], ValueT | None]
    ) -> _Gauge[ValueT]:
        def say_once() -> None:
            if label not in self._said:
                self._said.add(label)
                _log.info(
                    "GPU does not report its %s", label, extra={"gpu": self.info.uuid}
                )

        return _Gauge(self._nvml.NVMLError, period_s, ways, say_once)

    def _ask_utilization(self) -> Ratio | None:
        percent = self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu
        # Some drivers return garbage above 100; that is no measurement, and
        # to cut it to 100 % would be to invent one.
        return Ratio(percent / 100) if percent <= _FULL_PERCENT else None

    def _ask_memory_v2(self) -> tuple[Bytes, Bytes] | None:
        # As nvidia-smi does: the first version counts what the driver keeps
        # for itself as used.
        memory = self._nvml.nvmlDeviceGetMemoryInfo(
            self._handle, version=self._nvml.nvmlMemory_v2
        )
        return _used_and_total(memory.used, memory.total)

    def _ask_memory(self) -> tuple[Bytes, Bytes] | None:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(self._handle)
        return _used_and_total(memory.used, memory.total)

    def _temperature_by(self, name: str) -> Callable[[], float | None]:
        call: Callable[[Handle, int], int] = getattr(self._nvml, name)

        def ask() -> float | None:
            celsius = call(self._handle, _SENSOR_GPU)
            return float(celsius) if _COLDEST_C < celsius < _HOTTEST_C else None

        return ask

    def _ask_limit(self) -> Watts | None:
        limit_mw = self._nvml.nvmlDeviceGetEnforcedPowerLimit(self._handle)
        return watts_from_milliwatts(Milliwatts(limit_mw)) if limit_mw else None


def _used_and_total(used: int, total: int) -> tuple[Bytes, Bytes] | None:
    return (Bytes(used), Bytes(total)) if 0 < total >= used else None
