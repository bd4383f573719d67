"""A Kubernetes node that is played in a process of its own, for the bench.

    python -m bench.cluster DIRECTORY PODS GPU,GPU,…

Cgroups of so many pods that keep counting, an API server over TLS, and a kubelet that
tells who holds which GPU: whole ones, and replicas of the last. Every few seconds one
pod ends and another begins. ``told.json`` in the directory says where they are, and how
often they were asked.
"""

import argparse
import json
import time
from contextlib import ExitStack
from pathlib import Path

from tests.fakes.cluster_server import PlayedCluster, played_cluster
from tests.fakes.cluster_talk import pod_object
from tests.fakes.kubelet import PlayedKubelet, played_kubelet
from tests.fakes.pod_cgroups import PlayedPods, uid_of

NODE = "node-1"
TOLD = "told.json"
_EVERY_S = 5.0
_REPLICAS = 16
# What else there is in a pod as people write them: about so many bytes.
_MORE_BYTES = 7000


class _Node:
    """All that is played, pod by pod."""

    def __init__(
        self,
        pods: PlayedPods,
        cluster: PlayedCluster,
        kubelet: PlayedKubelet,
        gpus: tuple[str, ...],
    ) -> None:
        self._pods = pods
        self._cluster = cluster
        self._kubelet = kubelet
        *whole, shared = gpus
        replicas = [f"{shared}::{number}" for number in range(_REPLICAS)]
        self._free = [*whole, *replicas]
        kubelet.allocatable = {"nvidia.com/gpu": tuple(self._free)}
        self._held: dict[int, str] = {}

    def start(self, number: int) -> None:
        """Start a pod; it gets a GPU if there is one left."""
        uid, name = uid_of(number), f"train-{number}"
        item = pod_object(
            name,
            uid,
            namespace=f"team-{number % 8}",
            node=NODE,
            labels={"batch.kubernetes.io/job-name": f"train-{number // 4}"},
            owner=("Job", f"train-{number // 4}"),
            requests={"cpu": "100m", "memory": "64Mi"},
        )
        item["spec"]["volumes"] = [{"name": "v", "more": "x" * _MORE_BYTES}]
        self._cluster.put(item)
        if self._free:
            device = self._held[number] = self._free.pop()
            self._kubelet.give(f"team-{number % 8}", name, "nvidia.com/gpu", device)
        self._pods.start_pod(number, busy_cpus=0.001, milli_cpus=100)

    def end(self, number: int) -> None:
        """End a pod."""
        self._pods.end_pod(self._pods.pods[uid_of(number)])
        self._cluster.delete(uid_of(number))
        self._kubelet.pods.pop((f"team-{number % 8}", f"train-{number}"), None)
        if number in self._held:
            self._free.append(self._held.pop(number))


def main() -> None:
    """Play until told to end."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("pods", type=int)
    parser.add_argument("gpus")
    args = parser.parse_args()
    directory: Path = args.directory
    with ExitStack() as stack:
        cluster = stack.enter_context(played_cluster(directory / "cluster"))
        kubelet = stack.enter_context(played_kubelet(directory / "kubelet"))
        pods = PlayedPods(directory / "cgroup", time.monotonic)
        pods.start_kubelet()
        node = _Node(pods, cluster, kubelet, tuple(args.gpus.split(",")))
        for number in range(args.pods):
            node.start(number)
        _play(node, pods, cluster, kubelet, directory / TOLD)


def _play(
    node: _Node,
    pods: PlayedPods,
    cluster: PlayedCluster,
    kubelet: PlayedKubelet,
    told: Path,
) -> None:
    oldest, newest = 0, len(pods.pods)
    change_s = time.monotonic() + _EVERY_S
    while True:
        told.with_suffix(".new").write_text(
            json.dumps(
                {
                    "port": cluster.port,
                    "lists": len(cluster.lists),
                    "watches": len(cluster.watches),
                    "kubelet": kubelet.asks.count("List"),
                    "started": newest,
                }
            )
        )
        told.with_suffix(".new").replace(told)
        time.sleep(1.0)
        pods.play()
        if time.monotonic() >= change_s:
            change_s += _EVERY_S
            node.end(oldest)
            node.start(newest)
            oldest, newest = oldest + 1, newest + 1


if __name__ == "__main__":
    main()
