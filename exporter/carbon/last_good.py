"""The last good values on disk, so that a restart without network has them."""

import asyncio
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from exporter.carbon.answer import (
    flag,
    member,
    number,
    number_or_none,
    parse_json,
    rows,
    text,
)
from exporter.carbon.errors import NonsenseError
from exporter.carbon.observation import Factors, Observation, Signal
from exporter.carbon.standing import Kept
from exporter.core.units import GramsPerKwh, Seconds

_log = logging.getLogger(__name__)

_VERSION = 1
_MAX_BYTES = 2**20
_MOST_VALUES = 512
_SIGNALS: dict[str, Signal] = {"average": "average", "marginal": "marginal"}
_FACTORS: dict[str, Factors] = {"lifecycle": "lifecycle", "direct": "direct", "": ""}


class LastGood:
    """One small JSON file, replaced by rename.

    Args:
        state_dir: directory of what outlives a reboot.
        name: of the file; who shares a directory takes another one.
        patience_s: how long ``keep`` waits for the disk, s.
    """

    def __init__(
        self,
        state_dir: Path,
        name: str = "carbon-intensity.json",
        *,
        patience_s: float = 10.0,
    ) -> None:
        self._path = state_dir / name
        self._draft = state_dir / f"{name}.new"
        self._patience_s = patience_s
        self._failing = False
        self._saving: asyncio.Future[None] | None = None

    async def keep(self, values: Iterable[Kept]) -> bool:
        """Save in a thread; a disk that hangs is waited for only so long.

        Returns:
            Whether it came to an end. While it has not, nothing else is saved.
        """
        if self._saving is None or self._saving.done():
            saving = asyncio.to_thread(self.save, tuple(values))
            self._saving = asyncio.ensure_future(saving)
            await asyncio.wait((self._saving,), timeout=self._patience_s)
        if self._saving.done():
            return True
        self._tell("the disk does not answer")
        return False

    def save(self, values: Iterable[Kept]) -> None:
        """Replace the file; a failure is told once."""
        written = [_row(kept) for kept in values][:_MOST_VALUES]
        try:
            data = json.dumps({"version": _VERSION, "values": written})
            draft = os.open(
                self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640
            )
            with open(draft, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor has no path
                file.write(data)
            self._draft.replace(self._path)
        except OSError as error:
            self._tell(str(error))
            return
        self._failing = False

    def load(self) -> tuple[Kept, ...]:
        """Return what was kept; nothing where there is no usable file."""
        try:
            content = parse_json(self._read())
            if member(content, "version") != _VERSION:
                return ()
            return tuple(_kept(row) for row in rows(content, "values")[:_MOST_VALUES])
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError, NonsenseError) as error:
            _log.warning(
                "the kept carbon intensity cannot be used, it is fetched anew: %s",
                error,
                extra={"path": str(self._path)},
            )
            return ()

    def _tell(self, why: str) -> None:
        if not self._failing:
            _log.warning("cannot keep the last good carbon intensity: %s", why)
        self._failing = True

    def _read(self) -> str:
        with self._path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            msg = f"it is larger than {_MAX_BYTES} bytes"
            raise NonsenseError(msg)
        return data.decode("ascii")


def _row(kept: Kept) -> dict[str, object]:
    observation = kept.observation
    return {
        "zone": observation.zone,
        "provider": observation.provider,
        "g_per_kwh": observation.value,
        "observed_unix_s": observation.observed_unix_s,
        "slot_s": observation.slot_s,
        "signal": observation.signal,
        "factors": observation.factors,
        "estimated": observation.estimated,
        "live_for_s": observation.live_for_s,
        "told_by": kept.told_by,
        "fetched_unix_s": kept.fetched_unix_s,
    }


def _kept(row: object) -> Kept:
    signal = _SIGNALS.get(text(row, "signal"))
    factors = _FACTORS.get(text(row, "factors"))
    if signal is None or factors is None:
        msg = "a signal or factors nobody knows"
        raise NonsenseError(msg)
    live_for_s = number_or_none(row, "live_for_s")
    return Kept(
        text(row, "told_by"),
        Observation(
            zone=text(row, "zone"),
            provider=text(row, "provider"),
            value=GramsPerKwh(number(row, "g_per_kwh")),
            observed_unix_s=Seconds(number(row, "observed_unix_s")),
            slot_s=Seconds(number(row, "slot_s")),
            signal=signal,
            factors=factors,
            estimated=flag(row, "estimated"),
            live_for_s=None if live_for_s is None else Seconds(live_for_s),
        ),
        Seconds(number(row, "fetched_unix_s")),
    )
