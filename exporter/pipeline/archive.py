"""The archive of jobs, written by a thread of its own.

Whoever has a record puts it down and goes on; the thread writes all there is in
one transaction. While it cannot (the disk is full, the file is locked, the
directory is gone), records wait: the last one of each job, and of so many jobs
at most. That is told once, and again when it is over.

A file that is damaged or of another program is set aside under another name,
never deleted, and a new one is begun.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from exporter.core.archive import JobRecord, RecordKey
from exporter.core.model import SourceInfo, SourceStatus
from exporter.pipeline.archive_db import (
    FORGET_AT_ONCE,
    ArchiveDb,
    UnusableArchiveError,
    is_unusable,
)

_log = logging.getLogger(__name__)

_INFO = SourceInfo("archive", "", "none", "none", "node")
_REASONS = ("faulty", "dropped")
_FORGET_EVERY_S = 3600.0
# A disk that spoils every file must not be filled with them.
_SET_ASIDE_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How the archive bears a disk that fails.

    Attributes:
        busy_s: how long to wait for another program to unlock the file, s.
        waiting: of how many jobs the last record waits, at most.
        retry_s: time to the first new attempt, s; doubled at each failure.
        longest_retry_s: but not beyond this, s.
    """

    busy_s: float = 5.0
    waiting: int = 4096
    retry_s: float = 5.0
    longest_retry_s: float = 300.0


_USUAL_PATIENCE = Patience()


