"""Tells the service manager how the daemon is, as sd_notify(3) does.

Source: sd_notify(3). Messages are datagrams of ``NAME=VALUE`` lines to the Unix
socket that ``NOTIFY_SOCKET`` names; "@" in front stands for the abstract namespace.

The watchdog is fed by the ticks themselves: no timer wakes up for it, and a daemon
whose ticks hang is restarted although its other threads are well.
"""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping

_log = logging.getLogger(__name__)

# A tick may be late; one that is later than this is not coming.
_INTERVALS_PER_WATCHDOG = 3
_MICROSECONDS = 1_000_000


class ServiceManager:
    """Whoever started the daemon; without one, nothing happens.

    Args:
        environ: for ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID``.
        interval_s: time between two ticks, s.
        monotonic: CLOCK_MONOTONIC, s.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        interval_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None
        if self._address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            # A manager that does not listen must not hold up a tick.
            self._socket.setblocking(False)  # noqa: FBT003 - its only argument
        self._watchdog_s = _watchdog_s(environ)
        self._needs_s = _INTERVALS_PER_WATCHDOG * interval_s
        self._fed_s = 0.0
        self._is_ready = False
        self._has_complained = False

    def on_tick(self) -> None:
        """Say that a tick was published; one thread calls this."""
        if self._socket is None:
            return
        if not self._is_ready:
            self._is_ready = True
            self._send(*self._longer_watchdog(), "READY=1")
        if self._watchdog_s is None:
            return
        now_s = self._monotonic()
        if now_s - self._fed_s >= self._watchdog_s / 2:
            self._fed_s = now_s
            self._send("WATCHDOG=1")

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """Say that the configuration is being read again, and that it is done."""
        # Before the first tick it is still starting, which says enough.
        if self._is_ready:
            now_us = int(self._monotonic() * _MICROSECONDS)
            self._send("RELOADING=1", f"MONOTONIC_USEC={now_us}")
        try:
            yield
        finally:
            if self._is_ready:
                self._send("READY=1")

    def on_stop(self) -> None:
        """Say that the daemon ends."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _longer_watchdog(self) -> tuple[str, ...]:
        """Ask for more patience where ticks are rarer than the watchdog expects."""
        if self._watchdog_s is None or self._watchdog_s >= self._needs_s:
            return ()
        self._watchdog_s = self._needs_s
        return (f"WATCHDOG_USEC={int(self._needs_s * _MICROSECONDS)}",)

    def _send(self, *lines: str) -> None:
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode("ascii"), self._address)
        except OSError as error:
            if not self._has_complained:
                self._has_complained = True
                _log.warning("cannot notify the service manager: %s", error)


def _address(text: str) -> str | None:
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Return the watchdog's patience, s, if it watches this process."""
    text = environ.get("WATCHDOG_USEC", "")
    if not (text.isascii() and text.isdecimal()) or int(text) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(text) / _MICROSECONDS
