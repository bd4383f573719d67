"""The engine's memory on tmpfs, so that a crash loses nothing.

It is written every tick *before* the snapshot is published: what Prometheus has
seen can always be continued. After ``kill -9`` the first tick is one long
interval from the checkpoint. A checkpoint of another boot is no checkpoint: the
hardware counters and the monotonic clock have restarted, and so do ours.

The file is replaced by rename, never rewritten; there is no fsync, because a
tmpfs has nothing to survive but the process.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from exporter.pipeline.decoding import decode
from exporter.pipeline.encoding import encode
from exporter.pipeline.state import EngineState

_log = logging.getLogger(__name__)

_VERSION = 2
_MAX_BYTES = 64 * 2**20


def read_boot_id(procfs: Path) -> str:
    """Return the kernel's boot id.

    Raises:
        OSError: ``procfs`` is not a proc file system.
    """
    return (procfs / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Checkpoint:
    """One file in the run directory.

    Attributes:
        error: why the last ``save`` failed; "" when it did not.
    """

    def __init__(self, run_dir: Path, boot_id: str) -> None:
        self.error = ""
        self._path = run_dir / "checkpoint"
        # As text: a path object is made anew by each of its own operations.
        self._target = str(self._path)
        self._draft = str(run_dir / "checkpoint.new")
        self._boot_id = boot_id

    def save(self, state: EngineState) -> None:
        """Replace the file; a failure is told once and does not stop the tick."""
        head = {"version": _VERSION, "boot_id": self._boot_id}
        data = _json({**head, **encode(state)})
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            draft = os.open(self._draft, flags, 0o600)
            try:
                _write_all(draft, data)
            finally:
                os.close(draft)
            os.replace(self._draft, self._target)  # noqa: PTH105 - see above
        except OSError as error:
            if not self.error:
                _log.warning(
                    "cannot write checkpoint, a crash would lose energy: %s", error
                )
            self.error = str(error)
            return
        if self.error:
            _log.info("checkpoint is written again", extra={"path": str(self._path)})
        self.error = ""

    def load(self) -> EngineState | None:
        """Return the state of this boot, or ``None`` to start from 0.

        A file that cannot be used is set aside, never deleted.
        """
        try:
            data = self._parse()
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            self._set_aside(str(error))
            return None
        if data.get("boot_id") != self._boot_id:
            _log.info("checkpoint is of another boot; counters start from 0")
            return None
        if data.get("version") != _VERSION:
            self._set_aside(f"version {data.get('version')!r} is not {_VERSION}")
            return None
        try:
            return decode(data)
        except (KeyError, TypeError, ValueError) as error:
            self._set_aside(f"{type(error).__name__}: {error}")
            return None

    def _parse(self) -> dict[str, Any]:
        with self._path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
        if len(text) > _MAX_BYTES:
            msg = f"larger than {_MAX_BYTES} bytes"
            raise ValueError(msg)
        data = json.loads(text)
        if not isinstance(data, dict):
            msg = "not a JSON object"
            raise ValueError(msg)  # noqa: TRY004 - unusable content, as bad JSON is
        return data

    def _set_aside(self, why: str) -> None:
        aside = self._path.with_suffix(".unusable")
        _log.error(
            "checkpoint cannot be used, counters start from 0: %s",
            why,
            extra={"kept_as": str(aside)},
        )
        try:
            self._path.replace(aside)
        except OSError as error:
            _log.warning("cannot set the checkpoint aside: %s", error)


def _json(value: dict[str, Any]) -> bytes:
    """Write JSON with what comes with FastAPI: five times as quick as ``json``.

    A name that holds half a surrogate pair is no UTF-8; ``json`` escapes it.
    """
    try:
        return to_json(value)
    except PydanticSerializationError:
        return json.dumps(value, separators=(",", ":")).encode()


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
