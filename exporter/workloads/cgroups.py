"""What a cgroup has used and may use, alike for both versions of cgroups.

    quantity          version 1                        version 2
    CPU time          cpuacct.usage, ns                cpu.stat, usage_usec
    anonymous memory  memory.stat, total_rss           memory.stat, anon
    reserved CPUs     cpuset.effective_cpus            cpuset.cpus.effective
    reserved memory   memory.limit_in_bytes            memory.max
    allowed devices   devices.list                     (a BPF program: unreadable)

Source: kernel Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst. Version 1
has a tree per controller, in which a cgroup has the same path; version 2 has one
tree. All counters include what is below a cgroup and what ended there.

A cgroup that is gone is a result (``None``), not an error.
"""

import errno
import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.core.errors import SourceDeniedError, SourceError, SourceFaultyError
from exporter.core.units import Bytes, Seconds

_CONTROLLERS = ("cpuacct", "cpu", "memory", "cpuset", "devices", "freezer")

_GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ENOTDIR})
_LINE_BYTES = 128
_TEXT_BYTES = 16 * 1024

_V2_CPU = b"usage_usec "
_V2_ANONYMOUS = b"anon "
_V1_ANONYMOUS = b"\ntotal_rss "
_S_PER_NS = 1e-9
_S_PER_US = 1e-6
# Without a limit version 1 shows the largest multiple of a page in 63 bits.
_V1_UNLIMITED_BYTES = 2**62
_MOST_CPUS = 1 << 16


@dataclass(frozen=True, slots=True)
class CgroupTrees:
    """Where the trees of cgroups are; a machine may have both versions.

    Attributes:
        unified: the tree of version 2; ``None`` without one.
        v1: trees of version 1 by controller, as far as they are of use here.
    """

    unified: Path | None = None
    v1: Mapping[str, Path] = field(default_factory=dict)


def find_trees(cgroupfs: Path) -> CgroupTrees:
    """Find the trees that are mounted at or below ``cgroupfs``.

    Raises:
        SourceDeniedError: it may not be read.
    """
    try:
        names = sorted(path.name for path in cgroupfs.iterdir())
    except PermissionError as error:
        raise unreadable(cgroupfs, error) from error
    except OSError:
        return CgroupTrees()
    unified = None
    for candidate in (cgroupfs, cgroupfs / "unified"):
        if (candidate / "cgroup.controllers").exists():
            unified = candidate
            break
    v1: dict[str, Path] = {}
    for controller in _CONTROLLERS:
        # Several controllers can share a tree: "cpu,cpuacct".
        named = [name for name in names if controller in name.split(",")]
        if named and unified != cgroupfs:
            v1[controller] = cgroupfs / named[0]
    return CgroupTrees(unified, v1)


