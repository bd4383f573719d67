"""Records of invented jobs, and what is in an archive."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from exporter.core.archive import JobRecord
from exporter.core.units import Grams, Joules, Seconds, Watts
from exporter.core.workload import GpuUse, WorkloadId, WorkloadLabels
from exporter.pipeline.archive_db import ArchiveDb
from tests.fakes.node import SLURM, UNIX_S, labels
from tests.fakes.snapshots import changed

# Quotes of every kind, a line end, a bell, colours, a title, text that runs
# backwards, letters that are wide or have parts, half a character, and a formula.
NASTY = (
    "=1+2\";'`$(reboot)\\\r\n\t\x07\x1b[31m\x1b]0;title\x07\u202egnp\u202c"
    " \x9b1m日本é\udc80☃ , <b>"
)


def record(key: str = "1", seen_s: float = 100.0, **fields: object) -> JobRecord:
    """Return a job that ended ``seen_s`` after ``UNIX_S``; 3600 J, 0.4 g.

    Args:
        key: of the workload, and its number.
        seen_s: when it ended, s after ``UNIX_S``.
        fields: what is to be different.
    """
    usual = JobRecord(
        workload=WorkloadId(SLURM, key),
        labels=labels(key),
        created_unix_s=Seconds(UNIX_S),
        state="ended",
        start_unix_s=Seconds(UNIX_S - 2),
        end_unix_s=Seconds(UNIX_S + seen_s),
        seen_unix_s=Seconds(UNIX_S + seen_s),
        energy_j=(("cpu", Joules(3000.0)), ("dram", Joules(600.0))),
        estimated_j=Joules(0.0),
        emissions_g=Grams(0.4),
        fallback_g=Grams(0.0),
        cpu_s=Seconds(90.0),
        peak_power_w=Watts(55.0),
        gpu_use=None,
    )
    return changed(usual, **fields)


def running(key: str = "1", seen_s: float = 100.0, **fields: object) -> JobRecord:
    """Return a job that was running ``seen_s`` after ``UNIX_S``."""
    return record(key, seen_s, state="running", end_unix_s=None, **fields)


def gpu_job(key: str, use: GpuUse) -> JobRecord:
    """Return a job that held GPUs; 36,000 J."""
    energy_j = (("cpu", Joules(3000.0)), ("gpu", Joules(33_000.0)))
    return record(key, energy_j=energy_j, gpu_use=use)


def nasty() -> JobRecord:
    """Return a job all of whose names are as nasty as can be."""
    info = {NASTY: NASTY, "name": NASTY}
    names = WorkloadLabels(NASTY, NASTY, NASTY, NASTY, NASTY, NASTY, info)
    return record(NASTY, labels=names)


def write_archive(path: Path, records: Iterable[JobRecord]) -> Path:
    """Leave an archive with these records, as a daemon does that has ended."""
    db = ArchiveDb(path, busy_s=5.0)
    db.write(records)
    db.close()
    return path


def rows(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of an archive by key of their workload; none if there is none."""
    if not path.is_file():
        return {}
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        try:
            found = [dict(row) for row in db.execute("SELECT * FROM jobs ORDER BY id")]
        except sqlite3.DatabaseError:
            return {}
    return {row["workload"]: row for row in found}
