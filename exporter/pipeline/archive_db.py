"""``archive.db``: jobs in SQLite, and how a record becomes a row.

The file is in WAL mode, so that whoever reads it never stops the writer. Its
header tells whose it is (``application_id``) and of which format
(``user_version``). The upsert needs SQLite 3.24, of 2018.
"""

import json
import os
import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, get_args

from exporter.core.archive import JobRecord, JobState, RecordKey
from exporter.core.model import COMPONENTS
from exporter.core.units import Grams, Joules, Seconds, Watts
from exporter.core.workload import GpuUse, WorkloadId, WorkloadLabels

APPLICATION_ID = 0x6A6F756C
FORMAT = 1

# How many rows one transaction forgets, so that none takes long.
FORGET_AT_ONCE = 500

_CACHE_KIB = 512
_WAL_BYTES = 4 * 2**20
_MOST_CHARACTERS = 256
_MOST_INFO = 32

_KEY = ("scheduler", "workload", "created_unix_s")
_TEXTS = ("job_id", "user", "account", "partition", "namespace", "pod", "info", "state")
_ENERGIES = tuple(f"{component}_j" for component in COMPONENTS)
_GPU_USE = tuple(f"gpu_{name}" for name in GpuUse._fields)
_NUMBERS = (
    "start_unix_s",
    "end_unix_s",
    "seen_unix_s",
    *_ENERGIES,
    "energy_j",
    "estimated_j",
    "emissions_g",
    "fallback_g",
    "cpu_s",
    "peak_power_w",
    *_GPU_USE,
)
COLUMNS = (*_KEY, *_TEXTS, *_NUMBERS)

