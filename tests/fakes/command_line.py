"""The real ``jouled`` in a process of its own, as a shell would start it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

REPOSITORY = Path(__file__).parents[2]

# Generous: it is there so that a hang fails, on however slow a machine.
LONGEST_S = 100.0


def command(*args: str | Path) -> list[str]:
    """Return the command line of ``jouled`` with these arguments."""
    return [sys.executable, "-m", "exporter", *map(str, args)]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process' environment without settings of ours, plus ``extra``."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("JOULED_")}
    return inherited | dict(extra or {})


def jouled(
    *args: str | Path,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """Run ``jouled`` to its end."""
    return subprocess.run(
        command(*args),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=LONGEST_S,
        cwd=REPOSITORY,
        env=environment(env),
    )
