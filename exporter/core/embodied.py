"""What making the node emitted, spread over its life and over who reserves it.

As in ISO/IEC 21031 (Software Carbon Intensity): the grams of making it, times the time
reserved over the life expected, times what is reserved over all there is. Reserved
counts, not used: nobody else could have it meanwhile.

A node has CPUs, memory and GPUs, and a job may hold half of the one and a tenth of
the other. Its share is the largest of the three, because a node of which one of them
is all reserved can serve hardly anybody else. Such shares may come to more than the
node (one job holds all CPUs, another all GPUs); then all are made smaller in the same
proportion until they come to the node. What nobody reserves is nobody's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum

from exporter.core.units import Grams, Seconds
from exporter.core.workload import NodeUsage, WorkloadId, WorkloadUsage


@dataclass(frozen=True, slots=True)
class EmbodiedCarbon:
    """Figures of the operator.

    Attributes:
        node_g: what making the node emitted, g, > 0.
        lifetime_s: how long it is expected to serve, s, > 0.
    """

    node_g: Grams
    lifetime_s: Seconds

    def spent_g(self, elapsed_s: Seconds) -> Grams:
        """Return the part of it that a time uses up, g.

        Args:
            elapsed_s: how long, s, >= 0.
        """
        return Grams(self.node_g * elapsed_s / self.lifetime_s)

    def shares(
        self,
        usages: Mapping[WorkloadId, WorkloadUsage],
        node: NodeUsage | None,
        gpus: int,
    ) -> dict[WorkloadId, float]:
        """Return the part of the node that each job reserved; together at most 1.

        Args:
            usages: what the jobs reserved.
            node: what there is to reserve; ``None`` if unknown.
            gpus: how many GPUs there are.

        Returns:
            0..1 for each job that reserved anything.
        """
        shares: dict[WorkloadId, float] = {}
        for workload, usage in usages.items():
            share = 0.0
            if node is not None:
                share = max(
                    usage.reserved_cpus / node.cpus,
                    usage.reserved_memory_bytes / node.memory_total_bytes,
                )
            if gpus and usage.gpus:
                share = max(share, sum(hold.share for hold in usage.gpus) / gpus)
            if share > 0:
                shares[workload] = min(1.0, share)
        whole = fsum(shares.values())
        if whole <= 1:
            return shares
        return {workload: share / whole for workload, share in shares.items()}
