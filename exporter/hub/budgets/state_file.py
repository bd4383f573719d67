"""The tallies on disk, so that a hub that was down goes on where it stopped.

One JSON file, replaced by rename. It is written every few minutes and at the end:
what came after it is read from the store again. A file that cannot be used is set
aside and told, never deleted; then everything is counted anew from the store.

A series is written as its key and its numbers, an entry as its numbers. Every
one of them is checked when it is read: a number from a broken disk would stay in a
budget for months.
"""

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from exporter.hub.budgets.budget import Selection
from exporter.hub.budgets.following import Follower
from exporter.hub.budgets.looks import Track
from exporter.hub.budgets.spending import Entry, Spending
from exporter.hub.budgets.tally import Tally
from exporter.hub.prometheus.matching import Matcher, Operator

_log = logging.getLogger(__name__)

_VERSION = 1
_MAX_BYTES = 2**30
# No entry is longer, joined ones included.
_LONGEST_S = 86400.0
_TRACK = tuple(each.name for each in fields(Track))
_OPERATORS: Mapping[str, Operator] = {"=": "=", "!=": "!=", "=~": "=~", "!~": "!~"}
# What a file of another shape runs into, however deep it is nested.
_UNUSABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RecursionError,
)

_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Kept(NamedTuple):
    """The tallies of one metric; see ``Book``."""

    main: Tally | None
    side: Tally | None


NOTHING_KEPT = Kept(None, None)


class StateFile:
    """One file in the state directory.

    Args:
        state_dir: directory of what outlives a restart.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "budgets.json"
        self._draft = state_dir / "budgets.json.new"
        self._failing = False

    def save(self, kept: Mapping[str, Kept]) -> None:
        """Replace the file; a failure is told once, and nothing stops for it.

        Args:
            kept: tallies by metric.
        """
        text = _dumps(
            {
                "version": _VERSION,
                "metrics": {
                    metric: [None if t is None else _tally_row(t) for t in tallies]
                    for metric, tallies in kept.items()
                },
            }
        )
        try:
            draft = os.open(
                self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
            )
            with open(draft, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor has no path
                file.write(text)
                file.flush()
                # After a power failure the file is the new one or the old one.
                os.fsync(draft)
            self._draft.replace(self._path)
        except OSError as error:
            if not self._failing:
                _log.warning(
                    "cannot keep what was counted for the budgets; after a restart "
                    "it is read from Prometheus again: %s",
                    error,
                )
            self._failing = True
            return
        if self._failing:
            _log.info("what is counted for the budgets is kept again")
        self._failing = False

    def load(self) -> Mapping[str, Kept]:
        """Return what was kept, by metric; nothing where there is no usable file."""
        try:
            with self._path.open("rb") as file:
                text = file.read(_MAX_BYTES + 1)
            if len(text) > _MAX_BYTES:
                msg = f"larger than {_MAX_BYTES} bytes"
                raise ValueError(msg)
            data = json.loads(text)
            if data["version"] != _VERSION:
                msg = f"version {data['version']!r} is not {_VERSION}"
                raise ValueError(msg)
            return {
                metric: Kept(*(None if row is None else _tally(row) for row in rows))
                for metric, rows in data["metrics"].items()
            }
        except FileNotFoundError:
            return {}
        except _UNUSABLE as error:
            self._set_aside(f"{type(error).__name__}: {error}")
            return {}

    def _set_aside(self, why: str) -> None:
        aside = self._path.with_suffix(".unusable")
        _log.error(
            "what was counted for the budgets cannot be used, "
            "it is read from Prometheus again: %s",
            why,
            extra={"kept_as": str(aside)},
        )
        try:
            self._path.replace(aside)
        except OSError as error:
            _log.warning("cannot set that file aside: %s", error)


def _tally_row(tally: Tally) -> Mapping[str, object]:
    fallback = tally.fallback
    return {
        "tenants": _follower_row(tally.tenants),
        "nodes": _follower_row(tally.nodes),
        "fallback": None if fallback is None else _follower_row(fallback),
        "spending": [
            [_selection_row(selection), spending.entries]
            for selection, spending in tally.spending.items()
        ],
    }


def _tally(row: Mapping[str, object]) -> Tally:
    fallback = row["fallback"]
    spending = {
        _selection(selection): _spending(entries)
        for selection, entries in _list(row["spending"])
    }
    tally = Tally(
        _follower(row["tenants"]),
        _follower(row["nodes"]),
        None if fallback is None else _follower(fallback),
        spending,
    )
    followers = (tally.tenants, tally.nodes, tally.fallback or tally.nodes)
    ends_s = {one.at_s for one in followers}
    ends_s |= {int(s.entries[-1].end_s) for s in spending.values() if s.entries}
    metrics = {selection.metric for selection in spending}
    if len(ends_s) != 1 or metrics != {tally.tenants.metric}:
        msg = "its parts do not belong together"
        raise ValueError(msg)
    return tally


def _follower_row(follower: Follower) -> Mapping[str, object]:
    return {
        "metric": follower.metric,
        "at_s": follower.at_s,
        "linked_s": follower.linked_s,
        "origin_s": follower.origin_s,
        "tracks": {
            key: [getattr(track, name) for name in _TRACK]
            for key, track in follower.tracks.items()
        },
    }


def _follower(data: object) -> Follower:
    if not isinstance(data, dict):
        msg = "no counter is described"
        raise TypeError(msg)
    return Follower(
        str(data["metric"]),
        int(_number(data["at_s"])),
        int(_number(data["linked_s"])),
        int(_number(data["origin_s"])),
        {
            str(key): Track(*_numbers(values, len(_TRACK)))
            for key, values in data["tracks"].items()
        },
    )


def _selection_row(selection: Selection) -> Sequence[object]:
    matchers = [[m.label, m.operator, m.values] for m in selection.matchers]
    return [selection.metric, matchers]


def _selection(data: object) -> Selection:
    metric, matchers = _list(data)
    return Selection(
        str(metric),
        tuple(
            Matcher(str(label), _OPERATORS[operator], tuple(map(str, values)))
            for label, operator, values in _list(matchers)
        ),
    )


def _spending(data: object) -> Spending:
    entries = [Entry(*_numbers(values, 5)) for values in _list(data)]
    before_s = entries[0].begin_s if entries else 0.0
    for entry in entries:
        if entry.begin_s != before_s or not 0 < entry.end_s - before_s <= _LONGEST_S:
            msg = "there is a gap in what was counted"
            raise ValueError(msg)
        before_s = entry.end_s
    return Spending(entries)


def _list(data: object) -> list[list[str]]:
    if not isinstance(data, list):
        msg = "a list is missing"
        raise TypeError(msg)
    return data


def _numbers(data: object, count: int) -> list[float]:
    numbers = [_number(value) for value in _list(data)]
    if len(numbers) != count:
        msg = f"{len(numbers)} numbers are not {count}"
        raise ValueError(msg)
    return numbers


def _number(data: object) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        msg = "a number is missing"
        raise TypeError(msg)
    value = float(data)
    if not math.isfinite(value) or value < 0:
        msg = f"{value} cannot be"
        raise ValueError(msg)
    return value
