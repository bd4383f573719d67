"""The cgroups of one job, read as one.

There is one, or several on a machine that plays several nodes. That of a requeued
job has the same name and counts from 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.core.units import Bytes, Seconds
from exporter.workloads.cgroups import Cgroup


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use; ``None`` where its cgroups do not tell."""

    cpus: int | None = None
    memory_bytes: int | None = None
    devices: frozenset[tuple[int, int]] | None = None


@dataclass(slots=True)
class Part:
    """One cgroup, its last count, and what tells it from a later one."""

    cgroup: Cgroup
    cpu_s: Seconds = Seconds(0.0)
    inode: int = 0


class JobCgroups:
    """Cgroups by path; empty when the job has ended."""

    __slots__ = ("_ended_s", "_parts")

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}
        self._ended_s = 0.0

    def __bool__(self) -> bool:
        """Whether there is any, as far as was noticed."""
        return bool(self._parts)

    @property
    def parts(self) -> Mapping[str, Part]:
        """What there is, by path."""
        return self._parts

    @property
    def roots(self) -> frozenset[str]:
        """Paths of the cgroups that they are in."""
        return frozenset(path.rpartition("/")[0] for path in self._parts)

    @property
    def directories(self) -> list[str]:
        """Where they are."""
        return [part.cgroup.directory for part in self._parts.values()]

    def add(self, path: str, part: Part) -> None:
        """Count this one too."""
        self._parts[path] = part

    def remove(self, path: str) -> None:
        """Count this one no more: it is gone."""
        part = self._parts.pop(path, None)
        if part is None:
            return
        part.cgroup.close()
        if self._parts:
            # The sum goes on from where it is.
            self._ended_s += part.cpu_s

    def go_on_from(self, cpu_s: Seconds) -> None:
        """Count on from what was used before, s."""
        self._ended_s = cpu_s

    def release(self) -> Mapping[str, Part]:
        """Give all away, open as they are."""
        parts, self._parts = self._parts, {}
        return parts

    def close(self) -> None:
        """Close all files."""
        for part in self._parts.values():
            part.cgroup.close()

    def cpu_s(self) -> Seconds | None:
        """Read the CPU time, s, and notice which ones are gone.

        Returns:
            ``None`` if nothing counts it, or none is left.

        Raises:
            SourceError: one is there and cannot be read.
        """
        total_s = self._ended_s
        is_counted = True
        gone: list[str] = []
        for path, part in self._parts.items():
            cpu_s = part.cgroup.cpu_s()
            if cpu_s is None:
                if not part.cgroup.exists():
                    gone.append(path)
                    continue
                # Made anew since the last tick; or nothing counts it.
                cpu_s = part.cgroup.cpu_s()
            if cpu_s is None:
                is_counted = False
            else:
                part.cpu_s = cpu_s
                total_s += cpu_s
        if gone:
            before_s = self._ended_s
            for path in gone:
                self.remove(path)
            total_s += self._ended_s - before_s
        return Seconds(total_s) if is_counted and self._parts else None

    def memory_bytes(self) -> Bytes | None:
        """Anonymous resident memory; ``None`` if none tells."""
        told = [part.cgroup.memory_bytes() for part in self._parts.values()]
        known = [memory for memory in told if memory is not None]
        return Bytes(sum(known)) if known else None

    def limits(self) -> Limits:
        """What they may use together."""
        cgroups = [part.cgroup for part in self._parts.values()]
        devices: set[tuple[int, int]] = set()
        is_confined = False
        for cgroup in cgroups:
            allowed = cgroup.devices()
            if allowed is not None:
                is_confined = True
                devices |= allowed
        return Limits(
            cpus=sum(cgroup.reserved_cpus() or 0 for cgroup in cgroups) or None,
            memory_bytes=sum(cgroup.reserved_memory_bytes() or 0 for cgroup in cgroups)
            or None,
            devices=frozenset(devices) if is_confined else None,
        )
