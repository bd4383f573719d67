"""Tells the archive of jobs: each one when it ends, and once a minute while it runs.

Nothing here waits for the disk: a record is handed over and that is that.

The energy of a device that could not be read for a while is divided late, also
among jobs that have ended meanwhile. So an ended job is looked at once a minute,
and a last time when the ledger has let it go, and told again if it got more.
"""

from collections.abc import Collection, Iterable
from typing import Protocol

from exporter.core.accounts import JobAccount
from exporter.core.archive import JobRecord, RecordKey
from exporter.core.ledger import Ledger
from exporter.core.model import COMPONENTS, Component, SourceStatus
from exporter.core.units import Grams, Joules, Seconds, Watts
from exporter.core.workload import WorkloadId

_LOOK_EVERY_S = 60.0

# When an ended job ended, and its energy, J: it may run and end once more.
_Told = tuple[float | None, float]


class RecordKeeper(Protocol):
    """Takes records; the last one of a job counts."""

    @property
    def status(self) -> SourceStatus:
        """Whether it can keep what it is given."""

    def put(self, records: Iterable[JobRecord]) -> None:
        """Take records at once, without waiting for anything."""

    def close(self, timeout_s: float) -> None:
        """Keep what it has been given, in this time if it can."""


class JobRecorder:
    """Makes the records; called by the thread that ticks."""

    def __init__(self, keeper: RecordKeeper) -> None:
        self._keeper = keeper
        self._look_s = float("-inf")
        self._unix_s = 0.0
        # Ended jobs, and how they were told.
        self._told: dict[WorkloadId, tuple[JobAccount, _Told]] = {}

    @property
    def status(self) -> SourceStatus:
        """How the archive does."""
        return self._keeper.status

    def after_tick(
        self, ledger: Ledger, ended: Collection[WorkloadId], now_s: float, unix_s: float
    ) -> None:
        """Tell of the jobs that ended in a tick, and now and then of all.

        Args:
            ledger: as it is after the tick.
            ended: the jobs that the tick found gone.
            now_s: monotonic time of the tick.
            unix_s: wall clock of the tick.
        """
        self._unix_s = unix_s
        if now_s >= self._look_s:
            self._look_s = now_s + _LOOK_EVERY_S
            self._tell(self._changed(ledger), ledger)
        elif ended:
            self._tell([ledger.jobs[workload] for workload in ended], ledger)

    def close(self, ledger: Ledger, timeout_s: float) -> None:
        """Tell how far the jobs are that still run, and let the archive end."""
        self._tell(self._changed(ledger), ledger)
        self._keeper.close(timeout_s)

    def _changed(self, ledger: Ledger) -> list[JobAccount]:
        """Jobs that run, and ended ones that were not told as they are now."""
        changed: list[JobAccount] = []
        for workload, (job, told) in list(self._told.items()):
            if ledger.jobs.get(workload) is not job:
                del self._told[workload]
                if _told(job) != told:
                    changed.append(job)
        for workload, job in ledger.jobs.items():
            known = self._told.get(workload)
            if job.ended_s is None or known is None or _told(job) != known[1]:
                changed.append(job)
        return changed

    def _tell(self, jobs: Iterable[JobAccount], ledger: Ledger) -> None:
        records = []
        for job in jobs:
            record = _record(job, ledger.components, self._unix_s)
            if record is None:
                continue
            records.append(record)
            if job.ended_s is not None and ledger.jobs.get(job.workload) is job:
                self._told[job.workload] = (job, _told(job))
        if records:
            self._keeper.put(records)


def running_keys(ledger: Ledger) -> frozenset[RecordKey]:
    """Keys of the records of all jobs that run."""
    return frozenset(
        (*workload, job.created_unix_s)
        for workload, job in ledger.jobs.items()
        if job.ended_s is None
    )


def _told(job: JobAccount) -> _Told:
    return job.ended_s, sum(job.energy_j)


def _record(
    job: JobAccount, components: Collection[Component], unix_s: float
) -> JobRecord | None:
    if job.labels is None:
        # It is seconds old, and has them before its end.
        return None
    end_unix_s = job.ended_unix_s
    return JobRecord(
        workload=job.workload,
        labels=job.labels,
        created_unix_s=Seconds(job.created_unix_s),
        state="running" if end_unix_s is None else "ended",
        start_unix_s=None if job.start_unix_s is None else Seconds(job.start_unix_s),
        end_unix_s=None if end_unix_s is None else Seconds(end_unix_s),
        seen_unix_s=Seconds(unix_s if end_unix_s is None else end_unix_s),
        energy_j=tuple(
            (component, Joules(energy_j))
            for component, energy_j in zip(COMPONENTS, job.energy_j, strict=True)
            if energy_j > 0 or component in components
        ),
        estimated_j=Joules(job.estimated_j),
        emissions_g=Grams(job.emissions_g),
        fallback_g=Grams(job.fallback_g),
        cpu_s=Seconds(job.cpu_s),
        peak_power_w=None if job.peak_power_w is None else Watts(job.peak_power_w),
        gpu_use=job.gpu_use,
    )
