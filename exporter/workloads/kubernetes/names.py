"""Who tells what pods are called, and whom of them to believe.

Each witness has a thread of its own, and its own pace. The tick only takes what there
is: the first witness that knows all of a pod, else the first that knows its name. While
all are silent, what is known stays known.
"""

from collections.abc import Callable
from typing import Protocol

from exporter.workloads.doubts import Doubts
from exporter.workloads.kubernetes.fact_store import FactStore
from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.kubernetes.worker import Worker


class Witness(Protocol):
    """Somebody who knows pods; his thread takes steps, in which he asks.

    Attributes:
        name: for people.
        knows_all: he knows all of a pod; else its name alone.
        store: what he has told.
    """

    name: str
    knows_all: bool
    store: FactStore

    @property
    def trouble(self) -> str:
        """Why he does not tell, and what helps; "" if he does."""

    def want(self, uids: frozenset[str]) -> bool:
        """Note of which pods something is wanted, until it is told otherwise.

        Returns:
            Whether that is a reason to take the next step now. It is not waited for.
        """

    def step(self) -> float:
        """Do what is due, in his thread.

        Returns:
            How long to wait before the next step, s.
        """

    def interrupt(self) -> None:
        """Let a step that waits for somebody end soon; any thread may ask."""


class PodNames:
    """Hears all witnesses, for one thread.

    Args:
        witnesses: the most trustworthy first.
        doubts: is told who does not tell.
        worker: makes the thread of each.
    """

    def __init__(
        self,
        witnesses: tuple[Witness, ...],
        doubts: Doubts,
        worker: Callable[..., Worker] = Worker,
    ) -> None:
        self._witnesses = witnesses
        self._doubts = doubts
        self._wanted: frozenset[str] = frozenset()
        self._workers = tuple(
            worker(f"pods of the {each.name}", each.step, each.interrupt)
            for each in witnesses
        )

    def start(self) -> None:
        """Let all begin to ask."""
        for worker in self._workers:
            worker.start()

    def want(self, uids: frozenset[str]) -> None:
        """Say of which pods not all is known."""
        if uids == self._wanted:
            return
        self._wanted = uids
        for witness, worker in zip(self._witnesses, self._workers, strict=True):
            if witness.want(uids):
                worker.wake()

    def find(self, uid: str) -> PodFacts | None:
        """Return the best that is told of a pod."""
        best: PodFacts | None = None
        for witness in self._witnesses:
            facts = witness.store.find(uid)
            if facts is not None and facts.is_whole:
                return facts
            best = best or facts
        return best

    def take_news(self) -> set[str]:
        """Return the pods of which something was told, and note who is silent."""
        news: set[str] = set()
        for witness in self._witnesses:
            news.update(witness.store.take_news())
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
        for worker in self._workers:
            worker.close()
