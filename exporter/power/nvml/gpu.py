"""One NVIDIA GPU: a power source that outlives the handles it reads through.

The driver attaches it to a handle and detaches it, holding its lock, and its
worker holds the same lock while it calls NVML: so no handle is used after the
library was shut down. What is found out about a GPU is found out by its own
worker, because each of these calls may hang and should delay nobody else.

In MIG mode this is the whole GPU, the parent of its instances: power and energy
exist only here, and utilisation does not exist.
"""

import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from exporter.core.errors import SourceAbsentError, SourceError, SourceFaultyError
from exporter.core.gpu_activity import GpuActivity
from exporter.core.model import GpuInfo, GpuInstance, Reading, SourceInfo
from exporter.core.units import Seconds
from exporter.power.nvml.gauges import Gauges
from exporter.power.nvml.library import HANDLE_LOST, Handle, code_of, say
from exporter.power.nvml.meter import Meter
from exporter.power.nvml.occupants import Occupants
from exporter.power.nvml.places import Place

if TYPE_CHECKING:
    from exporter.power.nvml.samples import Samples

ValueT = TypeVar("ValueT")

# How long workers and driver wait for each other: longer than initialising
# takes, well below the deadline of a tick.
PATIENCE_S = Seconds(0.5)

# It is watched for so many readings after it was asked about. One would do, were
# schedulers never late and GPUs never slow.
_WATCHED_READINGS = 3


