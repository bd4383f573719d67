"""Asks once, for a person who wants to know whether it works."""

import os
from pathlib import Path

from exporter.workloads.kubernetes.cluster import ClusterServer
from exporter.workloads.kubernetes.item_stream import ItemStream

_READ_S = 5.0
_TOTAL_S = 10.0


def count_api_pods(server: ClusterServer, node_name: str) -> int:
    """Return how many pods of a node the API server knows.

    Raises:
        ClusterError: it does not tell.
    """
    query = {"fieldSelector": f"spec.nodeName={node_name}", "resourceVersion": "0"}
    return _count(server, "/api/v1/pods", query)


def count_kubelet_pods(server: ClusterServer) -> int:
    """Return how many pods the kubelet knows.

    Raises:
        ClusterError: it does not tell.
    """
    return _count(server, "/pods", {})


def count_log_dirs(directory: Path) -> int:
    """Return how many pods have a directory for their logs.

    Raises:
        OSError: they cannot be looked at.
    """
    with os.scandir(directory) as entries:
        return sum(1 for entry in entries if entry.name.count("_") == 2)  # noqa: PLR2004 - NAMESPACE_NAME_UID


def _count(server: ClusterServer, path: str, query: dict[str, str]) -> int:
    with server.get(path, query, _READ_S, _TOTAL_S) as answer:
        return sum(1 for _ in ItemStream(answer.chunks()))
