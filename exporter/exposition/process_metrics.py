"""What every scrape has of the program itself: ``process_*``.

Names and meaning are those of prometheus_client's ``ProcessCollector``, which reads
more of /proc than a scrape should cost.
"""

import os
import resource
import time

from exporter.exposition.family import Family, single
from exporter.exposition.metric import counter, gauge

VIRTUAL_MEMORY = gauge(
    "process_virtual_memory_bytes", (), "Virtual memory size in bytes."
)
RESIDENT_MEMORY = gauge(
    "process_resident_memory_bytes", (), "Resident memory size in bytes."
)
START_TIME = gauge(
    "process_start_time_seconds",
    (),
    "Start time of the process since unix epoch in seconds.",
)
CPU_TIME = counter(
    "process_cpu_seconds_total", (), "Total user and system CPU time spent in seconds."
)
OPEN_FILES = gauge("process_open_fds", (), "Number of open file descriptors.")
MOST_FILES = gauge("process_max_fds", (), "Maximum number of open file descriptors.")

_FILE_BYTES = 1024
# What comes 20th after the name of the process, proc_pid_stat(5).
_START_TICKS = 19
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ProcessMetrics:
    """CPU, memory and open files of this process."""

    def __init__(self) -> None:
        self._start_unix_s = _start_unix_s()

    def families(self) -> list[Family]:
        """Read them now; what /proc does not tell is missing."""
        virtual_bytes, resident_bytes = _memory_bytes()
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return [
            single(VIRTUAL_MEMORY, virtual_bytes),
            single(RESIDENT_MEMORY, resident_bytes),
            single(START_TIME, self._start_unix_s),
            single(CPU_TIME, time.process_time()),
            single(OPEN_FILES, _open_files()),
            single(MOST_FILES, float("inf") if most < 0 else most),
        ]


def _start_unix_s() -> float | None:
    text = _read("stat")
    if text is None:
        return None
    boot_unix_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    # The name is in brackets and may hold any.
    started = text.rpartition(b")")[2].split()[_START_TICKS]
    return boot_unix_s + int(started) / _TICKS_PER_S


def _memory_bytes() -> tuple[int | None, int | None]:
    """Virtual and resident memory."""
    text = _read("statm")
    if text is None:
        return None, None
    virtual, resident = text.split()[:2]
    return int(virtual) * _PAGE_BYTES, int(resident) * _PAGE_BYTES


def _open_files() -> int | None:
    try:
        # The kernel counts them from 6.2 on, for a fraction of what listing them costs.
        if counted := os.stat("/proc/self/fd").st_size:  # noqa: PTH116 - no path object
            return counted
        # One of them is the listing's own.
        return len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 - names, not a path for each
    except OSError:
        return None


def _read(name: str) -> bytes | None:
    """Read a file of this process, whatever tree the node is read from."""
    try:
        file = os.open(f"/proc/self/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(file, _FILE_BYTES)
    finally:
        os.close(file)
