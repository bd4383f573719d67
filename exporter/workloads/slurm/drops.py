"""What our Prolog leaves behind about a job: one small file, named by its id.

The file holds environment variables of the Prolog, as /proc/PID/environ does, and
appears by a rename, so it is always whole. It is the best witness: root wrote it
before the job began, and no user can change it.

The directory is listed again when its time has changed. Files whose job has been
gone for a minute are removed, and so are those of a day ago whose job never came;
where this process may not remove them, they are not looked at any more.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.core.units import Seconds
from exporter.workloads.environ import MOST_BYTES, parse_environ
from exporter.workloads.slurm.facts import VARIABLES
from exporter.workloads.slurm.hook_file import read_hook_file

_JOB_ID = re.compile(r"\d{1,10}", re.ASCII)
_KEEP_AFTER_END_S = 60.0
_KEEP_UNSEEN_S = 86_400.0
_MOST_FILES = 20_000
# Two changes within one tick of the file system's clock have the same time.
_COARSE_CLOCK_NS = 50_000_000


@dataclass(slots=True)
class Drop:
    """One drop file.

    Attributes:
        facts: the variables of interest.
        written_unix_s: when the Prolog wrote it.
        inode: tells it from a later one of the same name.
        gone_s: when its job was found gone; ``None`` while the job runs or is due.
        was_seen: its job has been running.
    """

    facts: Mapping[str, str]
    written_unix_s: Seconds
    inode: int
    gone_s: float | None = None
    was_seen: bool = False


class DropDirectory:
    """Knows the drop files; may be told of one by another thread.

    Args:
        directory: it need not be there.
        unix_time: the wall clock, s, by which files are dated.
    """

    def __init__(
        self, directory: Path, unix_time: Callable[[], float] = time.time
    ) -> None:
        self.directory = directory
        self.exists = False
        self._unix_time = unix_time
        self._lock = threading.Lock()
        self._drops: dict[str, Drop] = {}
        self._ids_by_sluid: dict[str, str] = {}
        self._ignored: dict[str, int] = {}
        self._listed_mtime_ns = -1
        self._inode = -1

    def of(self, job_id: str) -> Drop | None:
        """Return the drop file of a job."""
        return self._drops.get(job_id)

    def job_id(self, sluid: str) -> str | None:
        """Return the id of the job that has this SLUID."""
        return self._ids_by_sluid.get(sluid)

    def refresh(self) -> bool:
        """List the directory if it has changed; return whether it is a new one."""
        try:
            status = self.directory.stat()
        except OSError:
            self.exists = False
            return False
        is_new = not self.exists or status.st_ino != self._inode
        self.exists, self._inode = True, status.st_ino
        if status.st_mtime_ns != self._listed_mtime_ns:
            self._list(status.st_mtime_ns)
        return is_new

    def take_in(self, name: str) -> None:
        """Read a file of the directory; any thread may call this."""
        if not _JOB_ID.fullmatch(name):
            return
        read = _read(self.directory / name)
        if read is None:
            return
        facts, status = read
        drop = Drop(facts, Seconds(status.st_mtime), status.st_ino)
        with self._lock:
            if len(self._drops) >= _MOST_FILES and name not in self._drops:
                return
            self._drops[name] = drop
            sluid = facts.get("SLURM_JOB_SLUID")
            if sluid:
                self._ids_by_sluid[sluid] = name

    def tidy(self, running: Collection[str], now_s: float) -> None:
        """Let go of files that are of no use any more.

        Args:
            running: ids of the jobs that run.
            now_s: CLOCK_MONOTONIC, s.
        """
        unix_s = self._unix_time()
        with self._lock:
            drops = list(self._drops.items())
        for job_id, drop in drops:
            if job_id in running:
                drop.gone_s = None
            elif drop.gone_s is not None:
                if now_s - drop.gone_s > _KEEP_AFTER_END_S:
                    self._forget(job_id, drop)
            elif drop.was_seen or not (self.directory / job_id).exists():
                # The job has ended, or its Epilog has removed the file.
                drop.gone_s = now_s
            elif unix_s - drop.written_unix_s > _KEEP_UNSEEN_S:
                self._forget(job_id, drop)
        if len(self._ignored) > _MOST_FILES:
            self._ignored.clear()

    def _list(self, mtime_ns: int) -> None:
        now_ns = int(self._unix_time() * 1e9)
        is_settled = abs(now_ns - mtime_ns) > _COARSE_CLOCK_NS
        self._listed_mtime_ns = mtime_ns if is_settled else -1
        try:
            with os.scandir(self.directory) as entries:
                found = [
                    (entry.name, entry.inode())
                    for entry, _ in zip(entries, range(_MOST_FILES), strict=False)
                ]
        except OSError:
            return
        for name, inode in found:
            known = self._drops.get(name)
            if (known is None or known.inode != inode) and (
                self._ignored.get(name) != inode
            ):
                self.take_in(name)

    def _forget(self, job_id: str, drop: Drop) -> None:
        with self._lock:
            if self._drops.get(job_id) is not drop:
                return
            del self._drops[job_id]
            self._ids_by_sluid.pop(drop.facts.get("SLURM_JOB_SLUID", ""), None)
        path = self.directory / job_id
        try:
            # A requeued job may have a new file by now.
            if path.stat().st_ino == drop.inode:
                path.unlink()
        except FileNotFoundError:
            return
        except OSError:
            self._ignored[job_id] = drop.inode


def _read(path: Path) -> tuple[Mapping[str, str], os.stat_result] | None:
    """Read a file if it is what a Prolog writes."""
    found = read_hook_file(path, MOST_BYTES)
    if found is None:
        return None
    data, status = found
    return parse_environ(data, VARIABLES), status
