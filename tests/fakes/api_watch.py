"""Somebody who watches a played API server, one step at a time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.workloads.kubernetes.api_names import ApiNames
from tests.fakes.cluster_server import PlayedCluster
from tests.fakes.waiting import wait_until

LONGEST_S = 60.0


class _Clock:
    """Stands still, but for what a test adds: then a watch has lasted."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        self.now_s += 10.0
        return self.now_s


def api_names(
    cluster: PlayedCluster, node: str = "node-1", silence_s: float = LONGEST_S
) -> ApiNames:
    """Return who watches the pods of a node, and never waits by chance."""
    return ApiNames(
        cluster.client(),
        node,
        {"team": "label_team"},
        chance=lambda: 0.5,
        monotonic=_Clock(),
        silence_s=silence_s,
    )


@contextmanager
def watching(names: ApiNames, cluster: PlayedCluster) -> Iterator[list[float]]:
    """Take a step in a thread; in the end let the server end the watch.

    Yields:
        A list that will hold what the step returned.
    """
    pauses: list[float] = []
    thread = threading.Thread(target=lambda: pauses.append(names.step()))
    before = len(cluster.watches)
    thread.start()
    try:
        wait_until(lambda: len(cluster.watches) > before, "it watches", LONGEST_S)
        yield pauses
    finally:
        end_s = time.monotonic() + LONGEST_S
        while thread.is_alive():
            assert time.monotonic() < end_s
            cluster.end_watches()
            thread.join(0.02)


def known(names: ApiNames, uid: str) -> str:
    """Return the name of a pod that was told; "" if none was."""
    facts = names.store.find(uid)
    return "" if facts is None else facts.name