class FileBudget:
    """How many files may be kept open; beyond that each is opened when read."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    @classmethod
    def of_this_process(cls) -> "FileBudget":
        """Leave half of what this process may open to everything else."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(_MOST_CPUS if soft == resource.RLIM_INFINITY else soft // 2)

    def take(self) -> bool:
        """Ask for one more."""
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Have one less."""
        self._left += 1


class Cgroup:
    """Reads one cgroup; only its CPU counter is kept open.

    Args:
        trees: where the trees are.
        path: the cgroup below the root of its tree, without a leading slash.
        listed_in: the controller in whose tree it was found, in version 1; ``None``
            for version 2.
        budget: allows a file to be kept open.
    """

    __slots__ = (
        "_budget",
        "_cpu_path",
        "_fd",
        "_is_v1",
        "_path",
        "_trees",
        "directory",
    )

    def __init__(
        self, trees: CgroupTrees, path: str, listed_in: str | None, budget: FileBudget
    ) -> None:
        self._trees = trees
        self._path = path
        self._is_v1 = listed_in is not None
        self._budget = budget
        self._fd: int | None = None
        tree = trees.unified if listed_in is None else trees.v1[listed_in]
        self.directory = f"{tree}/{path}"
        self._cpu_path = self._file("cpuacct", "cpuacct.usage", "cpu.stat")

    def cpu_s(self) -> Seconds | None:
        """CPU time of all that ever ran in it, s; ``None`` if it is gone.

        ``None`` as well where version 1 does not count it; see ``exists``.

        Raises:
            SourceError: it is there and cannot be read.
        """
        fd = self._fd
        try:
            data = self._open_and_read() if fd is None else os.pread(fd, _LINE_BYTES, 0)
        except OSError as error:
            self.close()
            if error.errno in _GONE:
                return None
            raise unreadable(self._cpu_path, error) from error
        try:
            if self._is_v1:
                return Seconds(int(data) * _S_PER_NS)
            if data.startswith(_V2_CPU):
                end = data.index(b"\n")
                return Seconds(int(data[len(_V2_CPU) : end]) * _S_PER_US)
        except ValueError:
            pass
        msg = f"{self._cpu_path} holds {data!r}, which is no CPU time"
        raise SourceFaultyError(msg)

    def exists(self) -> bool:
        """Whether it is still there."""
        return os.path.isdir(self.directory)  # noqa: PTH112 - each tick where nothing is counted

    def memory_bytes(self) -> Bytes | None:
        """Anonymous resident memory; ``None`` if that is not told."""
        data = _read(self._file("memory", "memory.stat", "memory.stat"))
        begin = _V1_ANONYMOUS if self._is_v1 else _V2_ANONYMOUS
        at = data.find(begin)
        if at < 0:
            return None
        number = data[at + len(begin) :].split(b"\n", 1)[0]
        return Bytes(int(number)) if number.isdigit() else None

    def reserved_cpus(self) -> int | None:
        """CPUs it is confined to; ``None`` if it is not."""
        if not self._is_v1 and not _read(self._file("", "", "cpuset.cpus")).strip():
            # Nothing set for this cgroup: "effective" tells of one above it.
            return None
        return count_cpus(
            self.text("cpuset", "cpuset.effective_cpus", "cpuset.cpus.effective")
        )

    def reserved_memory_bytes(self) -> int | None:
        """Memory it is confined to; ``None`` if it is not."""
        text = self.text("memory", "memory.limit_in_bytes", "memory.max")
        if not text.isdecimal():
            return None
        limit = int(text)
        return None if self._is_v1 and limit >= _V1_UNLIMITED_BYTES else limit

    def devices(self) -> frozenset[tuple[int, int]] | None:
        """Character devices it may open, as (major, minor).

        Returns:
            ``None`` where nothing tells: in version 2, and in version 1 where
            everything is allowed that is not denied, since the kernel does not list
            what is denied.
        """
        if not self._is_v1:
            return None
        allowed: set[tuple[int, int]] = set()
        text = self.text("devices", "devices.list", "")
        for line in text.splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "a":
                return None
            major, _, minor = rest.partition(" ")[0].partition(":")
            if kind == "c" and major.isdecimal() and minor.isdecimal():
                allowed.add((int(major), int(minor)))
        return frozenset(allowed) if text else None

    def text(self, controller: str, v1_name: str, v2_name: str) -> str:
        """Return what one of its files holds; "" if there is none."""
        data = _read(self._file(controller, v1_name, v2_name))
        return data.decode("ascii", "replace").strip()

    def close(self) -> None:
        """Close what is open; it may be read again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self._budget.give_back()

    def _open_and_read(self) -> bytes:
        if not self._cpu_path:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        fd = os.open(self._cpu_path, os.O_RDONLY | os.O_CLOEXEC)
        if self._budget.take():
            self._fd = fd
            return os.pread(fd, _LINE_BYTES, 0)
        try:
            return os.pread(fd, _LINE_BYTES, 0)
        finally:
            os.close(fd)

    def _file(self, controller: str, v1_name: str, v2_name: str) -> str:
        """Path of a file; "" where the tree is not mounted."""
        if not self._is_v1:
            return f"{self._trees.unified}/{self._path}/{v2_name}"
        tree = self._trees.v1.get(controller)
        return "" if tree is None else f"{tree}/{self._path}/{v1_name}"


def directories_in(path: str) -> list[tuple[str, int]]:
    """Names and inodes of the cgroups in a cgroup; none if it has gone.

    Raises:
        SourceDeniedError: it may not be read.
    """
    try:
        with os.scandir(path) as entries:
            return [
                (entry.name, entry.inode())
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
            ]
    except PermissionError as error:
        raise unreadable(path, error) from error
    except OSError:
        return []


def count_cpus(text: str) -> int | None:
    """Count the CPUs of a list such as ``0-3,8``; ``None`` if it is none."""
    count = 0
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            return None
        count += int(last) - int(first) + 1 if dash else 1
    return count if 0 < count <= _MOST_CPUS else None


def unreadable(path: Path | str, error: OSError) -> SourceError:
    """Say why a file of the cgroup file system cannot be read, and what helps."""
    if isinstance(error, PermissionError):
        return SourceDeniedError(
            f"may not read {path}: the cgroup file system has to be readable"
        )
    return SourceFaultyError(f"cannot read {path}: {error.strerror or error}")


def _read(path: str) -> bytes:
    """Read a file that may be gone or not be there; empty then."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(fd, _TEXT_BYTES, 0)
    except OSError:
        return b""
    finally:
        os.close(fd)
