"""Hears from the Epilog of Slurm which jobs have ended.

A datagram "job-end JOB_ID" is all. logger(1) can send it, which is on every node
and fast enough for an Epilog; so the text comes with what syslog puts before it.
"""

import asyncio
import logging
import re
import socket
import time
from collections.abc import Callable

from exporter.exposition.local_socket import (
    CREDENTIALS_BYTES,
    is_trusted,
    user_of_credentials,
)

_log = logging.getLogger(__name__)

_MESSAGE = re.compile(rb"(?:.*: )?job-end (\d{1,10})[\n\0]*", re.DOTALL)
_MOST_BYTES = 512
# The rest waits for the next turn of the loop, in which requests are served too.
_MOST_AT_ONCE = 64
_MOST_JOBS = 1000


class JobEnds:
    """Remembers when it was told of the end of which job; the last 1000.

    Args:
        unix_time: the wall clock, s.
    """

    def __init__(self, unix_time: Callable[[], float] = time.time) -> None:
        self._unix_time = unix_time
        self._told_s: dict[str, float] = {}

    def note(self, job_id: str) -> None:
        """Remember that a job has just ended."""
        self._told_s.pop(job_id, None)
        self._told_s[job_id] = self._unix_time()
        if len(self._told_s) > _MOST_JOBS:
            del self._told_s[next(iter(self._told_s))]

    def told_unix_s(self, job_id: str) -> float | None:
        """When it was told, wall clock, s; ``None`` if it was not."""
        return self._told_s.get(job_id)


class JobEndInbox:
    """Reads the messages.

    Args:
        inbox: a Unix datagram socket that passes credentials on.
        ends: is told.
    """

    def __init__(self, inbox: socket.socket, ends: JobEnds) -> None:
        self._inbox = inbox
        self._ends = ends

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read from now on."""
        loop.add_reader(self._inbox, self._read)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read no more."""
        loop.remove_reader(self._inbox)

    def _read(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                data, about, _, _ = self._inbox.recvmsg(
                    _MOST_BYTES, socket.CMSG_SPACE(CREDENTIALS_BYTES)
                )
            except BlockingIOError:
                return
            except OSError as error:
                _log.warning("cannot read what hooks send: %s", error)
                return
            self._take(data, about)

    def _take(self, data: bytes, about: list[tuple[int, int, bytes]]) -> None:
        senders = [
            user_of_credentials(value)
            for level, kind, value in about
            if level == socket.SOL_SOCKET
            and kind == socket.SCM_CREDENTIALS
            and len(value) == CREDENTIALS_BYTES
        ]
        message = _MESSAGE.fullmatch(data)
        if message is not None and any(map(is_trusted, senders)):
            self._ends.note(message[1].decode("ascii"))
