"""What was counted for one selection, look by look, and sums over any time. Pure.

Old looks are joined, so that a year takes a few hundred entries. A time that cuts
an entry gets its part by length.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable
from typing import NamedTuple

from exporter.hub.budgets.period import Span

_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S
# Entries that ended so long ago, s, are joined if they began in the same slot, s.
_COARSE = ((4 * _DAY_S, 6 * _HOUR_S), (6 * _HOUR_S, _HOUR_S), (_HOUR_S, 300))
_JOIN_AT = 64


class Entry(NamedTuple):
    """What was counted in a time.

    Attributes:
        begin_s: Unix time, s.
        end_s: Unix time, s, > ``begin_s``.
        amount: grams or joules, >= 0.
        fallback: the part of it that was computed on fallback intensity.
        complete_s: the part of the time that had complete data, s.
    """

    begin_s: float
    end_s: float
    amount: float
    fallback: float
    complete_s: float


class Total(NamedTuple):
    """Sums over a time; as of ``Entry``."""

    amount: float
    fallback: float
    complete_s: float


class Spending:
    """Entries without gaps between them, oldest first.

    Args:
        entries: in that order.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = list(entries)
        self._fresh = 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them."""
        return tuple(self._entries)

    @property
    def begin_s(self) -> float | None:
        """Since when everything is counted; ``None`` if nothing is yet."""
        return self._entries[0].begin_s if self._entries else None

    @property
    def seen_since_s(self) -> float | None:
        """Since when there is data; ``None`` if there never was any.

        Before that, nothing is known: Prometheus was not there, or has forgotten.
        """
        return next((e.begin_s for e in self._entries if e.complete_s > 0), None)

    def add(self, entry: Entry, edges_s: Collection[float] = ()) -> None:
        """Add what a look counted.

        Args:
            entry: it begins where the last one ended.
            edges_s: moments that sums are asked from or to, begins of periods:
                nothing is joined across them.
        """
        self._entries.append(entry)
        self._fresh += 1
        if self._fresh >= _JOIN_AT:
            self._fresh = 0
            self._entries = _joined(self._entries, entry.end_s, sorted(edges_s))

    def spread(self, span: Span, amount: float, fallback: float) -> None:
        """Add what was used in a time in which nobody looked, evenly over it.

        Args:
            span: the time; what lies before the first entry is not counted.
            amount: grams or joules, >= 0.
            fallback: the part of it that was computed on fallback intensity.
        """
        for index in range(len(self._entries) - 1, -1, -1):
            entry = self._entries[index]
            if entry.end_s <= span.begin_s:
                break
            inside_s = min(entry.end_s, span.end_s) - max(entry.begin_s, span.begin_s)
            if inside_s > 0:
                part = inside_s / span.length_s
                self._entries[index] = entry._replace(
                    amount=entry.amount + amount * part,
                    fallback=entry.fallback + fallback * part,
                )

    def forget(self, before_s: float) -> None:
        """Let entries go that ended before a moment."""
        while self._entries and self._entries[0].end_s <= before_s:
            del self._entries[0]

    def covers(self, begin_s: float) -> bool:
        """Whether everything since a moment is counted."""
        return bool(self._entries) and self._entries[0].begin_s <= begin_s

    def total(self, span: Span) -> Total:
        """Add up what was counted in a time."""
        amount = fallback = complete_s = 0.0
        for entry in reversed(self._entries):
            if entry.end_s <= span.begin_s:
                break
            inside_s = min(entry.end_s, span.end_s) - max(entry.begin_s, span.begin_s)
            if inside_s > 0:
                part = inside_s / (entry.end_s - entry.begin_s)
                amount += entry.amount * part
                fallback += entry.fallback * part
                complete_s += entry.complete_s * part
        return Total(amount, fallback, complete_s)


def _joined(entries: list[Entry], now_s: float, edges_s: list[float]) -> list[Entry]:
    joined: list[Entry] = []
    last_slot: tuple[float, ...] = ()
    for entry in entries:
        age_s = now_s - entry.end_s
        slot_s = next((slot for old, slot in _COARSE if age_s >= old), None)
        if slot_s is None:
            joined.append(entry)
            last_slot = ()
            continue
        slot = (slot_s, entry.begin_s // slot_s, bisect_right(edges_s, entry.begin_s))
        if joined and slot == last_slot:
            before = joined[-1]
            joined[-1] = Entry(
                before.begin_s,
                entry.end_s,
                before.amount + entry.amount,
                before.fallback + entry.fallback,
                before.complete_s + entry.complete_s,
            )
        else:
            joined.append(entry)
        last_slot = slot
    return joined
