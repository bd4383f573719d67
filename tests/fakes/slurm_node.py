"""A played Slurm node together with the reader of its jobs."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from exporter.core.workload import WorkloadsReading, WorkloadUsage
from exporter.workloads.cgroups import FileBudget
from exporter.workloads.inotify import Inotify
from exporter.workloads.labels import UserNaming
from exporter.workloads.slurm import GpuSettings, SlurmPlaces, SlurmWorkloads
from exporter.workloads.slurm.hub_jobs import HubJobs
from exporter.workloads.users import UserNames
from tests.fakes.cgroups import Layout, PlayedJob, PlayedSlurm
from tests.fakes.clock import Clock
from tests.fakes.inventory import FakeInventory

# Generous: it is there so that a hang fails, on however slow a machine.
LONGEST_S = 30.0

_PAUSE_S = 0.002
# Wall clock at monotonic time 0, where it is played.
_UNIX_S = 1_774_000_000.0


def name_of(uid: int) -> str | None:
    """Name the users of the fixture node; those above 60000 are unknown."""
    return f"user{uid}" if uid <= 60_000 else None


class SlurmNode:
    """A node, its GPUs, and the source that reads it.

    If ``plays_wall``, the wall clock goes with ``clock``, and files have to be dated.

    Attributes:
        clock: what both live by.
        slurm: its cgroups and processes.
        inventory: its GPUs.
        drops: where a Prolog leaves its files.
        ended: where an Epilog leaves its files.
        users: knows their names.
        source: the reader.
    """

    def __init__(
        self,
        root: Path,
        layout: Layout = "v1",
        *,
        inventory: FakeInventory | None = None,
        gpus: GpuSettings | None = None,
        naming: UserNaming | None = None,
        users: UserNames | None = None,
        budget: FileBudget | None = None,
        open_inotify: Callable[[], Inotify] = Inotify,
        counts_cpu: bool = True,
        plays_wall: bool = False,
        hub_jobs: HubJobs | None = None,
        only_looks: bool = False,
    ) -> None:
        self._plays_wall = plays_wall
        self.clock = Clock(1000.0)
        self.slurm = PlayedSlurm(root, layout, self.clock, counts_cpu=counts_cpu)
        self.inventory = inventory or FakeInventory()
        self.users = users or UserNames(name_of, self.clock)
        self.drops = root / "run" / "slurm" / "jobs"
        self.ended = root / "run" / "slurm" / "ended"
        self._build = partial(
            SlurmWorkloads,
            SlurmPlaces(
                self.slurm.cgroupfs,
                self.slurm.procfs,
                self.drops,
                self.ended,
                only_looks=only_looks,
            ),
            self.inventory,
            gpus,
            naming,
            users=self.users,
            monotonic=self.clock,
            unix_time=self.unix_time,
            budget=budget,
            open_inotify=open_inotify,
            hub_jobs=hub_jobs,
        )
        self.source = self._build()

    def unix_time(self) -> float:
        """That of the file system, on which the played files are dated."""
        return _UNIX_S + self.clock() if self._plays_wall else time.time()

    def date(self, path: Path) -> None:
        """Let a file have been written now."""
        os.utime(path, (self.unix_time(), self.unix_time()))

    def restart(self) -> None:
        """Kill the daemon; another one reads from now on."""
        self.source.close()
        self.source = self._build()

    def end_unheard(self, job: PlayedJob) -> None:
        """End a job and let its Epilog find nobody listening."""
        self.slurm.end_job(job)
        self.ended.mkdir(parents=True, exist_ok=True)
        record = self.ended / f"{job.job_id}.{len(list(self.ended.iterdir()))}"
        record.write_text(self.slurm.counted())
        self.date(record)

    def know_user(self, uid: int) -> None:
        """Wait until the name of a user is known."""
        end_s = time.monotonic() + LONGEST_S
        while self.users.name(uid) is None:
            assert time.monotonic() < end_s, "no name came"
            time.sleep(_PAUSE_S)

    def tick(self, elapsed_s: float = 1.0) -> WorkloadsReading:
        """Let time pass and read once."""
        self.clock.pass_s(elapsed_s)
        self.slurm.play()
        return self.source.read()

    def look(self) -> WorkloadsReading:
        """Read when everything is looked at again: nothing depends on the watcher."""
        return self.tick(31.0)

    def read_until(self, is_so: Callable[[WorkloadsReading], bool]) -> WorkloadsReading:
        """Read without time passing until something has been noticed."""
        end_s = time.monotonic() + LONGEST_S
        while True:
            reading = self.source.read()
            if is_so(reading):
                return reading
            assert time.monotonic() < end_s, f"it never came about: {reading}"
            time.sleep(_PAUSE_S)

    def read_job(self, job_id: int) -> WorkloadUsage:
        """Read until a job is reported, and return it."""
        reading = self.read_until(lambda each: job_id in ids(each))
        return usage_of(reading, job_id)

    def read_labelled(self, job_id: int) -> WorkloadUsage:
        """Read until a job is reported with its labels, and return it."""

        def is_labelled(reading: WorkloadsReading) -> bool:
            return any(
                usage.workload.key == str(job_id) and usage.labels is not None
                for usage in reading.usages
            )

        return usage_of(self.read_until(is_labelled), job_id)


@contextmanager
def slurm_node(
    root: Path,
    layout: Layout = "v1",
    **settings: object,
) -> Iterator[SlurmNode]:
    """Play a node on which slurmd has started, and close its reader in the end."""
    node = SlurmNode(root, layout, **settings)  # type: ignore[arg-type]
    node.slurm.start_slurmd()
    try:
        yield node
    finally:
        node.source.close()


def wait_watched(directory: Path) -> None:
    """Wait until the kernel tells this process of what happens in a directory.

    Else a job may come and go there before anybody can know of it. Real ones take
    longer to set up than the watcher takes.
    """
    inode = f"ino:{directory.stat().st_ino:x} "
    end_s = time.monotonic() + LONGEST_S
    while not any(inode in text for text in _inotify_instances()):
        assert time.monotonic() < end_s, f"nobody watches {directory}"
        time.sleep(_PAUSE_S)


def _inotify_instances() -> Iterator[str]:
    for path in Path("/proc/self/fdinfo").iterdir():
        with suppress(OSError):
            text = path.read_text()
            if "inotify wd" in text:
                yield text


def ids(reading: WorkloadsReading) -> set[int]:
    """Ids of the jobs that were reported."""
    return {int(usage.workload.key) for usage in reading.usages}


def usage_of(reading: WorkloadsReading, job_id: int) -> WorkloadUsage:
    """Return what was reported of a job."""
    (usage,) = (each for each in reading.usages if each.workload.key == str(job_id))
    return usage
