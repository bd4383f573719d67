"""What both programs do before they begin: a port, directories, memory.

Whatever stands in the way ends them with one line that names the remedy.
"""

import contextlib
import ctypes
import fcntl
import gc
import socket
from collections.abc import Iterator
from pathlib import Path

from exporter.exposition.server import bind

# From glibc's malloc.h.
_M_ARENA_MAX = -8


class StartError(Exception):
    """The program cannot start; one line says why and what to do."""


def listen(address: str) -> list[socket.socket]:
    """Open the sockets to listen on.

    Args:
        address: as in ``--web.listen-address``.

    Raises:
        ConfigError: it is no address.
        StartError: it is taken, or is none of this machine's.
    """
    try:
        return bind(address)
    except OSError as error:
        msg = f"cannot listen on {address}: {error}; set --web.listen-address"
        raise StartError(msg) from error


def make_directory(path: Path, flag: str) -> None:
    """Make a directory of state, unless it is there.

    Args:
        path: the directory.
        flag: what sets another one.

    Raises:
        StartError: it cannot be made.
    """
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"cannot make the directory {path}: {error}; set {flag}"
        raise StartError(msg) from error


@contextlib.contextmanager
def only_one(directory: Path, flag: str) -> Iterator[None]:
    """Hold the lock of a directory; two programs would spoil its state.

    Args:
        directory: the directory, which is there.
        flag: what sets another one.

    Raises:
        StartError: another program holds it, or it is not writable.
    """
    path = directory / "lock"
    try:
        file = path.open("ab")
    except OSError as error:
        msg = f"cannot write in {directory}: {error}; set {flag}"
        raise StartError(msg) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = f"another jouled uses {directory}; stop it or set {flag}"
            raise StartError(msg) from error
        yield


def share_one_arena() -> None:
    """Let all threads allocate in the same place; they rarely do so at once.

    glibc gives each thread an arena of its own, and each costs memory that is
    hardly used. Other C libraries have no such arenas.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def settle_memory() -> None:
    """Give back what start-up left over, and never look through the rest again."""
    gc.collect()
    gc.freeze()
    # A tick makes many objects, no cycles, and drops them all.
    gc.set_threshold(20_000, 20, 50)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
