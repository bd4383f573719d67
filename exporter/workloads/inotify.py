"""What is made in directories and removed from them, told by inotify(7).

The kernel tells it for cgroups as for any other directory, because it is a
process that makes and removes those. Python's standard library has no such call,
so this is the C library's, by ctypes.
"""

import contextlib
import ctypes
import os
import struct
from pathlib import Path
from typing import NamedTuple

_CREATE = 0x0000_0100
_DELETE = 0x0000_0200
_MOVED_TO = 0x0000_0080
_OVERFLOWED = 0x0000_4000
_IGNORED = 0x0000_8000
_ONLY_DIRECTORIES = 0x0100_0000

_HEADER = struct.Struct("iIII")
# Room for a few hundred events; what does not fit is read next.
_READ_BYTES = 64 * 1024


class Event(NamedTuple):
    """Something that happened in a watched directory.

    Attributes:
        watch: what ``watch`` returned for that directory; -1 if events were lost.
        name: of the entry in it.
        is_there: it was made or moved there, rather than removed.
        is_over: the directory itself is gone, and with it the watch.
    """

    watch: int
    name: str
    is_there: bool
    is_over: bool

    @property
    def is_loss(self) -> bool:
        """There were more events than the kernel keeps: look at everything."""
        return self.watch == -1


class Inotify:
    """One inotify instance.

    Raises:
        OSError: the kernel has none, or this user has too many.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._checked(
            self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        )

    def fileno(self) -> int:
        """File descriptor that is readable when there are events."""
        return self._fd

    def watch(self, directory: Path) -> int:
        """Watch a directory, and return a number for it.

        To watch it again changes nothing and returns the same number.

        Raises:
            FileNotFoundError: it is gone already.
            OSError: this user may not read it, or watches too many.
        """
        mask = _CREATE | _DELETE | _MOVED_TO | _ONLY_DIRECTORIES
        path = os.fsencode(directory)
        return self._checked(self._libc.inotify_add_watch(self._fd, path, mask))

    def read(self) -> list[Event]:
        """Return what happened since the last time; never waits."""
        events: list[Event] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                data = os.read(self._fd, _READ_BYTES)
                events += _parse(data)
                if len(data) < _READ_BYTES // 2:
                    break
        return events

    def close(self) -> None:
        """End all watches."""
        os.close(self._fd)

    @staticmethod
    def _checked(result: int) -> int:
        if result == -1:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result


def _parse(data: bytes) -> list[Event]:
    events = []
    offset = 0
    while offset < len(data):
        watch, mask, _, length = _HEADER.unpack_from(data, offset)
        begin = offset + _HEADER.size
        offset = begin + length
        name = os.fsdecode(data[begin:offset].rstrip(b"\0"))
        lost = mask & _OVERFLOWED
        events.append(
            Event(
                watch=-1 if lost else watch,
                name=name,
                is_there=bool(mask & (_CREATE | _MOVED_TO)),
                is_over=bool(mask & _IGNORED),
            )
        )
    return events
