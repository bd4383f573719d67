"""A directory that goes when the program ends, however it ends.

The program runs in a child process. Its parent does nothing but pass signals on, wait,
and remove the directory: also after an end in the midst of things. A child whose
parent was killed ends too, but then the directory stays behind.
"""

import ctypes
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

_PREFIX = "jouled-simulate-"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of its own is made in it
_END_WITHIN_S = 1.8

# From Linux's prctl.h.
_PR_SET_PDEATHSIG = 1

_TOLD_TO_STOP = frozenset({signal.SIGTERM, signal.SIGINT})
_HEARD = _TOLD_TO_STOP | {signal.SIGHUP, signal.SIGCHLD}


class ChildEndedError(Exception):
    """Raised in the parent in place of a folder; ``code`` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the child ended with {code}")
        self.code = code


def enter() -> Path:
    """Split this process in two, and go on in the child.

    Returns:
        An empty directory, in the child alone. It is removed once the child is gone.

    Raises:
        ChildEndedError: in the parent, when that is so.
        OSError: no directory, or no process, can be made.
    """
    parent = os.getpid()
    terminal = next(filter(os.isatty, range(3)), None)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_where()))
    try:
        child = os.fork()
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if child == 0:
        # A signal to the terminal's group goes to the parent, which passes it on.
        os.setpgid(0, 0)
        _end_with(parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return folder
    try:
        code = _wait(child, terminal)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    raise ChildEndedError(code)


def _where() -> Path | None:
    """Return memory if there is any to write to: a node writes all the time."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return None
    return _MEMORY


def _end_with(parent: int) -> None:
    """Let the kernel end this process when its parent is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _wait(child: int, terminal: int | None) -> int:
    """Pass signals on until the child is gone; return its exit code.

    Args:
        child: its process id.
        terminal: descriptor of the terminal it was started from, if any.
    """
    was_told = False
    kill_at_s = float("inf")
    while True:
        left_s = min(max(0.0, kill_at_s - time.monotonic()), 3600.0)
        heard = signal.sigtimedwait(_HEARD, left_s)
        number = signal.SIGCHLD if heard is None else heard.si_signo
        if number == signal.SIGHUP and terminal is not None and not os.isatty(terminal):
            # Its terminal is closed: it would go on with nobody to end it.
            number = signal.SIGTERM
        if number in _TOLD_TO_STOP and not was_told:
            was_told = True
            kill_at_s = time.monotonic() + _END_WITHIN_S
            os.kill(child, signal.SIGTERM)
        elif number == signal.SIGHUP:
            os.kill(child, signal.SIGHUP)
        elif heard is None and time.monotonic() >= kill_at_s:
            os.kill(child, signal.SIGKILL)
            kill_at_s = float("inf")
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            # Told before it could listen, or killed because it hung: it has stopped.
            return 0 if was_told and code < 0 else abs(code)
