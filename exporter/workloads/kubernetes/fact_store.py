"""What one witness has told of pods: written by its thread, read by the tick's."""

import threading
from collections.abc import Collection, Iterable

from exporter.workloads.kubernetes.facts import PodFacts

# A node has some hundred pods; what came before those is of nobody's interest.
_MOST_GONE = 1024
_MOST_PODS = 8192


class FactStore:
    """Facts by UID; of pods that are gone for as long as there is room.

    A pod's cgroup may be there for longer than the pod is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here: dict[str, PodFacts] = {}
        self._gone: dict[str, PodFacts] = {}
        self._news: set[str] = set()

    def __len__(self) -> int:
        """How many pods are here."""
        return len(self._here)

    def find(self, uid: str) -> PodFacts | None:
        """Return what is known of a pod."""
        with self._lock:
            return self._here.get(uid) or self._gone.get(uid)

    def put(self, facts: PodFacts) -> None:
        """Take in what was told of a pod that is here."""
        with self._lock:
            self._put(facts)

    def put_all(self, told: Iterable[PodFacts]) -> None:
        """Take in what was told of all pods that are here; no others are."""
        all_facts = {facts.uid: facts for facts in told}
        with self._lock:
            for uid in self._here.keys() - all_facts.keys():
                self._remove(uid)
            for facts in all_facts.values():
                self._put(facts)

    def remove(self, uid: str) -> None:
        """Note that a pod is gone."""
        with self._lock:
            self._remove(uid)

    def take_news(self) -> Collection[str]:
        """Return the pods of which something new was told since the last time."""
        if not self._news:
            return ()
        with self._lock:
            news, self._news = self._news, set()
        return news

    def _put(self, facts: PodFacts) -> None:
        uid = facts.uid
        if self._here.get(uid) == facts or len(self._here) >= _MOST_PODS:
            return
        self._here[uid] = facts
        self._gone.pop(uid, None)
        self._news.add(uid)

    def _remove(self, uid: str) -> None:
        facts = self._here.pop(uid, None)
        if facts is None:
            return
        self._gone[uid] = facts
        if len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]