class NvmlGpu:
    """Reads one GPU; implements ``core.ports.PowerSource``.

    Args:
        uuid: which GPU.
        monotonic: CLOCK_MONOTONIC, s.
        patience_s: how long its worker waits for the driver, s.
        gpm: what MIG instances do may be read from performance counters.

    Attributes:
        uuid: which GPU, for as long as this object lives.
        identity: what identifies it; not all of it until it was read once.
        needs_driver: its handle is of no use, or it has none: the driver should
            look for it again.
    """

    def __init__(
        self,
        uuid: str,
        monotonic: Callable[[], float] = time.monotonic,
        patience_s: Seconds = PATIENCE_S,
        *,
        gpm: bool = False,
    ) -> None:
        self.uuid = uuid
        self.identity: GpuInfo | None = None
        self.needs_driver = True
        self._name = f"nvml/{uuid}"
        self._monotonic = monotonic
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._absence: SourceError = SourceAbsentError(f"GPU {uuid}: not found yet")
        self._place: Place | None = None
        self._parts: tuple[Meter, Gauges, Occupants] | None = None
        self._unsupported: set[str] = set()
        self._gpm = gpm
        self._samples: Samples | None = None
        self._unasked_readings = _WATCHED_READINGS
        self._activity: GpuActivity | None = None
        self._was_divided = False
        self._was_away = False
        self._info = SourceInfo(self._name, "gpu", "counter", "measured", "device")

    @property
    def info(self) -> SourceInfo:
        """What it is; the method is known for certain after the first read."""
        return self._info

    @property
    def instances(self) -> tuple[GpuInstance, ...]:
        """Its MIG instances; any thread may ask."""
        parts = self._parts
        return () if parts is None else parts[2].instances

    @property
    def processes(self) -> tuple[int, ...]:
        """Processes that compute on it; any thread may ask."""
        parts = self._parts
        return () if parts is None else parts[2].processes

    def activity(self) -> GpuActivity | None:
        """What was done on it until it was read last, and watch it till then.

        Any thread may ask, each tick; see ``core.ports.GpuInventory.activity``.
        """
        self._unasked_readings = 0
        return self._activity

    def read(self) -> tuple[Reading, ...]:
        """Read energy, power and gauges once.

        Returns:
            One reading.

        Raises:
            SourceAbsentError: NVML was let go of, or the driver is gone.
            SourceDeniedError: this user may not read its power.
            SourceFaultyError: it is lost, needs a reset, or tells nonsense.
        """
        if not self._lock.acquire(timeout=self._patience_s):
            msg = (
                f"GPU {self.uuid}: NVML is being initialised again, or an earlier "
                "call still hangs in the driver"
            )
            raise SourceFaultyError(msg)
        try:
            return (self._read(),)
        except SourceError:
            # What was told of the time before is not of this one.
            self._activity = None
            raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """Do nothing: the handle belongs to the driver, which may attach again."""

    # --- for the driver -------------------------------------------------------

    def take(self, timeout_s: Seconds) -> bool:
        """Keep the worker out until ``give_back``; ``False`` if it hangs."""
        return self._lock.acquire(timeout=timeout_s)

    def give_back(self) -> None:
        """Let the worker in again."""
        self._lock.release()

    def forget_samples(self) -> None:
        """Give back what the library keeps for it; the caller has taken it."""
        samples, self._samples = self._samples, None
        self._activity = None
        if samples is not None:
            samples.close()

    def attach(self, place: Place) -> None:
        """Read through this handle from now on; the caller has taken it."""
        self._place = place
        self._parts = None
        self.needs_driver = False
        if self.identity is None:
            self.identity = GpuInfo(self.uuid, place.index, None, "", place.driver, "")

    def detach(self, why: SourceError) -> None:
        """Forget the handle; the caller has taken it.

        Args:
            why: what its reads raise until it is attached again.
        """
        self._place = None
        self._parts = None
        self._absence = why
        self.needs_driver = True
        self._was_away = True

    # --- for the worker --------------------------------------------------------

    def _read(self) -> Reading:
        place = self._place
        if place is None:
            # A new one each time: raising adds to an exception's traceback.
            raise type(self._absence)(str(self._absence))
        try:
            meter, gauges, occupants = self._parts or self._examine(place)
            count, time_s, power_w = meter.read(self._monotonic)
            if time_s >= occupants.due_s:
                occupants.refresh(time_s)
        except place.nvml.NVMLError as error:
            if code_of(error) in HANDLE_LOST:
                self.needs_driver = True
                self._was_away = True
            msg = f"GPU {self.uuid}: {say(error)}"
            raise SourceFaultyError(msg) from error
        if occupants.is_divided is not self._was_divided:
            # What it reports beside energy is other things now: find out anew.
            self._was_divided = occupants.is_divided
            gauges = Gauges(place.nvml, place.handle, gauges.info, self._unsupported)
            self._parts = (meter, gauges, occupants)
            self.forget_samples()
        was_away, self._was_away = self._was_away, False
        status = gauges.read(time_s)
        if self._unasked_readings < _WATCHED_READINGS:
            self._unasked_readings += 1
            self._activity = self._watch(place, occupants.instances)
        elif self._samples is not None:
            self.forget_samples()
        return Reading(meter.device, time_s, count, power_w, status, was_away)

    def _watch(
        self, place: Place, instances: tuple[GpuInstance, ...]
    ) -> GpuActivity | None:
        samples = self._samples
        if samples is None:
            # Few nodes have GPUs that several jobs share.
            from exporter.power.nvml.samples import Samples  # noqa: PLC0415 - above

            samples = self._samples = Samples(
                place, self.uuid, self._unsupported, gpm=self._gpm
            )
        return samples.read(instances)

    def _examine(self, place: Place) -> tuple[Meter, Gauges, Occupants]:
        nvml, handle = place.nvml, place.handle
        identity = _gpu_info(self.uuid, place)
        if identity != self.identity:
            self.identity = identity
        meter = Meter(nvml, handle, self.uuid, self._name)
        gauges = Gauges(nvml, handle, identity, self._unsupported)
        self._info = meter.info
        self._parts = (meter, gauges, Occupants(nvml, handle, self.uuid))
        return self._parts


def _gpu_info(uuid: str, place: Place) -> GpuInfo:
    nvml, handle = place.nvml, place.handle
    return GpuInfo(
        uuid=uuid,
        index=place.index,
        minor=_or_none(nvml, lambda: int(nvml.nvmlDeviceGetMinorNumber(handle))),
        model=_or_none(nvml, lambda: str(nvml.nvmlDeviceGetName(handle))) or "",
        driver=place.driver,
        pci=_or_none(nvml, lambda: _pci_address(nvml, handle)) or "",
    )


def _pci_address(nvml: ModuleType, handle: Handle) -> str:
    """Address as sysfs and lspci write it; NVML pads the domain to 8 digits."""
    pci = nvml.nvmlDeviceGetPciInfo(handle)
    return f"{pci.domain:04x}:{pci.bus:02x}:{pci.device:02x}.0"


def _or_none(nvml: ModuleType, ask: Callable[[], ValueT]) -> ValueT | None:
    try:
        return ask()
    except nvml.NVMLError:
        return None
