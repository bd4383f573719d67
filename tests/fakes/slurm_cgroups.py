"""The cgroups that a Slurm node of the tests leaves behind."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from tests.fakes.waiting import wait_until

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpuacct", "cpuset", "devices", "freezer", "memory")

_EMPTY_S = 20.0


def confine_devices(cgroup: Path, gpu_major: int) -> None:
    """Make a cgroup whose members may open what is listed, and nothing else.

    Below a cgroup that allows everything, the kernel only denies: what is denied
    appears nowhere.

    Args:
        cgroup: a new one in the ``devices`` hierarchy.
        gpu_major: major number of the GPUs, of which the first eight are allowed.
    """
    cgroup.mkdir()
    (cgroup / "devices.deny").write_text("a")
    # Making nodes, memory devices, terminals, misc; as systemd's "closed" policy.
    allowed = ["b *:* m", "c *:* m", "c 1:* rwm", "c 5:* rwm", "c 136:* rwm"]
    # One by one: a single one can only be denied if it is on the list itself.
    gpus = [f"c {gpu_major}:{minor} rwm" for minor in range(8)]
    for entry in [*allowed, *gpus]:
        (cgroup / "devices.allow").write_text(entry)


def remove_cgroups(roots: Iterable[Path]) -> None:
    """Kill what is still in these cgroups and remove them.

    Args:
        roots: cgroups of a test's own node, in any controller.
    """
    present = [root for root in roots if root.exists()]
    # A frozen process does not die.
    for state in _files(present, "freezer.state"):
        with contextlib.suppress(OSError):
            state.write_text("THAWED")
    for pid in processes_in(present):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not processes_in(present), "cgroups are empty", _EMPTY_S)
    for root in present:
        below = [Path(name) for name, _, _ in os.walk(root, topdown=False)]
        for directory in below:
            # slurmd removes some at the same time.
            with contextlib.suppress(FileNotFoundError):
                directory.rmdir()


def processes_in(roots: Iterable[Path]) -> set[int]:
    """Return the processes in these cgroups and below."""
    return {
        int(pid)
        for file in _files(roots, "cgroup.procs")
        for pid in _text(file).split()
    }


def _files(roots: Iterable[Path], name: str) -> list[Path]:
    return [
        Path(directory) / name
        for root in roots
        for directory, _, files in os.walk(root)
        if name in files
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
