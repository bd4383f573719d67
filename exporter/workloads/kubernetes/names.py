"""Who tells what pods are called, and whom of them to believe.

Each witness works in its own thread and at its own pace. The tick only takes what
there is: the first witness that knows all of a pod, else the first that knows its
name. While all are silent, what is known stays known.
"""

from collections.abc import Collection
from typing import Protocol

from exporter.workloads.doubts import Doubts
from exporter.workloads.kubernetes.facts import PodFacts


class Witness(Protocol):
    """Somebody who knows pods; his own thread asks, none of these waits.

    Attributes:
        name: for people.
        knows_all: he knows all of a pod; else its name alone.
    """

    name: str
    knows_all: bool

    @property
    def trouble(self) -> str:
        """Why he does not tell, and what helps; "" if he does."""

    def start(self) -> None:
        """Begin to ask."""

    def want(self, uids: frozenset[str]) -> None:
        """Say of which pods something is wanted; until it is told otherwise."""

    def find(self, uid: str) -> PodFacts | None:
        """Return what he has told of a pod."""

    def take_news(self) -> Collection[str]:
        """Return the pods of which he told something since the last time."""

    def close(self) -> None:
        """End his thread."""


class PodNames:
    """Hears all witnesses, for one thread.

    Args:
        witnesses: the most trustworthy first.
        doubts: is told who does not tell.
    """

    def __init__(self, witnesses: tuple[Witness, ...], doubts: Doubts) -> None:
        self._witnesses = witnesses
        self._doubts = doubts
        self._wanted: frozenset[str] = frozenset()

    def start(self) -> None:
        """Let all begin to ask."""
        for witness in self._witnesses:
            witness.start()

    def want(self, uids: frozenset[str]) -> None:
        """Say of which pods not all is known."""
        if uids != self._wanted:
            self._wanted = uids
            for witness in self._witnesses:
                witness.want(uids)

    def find(self, uid: str) -> PodFacts | None:
        """Return the best that is told of a pod."""
        best: PodFacts | None = None
        for witness in self._witnesses:
            facts = witness.find(uid)
            if facts is not None and facts.is_whole:
                return facts
            best = best or facts
        return best

    def take_news(self) -> set[str]:
        """Return the pods of which something was told, and note who is silent."""
        news: set[str] = set()
        for witness in self._witnesses:
            news.update(witness.take_news())
            about = f"names {witness.name}"
            if witness.trouble:
                self._doubts.tell("names", about, witness.trouble)
            else:
                self._doubts.settle(about)
        return news

    def may_tell_more(self, facts: PodFacts | None) -> bool:
        """Whether anybody could add to this."""
        if facts is None:
            return bool(self._witnesses)
        return not facts.is_whole and any(each.knows_all for each in self._witnesses)

    def close(self) -> None:
        """End all threads."""
        for witness in self._witnesses:
            witness.close()
