"""What is kept of a job when the ledger has let it go, and how it is asked for.

A record is written when its job ends, and once a minute while it runs. Its
totals count from the moment the job was first seen on this node.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from exporter.core.model import Component
from exporter.core.units import Grams, Joules, Ratio, Seconds, Watts
from exporter.core.workload import GpuUse, WorkloadId, WorkloadLabels

JobState = Literal["running", "ended", "lost"]
JobOrder = Literal["newest", "end", "energy", "emissions"]

RecordKey = tuple[str, str, float]
"""Scheduler, key of the workload, and when its counters started from 0."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job on this node, as far as it was seen.

    Attributes:
        workload: which one; a later one may have the same.
        labels: frozen labels.
        created_unix_s: when its counters started from 0.
        state: "lost" if the daemon or the node went away while it ran.
        start_unix_s: when it started; ``None`` if that was never known.
        end_unix_s: when it was found gone; ``None`` unless it has "ended".
        seen_unix_s: up to when the record tells.
        energy_j: per component the node can tell of, J; 0 is a measured 0.
        estimated_j: the part of all its energy that comes from estimates.
        emissions_g: grams.
        fallback_g: the part of them computed on fallback intensity.
        cpu_s: CPU time it was charged for, s.
        peak_power_w: the most that all components together had in one tick.
        gpu_use: how it used the GPUs it held; ``None`` if it never held any.
    """

    workload: WorkloadId
    labels: WorkloadLabels
    created_unix_s: Seconds
    state: JobState
    start_unix_s: Seconds | None
    end_unix_s: Seconds | None
    seen_unix_s: Seconds
    energy_j: tuple[tuple[Component, Joules], ...]
    estimated_j: Joules
    emissions_g: Grams
    fallback_g: Grams
    cpu_s: Seconds
    peak_power_w: Watts | None
    gpu_use: GpuUse | None

    @property
    def key(self) -> RecordKey:
        """What no other record has."""
        return (*self.workload, self.created_unix_s)

    @property
    def total_j(self) -> Joules | None:
        """Energy of all components; ``None`` if the node could tell of none."""
        if not self.energy_j:
            return None
        return Joules(sum(part_j for _, part_j in self.energy_j))

    @property
    def elapsed_s(self) -> Seconds:
        """How long it has been running, as far as it was seen."""
        start_s = self.start_unix_s
        begin_s = self.created_unix_s if start_s is None else start_s
        return Seconds(max(0.0, self.seen_unix_s - begin_s))


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which records are wanted; ``None`` stands for all.

    A job belongs to the time in which it was last seen, so that it is in one
    month and not in two.

    Attributes:
        since_unix_s: last seen at this moment or later.
        until_unix_s: last seen before this moment.
        user: whose.
        account: Slurm account or Kubernetes namespace.
        job_id: as the scheduler numbers it.
        scheduler: which scheduler.
        order: which come first; a cursor can be used with "newest" only.
        limit: how many records at most, > 0.
        cursor: ``JobPage.cursor`` of the page before.
    """

    since_unix_s: float | None = None
    until_unix_s: float | None = None
    user: str | None = None
    account: str | None = None
    job_id: str | None = None
    scheduler: str | None = None
    order: JobOrder = "newest"
    limit: int = 100
    cursor: int | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """Records in the order asked for; ``cursor`` is ``None`` if these are all."""

    records: tuple[JobRecord, ...]
    cursor: int | None


@dataclass(frozen=True, slots=True)
class JobSums:
    """All records of a query added up, whatever its limit.

    ``energy_j`` is ``None`` if no record has any, and so is ``gpu_use``.
    """

    jobs: int
    energy_j: Joules | None
    estimated_j: Joules
    emissions_g: Grams
    fallback_g: Grams
    cpu_s: Seconds
    gpu_use: GpuUse | None


class JobArchive(Protocol):
    """Answers questions about jobs of the past; any thread may ask."""

    def find(self, query: JobQuery) -> JobPage:
        """Return the records of a query.

        Raises:
            ArchiveError: it cannot be read now; the message says why.
        """


def part_of(part: float, whole: float | None) -> Ratio | None:
    """Return a part as a share of the whole; ``None`` if there is no whole."""
    if not whole:
        return None
    return Ratio(min(1.0, part / whole))
