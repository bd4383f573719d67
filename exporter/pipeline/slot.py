"""One of the two files of a checkpoint: kept open, and written in place.

A first line tells what a whole file has to look like, the content follows::

    jouled checkpoint 3 crc32 c0a1f00d save 0000000000004711 bytes 0000031415

The checksum is of everything behind it, as far as ``bytes`` says. So a write that
was cut short is noticed, and what a longer content has left behind does no harm.
"""

import errno
import os
import re
import zlib
from pathlib import Path
from typing import NamedTuple

_MAX_BYTES = 64 * 2**20
_BEGIN = b"jouled checkpoint 3 crc32 "
_HEAD = re.compile(
    re.escape(_BEGIN) + rb"([0-9a-f]{8}) (save ([0-9]{16}) bytes ([0-9]{10})\n)"
)
_HEAD_BYTES = len(_BEGIN) + len("c0a1f00d save 0000000000004711 bytes 0000031415\n")
_COMMON_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class TornError(ValueError):
    """The bytes are not those of one whole save; the file before it may be."""


class Saved(NamedTuple):
    """What one file holds.

    Attributes:
        serial: grows by one with each save.
        content: what was saved.
    """

    serial: int
    content: bytes


class Slot:
    """One file, open from its first ``write`` until ``close``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # As text: a path object is made text anew for each system call.
        self._name = str(path)
        self._file: int | None = None
        self._identity = (0, 0)

    def write(self, saved: Saved) -> None:
        """Write in place.

        Raises:
            OSError: the file may be torn now; the next ``write`` opens it anew.
        """
        # The line break ends what a longer content leaves behind it.
        length = len(saved.content) + 1
        told = b"save %016d bytes %010d\n" % (saved.serial, length)
        checksum = zlib.crc32(b"\n", zlib.crc32(saved.content, zlib.crc32(told)))
        data = b"%b%08x %b%b\n" % (_BEGIN, checksum, told, saved.content)
        try:
            if self._file is None:
                self._file = self._open()
            _write_all(self._file, data)
        except OSError:
            self.close()
            raise

    def read(self) -> Saved:
        """Return what was written last.

        Raises:
            FileNotFoundError: there is no such file.
            OSError: it cannot be read.
            TornError: a write was cut short, or the file was damaged later.
            ValueError: it is something else.
        """
        file = os.open(self._name, os.O_RDONLY | os.O_NONBLOCK | _COMMON_FLAGS)
        try:
            return _read_whole(file)
        finally:
            os.close(file)

    def is_lost(self) -> bool:
        """Tell whether the open file is no longer what its name stands for."""
        if self._file is None:
            return False
        try:
            named = os.stat(self._name, follow_symlinks=False)  # noqa: PTH116 - see above
        except OSError:
            return True
        return (named.st_dev, named.st_ino) != self._identity

    def set_aside(self) -> Path:
        """Give the file another name, which is returned.

        Raises:
            OSError: it keeps its name.
        """
        return self.path.replace(self.path.with_name(f"{self.path.name}.unusable"))

    def close(self) -> None:
        """Close the file, if it is open."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _open(self) -> int:
        file = os.open(self._name, os.O_RDWR | os.O_CREAT | _COMMON_FLAGS, 0o600)
        try:
            # Somebody may have put the file there with other rights.
            os.fchmod(file, 0o600)
            status = os.fstat(file)
        except OSError:
            os.close(file)
            raise
        self._identity = (status.st_dev, status.st_ino)
        return file


def _write_all(file: int, data: bytes) -> None:
    written = os.pwrite(file, data, 0)
    while written < len(data):
        more = os.pwrite(file, memoryview(data)[written:], written)
        if not more:
            raise OSError(errno.EIO, f"only {written} bytes were written")
        written += more


def _read_whole(file: int) -> Saved:
    head = os.pread(file, _HEAD_BYTES, 0)
    if not (head.startswith(_BEGIN) or _BEGIN.startswith(head)):
        msg = f"does not begin with {_BEGIN.decode()!r}"
        raise ValueError(msg)
    match = _HEAD.fullmatch(head)
    if match is None:
        msg = "the first line is not whole"
        raise TornError(msg)
    checksum, told, serial, length = match.groups()
    if int(length) > _MAX_BYTES:
        msg = f"larger than {_MAX_BYTES} bytes"
        raise TornError(msg)
    content = os.pread(file, int(length), _HEAD_BYTES)
    if len(content) < int(length):
        msg = f"holds {len(content)} of {int(length)} bytes"
        raise TornError(msg)
    if zlib.crc32(content, zlib.crc32(told)) != int(checksum, 16):
        msg = "the checksum is of other content"
        raise TornError(msg)
    return Saved(int(serial), content[:-1])
