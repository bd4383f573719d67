"""What a simulated cluster and its jobs are.

Nodes are taken in *racks* of eight. A job never leaves its rack, so that a node only
has to know the jobs of seven others however large the cluster is.
"""

from dataclasses import dataclass, field
from typing import Literal

from exporter.simulation.people import Kind, Scheduler

Mixture = Literal["mixed", "slurm", "kubernetes", "both"]

RACK_NODES = 8


@dataclass(frozen=True, slots=True)
class NodeSize:
    """What each node of the cluster has."""

    gpus: int = 8
    cpus: int = 64
    memory_bytes: int = 512 * 2**30


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a cluster is, and with it all that will ever happen there.

    Attributes:
        seed: tells it from other clusters of the same size.
        nodes: how many there are, >= 1.
        mixture: which schedulers the nodes belong to.
        size: what each node has.
    """

    seed: str = "jouled"
    nodes: int = 4
    mixture: Mixture = "mixed"
    size: NodeSize = field(default_factory=NodeSize)

    def schedulers(self, node: int) -> tuple[Scheduler, ...]:
        """Return who hands out work on a node.

        In a mixture one of four nodes has both, two have Slurm, and one Kubernetes.

        Args:
            node: from 0.
        """
        if self.mixture == "mixed":
            if node % 4 == 0:
                return ("slurm", "kubernetes")
            return ("kubernetes",) if node % 4 == 3 else ("slurm",)  # noqa: PLR2004 - above
        if self.mixture == "both":
            return ("slurm", "kubernetes")
        return (self.mixture,)


@dataclass(frozen=True, slots=True)
class Job:
    """A job, on all of its nodes.

    Attributes:
        number: unique for a long time; the id of a job of Slurm.
        kind: what it is like.
        name: its name.
        tenant: account, or namespace.
        user: who submitted it; "" for pods.
        nodes: where it runs, ascending.
        gpus: indices of its GPUs, for each of ``nodes``.
        cpus: CPUs that it reserves on each.
        start_unix_s: its first second.
        end_unix_s: the first second without it.
        limit_s: how long it may run, s.
        array_number: number of the first job of its array; ``None`` if it is alone.
        array_task: its place there.
    """

    number: int
    kind: Kind
    name: str
    tenant: str
    user: str
    nodes: tuple[int, ...]
    gpus: tuple[tuple[int, ...], ...]
    cpus: int
    start_unix_s: int
    end_unix_s: int
    limit_s: int
    array_number: int | None = None
    array_task: int = 0

    def gpus_on(self, node: int) -> tuple[int, ...]:
        """Return the indices of its GPUs on one of its nodes."""
        return self.gpus[self.nodes.index(node)]


def nodes_of_rack(cluster: Cluster, rack: int) -> range:
    """Return the numbers of the nodes of a rack."""
    first = rack * RACK_NODES
    return range(first, min(first + RACK_NODES, cluster.nodes))
