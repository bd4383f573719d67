"""Reads ``archive.db``, whether a daemon writes it or not, and changes nothing.

Each question opens the file anew: questions are rare, and so nothing has to be
followed when the file is replaced.

SQLite would leave files beside a database in WAL mode, in a directory that may
be another user's. It is told not to: without a write-ahead log nobody is writing,
and the file is read as one that does not change.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from exporter.core.archive import JobOrder, JobPage, JobQuery, JobSums
from exporter.core.errors import ArchiveError
from exporter.core.units import Grams, Joules, Seconds
from exporter.core.workload import GpuUse
from exporter.pipeline.archive_db import (
    COLUMNS,
    UnusableArchiveError,
    check_identity,
    kept_text,
    record_from,
)

_BUSY_S = 1.0
_LOOK_AT_CLOCK_EVERY = 10_000
_HEADER_BYTES = 20
_WAL_MODE = 2

_ORDERS: dict[JobOrder, str] = {
    "newest": "id DESC",
    "end": "seen_unix_s DESC, id DESC",
    "energy": "energy_j DESC, id DESC",
    "emissions": "emissions_g DESC, id DESC",
}
_SUMS = """count(*), total(estimated_j), total(emissions_g), total(fallback_g),
 total(cpu_s), sum(energy_j), sum(gpu_held_s), sum(gpu_known_s), sum(gpu_busy_s),
 sum(gpu_idle_s)"""

_Values = dict[str, str | float]


class ArchiveReader:
    """Answers questions from the file; any thread may ask.

    Args:
        path: the file.
        limit_s: how long a question may take, s.
    """

    def __init__(self, path: Path, limit_s: float) -> None:
        self._path = path
        self._limit_s = limit_s

    def find(self, query: JobQuery) -> JobPage:
        """Return the records of a query.

        Raises:
            ArchiveError: there is no archive, or it cannot be read; the message
                says why.
        """
        where, values = _conditions(query)
        # One more than wanted tells whether there are more.
        statement = (
            f"SELECT id, {', '.join(COLUMNS)} FROM jobs WHERE {where}"  # noqa: S608 - values are bound
            f" ORDER BY {_ORDERS[query.order]} LIMIT {query.limit + 1:d}"
        )
        with self._open() as db:
            rows = db.execute(statement, values).fetchall()
            records = tuple(record_from(row) for row in rows[: query.limit])
        more = len(rows) > query.limit and query.order == "newest"
        return JobPage(records, rows[query.limit - 1]["id"] if more else None)

    def sums(self, query: JobQuery) -> JobSums:
        """Add up all records of a query; it may have any limit.

        Raises:
            ArchiveError: as of ``find``.
        """
        where, values = _conditions(query)
        statement = f"SELECT {_SUMS} FROM jobs WHERE {where}"  # noqa: S608 - values are bound
        with self._open() as db:
            row = db.execute(statement, values).fetchone()
            jobs, estimated_j, emissions_g, fallback_g, cpu_s, energy_j, *use = row
            return JobSums(
                jobs=int(jobs),
                energy_j=None if energy_j is None else Joules(float(energy_j)),
                estimated_j=Joules(float(estimated_j)),
                emissions_g=Grams(float(emissions_g)),
                fallback_g=Grams(float(fallback_g)),
                cpu_s=Seconds(float(cpu_s)),
                gpu_use=None if None in use else GpuUse(*map(float, use)),
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one question, and say what is wrong with it."""
        end_s = time.monotonic() + self._limit_s
        try:
            db = sqlite3.connect(
                self._uri(), timeout=_BUSY_S, isolation_level=None, uri=True
            )
            try:
                db.set_progress_handler(
                    lambda: time.monotonic() > end_s, _LOOK_AT_CLOCK_EVERY
                )
                db.row_factory = sqlite3.Row
                db.text_factory = _decoded
                check_identity(db)
                yield db
            finally:
                db.close()
        except FileNotFoundError as error:
            msg = (
                f"there is no archive {self._path}: no jouled has kept one with this "
                "--state.dir"
            )
            raise ArchiveError(msg) from error
        except PermissionError as error:
            msg = (
                f"may not read the archive {self._path}: ask as root, as the user of "
                "the daemon, or as a member of the group of the file"
            )
            raise ArchiveError(msg) from error
        except (OSError, sqlite3.Error, UnusableArchiveError) as error:
            why = str(error)
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                why = f"took longer than {self._limit_s:g} s; ask for less at once"
            msg = f"cannot read the archive {self._path}: {why}"
            raise ArchiveError(msg) from error
        except (TypeError, ValueError, RecursionError) as error:
            msg = f"the archive {self._path} holds what no jouled wrote: {error}"
            raise ArchiveError(msg) from error

    def _uri(self) -> str:
        with self._path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        if not header:
            # It is about to be made.
            raise FileNotFoundError(self._path)
        log = self._path.with_name(f"{self._path.name}-wal")
        at_rest = header[18:19] == bytes([_WAL_MODE]) and not log.exists()
        uri = self._path.absolute().as_uri()
        return f"{uri}?immutable=1" if at_rest else f"{uri}?mode=ro"


def _conditions(query: JobQuery) -> tuple[str, _Values]:
    """Return what follows WHERE, and the values for it."""
    given = {
        "seen_unix_s >= :since": query.since_unix_s,
        "seen_unix_s < :until": query.until_unix_s,
        "user = :user": query.user,
        "CASE account WHEN '' THEN namespace ELSE account END = :account": (
            query.account
        ),
        "job_id = :job_id": query.job_id,
        "scheduler = :scheduler": query.scheduler,
        "id < :cursor": query.cursor,
    }
    known = {text: value for text, value in given.items() if value is not None}
    values = {
        text.rpartition(":")[2]: kept_text(value) if isinstance(value, str) else value
        for text, value in known.items()
    }
    return " AND ".join(["1", *known]), values


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")
