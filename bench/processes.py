"""Programs that are measured: how they are started, and what they cost.

CPU time is read from the process' own CPU clock. That is the sum of utime and
stime in /proc/PID/stat, of all threads, in nanoseconds instead of ticks of
10 ms: a quiet daemon uses fewer than ten of those in a minute.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

_READY_WITHIN_S = 30.0
_ENDS_WITHIN_S = 10.0
# CPUCLOCK_SCHED of linux/posix-timers.h, what clock_getcpuclockid(3) uses.
_CPUCLOCK_SCHED = 2


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process used in a window.

    Attributes:
        seconds: length of the window, s.
        cpu_s: CPU time, user and system, s.
        rss_bytes: resident memory at the end.
    """

    seconds: float
    cpu_s: float
    rss_bytes: int

    @property
    def cpu_s_per_minute(self) -> float:
        """CPU seconds a minute."""
        return self.cpu_s / self.seconds * 60

    @property
    def rss_mib(self) -> float:
        """Resident memory, MiB."""
        return self.rss_bytes / 2**20


def cpu_seconds(pid: int) -> float:
    """CPU time of a process since it began, s."""
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def rss_bytes(pid: int) -> int:
    """Resident memory of a process."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def observe(pid: int, seconds: float) -> Cost:
    """Let a process go about its business for a while."""
    begin_s, cpu_s = time.monotonic(), cpu_seconds(pid)
    time.sleep(seconds)
    used_s = cpu_seconds(pid) - cpu_s
    return Cost(time.monotonic() - begin_s, used_s, rss_bytes(pid))


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a program; yields its process id, and stops it at the end.

    Raises:
        RuntimeError: it ended by itself; what it said is in the message.
    """
    with TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield process.pid
        finally:
            code = process.poll()
            process.terminate()
            try:
                process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if code is not None:
                output.seek(0)
                said = output.read().decode(errors="replace")
                sys.stderr.write(f"{command[0]} ended with {code}:\n{said}\n")


@contextmanager
def sleeping(count: int) -> Iterator[None]:
    """Have so many more processes on the machine that do nothing."""
    if count == 0:
        yield
        return
    script = f"i=0; while [ $i -lt {count} ]; do sleep 86400 & i=$((i+1)); done; wait"
    shell = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    try:
        _wait_for_children(shell.pid, count)
        yield
    finally:
        # The shell leads a group of its own, so only what it started ends.
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()


def _wait_for_children(pid: int, count: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    until_s = time.monotonic() + _READY_WITHIN_S
    while len(children.read_text(encoding="ascii").split()) < count:
        if time.monotonic() > until_s:
            msg = f"not even {count} processes could be started"
            raise RuntimeError(msg)
        time.sleep(0.1)
