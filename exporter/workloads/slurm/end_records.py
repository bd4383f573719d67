"""What our Epilog counted when a job ended and no daemon listened.

The job's own cgroup is gone by then. What the cgroups above it had counted at that
moment, and those of the jobs that lived on, tells what the job had used in all. One
file for each end, ``JOB_ID.N``, whose time is that of the end:

    version 1   slurm_n1/uid_1000/job_42/cpuacct.usage:1234567890
    version 2   system.slice/slurmstepd.scope/job_42/cpu.stat:usage_usec 1234567

Paths are those below the root of the tree. Lines of roots stand at the beginning and
at the end: the jobs went on meanwhile, and the mean belongs to the rest. A file
without that is not whole.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from exporter.core.units import Seconds
from exporter.workloads.slurm.hook_file import read_hook_file
from exporter.workloads.slurm.tree import JobPlace, place_in

_NAME = re.compile(r"(\d{1,10})\.\d{1,10}", re.ASCII)
_V1_LINE = re.compile(r"(.+)/cpuacct\.usage:(\d{1,19})", re.ASCII)
_V2_LINE = re.compile(r"(.+)/cpu\.stat:usage_usec (\d{1,19})", re.ASCII)
_S_PER_NS = 1e-9
_S_PER_US = 1e-6
_MOST_FILES = 2000
# So much is read in a few tenths of a second; what is older is left out.
_MOST_BYTES = 4 * 2**20
_LARGEST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class EndRecord:
    """One end of a job.

    Attributes:
        job_id: of the job that had just ended.
        end_unix_s: when.
        jobs_s: CPU time of the cgroups of jobs that lived on, s.
        roots_s: CPU time of all that was ever in the roots, less what in them is no
            job's, s.
    """

    job_id: str
    end_unix_s: Seconds
    jobs_s: Mapping[JobPlace, float]
    roots_s: float


class EndRecords:
    """The files of one directory, which need not be there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: tuple[str, ...] = ()

    def read(self) -> tuple[EndRecord, ...]:
        """Read all of them, oldest first; the newest ones if they are too many."""
        found = sorted(self._files(), reverse=True)
        self._read = tuple(name for _, name, _ in found)
        records: list[EndRecord] = []
        left = _MOST_BYTES
        for end_ns, name, size in found:
            match = _NAME.fullmatch(name)
            left -= size
            if match is None or left < 0:
                continue
            text = _text(self._directory / name)
            counted = None if text is None else _parse(text)
            if counted is not None:
                end_unix_s = Seconds(end_ns * _S_PER_NS)
                records.append(EndRecord(match[1], end_unix_s, *counted))
        records.sort(key=lambda record: (record.end_unix_s, record.roots_s))
        return tuple(records)

    def remove(self) -> None:
        """Remove what was read, if this process may."""
        for name in self._read:
            with suppress(OSError):
                (self._directory / name).unlink()
        self._read = ()

    def _files(self) -> Iterator[tuple[int, str, int]]:
        """Time, name and size of each file."""
        try:
            with os.scandir(self._directory) as entries:
                for entry, _ in zip(entries, range(_MOST_FILES), strict=False):
                    status = entry.stat(follow_symlinks=False)
                    yield status.st_mtime_ns, entry.name, status.st_size
        except OSError:
            return


def _parse(text: str) -> tuple[Mapping[JobPlace, float], float] | None:
    """Return ``jobs_s`` and ``roots_s``; ``None`` if that is not all there."""
    jobs_s: dict[JobPlace, float] = {}
    roots: dict[str, list[float]] = {}
    others_s: dict[str, float] = {}
    for line in text.splitlines():
        v1, v2 = _V1_LINE.fullmatch(line), _V2_LINE.fullmatch(line)
        match = v1 or v2
        if match is None:
            continue
        path = match[1]
        cpu_s = int(match[2]) * (_S_PER_US if v1 is None else _S_PER_NS)
        place = place_in(path, None if v1 is None else "cpuacct")
        if place == "roots":
            roots.setdefault(path, []).append(cpu_s)
        elif place == "jobs":
            others_s[path] = cpu_s
        elif isinstance(place, JobPlace):
            jobs_s[place] = cpu_s
    if not roots or any(len(counts) != 2 for counts in roots.values()):  # noqa: PLR2004 - first and last
        return None
    roots_s = sum(sum(counts) / 2 for counts in roots.values())
    return jobs_s, roots_s - sum(others_s.values())


def _text(path: Path) -> str | None:
    """Read a file if it is what an Epilog writes."""
    found = read_hook_file(path, _LARGEST_BYTES)
    return None if found is None else found[0].decode("utf-8", "replace")
