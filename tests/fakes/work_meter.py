"""RAPL counters that follow the real work of this machine's CPUs.

The package draws a constant power, and so many joules more for each second that a
CPU is busy by ``/proc/stat``. So a second of CPU time costs the same at any time,
whoever else is busy, and what a process has cost follows from its CPU time alone.
DRAM draws a constant power.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.machine import PlayedMachine

IDLE_W = 40.0
JOULES_PER_CPU_S = 50.0

_PACKAGE = "intel-rapl:0"
_PERIOD_S = 0.01
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# user, nice, system, irq and softirq of the first line of /proc/stat.
_BUSY_FIELDS = (1, 2, 3, 6, 7)


class WorkMeter:
    """The counters, below ``sysfs``.

    Args:
        root: an empty directory.
    """

    def __init__(self, root: Path) -> None:
        self._machine = PlayedMachine("flat-dram", root)
        self._machine.set_power(_PACKAGE, IDLE_W)
        self._busy_s = _busy_s()

    @property
    def sysfs(self) -> Path:
        """Where they are."""
        return self._machine.sysfs

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Let them go on, until the end of the context."""
        stop = threading.Event()

        def play_on() -> None:
            # Late counters show a job's energy when it has gone.
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -15)
            while not stop.wait(_PERIOD_S):
                self._play()

        thread = threading.Thread(target=play_on, name="work-meter")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self._machine.close()

    def _play(self) -> None:
        busy_s = _busy_s()
        self._machine.spend(_PACKAGE, JOULES_PER_CPU_S * (busy_s - self._busy_s))
        self._busy_s = busy_s


def _busy_s() -> float:
    """CPU time of all CPUs since boot, s."""
    with Path("/proc/stat").open(encoding="ascii") as file:
        words = file.readline().split()
    return sum(int(words[field]) for field in _BUSY_FIELDS) / _TICKS_PER_S
