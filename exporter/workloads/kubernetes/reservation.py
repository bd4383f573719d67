"""What a pod's cgroup tells of what it reserved, where nobody knows its requests.

The kubelet writes the CPUs that a pod requests as its weight among others:

    version 1  cpu.shares = 1024 x CPUs, at least 2
    version 2  cpu.weight, 1 to 10000, made of the shares S by one of two formulas:
               old  1 + (S - 2) x 9999 / 262142
               new  10 ^ ((L^2 + 125 L) / 612 - 7/34), L = log2 S

Which formula it was, the cgroup of all pods shows: its weight is made of the CPUs
that the node has for pods. Where the old formula would make those more CPUs than the
node has, it was the new one.

Source: Kubernetes' page on cgroup v2, KEP-2254, and opencontainers/cgroups, whose
conversion changed in version 0.0.3.
"""

from dataclasses import dataclass
from math import log10, sqrt

from exporter.workloads.cgroups import Cgroup

_SHARES_PER_CPU = 1024
_LEAST_SHARES = 2
_MOST_WEIGHT = 10_000
# Shares and weights are whole numbers, so the node's CPUs come back inexactly.
_ROUNDING = 1.05


@dataclass(frozen=True, slots=True)
class NodeSize:
    """What weights of CPUs are compared with.

    Attributes:
        cpus: of the node.
        root_weight: weight of the cgroup of all pods, in version 2; ``None`` if it
            is not told.
    """

    cpus: int
    root_weight: int | None = None


def weight_of(cgroup: Cgroup) -> int | None:
    """Read its weight: shares in version 1, the weight in version 2.

    Returns:
        ``None`` if it is not told.
    """
    text = cgroup.text("cpu", "cpu.shares", "cpu.weight")
    return int(text) if text.isdecimal() else None


def cpus_of_shares(shares: int) -> float:
    """CPUs that a pod requests, by its shares in version 1."""
    return 0.0 if shares <= _LEAST_SHARES else shares / _SHARES_PER_CPU


def cpus_of_weight(weight: int, node: NodeSize) -> float:
    """CPUs that a pod requests, by its weight in version 2."""
    if not 1 < weight <= _MOST_WEIGHT:
        return 0.0
    root_weight = node.root_weight
    if root_weight is not None and _by_old(root_weight) > node.cpus * _ROUNDING:
        return _by_new(weight)
    return _by_old(weight)


def _by_old(weight: int) -> float:
    shares = _LEAST_SHARES + (weight - 1) * 262_142 / 9_999
    return shares / _SHARES_PER_CPU


def _by_new(weight: int) -> float:
    logarithm = (sqrt(125**2 + 4 * 612 * (log10(weight) + 7 / 34)) - 125) / 2
    return float(2**logarithm) / _SHARES_PER_CPU
