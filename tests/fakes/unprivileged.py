"""Do without root's power to read everything, for as long as a test needs it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody, if this is root; else stay who we are."""
    uid = os.geteuid()
    if uid == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(uid)


@contextmanager
def public_directory() -> Iterator[Path]:
    """Make a directory that nobody may enter too, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory
