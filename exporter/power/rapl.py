"""CPU and memory energy counters from Linux powercap (Intel and AMD RAPL).

Source: kernel Documentation/power/powercap/powercap.rst. ``rapl_zones`` tells
which zones are counted, and as what.

The files stay open and are read in place, all of them or none: a node total
that lacks a zone would be wrong, not approximate. What the kernel offers is
listed again after a fault, and every 30 s, for a driver that is loaded later. A zone
that is not offered any more is no fault, since a package may go offline, but is told.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from exporter.core.errors import SourceError, SourceFaultyError
from exporter.core.model import Reading, SourceInfo
from exporter.core.units import Seconds
from exporter.power.rapl_zones import (
    LINE_BYTES,
    SOURCE,
    OpenZone,
    list_zones,
    open_zones,
    parse_unsigned,
    unreadable,
)

_log = logging.getLogger(__name__)

_INFO = SourceInfo(
    name=SOURCE, component="cpu", method="counter", quality="measured", scope="device"
)

_RESCAN_S = 30.0


class PowercapSource:
    """Reads every package, die and DRAM zone below ``sysfs``.

    It looks for zones once when it is built, without raising, so that
    ``available`` has its answer before the first tick.
    """

    def __init__(
        self, sysfs: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._powercap = sysfs / "class" / "powercap"
        self._monotonic = monotonic
        self._zones: tuple[OpenZone, ...] = ()
        self._listing: tuple[str, ...] = ()
        self._devices: tuple[str, ...] = ()
        self._failure: SourceError | None = None
        self._next_scan_s = 0.0
        self._available = False
        self._scan()

    @property
    def info(self) -> SourceInfo:
        """Counters of single devices, measured."""
        return _INFO

    @property
    def available(self) -> bool:
        """Whether this machine's CPU has a meter that this process may read.

        True for a faulty one too, and once true it stays so: a meter that fails
        is missing, and nothing may quietly take its place. Any thread may ask.
        """
        return self._available

    def read(self) -> tuple[Reading, ...]:
        """Read every zone once, or none.

        Returns:
            One counter per zone in µJ, packages first; never empty.

        Raises:
            SourceAbsentError: no such zone, as in most virtual machines.
            SourceDeniedError: the operator has to grant access.
            SourceFaultyError: a file vanished or holds no plausible count.
        """
        if not self._zones or self._monotonic() >= self._next_scan_s:
            self._refresh()
        try:
            return tuple([self._read_zone(zone) for zone in self._zones])
        except SourceError:
            self._close_zones()
            self._next_scan_s = 0.0
            raise

    def close(self) -> None:
        """Close the counters."""
        self._close_zones()

    def _read_zone(self, zone: OpenZone) -> Reading:
        try:
            line = os.pread(zone.fd, LINE_BYTES, 0)
        except OSError as error:
            raise unreadable(zone.path, error) from error
        time_s = Seconds(self._monotonic())
        energy_uj = parse_unsigned(line, zone.path)
        if energy_uj > zone.max_uj:
            msg = f"{zone.path} holds {energy_uj}, beyond its range of {zone.max_uj}"
            raise SourceFaultyError(msg)
        return Reading(zone.device, time_s, energy_uj)

    def _refresh(self) -> None:
        """Look for zones again if it is time to, and report what is known."""
        if self._monotonic() >= self._next_scan_s:
            self._scan()
        if self._failure is not None:
            # A new error each time: a raised one would gather tracebacks.
            raise type(self._failure)(str(self._failure)) from self._failure

    def _scan(self) -> None:
        self._next_scan_s = self._monotonic() + _RESCAN_S
        try:
            listing = list_zones(self._powercap)
            if self._zones and listing == self._listing:
                return
            self._close_zones()
            self._zones = open_zones(self._powercap, listing)
            self._listing = listing
            self._failure = None
            self._available = True
            self._tell_changes()
        except SourceError as error:
            self._close_zones()
            self._failure = error
            if isinstance(error, SourceFaultyError):
                self._available = True
                self._next_scan_s = 0.0

    def _tell_changes(self) -> None:
        before = self._devices
        now = self._devices = tuple(zone.device.id.name for zone in self._zones)
        gone = [name for name in before if name not in now]
        if gone:
            _log.warning(
                "the kernel offers fewer RAPL zones than before: the node's energy "
                "lacks what these draw",
                extra={"gone": ",".join(gone)},
            )
        elif before and now != before:
            new = [name for name in now if name not in before]
            _log.info("more RAPL zones are read", extra={"new": ",".join(new)})

    def _close_zones(self) -> None:
        zones, self._zones = self._zones, ()
        for zone in zones:
            os.close(zone.fd)