_SCHEMA = (
    "CREATE TABLE jobs (id INTEGER PRIMARY KEY,"
    " scheduler TEXT NOT NULL, workload TEXT NOT NULL, created_unix_s REAL NOT NULL, "
    + ", ".join(f"{name} TEXT NOT NULL" for name in _TEXTS)
    + ", "
    + ", ".join(f"{name} REAL" for name in _NUMBERS)
    + f", UNIQUE ({', '.join(_KEY)}))",
    "CREATE INDEX jobs_by_time ON jobs (seen_unix_s)",
    "CREATE INDEX jobs_by_number ON jobs (job_id)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)
_UPSERT = (
    f"INSERT INTO jobs ({', '.join(COLUMNS)})"  # noqa: S608 - names from this file
    f" VALUES ({', '.join('?' * len(COLUMNS))})"
    f" ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in _KEY)
)
_FORGET = (
    "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs"
    " WHERE seen_unix_s < ? AND state <> 'running' LIMIT ?)"
)

_STATES = get_args(JobState)
_UNUSABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class UnusableArchiveError(Exception):
    """The file is damaged, or none of ours; nothing can be written to it."""


def is_unusable(error: Exception) -> bool:
    """Whether an error says that the file itself cannot be used."""
    if isinstance(error, UnusableArchiveError):
        return True
    # The lower byte is the kind; errors of the Python module have none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNUSABLE


class ArchiveDb:
    """The open file; used by one thread.

    Every method raises ``sqlite3.Error`` where SQLite does, or ``OSError``.

    Args:
        path: the file; made if it is not there.
        busy_s: how long to wait for another program to unlock it, s.

    Raises:
        UnusableArchiveError: it is of another program, or of another format.
    """

    def __init__(self, path: Path, busy_s: float) -> None:
        self._path = path
        # Not for everybody: it holds names of users and of their jobs.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
        self._inode = path.stat().st_ino
        self._db = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
        try:
            self._make_or_check()
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._db.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        except BaseException:
            self._db.close()
            raise

    @property
    def is_there(self) -> bool:
        """Whether the path still leads to the file that is open."""
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def write(self, records: Iterable[JobRecord]) -> None:
        """Write records, all or none; one of the same key is replaced."""
        rows = [_row(record) for record in records]
        with _Transaction(self._db):
            self._db.executemany(_UPSERT, rows)

    def lose(self, running: Collection[RecordKey]) -> int:
        """Mark as lost what is said to run and does not; return how many."""
        said = self._db.execute(
            "SELECT id, scheduler, workload, created_unix_s FROM jobs"
            " WHERE state = 'running'"
        ).fetchall()
        lost = [(number,) for number, *key in said if tuple(key) not in running]
        with _Transaction(self._db):
            self._db.executemany("UPDATE jobs SET state = 'lost' WHERE id = ?", lost)
        return len(lost)

    def forget(self, before_unix_s: float) -> int:
        """Delete some of the records last seen before a moment; return how many.

        Fewer than ``FORGET_AT_ONCE`` means that there are no more.
        """
        return self._db.execute(_FORGET, (before_unix_s, FORGET_AT_ONCE)).rowcount

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _make_or_check(self) -> None:
        if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            with _Transaction(self._db):
                for statement in _SCHEMA:
                    self._db.execute(statement)
            return
        check_identity(self._db)


def check_identity(db: sqlite3.Connection) -> None:
    """Make sure that a file is an archive, of a format that is known.

    Raises:
        UnusableArchiveError: it is not.
        sqlite3.Error: it cannot be read.
    """
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        msg = "it is a database of another program"
        raise UnusableArchiveError(msg)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != FORMAT:
        msg = f"its format is {version}, and this jouled knows {FORMAT}"
        raise UnusableArchiveError(msg)


def record_from(row: Any) -> JobRecord:  # noqa: ANN401 - what is in a file is unknown
    """Return the record that a row was made from.

    Args:
        row: gives each of ``COLUMNS`` by its name.

    Raises:
        TypeError: a value is of another kind.
        ValueError: a value is impossible.
    """
    state = row["state"]
    if state not in _STATES:
        msg = f"{state!r:.80} is no state of a job"
        raise ValueError(msg)
    info = json.loads(row["info"])
    if not isinstance(info, dict):
        msg = f"{info!r:.80} are no labels of a job"
        raise ValueError(msg)  # noqa: TRY004 - as any other value that is impossible
    labels = WorkloadLabels(
        row["job_id"],
        row["user"],
        row["account"],
        row["partition"],
        row["namespace"],
        row["pod"],
        {str(name): str(value) for name, value in info.items()},
    )
    start_s, end_s, peak_w = row["start_unix_s"], row["end_unix_s"], row["peak_power_w"]
    gpu_use = [row[name] for name in _GPU_USE]
    return JobRecord(
        workload=WorkloadId(row["scheduler"], row["workload"]),
        labels=labels,
        created_unix_s=Seconds(float(row["created_unix_s"])),
        state=state,
        start_unix_s=None if start_s is None else Seconds(float(start_s)),
        end_unix_s=None if end_s is None else Seconds(float(end_s)),
        seen_unix_s=Seconds(float(row["seen_unix_s"])),
        energy_j=tuple(
            (component, Joules(float(row[name])))
            for component, name in zip(COMPONENTS, _ENERGIES, strict=True)
            if row[name] is not None
        ),
        estimated_j=Joules(float(row["estimated_j"])),
        emissions_g=Grams(float(row["emissions_g"])),
        fallback_g=Grams(float(row["fallback_g"])),
        cpu_s=Seconds(float(row["cpu_s"])),
        peak_power_w=None if peak_w is None else Watts(float(peak_w)),
        gpu_use=None if None in gpu_use else GpuUse(*map(float, gpu_use)),
    )


def _row(record: JobRecord) -> tuple[str | float | None, ...]:
    labels = record.labels
    energy_j = dict(record.energy_j)
    info = {
        kept_text(name): kept_text(value)
        for name, value in list(labels.info.items())[:_MOST_INFO]
    }
    return (
        *map(kept_text, record.workload),
        record.created_unix_s,
        kept_text(labels.job_id),
        kept_text(labels.user),
        kept_text(labels.account),
        kept_text(labels.partition),
        kept_text(labels.namespace),
        kept_text(labels.pod),
        json.dumps(info),
        record.state,
        record.start_unix_s,
        record.end_unix_s,
        record.seen_unix_s,
        *(energy_j.get(component) for component in COMPONENTS),
        record.total_j,
        record.estimated_j,
        record.emissions_g,
        record.fallback_g,
        record.cpu_s,
        record.peak_power_w,
        *(record.gpu_use or [None] * len(_GPU_USE)),
    )


def kept_text(text: str) -> str:
    """Return a text as it is kept: not too long, and fit to be UTF-8."""
    # What came as bytes that are no UTF-8 may hold halves of characters.
    return text[:_MOST_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


class _Transaction:
    """All or nothing; the lock to write is taken at once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self._db.execute("COMMIT")
        elif self._db.in_transaction:
            self._db.execute("ROLLBACK")
