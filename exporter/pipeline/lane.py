"""One source's place in the tick: asked, read by some worker, collected.

A lane that has not answered when the tick collects is left alone until it does;
what it says late is dropped, since the next reading will be fresher.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from exporter.core.errors import (
    SourceAbsentError,
    SourceError,
    SourceFaultyError,
    SourceTimeoutError,
)
from exporter.core.model import SourceStatus
from exporter.core.ports import DoubtfulSource, Source
from exporter.core.units import Seconds

T = TypeVar("T")


class Lane(Generic[T]):
    """Asks one source at most once at a time.

    ``perform`` runs in a worker's thread, everything else in the sampler's. The
    two meet in single assignments: a result counts if it bears the number of
    the asking it answers.

    Args:
        source: what is read.
        monotonic: CLOCK_MONOTONIC, s.
        errors: failed ticks by reason; goes on being counted.
    """

    def __init__(
        self,
        source: Source[T],
        monotonic: Callable[[], float],
        errors: dict[str, int],
    ) -> None:
        self.source = source
        self._monotonic = monotonic
        self._asking = 0
        self._busy = False
        self._closed = False
        self._result: tuple[int, T | SourceError, float] | None = None
        self._duration_s = 0.0
        self._errors = errors
        self._told_errors = tuple(errors.items())
        self._doubtful = source if isinstance(source, DoubtfulSource) else None
        self._counted: tuple[tuple[str, int], ...] = ()

    def ask(self) -> bool:
        """Prepare one ``perform``; False while the last one is still going on."""
        if self._busy:
            return False
        self._busy = True
        self._asking += 1
        return True

    def perform(self) -> None:
        """Read the source; a worker calls this once after ``ask``."""
        asking = self._asking
        begin_s = self._monotonic()
        outcome: T | SourceError
        try:
            outcome = self.source.read()
        except SourceError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001 - one bad source never stops another
            outcome = SourceFaultyError(f"{type(error).__name__}: {error}")
        self._result = (asking, outcome, self._monotonic() - begin_s)
        self._busy = False
        if self._closed:
            self.source.close()

    def withdraw(self) -> None:
        """Take an ``ask`` back that no worker has begun to answer."""
        self._busy = False

    def collect(self) -> tuple[T | None, SourceStatus]:
        """Return what was read, ``None`` if nothing, and how it went."""
        result = self._result
        if result is None or result[0] != self._asking:
            late = SourceTimeoutError("no answer before the deadline of the tick")
            return None, self._failed(late)
        _, outcome, self._duration_s = result
        if isinstance(outcome, SourceError):
            return None, self._failed(outcome)
        doubt = "" if self._doubtful is None else self._doubt(self._doubtful)
        return outcome, SourceStatus(
            self.source.info,
            True,  # noqa: FBT003 - named tuples are made by position, each tick
            "",
            doubt,
            Seconds(self._duration_s),
            self._told_errors,
        )

    def close(self) -> None:
        """Close the source, at once or when its reading ends."""
        if self._closed:
            return
        self._closed = True
        if not self._busy:
            self.source.close()

    def _doubt(self, source: DoubtfulSource) -> str:
        """Count what the source doubts among its errors, and return what it is."""
        doubts = source.doubts
        if doubts is not self._counted:
            counted, self._counted = dict(self._counted), doubts
            for reason, count in doubts:
                self._count(reason, count - counted.get(reason, 0))
        return source.doubt

    def _count(self, reason: str, new: int) -> None:
        self._errors[reason] = self._errors.get(reason, 0) + new
        self._told_errors = tuple(self._errors.items())

    def _failed(self, error: SourceError) -> SourceStatus:
        reason = error.reason
        if not isinstance(error, SourceAbsentError):
            self._count(reason, 1)
        return SourceStatus(
            self.source.info,
            up=False,
            reason=reason,
            message=str(error),
            read_duration_s=Seconds(self._duration_s),
            errors=self._told_errors,
        )
