"""Cgroups of version 2, with the jobs of Slurm and the pods of Kubernetes in them.

A new cgroup is made elsewhere and moved to its place: as in the kernel, it is there
with all its files at once.
"""

import itertools
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.simulation.in_place import LiveFile, counter

_FIRST_PID = 20_000
_MEMORY_STAT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Shape:
    """What a new cgroup is like.

    Attributes:
        path: below the root of the tree.
        leaf: cgroup below it in which its process is.
        limits: contents of files that do not change, by name.
        environ: of its process.
    """

    path: str
    leaf: str
    limits: Mapping[str, str]
    environ: Mapping[str, str]


class LiveCgroup:
    """A cgroup that counts.

    Args:
        directory: where it is, or will be.
        built: where it is being built, if that is elsewhere.
    """

    def __init__(self, directory: Path, built: Path | None = None) -> None:
        self.directory = directory
        place = built or directory
        place.mkdir(parents=True, exist_ok=True)
        self._cpu = LiveFile(place / "cpu.stat")
        self._memory = LiveFile(place / "memory.stat")
        self.write_cpu(0.0)
        self.write_memory(0)

    def write_cpu(self, cpu_s: float) -> None:
        """Write how much CPU time has been used in it, s."""
        used = counter(cpu_s * 1e6)
        self._cpu.write(f"usage_usec {used}\nuser_usec {used}\nsystem_usec 0\n")

    def write_memory(self, anonymous_bytes: int) -> None:
        """Write how much memory is used in it, bytes."""
        text = f"anon {anonymous_bytes}\nfile 0\nkernel 0\n"
        # Behind the figures, which readers want to end where their lines end.
        self._memory.write(f"{text:<{_MEMORY_STAT_BYTES}}")

    def close(self) -> None:
        """Close its files; it stays as it is."""
        self._cpu.close()
        self._memory.close()


class CgroupTree:
    """The tree of a node.

    Args:
        root: its mount point.
        procfs: gets the processes.
        workshop: a directory of the same file system, where cgroups are built.
    """

    def __init__(self, root: Path, procfs: Path, workshop: Path) -> None:
        self._root = root
        self._procfs = procfs
        self._workshop = workshop
        self._pids = itertools.count(_FIRST_PID)
        for directory in (root, workshop):
            directory.mkdir(parents=True, exist_ok=True)
        (root / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")

    def make_holder(self, path: str) -> LiveCgroup:
        """Make a cgroup that others are in, such as one of a scheduler."""
        return LiveCgroup(self._root / path)

    def make(self, shape: Shape) -> tuple[LiveCgroup, int]:
        """Make a cgroup with a process in it; return both."""
        pid = next(self._pids)
        target = self._root / shape.path
        built = self._workshop / str(pid)
        cgroup = LiveCgroup(target, built)
        for name, text in shape.limits.items():
            (built / name).write_text(f"{text}\n")
        leaf = built / shape.leaf
        leaf.mkdir(parents=True, exist_ok=True)
        (leaf / "cgroup.procs").write_text(f"{pid}\n")
        self._start(pid, f"{shape.path}/{shape.leaf}", shape.environ)
        built.rename(target)
        return cgroup, pid

    def remove(self, cgroup: LiveCgroup, pid: int) -> None:
        """Remove a cgroup with its process."""
        shutil.rmtree(self._procfs / str(pid))
        cgroup.close()
        shutil.rmtree(cgroup.directory)

    def _start(self, pid: int, path: str, environ: Mapping[str, str]) -> None:
        process = self._procfs / str(pid)
        process.mkdir()
        (process / "cgroup").write_text(f"0::/{path}\n")
        entries = (f"{name}={value}".encode() for name, value in environ.items())
        data = b"\0".join(entries) + b"\0"
        descriptor = os.open(process / "environ", os.O_WRONLY | os.O_CREAT, 0o400)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
