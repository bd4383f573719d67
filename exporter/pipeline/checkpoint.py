"""The engine's memory on tmpfs, so that a crash loses nothing.

It is written every tick *before* the snapshot is published: what Prometheus has
seen can always be continued. After ``kill -9`` the first tick is one long
interval from the checkpoint. A checkpoint of another boot is no checkpoint: the
hardware counters and the monotonic clock have restarted, and so do ours.

Two files take turns, so that the last whole save is never written over; a write
that was cut short had not been published. There is no fsync, because a tmpfs has
nothing to survive but the process.
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import PydanticSerializationError, to_json

from exporter.pipeline.decoding import decode
from exporter.pipeline.encoding import encode
from exporter.pipeline.slot import Saved, Slot, TornError
from exporter.pipeline.state import EngineState

_log = logging.getLogger(__name__)

# Looking whether a file is still there is a system call. An odd number, so that
# each of the two has its turn.
_LOOK_EVERY = 5


def read_boot_id(procfs: Path) -> str:
    """Return the kernel's boot id.

    Raises:
        OSError: ``procfs`` is not a proc file system.
    """
    return (procfs / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class _Unusable(NamedTuple):
    slot: Slot
    error: Exception

    def __str__(self) -> str:
        return f"{self.slot.path.name}: {_why(self.error)}"


class Checkpoint:
    """Two files in the run directory, written in turn.

    Attributes:
        error: why the last ``save`` failed; "" when it did not.
    """

    def __init__(self, run_dir: Path, boot_id: str) -> None:
        self.error = ""
        self._boot_id = boot_id
        self._slots = tuple(Slot(run_dir / f"checkpoint.{n}") for n in range(2))
        self._next = 0
        self._serial = 0

    def save(self, state: EngineState) -> None:
        """Write the older file anew; a failure is told once and stops no tick."""
        content = _json({"boot_id": self._boot_id, **encode(state)})
        slot = self._slots[self._next]
        try:
            if self._serial % _LOOK_EVERY == 0 and slot.is_lost():
                # Whoever took one away may have taken the other, too.
                self.close()
            slot.write(Saved(self._serial + 1, content))
        except OSError as error:
            if not self.error:
                _log.warning(
                    "cannot write checkpoint, a crash would lose energy: %s", error
                )
            self.error = str(error)
            # The same one again: the other holds the last whole save.
            return
        self._serial += 1
        self._next = 1 - self._next
        if self.error:
            _log.info("checkpoint is written again", extra={"path": str(slot.path)})
        self.error = ""

    def load(self) -> EngineState | None:
        """Return the last state of this boot, or ``None`` to start from 0.

        A file that cannot be used is set aside, never deleted; but one that was
        cut short beside a whole one is what ``kill -9`` leaves, and is written
        over by the next ``save``.
        """
        found, unusable = self._read()
        for saved, slot in found:
            try:
                state = self._decode(saved.content)
            except (KeyError, TypeError, ValueError, RecursionError) as error:
                unusable.append(_Unusable(slot, error))
                continue
            if state is not None:
                self._next = 1 - self._slots.index(slot)
                _tell_beside(unusable)
                return state
        if unusable:
            _log.error(
                "checkpoint cannot be used, counters start from 0: %s",
                "; ".join(map(str, unusable)),
                extra={"kept_as": ", ".join(_set_aside(unusable))},
            )
        elif found:
            _log.info("checkpoint is of another boot; counters start from 0")
        return None

    def close(self) -> None:
        """Close the files; another ``save`` would open them again."""
        for slot in self._slots:
            slot.close()

    def _read(self) -> tuple[list[tuple[Saved, Slot]], list[_Unusable]]:
        """Return what was saved whole, the last save first, and what was not."""
        found, unusable = [], []
        for slot in self._slots:
            try:
                found.append((slot.read(), slot))
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                unusable.append(_Unusable(slot, error))
        found.sort(key=lambda one: one[0].serial, reverse=True)
        if found:
            self._serial = found[0][0].serial
        return found, unusable

    def _decode(self, content: bytes) -> EngineState | None:
        """Return a state of this boot; ``None`` if it is of another.

        Raises:
            KeyError: a part is missing.
            TypeError: a part is of another kind.
            ValueError: a part is impossible, or this is no JSON.
            RecursionError: it is nested too deep.
        """
        data = json.loads(content)
        if not isinstance(data, dict):
            msg = "not a JSON object"
            raise TypeError(msg)
        return decode(data) if data["boot_id"] == self._boot_id else None


def _tell_beside(unusable: list[_Unusable]) -> None:
    """Tell of a file that cannot be used beside one that can."""
    for one in unusable:
        if isinstance(one.error, TornError):
            _log.info("a save was cut short, going on from the one before: %s", one)
        else:
            _log.warning(
                "a part of the checkpoint cannot be used, going on from the other: %s",
                one,
                extra={"kept_as": ", ".join(_set_aside([one]))},
            )


def _set_aside(unusable: Iterable[_Unusable]) -> list[str]:
    kept = []
    for one in unusable:
        try:
            kept.append(str(one.slot.set_aside()))
        except OSError as error:
            _log.warning("cannot set the checkpoint aside: %s", error)
    return kept


def _why(error: Exception) -> str:
    # The text of a KeyError is only the key.
    if isinstance(error, (KeyError, TypeError)):
        return f"{type(error).__name__}: {error}"
    return str(error)


def _json(value: dict[str, Any]) -> bytes:
    """Write JSON with what comes with FastAPI: five times as quick as ``json``.

    A name that holds half a surrogate pair is no UTF-8; ``json`` escapes it.
    """
    try:
        return to_json(value)
    except PydanticSerializationError:
        return json.dumps(value, separators=(",", ":")).encode()
