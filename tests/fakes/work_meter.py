"""RAPL counters that follow the real work of this machine's CPUs.

The package draws a constant power, and so many joules more for each second that a
CPU is busy by ``/proc/stat``. So a second of CPU time costs the same at any time,
whoever else is busy, and what a process has cost follows from its CPU time alone.
DRAM draws a constant power.

They are played by a process of its own, which nothing else keeps waiting: counters
that are late show a job's energy when it has gone. As a program,
``python -m tests.fakes.work_meter DIRECTORY`` plays until its standard input ends.
"""

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.fakes.command_line import LONGEST_S, REPOSITORY
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
        self._root = root

    @property
    def sysfs(self) -> Path:
        """Where they are, while they are played."""
        return self._root / "sys"

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Let them go on, until the end of the context."""
        command = [sys.executable, "-m", "tests.fakes.work_meter", str(self._root)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                assert process.stdout.readline() == b"playing\n"
                yield
            finally:
                process.stdin.close()
                assert process.wait(LONGEST_S) == 0


def _busy_s() -> float:
    """CPU time of all CPUs since boot, s."""
    with Path("/proc/stat").open(encoding="ascii") as file:
        words = file.readline().split()
    return sum(int(words[field]) for field in _BUSY_FIELDS) / _TICKS_PER_S


def main() -> None:
    """Play until nobody is there any more."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    with closing(PlayedMachine("flat-dram", Path(sys.argv[1]))) as machine:
        machine.set_power(_PACKAGE, IDLE_W)
        before_s = _busy_s()
        sys.stdout.write("playing\n")
        sys.stdout.flush()
        while not select.select([sys.stdin], [], [], _PERIOD_S)[0]:
            busy_s = _busy_s()
            machine.spend(_PACKAGE, JOULES_PER_CPU_S * (busy_s - before_s))
            before_s = busy_s


if __name__ == "__main__":
    main()
