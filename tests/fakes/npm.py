"""What the tests take from npm, pinned in ``tests/npm/``."""

import functools
import subprocess
from pathlib import Path

from tests.fakes.command_line import REPOSITORY

# An install of a few packages from far away; the script has a shorter deadline.
LONGEST_S = 600.0

_PLACE = REPOSITORY / "build" / "npm" / "node_modules"


def npm_package(name: str) -> Path:
    """Return the directory of a pinned package, installed if it is not there yet.

    Raises:
        AssertionError: it cannot be had; the message is what the script says. Nothing
            is skipped for want of it.
    """
    _install()
    directory = _PLACE / name
    assert directory.is_dir(), f"{name} is not in tests/npm/package.json"
    return directory


@functools.cache
def _install() -> None:
    done = subprocess.run(
        [REPOSITORY / "scripts" / "npm-packages.sh"],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
    )
    assert done.returncode == 0, done.stderr
