"""Learned idle power on disk, so that a restart need not learn it again."""

import json
import logging
from pathlib import Path

from exporter.core.idle import BINS, EnvelopeBin, IdleLearner
from exporter.core.units import Ratio, Watts

_log = logging.getLogger(__name__)

_VERSION = 1
_MAX_BYTES = 2**20

# What a file of another shape runs into, however deep it is nested.
_UNUSABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)


class IdleStore:
    """One small JSON file in the state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "idle-power.json"
        self._draft = state_dir / "idle-power.json.new"
        self._failing = False

    def save(self, learners: dict[str, IdleLearner]) -> None:
        """Replace the file; a failure is told once."""
        rows = {
            key: {str(i): [b.utilization, b.power_w] for i, b in learner.bins.items()}
            for key, learner in learners.items()
        }
        try:
            text = json.dumps({"version": _VERSION, "learned": rows})
            self._draft.write_text(text, encoding="ascii")
            self._draft.replace(self._path)
        except OSError as error:
            if not self._failing:
                _log.warning("cannot keep learned idle power: %s", error)
            self._failing = True
            return
        self._failing = False

    def load(self) -> dict[str, IdleLearner]:
        """Return what was learned; nothing where there is no usable file."""
        try:
            with self._path.open("rb") as file:
                data = json.loads(file.read(_MAX_BYTES))
            if data["version"] != _VERSION:
                return {}
            return {key: _learner(rows) for key, rows in data["learned"].items()}
        except FileNotFoundError:
            return {}
        except _UNUSABLE as error:
            _log.warning(
                "learned idle power cannot be used, learning anew: %s",
                error,
                extra={"path": str(self._path)},
            )
            return {}


def _learner(rows: dict[str, list[float]]) -> IdleLearner:
    bins = {}
    for index, (utilization, power_w) in rows.items():
        if not (
            0 <= int(index) < BINS
            and 0 <= utilization <= 1
            and 0 <= power_w < float("inf")
        ):
            msg = f"impossible bin {index}: {utilization} {power_w}"
            raise ValueError(msg)
        bins[int(index)] = EnvelopeBin(Ratio(utilization), Watts(power_w))
    return IdleLearner(bins)
