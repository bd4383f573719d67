"""Follows the counters of one metric through time, series by series.

A *look* asks for the last value of every series since the look before. Almost all
of them simply rose, and the difference is what they rose by. The others are
*doubtful*, and their samples are read one by one: those that fell, or whose node
started again; those that come back after a time in which they were missing; and
those never seen before.

Windows overlap, so that the last sample before a look is always in the window in
which the store looks for falls: between two looks no fall goes unseen.

A counter that started again may be above its old value before anybody looks. Two
witnesses tell: its created timestamp, where Prometheus has it (as a series of its
own, from OpenMetrics), and the counter of its node, which restarts with it and is
larger. Scrapes give all of them the same time, so no clocks are compared.

What a series stood at before it was first seen:

* 0, if its created timestamp says that it began since we follow;
* 0, if it has none and its node was there before it (the node was scraped, and
  the series was not);
* unknown otherwise: the node is new to us, so its counter may be old. Counting
  begins with the first sample.

A tenant that comes back after a day of rest has its old total, which is known:
values of series that are gone are kept.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import nextafter

from exporter.hub.budgets.increase import Rise, fell, rise
from exporter.hub.budgets.looks import Look, Nodes, Track
from exporter.hub.budgets.store import CounterStore
from exporter.hub.prometheus.series import Samples, Values, labels_of

OVERLAP_S = 300
"""Farther apart than this two samples are a gap, as for Prometheus itself."""
LOOKBACK_DAYS = 30

_DAY_S = 86400
# A node's clock, which writes the created timestamp, may be off from ours.
_CLOCKS_DIFFER_S = 120.0
# A store that keeps numbers as decimals may give the same one back a hair off.
_SAME_CREATED_S = 0.5
_MOST_INSTANCES = 50
_MOST_SAMPLES = 500_000
_LIKELY_SCRAPE_S = 10


@dataclass(slots=True)
class Follower:
    """All series of one metric.

    Attributes:
        metric: its name, which ends in ``_total``.
        at_s: end of the last look, Unix time, whole s.
        linked_s: begin of its window.
        origin_s: when following began.
        tracks: by key of the series.
    """

    metric: str
    at_s: int
    linked_s: int
    origin_s: int
    tracks: dict[str, Track] = field(default_factory=dict)

    @classmethod
    def begun(cls, metric: str, origin_s: int, store: CounterStore) -> "Follower":
        """Begin at a moment in the past, with what the counters stood at then.

        A tenant that rested for a day is not exported until it works again. So
        the month before is looked at too, once a day: whatever is exported at
        all is there for a day at least. The last day is looked at more closely,
        for nodes that are away just then.

        Raises:
            StoreError: the store does not answer.
        """
        new = cls(metric, origin_s, origin_s - OVERLAP_S, origin_s)
        for moment_s in (
            *range(origin_s - LOOKBACK_DAYS * _DAY_S, origin_s - _DAY_S, _DAY_S),
            *range(origin_s - _DAY_S, origin_s + 1, _DAY_S // 6),
        ):
            begin_s = moment_s - OVERLAP_S
            created_s = store.last(new.created, begin_s, moment_s).by_key
            for key, value in store.last(metric, begin_s, moment_s).by_key.items():
                told_s = created_s.get(key, 0.0)
                new.tracks[key] = Track(value, moment_s, created_s=told_s)
        return new

    @property
    def created(self) -> str:
        """Name of the series of created timestamps."""
        return f"{self.metric.removesuffix('_total')}_created"

    def look(self, store: CounterStore, end_s: int, nodes: Nodes | None = None) -> Look:
        """Look at what became of all series until a moment.

        Args:
            store: is asked.
            end_s: the moment, after ``at_s``, Unix time, s.
            nodes: what is known of their nodes; ``None`` if the series are those
                of the nodes themselves.

        Raises:
            StoreError: the store does not answer; nothing has changed.
        """
        last = store.last(self.metric, self.at_s - OVERLAP_S, end_s)
        if not last.by_key:
            return Look(self.at_s, end_s, {}, {}, {}, last.complete)
        fallen, created = self._ask_for_restarts(store, last, end_s)
        restarted = nodes is not None and any(
            found.restarts_s for found in nodes.look.rises.values()
        )
        rises: dict[str, Rise] = {}
        doubtful: list[str] = []
        for key, value in last.by_key.items():
            track = self.tracks.get(key)
            if (
                track is None
                or track.seen_s != self.at_s
                or self._is_news(track, fallen.by_key.get(key))
                or self._is_news(track, created.by_key.get(key))
                or fell(track.value, value)
                or (restarted and nodes is not None and nodes.restarted(key))
            ):
                doubtful.append(key)
            else:
                rises[key] = Rise(max(0.0, value - track.value), value)
        complete = last.complete and fallen.complete and created.complete
        first_s: dict[str, float] = {}
        created_s: dict[str, float] = {}
        for keys, instances in self._batches(doubtful, end_s):
            told = store.samples(self.created, self.linked_s, end_s, instances)
            found = store.samples(self.metric, self.linked_s, end_s, instances)
            complete = complete and told.complete and found.complete
            for key in keys:
                samples = found.by_key.get(key)
                if not samples:
                    continue
                times = told.by_key.get(key, ())
                if times:
                    created_s[key] = times[-1][1]
                if key in self.tracks:
                    rises[key] = self._rise(key, samples, times, nodes)
                else:
                    first_s[key] = samples[0][0]
                    rises[key] = self._first_rise(key, samples, times, nodes)
        return Look(self.at_s, end_s, rises, first_s, created_s, complete)

    def commit(self, look: Look) -> None:
        """Take over what a look found."""
        for key, found in look.rises.items():
            track = self.tracks.get(key)
            if track is None:
                track = self.tracks[key] = Track(found.value, look.end_s)
            track.value = found.value
            track.seen_s = look.end_s if found.since_s is None else found.since_s
            if found.amount > 0:
                track.rose_s = look.end_s
            if found.restarts_s:
                track.restarted_s = found.restarts_s[-1]
            if found.before_s is not None:
                track.fell_s = found.before_s
        for key, told_s in look.created_s.items():
            self.tracks[key].created_s = told_s
        self.linked_s, self.at_s = look.begin_s - OVERLAP_S, look.end_s

    def forget(self, before_s: float) -> None:
        """Let series go that were last seen before a moment."""
        old = [key for key, track in self.tracks.items() if track.seen_s < before_s]
        for key in old:
            del self.tracks[key]

    def _ask_for_restarts(
        self, store: CounterStore, last: Values, end_s: int
    ) -> tuple[Values, Values]:
        """Return which series fell, and which changed their created timestamp.

        Each question makes the store read all samples of a window. One that has
        created timestamps changes them whenever it falls, so one is enough.
        """
        known = [self.tracks[key] for key in last.by_key if key in self.tracks]
        told = sum(track.created_s > 0 for track in known)
        nothing = Values({}, complete=True)
        return (
            store.fallen(self.metric, self.linked_s, end_s)
            if told < len(known)
            else nothing,
            store.changed(self.created, self.linked_s, end_s) if told else nothing,
        )

    def _is_news(self, track: Track, times: float | None) -> bool:
        """Whether the store tells of more falls than the one that is known.

        Windows overlap, so a fall stays in them for a while.
        """
        known = 1 if track.fell_s >= self.linked_s else 0
        return times is not None and times > known

    def _rise(
        self, key: str, samples: Samples, created: Samples, nodes: Nodes | None
    ) -> Rise:
        track = self.tracks[key]
        restarts_s = [
            *(nodes.restarts_s(key) if nodes is not None else ()),
            *_changes(created, track.created_s),
        ]
        return rise(samples, track.value, track.seen_s, restarts_s)

    def _first_rise(
        self, key: str, samples: Samples, created: Samples, nodes: Nodes | None
    ) -> Rise:
        """Tell what a series rose by that was never seen before."""
        first_s = samples[0][0]
        if created:
            since_start = created[0][1] >= self.origin_s - _CLOCKS_DIFFER_S
        else:
            since_start = nodes is not None and nodes.were_there(key, first_s)
        restarts_s = [
            *(nodes.restarts_s(key) if nodes is not None else ()),
            *_changes(created, 0.0),
        ]
        # The moment before its first sample.
        since_s = nextafter(first_s, 0.0)
        return rise(samples, 0.0 if since_start else None, since_s, restarts_s)

    def _batches(
        self, keys: Iterable[str], end_s: int
    ) -> Iterator[tuple[list[str], tuple[str, ...] | None]]:
        """Divide series by their node, so that no answer is too large."""
        by_instance: dict[str, list[str]] = {}
        for key in keys:
            by_instance.setdefault(labels_of(key).get("instance", ""), []).append(key)
        nowhere = by_instance.pop("", None)
        if nowhere is not None:
            yield nowhere, None
        each = (end_s - self.linked_s) / _LIKELY_SCRAPE_S
        batch: list[str] = []
        instances: list[str] = []
        for instance, found in by_instance.items():
            too_many = (len(batch) + len(found)) * each > _MOST_SAMPLES
            if instances and (too_many or len(instances) >= _MOST_INSTANCES):
                yield batch, tuple(instances)
                batch, instances = [], []
            batch = [*batch, *found]
            instances.append(instance)
        if instances:
            yield batch, tuple(instances)


def _changes(created: Samples, before_s: float) -> Iterator[float]:
    """Tell when a created timestamp became another one."""
    for time_s, told_s in created:
        if before_s and abs(told_s - before_s) > _SAME_CREATED_S:
            yield time_s
        before_s = told_s
