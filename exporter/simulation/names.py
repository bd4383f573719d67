"""How nodes, pods and what made them are called."""

import re
import uuid

from exporter.simulation.chance import Chance
from exporter.simulation.cluster import Job

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_NUMBERED = re.compile(r"(.*?)(\d+)")


def default_name(node: int) -> str:
    """Return what a node is called if nobody says otherwise.

    Args:
        node: from 0.
    """
    return f"node{node + 1:02d}"


def name_of_peer(own_name: str, own_node: int, node: int) -> str:
    """Return what another node is called, by the name of this one.

    Where the own name does not end in the node's number, nobody can know: then it
    is the default one.
    """
    if node == own_node:
        return own_name
    match = _NUMBERED.fullmatch(own_name)
    for first in (0, 1):
        if match is not None and int(match[2]) == own_node + first:
            return f"{match[1]}{node + first:0{len(match[2])}d}"
    return default_name(node)


def node_list(own_name: str, own_node: int, job: Job) -> str:
    """Return the nodes of a job, with commas between them."""
    names = (name_of_peer(own_name, own_node, node) for node in job.nodes)
    return ",".join(names)


def pod_uid(job: Job, node: int) -> str:
    """Return the UID of a job's pod on a node."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"jouled/{job.number}/{node}"))


def workload_name(job: Job) -> str:
    """Return the name of the object that made a job's pods."""
    if job.kind.owner in {"Deployment", "StatefulSet"}:
        return job.name
    return f"{job.name}-{_suffix(5, 'workload', job.number)}"


def pod_name(job: Job, node: int) -> str:
    """Return the name of a job's pod on a node."""
    suffix = _suffix(5, "pod", job.number, node)
    match job.kind.owner:
        case "Deployment":
            return f"{job.name}-{_suffix(9, 'replicas', job.name)}-{suffix}"
        case "StatefulSet":
            return f"{job.name}-{suffix}-0"
        case "PyTorchJob":
            return f"{workload_name(job)}-worker-{job.nodes.index(node)}"
        case _:
            return f"{workload_name(job)}-{suffix}"


def _suffix(length: int, *key: object) -> str:
    chance = Chance(*key)
    return "".join(chance.one_of(_LETTERS) for _ in range(length))
