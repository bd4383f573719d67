"""Pods of this node as the API server tells them: one list, then a watch.

The list comes from the server's own memory (``resourceVersion=0``) and is asked for
once. After that the server tells what changes, on one connection that it ends every
few minutes; the next one goes on from the last version that was told. Bookmarks keep
that version fresh on a node where nothing changes. Only when the server has forgotten
it (410) is there another list. Nothing is ever listed on a timer: ten thousand nodes
that do so bring an API server down.

Source: Kubernetes' page on API concepts, and KEP-956 on bookmarks.
"""

import json
import random
import time
from collections.abc import Callable, Mapping

from exporter.workloads.kubernetes.backoff import Backoff
from exporter.workloads.kubernetes.cluster import ClusterServer
from exporter.workloads.kubernetes.errors import (
    ClusterError,
    ExpiredError,
    RefusedError,
)
from exporter.workloads.kubernetes.fact_store import FactStore
from exporter.workloads.kubernetes.item_stream import (
    MOST_ITEM_CHARACTERS,
    ItemStream,
)
from exporter.workloads.kubernetes.pod_object import read_pod

_PODS = "/api/v1/pods"
_LIST_READ_S = 30.0
_LIST_TOTAL_S = 120.0
# The server ends a watch by itself: so the load of nodes spreads over all servers. One
# that does not has lost it.
_WATCH_S = 300.0
_WATCH_MORE_S = 30.0
# Servers that send bookmarks do so every minute, whatever else happens.
_SILENCE_S = 240.0
# A watch that was over so soon was none.
_SOON_S = 1.0
_CODE_EXPIRED = 410
_CODES_REFUSED = (401, 403)


class ApiNames:
    """Watches the pods of a node; implements ``names.Witness``.

    Args:
        server: the API server.
        node_name: name of this node in the cluster.
        info_labels: the labels of pods that are wanted, and how they are called here.
        chance: draws a number 0..1.
        monotonic: CLOCK_MONOTONIC, s.
        silence_s: how long a server may be silent that sends bookmarks, s.
    """

    def __init__(  # noqa: PLR0913 - the last three are the world, given by tests
        self,
        server: ClusterServer,
        node_name: str,
        info_labels: Mapping[str, str],
        *,
        chance: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
        silence_s: float = _SILENCE_S,
    ) -> None:
        self.name = "API server"
        self.knows_all = True
        self.store = FactStore()
        self._trouble = ""
        self._wanted: frozenset[str] = frozenset()
        self._server = server
        self._node_name = node_name
        self._info_labels = info_labels
        self._chance = chance
        self._monotonic = monotonic
        self._silence_s = silence_s
        # Where the next watch goes on; "" if all has to be listed.
        self._version = ""
        self._expired_in_a_row = 0
        self._failed_in_a_row = 0
        self._was_told = False
        self._away = Backoff(1.0, 60.0, chance)
        self._refused = Backoff(10.0, 300.0, chance)

    @property
    def trouble(self) -> str:
        """Why it does not tell; "" if it does."""
        if self._trouble or not self._wanted or not self._was_told or len(self.store):
            return self._trouble
        return (
            f"{self._server.address} knows no pod of node {self._node_name}, and there "
            "are some here: set NODE_NAME or kubernetes.node_name"
        )

    def want(self, uids: frozenset[str]) -> bool:
        """Remember it; the server tells by itself."""
        self._wanted = uids
        return False

    def interrupt(self) -> None:
        """End the watch; any thread may ask."""
        self._server.interrupt()

    def step(self) -> float:
        """List if need be, and watch until the server ends that.

        Returns:
            How long to wait before the next step, s.
        """
        begin_s = self._monotonic()
        try:
            if not self._version:
                self._list()
            self._watch()
        except ExpiredError:
            self._version = ""
            self._expired_in_a_row += 1
            return self._away.failed()
        except RefusedError as error:
            self._trouble = (
                f"{error}: the service account needs list and watch of pods, see "
                "docs/kubernetes.md"
            )
            return self._refused.failed()
        except ClusterError as error:
            self._failed_in_a_row += 1
            # Servers are restarted: a watch that breaks off once is no trouble.
            if self._failed_in_a_row > 1 or not self._was_told:
                # One text for as long as it lasts, whatever each try says.
                self._trouble = self._trouble or f"{error}: new pods may lack a name"
            return self._away.failed()
        if self._monotonic() - begin_s < _SOON_S:
            return self._away.failed()
        self._away.succeeded()
        return self._chance() * _SOON_S

    def _list(self) -> None:
        query = self._query()
        # From memory, unless what is there was too old for a watch.
        if self._expired_in_a_row <= 1:
            query["resourceVersion"] = "0"
        with self._server.get(_PODS, query, _LIST_READ_S, _LIST_TOTAL_S) as answer:
            items = ItemStream(answer.chunks())
            told = [
                facts for item in items for facts in read_pod(item, self._info_labels)
            ]
        if not items.version:
            msg = f"{self._server.address}: its answer is not a list of pods"
            raise ClusterError(msg)
        self.store.put_all(told)
        self._version = items.version
        self._succeed()

    def _watch(self) -> None:
        lasts_s = _WATCH_S * (1 + self._chance())
        query = self._query() | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(int(lasts_s)),
        }
        total_s = lasts_s + _WATCH_MORE_S
        with self._server.get(_PODS, query, total_s, total_s) as answer:
            self._succeed()
            for line in answer.lines(MOST_ITEM_CHARACTERS):
                if self._take_in(line) == "BOOKMARK":
                    answer.expect_parts_within(self._silence_s)
                self._expired_in_a_row = 0
                self._away.succeeded()

    def _take_in(self, line: bytes) -> str:
        """Believe an event, and return its kind."""
        try:
            event = json.loads(line)
            kind, item = event["type"], event["object"]
            version = item.get("metadata", {}).get("resourceVersion")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            msg = f"{self._server.address}: its answer is not a watch of pods"
            raise ClusterError(msg) from None
        if kind == "ERROR":
            self._raise(item)
        if kind in {"ADDED", "MODIFIED"}:
            for facts in read_pod(item, self._info_labels):
                self.store.put(facts)
        elif kind == "DELETED":
            for facts in read_pod(item, self._info_labels):
                self.store.remove(facts.uid)
        if isinstance(version, str) and version:
            self._version = version
        return str(kind)

    def _raise(self, status: Mapping[str, object]) -> None:
        code = status.get("code")
        said = f"{self._server.address}: the watch ended with {code}"
        if code == _CODE_EXPIRED:
            raise ExpiredError(said)
        if code in _CODES_REFUSED:
            raise RefusedError(said)
        raise ClusterError(said)

    def _query(self) -> dict[str, str]:
        return {"fieldSelector": f"spec.nodeName={self._node_name}"}

    def _succeed(self) -> None:
        self._trouble = ""
        self._was_told = True
        self._failed_in_a_row = 0
        self._refused.succeeded()
