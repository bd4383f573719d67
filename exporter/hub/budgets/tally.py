"""Adds up one metric for many selections at once, look by look.

One pass over the series serves all budgets: what each series rose by is added once
for each combination of selections that count it, of which there are few, and from
there to the selections.

How complete a look is: the store has warned of nothing, at least one node was there,
and no series was missing that had been rising until it vanished. Such a series
counts as missing for an hour: its node crashed, or Prometheus lost it. One that was
at rest when it vanished is not missed; nodes are switched off.

When a node comes back that nobody had seen for a while, its counters tell at once
what was used in all that time. That is spread evenly over it: it belongs to the
periods it was used in, and is no burst.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from exporter.hub.budgets.budget import EMISSIONS, OF_TENANTS, Selection
from exporter.hub.budgets.following import OVERLAP_S, Follower
from exporter.hub.budgets.looks import Look, Nodes
from exporter.hub.budgets.period import Span
from exporter.hub.budgets.spending import Entry, Spending
from exporter.hub.budgets.store import CounterStore
from exporter.hub.prometheus.matching import Sorter
from exporter.hub.prometheus.series import key_of, labels_of

NODE_EMISSIONS = "jouled_node_emissions_grams_total"
NODE_FALLBACK = "jouled_node_emissions_fallback_grams_total"

_MISSED_FOR_S = 3600
_RISING_S = 2 * OVERLAP_S


class _Place(NamedTuple):
    node: str
    selections: tuple[int, ...]


@dataclass(slots=True)
class _Sum:
    amount: float = 0.0
    fallback: float = 0.0
    present: int = 0
    missing: int = 0

    def charge(self, amount: float, ratio: float) -> None:
        self.amount += amount
        self.fallback += amount * ratio

    def add(self, other: "_Sum") -> None:
        self.amount += other.amount
        self.fallback += other.fallback
        self.present += other.present
        self.missing += other.missing

    @property
    def presence(self) -> float:
        seen = self.present + self.missing
        return self.present / seen if seen else 1.0


_Groups = defaultdict[tuple[int, ...], _Sum]
# By who counts it, and since when nobody had seen the node.
_Late = defaultdict[tuple[tuple[int, ...], float], _Sum]


class Tally:
    """One metric, and what was counted of it for each selection.

    Args:
        tenants: the counters of tenants that are added up.
        nodes: the counters of their nodes' emissions, which tell restarts.
        fallback: the part of those on fallback intensity; ``None`` where grams
            are not what is added up.
        spending: what was counted so far, for each selection.
    """

    def __init__(
        self,
        tenants: Follower,
        nodes: Follower,
        fallback: Follower | None,
        spending: Mapping[Selection, Spending],
    ) -> None:
        self.tenants = tenants
        self.nodes = nodes
        self.fallback = fallback
        self._spending = dict(spending)
        self._sorter = Sorter(())
        self._places: dict[str, _Place] = {}
        self._node_keys: dict[str, str] = {}
        self._place_again()

    @classmethod
    def begun(
        cls,
        metric: str,
        selections: Iterable[Selection],
        origin_s: int,
        store: CounterStore,
    ) -> "Tally":
        """Begin to count at a moment in the past.

        Raises:
            StoreError: the store does not answer.
        """
        return cls(
            Follower.begun(metric, origin_s, store),
            Follower.begun(NODE_EMISSIONS, origin_s, store),
            Follower.begun(NODE_FALLBACK, origin_s, store)
            if metric == EMISSIONS
            else None,
            {selection: Spending() for selection in selections},
        )

    @property
    def spending(self) -> Mapping[Selection, Spending]:
        """What was counted, for each selection."""
        return self._spending

    @property
    def at_s(self) -> int:
        """Up to when everything is counted, Unix time, s."""
        return self.tenants.at_s

    def adopt(self, other: "Tally") -> None:
        """Take over the selections of another tally that has come just as far."""
        self._spending |= other.spending
        self._place_again()

    def drop(self, selections: Iterable[Selection]) -> None:
        """Count for some selections no longer."""
        for selection in selections:
            del self._spending[selection]
        self._place_again()

    def step(
        self, store: CounterStore, end_s: int, edges_s: Collection[float] = ()
    ) -> None:
        """Count on to a moment.

        Args:
            store: is asked.
            end_s: the moment, after ``at_s``.
            edges_s: begins of periods, as of ``Spending.add``.

        Raises:
            StoreError: the store does not answer; nothing has changed.
        """
        look = self.nodes.look(store, end_s)
        nodes = Nodes(self._node_of, self.nodes.tracks, look)
        tenants = self.tenants.look(store, end_s, nodes)
        fallback = None
        if self.fallback is not None:
            fallback = self.fallback.look(store, end_s, nodes._replace(key_of=str))
        self._enter(tenants, nodes, _ratios(look, fallback), edges_s)
        self.nodes.commit(look)
        self.tenants.commit(tenants)
        if self.fallback is not None and fallback is not None:
            self.fallback.commit(fallback)

    def forget(self, series_before_s: float, entries_before_s: float) -> None:
        """Let series and entries go that are older than anybody asks for."""
        for follower in (self.tenants, self.nodes, self.fallback):
            if follower is not None:
                follower.forget(series_before_s)
        for spending in self._spending.values():
            spending.forget(entries_before_s)
        self._places = {
            k: p for k, p in self._places.items() if k in self.tenants.tracks
        }

    def _enter(
        self,
        look: Look,
        nodes: Nodes,
        ratios: Mapping[str, float],
        edges_s: Collection[float],
    ) -> None:
        """Enter what a look found, for all selections or none."""
        groups, late = self._gather(look, nodes, ratios)
        for key in self._missing(look):
            groups[self._place(key).selections].missing += 1
        sums = [_Sum() for _ in self._spending]
        for selections, group in groups.items():
            for number in selections:
                sums[number].add(group)
        seen = bool(nodes.look.rises) or bool(look.rises)
        complete = seen and nodes.look.complete and look.complete
        begin_s, end_s = look.begin_s, look.end_s
        spendings = list(self._spending.values())
        for spending, total in zip(spendings, sums, strict=True):
            complete_s = (end_s - begin_s) * total.presence if complete else 0.0
            spending.add(
                Entry(begin_s, end_s, total.amount, total.fallback, complete_s), edges_s
            )
        for (selections, gone_s), group in late.items():
            for number in selections:
                spendings[number].spread(
                    Span(gone_s, begin_s), group.amount, group.fallback
                )

    def _gather(
        self, look: Look, nodes: Nodes, ratios: Mapping[str, float]
    ) -> tuple[_Groups, _Late]:
        """Add up rises by who counts them; those of unseen time apart."""
        groups: _Groups = defaultdict(_Sum)
        late: _Late = defaultdict(_Sum)
        for key, found in look.rises.items():
            node, selections = self._place(key)
            group = groups[selections]
            group.present += 1
            amount = found.amount
            if not amount:
                continue
            ratio = ratios.get(node, 0.0) if ratios else 0.0
            # Most rose from one look to the next, and nobody asked for samples.
            if found.first_s is not None:
                gone_s = nodes.missing_since_s(key)
                if gone_s is not None and gone_s < found.first_s:
                    part = (look.begin_s - gone_s) / (found.first_s - gone_s)
                    unseen = found.first * min(1.0, part)
                    amount -= unseen
                    late[selections, gone_s].charge(unseen, ratio)
            group.charge(amount, ratio)
        return groups, late

    def _missing(self, look: Look) -> Iterator[str]:
        for key, track in self.tenants.tracks.items():
            if (
                track.value > 0
                and look.end_s - track.seen_s <= _MISSED_FOR_S
                and track.seen_s - track.rose_s <= _RISING_S
                and key not in look.rises
            ):
                yield key

    def _place_again(self) -> None:
        self._sorter = Sorter(selection.matchers for selection in self._spending)
        self._places = {}
        self._node_keys = {}

    def _place(self, key: str) -> _Place:
        place = self._places.get(key)
        if place is None:
            labels = labels_of(key)
            node = key_of({k: v for k, v in labels.items() if k not in OF_TENANTS})
            # One text for all series of a node.
            node = self._node_keys.setdefault(node, node)
            place = self._places[key] = _Place(node, self._sorter.sort(labels))
        return place

    def _node_of(self, key: str) -> str:
        return self._place(key).node


def _ratios(nodes: Look, fallback: Look | None) -> Mapping[str, float]:
    """Return the part of each node's grams that is on fallback data, if any is."""
    if fallback is None:
        return {}
    ratios: dict[str, float] = {}
    for key, part in fallback.rises.items():
        whole = nodes.rises.get(key)
        if whole is None or part.value <= 0:
            continue
        if whole.amount > 0:
            ratios[key] = min(1.0, part.amount / whole.amount)
        elif key in nodes.first_s:
            # Of a node that is new, all that it ever counted may be counted now.
            ratios[key] = min(1.0, part.value / whole.value) if whole.value > 0 else 0.0
    return ratios
