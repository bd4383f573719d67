"""Pods of this node as its kubelet tells them, where no API server may be asked.

It is asked when a pod appears that it has not told of, and every ten minutes. Nobody
but this node has to answer, yet it makes each answer anew: so never more often than
every few seconds, and ever more rarely while it does not know a pod.
"""

import random
import time
from collections.abc import Callable, Mapping

from exporter.workloads.kubernetes.backoff import Backoff
from exporter.workloads.kubernetes.cluster import ClusterServer
from exporter.workloads.kubernetes.errors import ClusterError, RefusedError
from exporter.workloads.kubernetes.fact_store import FactStore
from exporter.workloads.kubernetes.item_stream import ItemStream
from exporter.workloads.kubernetes.pod_object import read_pod

_PODS = "/pods"
_READ_S = 10.0
_TOTAL_S = 30.0
_RARELY_S = 600.0
# Somebody who watches usually knows a pod that is new sooner than it can be asked for.
_FIRST_S = 1.0
_LONGEST_S = 120.0


class KubeletNames:
    """Asks the kubelet of this node; implements ``names.Witness``.

    Args:
        server: the kubelet.
        info_labels: the labels of pods that are wanted, and how they are called here.
        chance: draws a number 0..1.
        monotonic: CLOCK_MONOTONIC, s.
    """

    def __init__(
        self,
        server: ClusterServer,
        info_labels: Mapping[str, str],
        *,
        chance: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = "kubelet"
        self.knows_all = True
        self.store = FactStore()
        self.trouble = ""
        self._server = server
        self._info_labels = info_labels
        self._monotonic = monotonic
        self._wanted: frozenset[str] = frozenset()
        self._not_before_s = 0.0
        self._rarely_due_s = 0.0
        self._pause = Backoff(2 * _FIRST_S, _LONGEST_S, chance)

    def want(self, uids: frozenset[str]) -> bool:
        """Ask for these soon, unless they were asked for already."""
        has_new = not uids <= self._wanted
        self._wanted = uids
        if has_new:
            self._pause.succeeded()
            soon_s = self._monotonic() + _FIRST_S
            self._not_before_s = min(max(self._not_before_s, soon_s), soon_s + _FIRST_S)
        return has_new

    def interrupt(self) -> None:
        """End what is being asked; any thread may."""
        self._server.interrupt()

    def step(self) -> float:
        """Ask, if it is time to.

        Returns:
            How long to wait before the next step, s.
        """
        now_s = self._monotonic()
        wait_s = self._due_s() - now_s
        if wait_s > 0:
            return wait_s
        self._rarely_due_s = now_s + _RARELY_S
        try:
            with self._server.get(_PODS, {}, _READ_S, _TOTAL_S) as answer:
                self.store.put_all(
                    facts
                    for item in ItemStream(answer.chunks())
                    for facts in read_pod(item, self._info_labels)
                )
        except RefusedError as error:
            self.trouble = (
                f"{error}: the service account needs get of nodes/pods or nodes/proxy, "
                "see docs/kubernetes.md"
            )
        except ClusterError as error:
            self.trouble = self.trouble or f"{error}: new pods may lack a name"
        else:
            self.trouble = ""
        self._not_before_s = self._monotonic() + self._pause.failed()
        return max(0.0, self._due_s() - self._monotonic())

    def _due_s(self) -> float:
        is_missing = any(self.store.find(uid) is None for uid in self._wanted)
        if self.trouble or is_missing:
            return self._not_before_s
        return max(self._not_before_s, self._rarely_due_s)
