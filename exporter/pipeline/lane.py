"""One worker thread per source, so that a call that hangs delays nobody else.

The sampler asks all lanes and then collects from each until the deadline of the
tick. A lane that has not answered by then is left alone until it does; what it
says late is dropped, since the next reading will be fresher. Two bare locks
hand the work over: an event or a queue would cost more than most readings.
"""

import _thread
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from exporter.core.errors import (
    SourceAbsentError,
    SourceDeniedError,
    SourceError,
    SourceFaultyError,
    SourceTimeoutError,
)
from exporter.core.model import SourceStatus
from exporter.core.ports import Source
from exporter.core.units import Seconds

T = TypeVar("T")

# A source that is not there, or may not be read, is looked for again slowly.
_PATIENCE = 3
_LOOK_AGAIN_S = 5.0


class Lane(Generic[T]):
    """Reads one source in a thread of its own."""

    def __init__(self, source: Source[T], monotonic: Callable[[], float]) -> None:
        self.source = source
        self._monotonic = monotonic
        self._go = _thread.allocate_lock()
        self._go.acquire()
        self._done = _thread.allocate_lock()
        self._done.acquire()
        self._working = False
        self._closing = False
        self._outcome: T | SourceError = SourceAbsentError("not read yet")
        self._duration_s = 0.0
        self._errors: dict[str, int] = {}
        self._absences = 0
        self._ask_again_s = 0.0
        name = f"read {source.info.name}"[:15]
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Start a reading, unless one is still going on or it is too early."""
        if self._working:
            if not self._done.acquire(blocking=False):
                return
            self._working = False
        if self._monotonic() >= self._ask_again_s:
            self._working = True
            self._go.release()

    def collect(self, until_s: float) -> tuple[T | None, SourceStatus]:
        """Wait for the reading, at the longest until a monotonic time.

        Returns:
            The reading, ``None`` if there is none, and how it went.
        """
        if not self._working:
            error = self._outcome
            return None, self._status(error if isinstance(error, SourceError) else None)
        timeout_s = max(0.0, until_s - self._monotonic())
        if not self._done.acquire(timeout=timeout_s):
            late = SourceTimeoutError("no answer before the deadline of the tick")
            self._count(late)
            return None, self._status(late)
        self._working = False
        outcome = self._outcome
        if isinstance(outcome, SourceError):
            self._count(outcome)
            return None, self._status(outcome)
        self._absences = 0
        return outcome, self._status(None)

    def close(self) -> None:
        """Let the thread end, at once or when its reading does."""
        if self._closing:
            return
        self._closing = True
        if not self._working or self._done.acquire(blocking=False):
            self._go.release()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, at the longest ``timeout_s``."""
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while True:
            self._go.acquire()
            if self._closing:
                break
            self._read()
            # Closed meanwhile: nobody will ask again.
            if self._closing:
                break
        self.source.close()

    def _read(self) -> None:
        begin_s = self._monotonic()
        try:
            self._outcome = self.source.read()
        except SourceError as error:
            self._outcome = error
        except Exception as error:  # noqa: BLE001 - one bad source never stops another
            self._outcome = SourceFaultyError(f"{type(error).__name__}: {error}")
        self._duration_s = self._monotonic() - begin_s
        self._done.release()

    def _count(self, error: SourceError) -> None:
        if isinstance(error, SourceAbsentError | SourceDeniedError):
            self._absences += 1
            if self._absences >= _PATIENCE:
                self._ask_again_s = self._monotonic() + _LOOK_AGAIN_S
        if not isinstance(error, SourceAbsentError):
            self._errors[error.reason] = self._errors.get(error.reason, 0) + 1

    def _status(self, error: SourceError | None) -> SourceStatus:
        return SourceStatus(
            info=self.source.info,
            up=error is None,
            reason="" if error is None else error.reason,
            message="" if error is None else str(error),
            read_duration_s=Seconds(self._duration_s),
            errors=tuple(self._errors.items()),
        )
