"""What is kept of a series between two looks, and what a look finds. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from exporter.hub.budgets.increase import Rise


@dataclass(slots=True)
class Track:
    """One series.

    Attributes:
        value: what it stands at.
        seen_s: end of the last look in which it was there, or since when it
            stands at ``value`` for another reason; Unix time, s.
        rose_s: end of the last look in which it had risen; 0.0 if never.
        restarted_s: first sample after its last start from 0; 0.0 if never.
        created_s: when it counted from 0, by its node's clock; 0.0 if not told.
        fell_s: the sample before its last fall, where the store counted that; 0.0
            if not known.
    """

    value: float
    seen_s: float
    rose_s: float = 0.0
    restarted_s: float = 0.0
    created_s: float = 0.0
    fell_s: float = 0.0


class Look(NamedTuple):
    """What a look found; it counts once it is committed.

    Attributes:
        begin_s: end of the look before, Unix time, s.
        end_s: Unix time, s.
        rises: of each series that was there.
        first_s: first sample of each series that was never seen before.
        created_s: created timestamps of the series that were doubtful.
        complete: the store has warned of nothing.
    """

    begin_s: int
    end_s: int
    rises: Mapping[str, Rise]
    first_s: Mapping[str, float]
    created_s: Mapping[str, float]
    complete: bool


class Nodes(NamedTuple):
    """What is known of the nodes that series belong to.

    Attributes:
        key_of: key of the node of a series.
        tracks: nodes known before this look.
        look: what this look found of them.
    """

    key_of: Callable[[str], str]
    tracks: Mapping[str, Track]
    look: Look

    def restarts_s(self, key: str) -> tuple[float, ...]:
        """Return when the node of a series started again, as far as it matters."""
        node = self.key_of(key)
        track, found = self.tracks.get(node), self.look.rises.get(node)
        before = (track.restarted_s,) if track is not None else ()
        return before if found is None else (*before, *found.restarts_s)

    def restarted(self, key: str) -> bool:
        """Whether the node of a series started again in this look."""
        found = self.look.rises.get(self.key_of(key))
        return found is not None and bool(found.restarts_s)

    def missing_since_s(self, key: str) -> float | None:
        """Return since when nobody saw the node of a series, if it just came back."""
        track = self.tracks.get(self.key_of(key))
        if track is None or track.seen_s >= self.look.begin_s:
            return None
        return track.seen_s

    def were_there(self, key: str, unix_s: float) -> bool:
        """Whether the node of a series was seen before a moment."""
        node = self.key_of(key)
        first_s = self.look.first_s.get(node)
        return node in self.tracks or (first_s is not None and first_s < unix_s)