class Archive:
    """Keeps records in a file; any thread may ``put``.

    Args:
        path: the file.
        retention_s: how long a record is kept after the job was last seen, s.
        running: the jobs that the ledger knows to run; others that the file says
            to run were lost while the daemon was away.
        errors: failures so far by reason, counted in place; "dropped" is how many
            records went.
        patience: how it bears a disk that fails.
        wall: the wall clock, s.

    Attributes:
        status: whether the last attempt to write worked.
    """

    def __init__(  # noqa: PLR0913 - settings of one archive, all by name
        self,
        path: Path,
        *,
        retention_s: float,
        running: Collection[RecordKey] = (),
        errors: dict[str, int] | None = None,
        patience: Patience = _USUAL_PATIENCE,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.status = SourceStatus(_INFO, up=True)
        self._path = path
        self._retention_s = retention_s
        self._running: Collection[RecordKey] | None = frozenset(running)
        self._patience = patience
        self._wall = wall
        self._db: ArchiveDb | None = None
        self._waiting: dict[RecordKey, JobRecord] = {}
        self._closing = False
        # Guards the two above; held for as long as it takes to exchange them.
        self._changed = threading.Condition()
        self._error = ""
        self._errors = {} if errors is None else errors
        # The checkpoint goes through them meanwhile: no reason may come later.
        for reason in _REASONS:
            self._errors.setdefault(reason, 0)
        self._dropping = False
        self._retry_s = patience.retry_s
        self._forget_s = self._set_aside_s = float("-inf")
        self._thread = threading.Thread(target=self._work, name="archive", daemon=True)
        self._thread.start()

    def put(self, records: Iterable[JobRecord]) -> None:
        """Take records; of several of one job the last one counts."""
        with self._changed:
            for record in records:
                self._waiting.pop(record.key, None)
                self._waiting[record.key] = record
            self._drop_oldest()
            self._changed.notify()

    def close(self, timeout_s: float) -> None:
        """Write what waits and close the file, if that can be done in time.

        What is not written is still in the checkpoint, for the next daemon.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning(
                "the disk of the archive is slow; leaving without it",
                extra={"path": str(self._path)},
            )

    # --- the thread ---------------------------------------------------------

    def _work(self) -> None:
        try:
            while not self._closing:
                self._attempt()
                self._rest()
            # Put down just before the end.
            self._attempt()
        finally:
            self._close_db()
            self.status = SourceStatus(
                _INFO, up=False, reason="faulty", message="the archive is closed"
            )

    def _rest(self) -> None:
        with self._changed:
            if self._error:
                self._changed.wait_for(lambda: self._closing, self._retry_s)
                self._retry_s = min(self._retry_s * 2, self._patience.longest_retry_s)
            else:
                self._changed.wait_for(
                    lambda: self._closing or self._waiting, _FORGET_EVERY_S
                )

    def _attempt(self) -> None:
        try:
            self._keep()
        except (sqlite3.Error, OSError, UnusableArchiveError) as error:
            self._close_db()
            problem = self._set_aside(error) if is_unusable(error) else str(error)
            if problem:
                self._fail(problem)
            else:
                self._attempt()
        else:
            self._succeed()

    def _keep(self) -> None:
        """Write what waits, and forget what is old."""
        if self._db is not None and not self._db.is_there:
            _log.warning("the archive was removed; beginning a new one")
            self._close_db()
        if self._db is None:
            self._db = ArchiveDb(self._path, self._patience.busy_s)
        if self._running is not None:
            lost = self._db.lose(self._running)
            self._running = None
            if lost:
                _log.info(
                    "jobs were running when the daemon or the node ended; how they "
                    "ended is not known",
                    extra={"jobs": lost},
                )
        self._write(self._db)
        self._forget(self._db)

    def _write(self, db: ArchiveDb) -> None:
        with self._changed:
            records, self._waiting = self._waiting, {}
        if not records:
            return
        try:
            db.write(records.values())
        except BaseException:
            with self._changed:
                # What came meanwhile is newer.
                self._waiting = {**records, **self._waiting}
                self._drop_oldest()
            raise

    def _forget(self, db: ArchiveDb) -> None:
        now_s = time.monotonic()
        if now_s < self._forget_s:
            return
        before_unix_s = self._wall() - self._retention_s
        while db.forget(before_unix_s) == FORGET_AT_ONCE and not self._closing:
            pass
        self._forget_s = now_s + _FORGET_EVERY_S

    def _close_db(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    # --- what goes wrong ----------------------------------------------------

    def _drop_oldest(self) -> None:
        """Make room; the caller holds the lock."""
        while len(self._waiting) > self._patience.waiting:
            del self._waiting[next(iter(self._waiting))]
            self._errors["dropped"] += 1
            if not self._dropping:
                self._dropping = True
                _log.error(
                    "too many records of jobs wait for the archive; the oldest go",
                    extra={"path": str(self._path), "waiting": len(self._waiting)},
                )

    def _set_aside(self, why: Exception) -> str:
        """Rename the file and what belongs to it; return why that did not work."""
        now_s = time.monotonic()
        if now_s < self._set_aside_s:
            return f"{self._path} is spoilt again: {why}; check the disk"
        at = datetime.fromtimestamp(self._wall(), UTC)
        aside = f"{self._path.name}.unusable-{at:%Y%m%dT%H%M%SZ}"
        _log.error(
            "the archive cannot be used, a new one is begun: %s",
            why,
            extra={"path": str(self._path), "kept_as": aside},
        )
        try:
            # With the names that SQLite expects, should somebody repair it.
            for ending in ("", "-wal", "-shm"):
                part = self._path.with_name(self._path.name + ending)
                if part.exists():
                    part.rename(part.with_name(aside + ending))
        except OSError as error:
            return f"cannot set {self._path} aside: {error}"
        self._set_aside_s = now_s + _SET_ASIDE_EVERY_S
        return ""

    def _fail(self, error: str) -> None:
        self._errors["faulty"] += 1
        if not self._error:
            _log.warning(
                "cannot write the archive, records of jobs wait: %s",
                error,
                extra={"path": str(self._path)},
            )
        self._error = error
        self._show()

    def _succeed(self) -> None:
        if self._error:
            _log.info("the archive is written again", extra={"path": str(self._path)})
        self._error = ""
        self._dropping = False
        self._retry_s = self._patience.retry_s
        self._show()

    def _show(self) -> None:
        self.status = SourceStatus(
            _INFO,
            up=not self._error,
            reason="faulty" if self._error else "",
            message=self._error,
            errors=tuple(
                (reason, self._errors[reason])
                for reason in _REASONS
                if self._errors[reason]
            ),
        )
