"""What is asked of a played server of a cluster, and what it answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Item = dict[str, Any]


def pod_object(
    name: str,
    uid: str,
    *,
    namespace: str = "team-a",
    node: str = "node-1",
    labels: Mapping[str, str] | None = None,
    owner: tuple[str, str] | None = None,
    requests: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Item:
    """Return a pod as the API server writes it."""
    metadata: Item = {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "labels": dict(labels or {}),
        "annotations": dict(annotations or {}),
    }
    if owner is not None:
        kind, owner_name = owner
        metadata["ownerReferences"] = [
            {"kind": kind, "name": owner_name, "uid": "u", "controller": True}
        ]
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": metadata,
        "spec": {
            "nodeName": node,
            "containers": [
                {"name": "c", "resources": {"requests": dict(requests or {})}}
            ],
        },
        "status": {"phase": "Running", "startTime": "2026-11-22T07:58:10Z"},
    }


def list_of(kind: str, items: list[Item], version: int) -> bytes:
    """Return a list as the API server writes it."""
    text = json.dumps(
        {
            "kind": kind,
            "apiVersion": "v1",
            "metadata": {"resourceVersion": str(version)},
            "items": items,
        },
        separators=(",", ":"),
    )
    return f"{text}\n".encode()


@dataclass(frozen=True)
class Ask:
    """One request that came in."""

    path: str
    query: Mapping[str, str]
    token: str

    @property
    def is_list(self) -> bool:
        """It asked for all pods."""
        return self.path == "/api/v1/pods" and "watch" not in self.query


@dataclass
class Faults:
    """What goes wrong from now on.

    Attributes:
        status: answer everything with this; 0 for none.
        silence: do not answer at all.
        cut_lists: break off in the middle of a list.
        body: answer with this instead of what was asked for.
        drips: send this byte by byte, with a pause after each: all of an answer, or
            its body.
    """

    status: int = 0
    silence: bool = False
    cut_lists: bool = False
    body: bytes | None = None
    drips: Literal["", "all", "body"] = ""
