"""How busy the whole node is, from /proc/stat, and /proc/meminfo by psutil.

Busy is all CPU time but idle, waiting for a disk, and stolen (the hypervisor
gave that time to another machine). Guests are in ``user`` already. Memory in use
is what is not available, so that the page cache does not count.

Reading memory costs three times as much as reading CPU time, and it changes
slowly: it is read every few seconds only. CPU time is read in every tick, and only
the first line of /proc/stat is wanted: psutil's own way costs twice as much.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from exporter.core.errors import SourceFaultyError
from exporter.core.model import SourceInfo
from exporter.core.units import Bytes, Seconds
from exporter.core.workload import NodeUsage

_INFO = SourceInfo(
    name="node", component="node", method="none", quality="none", scope="node"
)

# CPUs come and go rarely, and counting them reads a line for each.
_CPUS_FOR_S = 60.0

# Less than a whole number of ticks, so that it is every fifth one.
_MEMORY_FOR_S = 4.5

# user, nice, system, idle, iowait, irq and softirq; more came with later kernels.
_LEAST_TIMES = 7
_BUSY = (0, 1, 2, 5, 6)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_LINE_BYTES = 512

# What psutil lets through when a file is missing, short or not what it should be.
_PSUTIL_ERRORS = (OSError, ValueError, LookupError, TypeError)


class BusyTime:
    """CPU time below ``procfs``; the file stays open from the first reading on."""

    def __init__(self, procfs: Path) -> None:
        self._path = f"{procfs}/stat"
        self._file = -1

    def read(self) -> Seconds:
        """CPU time of all CPUs not idle since boot, s, cumulative.

        Raises:
            SourceFaultyError: {procfs}/stat cannot be read, or holds no such times.
        """
        line = self._first_line()
        words = line.split()
        times = words[1:]
        if (
            len(times) < _LEAST_TIMES
            or words[0] != b"cpu"
            or not all(map(bytes.isdigit, times))
        ):
            msg = f"{self._path} begins with {line[:80]!r}, which are no times"
            raise SourceFaultyError(msg)
        return Seconds(sum([int(times[each]) for each in _BUSY]) / _TICKS_PER_S)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _first_line(self) -> bytes:
        """Return it, or what fits into a line."""
        try:
            if self._file < 0:
                self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._file, _LINE_BYTES, 0).partition(b"\n")[0]
        except OSError as error:
            self.close()
            msg = f"{self._path}: {error!r}"
            raise SourceFaultyError(msg) from error


class PsutilNodeUsage:
    """Reads the node below ``procfs``."""

    def __init__(
        self, procfs: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._procfs = procfs
        self._monotonic = monotonic
        self._busy = BusyTime(procfs)
        self._cpus = 0
        self._count_cpus_at_s = 0.0
        self._memory = (Bytes(0), Bytes(0))
        self._read_memory_at_s = 0.0

    @property
    def info(self) -> SourceInfo:
        """Usage of the node; it measures no energy."""
        return _INFO

    def read(self) -> NodeUsage:
        """Read once.

        Raises:
            SourceFaultyError: a file is missing or holds nonsense.
        """
        busy_s = self._busy.read()
        time_s = Seconds(self._monotonic())
        if time_s >= self._count_cpus_at_s or time_s >= self._read_memory_at_s:
            # psutil has one root for all its functions, which suits a daemon that has
            # one too; set at each read, so that it does not matter who was built last.
            psutil.PROCFS_PATH = str(self._procfs)
        if time_s >= self._count_cpus_at_s:
            self._cpus = _count_cpus(self._procfs)
            self._count_cpus_at_s = time_s + _CPUS_FOR_S
        if time_s >= self._read_memory_at_s:
            self._memory = _memory(self._procfs)
            self._read_memory_at_s = time_s + _MEMORY_FOR_S
        used, total = self._memory
        return NodeUsage(time_s, busy_s, self._cpus, used, total)

    def close(self) -> None:
        """Close what is open."""
        self._busy.close()


def _count_cpus(procfs: Path) -> int:
    """Count the CPUs that are online, in the tree and not on this machine."""
    try:
        cpus = len(psutil.cpu_times(percpu=True))
    except _PSUTIL_ERRORS as error:
        msg = f"{procfs}/stat: {error!r}"
        raise SourceFaultyError(msg) from error
    if cpus == 0:
        msg = f"{procfs}/stat lists no CPU"
        raise SourceFaultyError(msg)
    return cpus


def _memory(procfs: Path) -> tuple[Bytes, Bytes]:
    """Memory in use and in all, bytes."""
    try:
        memory = psutil.virtual_memory()
    except _PSUTIL_ERRORS as error:
        msg = f"{procfs}/meminfo: {error!r}"
        raise SourceFaultyError(msg) from error
    total, available = memory.total, memory.available
    if not 0 <= available <= total or total == 0:
        msg = f"{procfs}/meminfo holds {available} of {total} bytes available"
        raise SourceFaultyError(msg)
    return Bytes(total - available), Bytes(total)
