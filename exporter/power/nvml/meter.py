"""How the energy and power of one GPU are read: found out once, then repeated.

    nvmlDeviceGetTotalEnergyConsumption   mJ since the driver was loaded; Volta
                                          and newer, not on many virtual GPUs
    nvmlDeviceGetPowerUsage               mW; the mean of one second on Ampere
                                          and newer, except A100: momentary

Two plain calls, not one ``nvmlDeviceGetFieldValues``: filling its structures
from Python costs half as much again as both calls together.

A superchip (Grace with one or two GPUs) is another case. There the counter
covers the whole module, CPU and memory included, and every GPU of the module
reports the same: added to what the CPU draws, or to each other, it would count
joules twice. Such a GPU is known by having a power in the module scope. Its
power in the GPU scope is integrated instead; only if there is none is the
module read, and labelled so.
"""

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Protocol

from exporter.core.errors import SourceDeniedError, SourceError, SourceFaultyError
from exporter.core.model import Device, DeviceId, SourceInfo
from exporter.core.units import (
    JOULES_PER_MILLIJOULE,
    Milliwatts,
    Seconds,
    Watts,
    watts_from_milliwatts,
)
from exporter.power.nvml.library import (
    HANDLE_LOST,
    UNSUPPORTED,
    Code,
    Handle,
    code_of,
    say,
)

_log = logging.getLogger(__name__)

_FIELD_POWER_AVERAGE = 185
_SCOPE_GPU = 0
_SCOPE_MODULE = 1
_VALUE_UNSIGNED_INT = 1

# A GPU may exceed its limit for moments; half as much again is not believed.
_LIMIT_MARGIN = 1.5
_DEFAULT_MAX_POWER_W = Watts(1500.0)
_DEFAULT_MAX_MODULE_POWER_W = Watts(5000.0)
# No single device draws this; a driver that says so talks nonsense.
_ABSURD_MW = 100_000_000


