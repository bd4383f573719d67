"""The cgroups that a Slurm node of the tests leaves behind."""

import contextlib
import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path

from tests.fakes.waiting import wait_until

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpuacct", "cpuset", "devices", "freezer", "memory")

# No node of a real cluster has such a name, which tells whose it is.
_OUR_ROOT = re.compile(r"slurm_jouledtest(?P<pid>\d+)x\w*")
_EMPTY_S = 20.0


def node_name(mark: str) -> str:
    """Return a name for a node of this process, and so for its cgroups.

    Args:
        mark: letters and digits, to tell several nodes of a process apart.
    """
    return f"jouledtest{os.getpid()}x{mark}"


def remove_abandoned(hierarchies: Path = CGROUPS) -> None:
    """Remove the cgroups of nodes whose process was killed before it could.

    Nodes of processes that live are left alone, those of a real Slurm even more, and
    so are cgroups that hold processes.

    Args:
        hierarchies: where each controller has its own.
    """
    for controller in CONTROLLERS:
        for root in (hierarchies / controller).glob("slurm_*"):
            ours = _OUR_ROOT.fullmatch(root.name)
            if ours is None or Path("/proc", ours["pid"]).exists():
                continue
            everywhere = [hierarchies / one / root.name for one in CONTROLLERS]
            if not processes_in(everywhere):
                _remove_tree(root)


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
        _remove_tree(root)


def processes_in(roots: Iterable[Path]) -> set[int]:
    """Return the processes in these cgroups and below."""
    return {
        int(pid)
        for file in _files(roots, "cgroup.procs")
        for pid in _text(file).split()
    }


def _remove_tree(root: Path) -> None:
    below = [Path(name) for name, _, _ in os.walk(root, topdown=False)]
    for directory in below:
        # slurmd removes some at the same time.
        with contextlib.suppress(FileNotFoundError):
            directory.rmdir()


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
