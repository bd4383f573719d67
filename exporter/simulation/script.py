"""What happens on a node of a simulated cluster, as a function of the time alone.

Whoever knows seed, size and schedulers of the cluster knows its jobs at any time. So a
job of several nodes begins and ends on all of them at once although they never talk.
"""

from exporter.simulation.chance import Chance
from exporter.simulation.cluster import RACK_NODES, Cluster, Job, nodes_of_rack
from exporter.simulation.rack import ACT_S, rack_jobs

_LOST_EVERY_S = 900
_LOST_CHANCE = 0.7


class Script:
    """What happens on one node.

    Args:
        cluster: all nodes together.
        node: which one, from 0.
    """

    def __init__(self, cluster: Cluster, node: int) -> None:
        self.cluster = cluster
        self.node = node
        self._act = -1
        self._jobs: tuple[Job, ...] = ()

    def jobs(self, unix_s: float) -> tuple[Job, ...]:
        """Return what runs at a moment, in the order in which it began."""
        act = int(unix_s // ACT_S)
        if act != self._act:
            self._act = act
            rack = rack_jobs(self.cluster, self.node // RACK_NODES, act)
            self._jobs = tuple(job for job in rack if self.node in job.nodes)
        return tuple(
            job for job in self._jobs if job.start_unix_s <= unix_s < job.end_unix_s
        )

    def lost_gpu(self, unix_s: float) -> int | None:
        """Return the GPU that the driver cannot reach; ``None``: it reaches all.

        Now and then it is one of the rack, for two to four minutes.
        """
        gpus = self.cluster.size.gpus
        slot = int(unix_s // _LOST_EVERY_S)
        rack = self.node // RACK_NODES
        chance = Chance(self.cluster.seed, "lost", rack, slot)
        if not gpus or chance.ratio() >= _LOST_CHANCE:
            return None
        node = chance.one_of(nodes_of_rack(self.cluster, rack))
        gpu = chance.whole(0, gpus - 1)
        length_s = chance.between(120, 240)
        begin_s = slot * _LOST_EVERY_S + chance.between(0, _LOST_EVERY_S - length_s)
        is_lost = node == self.node and begin_s <= unix_s < begin_s + length_s
        return gpu if is_lost else None
