"""Files that are written in place, as the kernel's are.

Who keeps one open sees what is in it now. Each write is one ``pwrite`` of a text of
constant length, so that no reader meets a half of it.
"""

import os
from pathlib import Path

COUNTER_WIDTH = 20


class LiveFile:
    """A file whose content changes.

    Args:
        path: made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, text: str) -> None:
        """Write it; the text is as long as the one before."""
        os.pwrite(self._fd, text.encode(), 0)

    def close(self) -> None:
        """Close it; it stays as it is."""
        os.close(self._fd)


def counter(value: float) -> str:
    """Write a whole number of constant width."""
    return f"{int(value):<{COUNTER_WIDTH}}"
