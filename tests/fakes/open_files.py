"""What this process holds open."""

import contextlib
from pathlib import Path


def open_files(directory: Path) -> list[Path]:
    """Return the files below a directory that are open, in order."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        # The one by which this directory is read has gone.
        with contextlib.suppress(FileNotFoundError):
            found.append(link.readlink())
    return sorted(path for path in found if path.is_relative_to(directory))
