"""The pinned packages as files, as one carries them to a machine without an index."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.command_line import REPOSITORY

# Those of run.txt are among them.
PINS = REPOSITORY / "requirements" / "kubernetes.txt"
# Dozens of files from far away.
LONGEST_S = 280.0
# What pip says when nobody answers, and not when a pin is wrong.
_NOBODY = "connection broken by"


def pinned_wheels(directory: Path, *options: str) -> Path:
    """Download every pinned package; skip the test where no index can be reached.

    Args:
        directory: gets the files.
        options: further ones of ``pip download``.

    Returns:
        The directory.

    Raises:
        AssertionError: a package cannot be had as it is pinned.
    """
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-q", "--require-hashes"),
            *("--disable-pip-version-check", "--requirement", str(PINS)),
            *("--dest", str(directory), *options),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
    )
    if done.returncode != 0 and _NOBODY in done.stderr:
        pytest.skip(f"no package index can be reached: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stderr
    return directory
