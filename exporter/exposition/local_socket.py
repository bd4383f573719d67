"""Unix sockets in the run directory, for programs of this node.

Whoever calls is known: the kernel says which user is at the other end. So these
sockets need no password, and file modes are only the first of two fences.
"""

import contextlib
import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

_BACKLOG = 64
_MODE = 0o660
# struct ucred of unix(7): process, user, group.
_CREDENTIALS = struct.Struct("3i")
CREDENTIALS_BYTES = _CREDENTIALS.size


@contextlib.contextmanager
def local_socket(path: Path, kind: socket.SocketKind) -> Iterator[socket.socket]:
    """Open a Unix socket that its owner and group may use, and remove it at the end.

    The caller holds the lock of the directory: a socket that is there already was
    left by a daemon that was killed.

    Args:
        path: where; shorter than 108 bytes.
        kind: ``SOCK_STREAM``, which listens, or ``SOCK_DGRAM``, which receives
            credentials with each message.

    Raises:
        OSError: the path is too long, or is taken by something else, or the
            directory cannot be written to.
    """
    _remove_socket(path)
    with socket.socket(socket.AF_UNIX, kind) as opened:
        opened.setblocking(False)  # noqa: FBT003 - its only argument
        opened.bind(str(path))
        try:
            # Nobody can connect before it listens, nor send what is not looked at.
            path.chmod(_MODE)
            if kind == socket.SOCK_STREAM:
                opened.listen(_BACKLOG)
            else:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            yield opened
        finally:
            with contextlib.suppress(OSError):
                _remove_socket(path)


def user_of_peer(connected: socket.socket) -> int:
    """Return the user id at the other end of a connected Unix socket."""
    data = connected.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS_BYTES
    )
    return user_of_credentials(data)


def user_of_credentials(data: bytes) -> int:
    """Return the user id in what the kernel says of a sender."""
    _, uid, _ = _CREDENTIALS.unpack(data)
    return int(uid)


def is_trusted(uid: int) -> bool:
    """Whether a user may tell the daemon things: root, or the daemon's own."""
    return uid in {0, os.geteuid()}


def _remove_socket(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "exists and is no socket; remove it", str(path))
    path.unlink()