class Meter:
    """Reads the energy and power of one GPU by one initialisation's handle.

    Attributes:
        device: what it declares of the GPU.
        info: what it declares of the source.
    """

    def __init__(self, nvml: ModuleType, handle: Handle, uuid: str, name: str) -> None:
        """Find out what this GPU reports.

        Raises:
            pynvml.NVMLError: it does not answer at all.
        """
        self._nvml = nvml
        self._handle = handle
        self._uuid = uuid
        self._denied = False
        self._energy: Callable[[Handle], int] | None = None
        self._power: Callable[[Handle], int] | None = nvml.nvmlDeviceGetPowerUsage
        gpu_mw, module_mw = self._power_in_scopes()
        is_superchip = module_mw is not None and module_mw > (gpu_mw or 0)
        is_module = is_superchip and gpu_mw is None
        if is_superchip:
            self._power = self._module_power if is_module else self._gpu_power
        elif not self._reports(self._power):
            self._power = None if gpu_mw is None else self._gpu_power
        if is_module or not is_superchip:
            energy = nvml.nvmlDeviceGetTotalEnergyConsumption
            self._energy = energy if self._reports(energy) else None
        has_counter = self._energy is not None
        self.device = Device(
            id=DeviceId("gpu", uuid),
            source=name,
            joules_per_count=JOULES_PER_MILLIJOULE if has_counter else None,
            counter_range=None,
            max_power_w=self._max_power_w(is_module=is_module),
            scope="module" if is_module else "device",
        )
        self.info = SourceInfo(
            name=name,
            component="gpu",
            method="counter" if has_counter else "integrated",
            quality="measured",
            scope=self.device.scope,
        )

    def read(
        self, monotonic: Callable[[], float]
    ) -> tuple[int | None, Seconds, Watts | None]:
        """Read once.

        Returns:
            Energy counter in mJ, CLOCK_MONOTONIC between the two calls in s,
            power in W. One of the two quantities may be ``None``, not both.

        Raises:
            SourceError: it reports neither, or nonsense.
            pynvml.NVMLError: neither could be read, or the handle is lost.
        """
        energy, power = self._energy, self._power
        if energy is None and power is None:
            raise self._reports_nothing()
        error: Exception | None = None
        count: int | None = None
        power_w: Watts | None = None
        if energy is not None:
            try:
                count = energy(self._handle)
            except self._nvml.NVMLError as refused:
                error = self._unless_lost(refused)
        time_s = Seconds(monotonic())
        if power is not None:
            try:
                power_mw = power(self._handle)
                if power_mw > _ABSURD_MW:
                    raise self._claims(power_mw)
                power_w = watts_from_milliwatts(Milliwatts(power_mw))
            except self._nvml.NVMLError as refused:
                error = self._unless_lost(refused)
        if count is None and power_w is None and error is not None:
            raise error
        return count, time_s, power_w

    def _reports(self, call: Callable[[Handle], int]) -> bool:
        try:
            call(self._handle)
        except self._nvml.NVMLError as error:
            if code_of(error) not in UNSUPPORTED:
                raise
            self._denied |= code_of(error) == Code.NO_PERMISSION
            return False
        return True

    def _reports_nothing(self) -> SourceError:
        if self._denied:
            return SourceDeniedError(
                f"GPU {self._uuid}: the driver denies its power and energy to this "
                "user: run jouled as root or allow it with nvidia-modprobe"
            )
        return SourceFaultyError(
            f"GPU {self._uuid} reports neither energy nor power, as many virtual "
            "GPUs do: read it on the host"
        )

    @staticmethod
    def _unless_lost(error: Exception) -> Exception:
        if code_of(error) in HANDLE_LOST:
            raise error
        return error

    def _claims(self, power_mw: int) -> SourceError:
        return SourceFaultyError(f"GPU {self._uuid} claims to draw {power_mw} mW")

    def _max_power_w(self, *, is_module: bool) -> Watts:
        # The constraints are those of the GPU, not of the module around it.
        if is_module:
            return _DEFAULT_MAX_MODULE_POWER_W
        try:
            _, max_mw = self._nvml.nvmlDeviceGetPowerManagementLimitConstraints(
                self._handle
            )
        except self._nvml.NVMLError as error:
            _log.debug(
                "GPU does not report its highest power limit: %s",
                say(error),
                extra={"gpu": self._uuid},
            )
            return _DEFAULT_MAX_POWER_W
        if not 0 < max_mw <= _ABSURD_MW:
            return _DEFAULT_MAX_POWER_W
        return Watts(watts_from_milliwatts(Milliwatts(max_mw)) * _LIMIT_MARGIN)

    # --- superchips ---------------------------------------------------------

    def _power_in_scopes(self) -> tuple[int | None, int | None]:
        """Power of the GPU alone and of its module, mW; ``None``: not reported."""
        wanted = (
            (_FIELD_POWER_AVERAGE, _SCOPE_GPU),
            (_FIELD_POWER_AVERAGE, _SCOPE_MODULE),
        )
        try:
            gpu, module = self._nvml.nvmlDeviceGetFieldValues(self._handle, wanted)
        except self._nvml.NVMLError as error:
            if code_of(error) in HANDLE_LOST:
                raise
            return None, None
        return _milliwatts(gpu), _milliwatts(module)

    def _gpu_power(self, handle: Handle) -> int:
        return self._scoped_power(handle, _SCOPE_GPU)

    def _module_power(self, handle: Handle) -> int:
        return self._scoped_power(handle, _SCOPE_MODULE)

    def _scoped_power(self, handle: Handle, scope: int) -> int:
        (field,) = self._nvml.nvmlDeviceGetFieldValues(
            handle, ((_FIELD_POWER_AVERAGE, scope),)
        )
        power_mw = _milliwatts(field)
        if power_mw is None:
            raise self._nvml.NVMLError(field.nvmlReturn or Code.NOT_SUPPORTED)
        return power_mw


class _Union(Protocol):
    uiVal: int  # noqa: N815 -- pynvml's name


class _Field(Protocol):
    nvmlReturn: int  # noqa: N815 -- pynvml's name
    valueType: int  # noqa: N815 -- pynvml's name
    value: _Union


def _milliwatts(field: _Field) -> int | None:
    # The call succeeds even when a field in it failed; what the union holds is
    # what its type says; and 0 is how some drivers say "not supported".
    if field.nvmlReturn != 0 or field.valueType != _VALUE_UNSIGNED_INT:
        return None
    return field.value.uiVal or None
