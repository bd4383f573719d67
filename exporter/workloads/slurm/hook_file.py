"""Files that Slurm's hooks leave for the daemon, read with suspicion."""

import os
import stat
from pathlib import Path


def read_hook_file(path: Path, most_bytes: int) -> tuple[bytes, os.stat_result] | None:
    """Read a file if it is what a hook writes: regular, and root's or our own.

    Args:
        path: links are not followed, and a pipe is not waited for.
        most_bytes: no more than this is read.

    Returns:
        What is in it, and its status; ``None`` if it is another thing, or has gone.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(path, flags)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        trusted = {0, os.geteuid()}
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in trusted:
            return None
        return os.read(fd, most_bytes), status
    except OSError:
        return None
    finally:
        os.close(fd)
