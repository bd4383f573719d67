"""Which jobs run on the nodes of a simulated cluster, and when.

A pure function: whoever knows seed, size and schedulers of the cluster knows its jobs
at any time. So a job of several nodes begins and ends on all of them at once although
they never talk. Time is cut into *acts* of six hours. For each, a scheduler is played
from half an hour before the act to its end: a few jobs are offered every ten seconds,
and those that fit are begun at once. At the end of an act all jobs end together.

Nodes are taken in *racks* of eight. A job never leaves its rack, so that a node only
has to know the jobs of seven others however large the cluster is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from exporter.simulation.chance import Chance
from exporter.simulation.people import KINDS, Kind, Scheduler, user_of

Mixture = Literal["mixed", "slurm", "kubernetes", "both"]

RACK_NODES = 8
ACT_S = 6 * 3600
_WARM_UP_S = 1800
_STEP_S = 10
# A GPU is not handed out again before the Epilog of the last job is done.
_PAUSE_S = 6

_OFFERS = 2
_OFFER_CHANCE = 0.34
_IDLE_EVERY_S = 1500
_IDLE_CHANCE = 0.6
_LOST_EVERY_S = 900
_LOST_CHANCE = 0.7

# Numbers are used again after two years.
_NUMBERS_PER_STEP = 16
_MOST_NUMBERS = 100_000_000


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
        node = chance.one_of(_nodes_of(self.cluster, rack))
        gpu = chance.whole(0, gpus - 1)
        length_s = chance.between(120, 240)
        begin_s = slot * _LOST_EVERY_S + chance.between(0, _LOST_EVERY_S - length_s)
        is_lost = node == self.node and begin_s <= unix_s < begin_s + length_s
        return gpu if is_lost else None


def rack_jobs(cluster: Cluster, rack: int, act: int) -> tuple[Job, ...]:
    """Return all jobs of one rack in one act, in the order in which they begin."""
    begin_s = act * ACT_S
    end_s = begin_s + ACT_S
    played = _Rack(cluster, rack, act)
    jobs: list[Job] = []
    for step_s in range(begin_s - _WARM_UP_S, end_s, _STEP_S):
        # What began in the warm-up is simply there when the act begins.
        jobs += (
            job
            for job in played.offer(step_s)
            if job.end_unix_s > begin_s and job.start_unix_s < end_s
        )
    jobs.sort(key=lambda job: (job.start_unix_s, job.number))
    return tuple(jobs)


def _nodes_of(cluster: Cluster, rack: int) -> range:
    first = rack * RACK_NODES
    return range(first, min(first + RACK_NODES, cluster.nodes))


def _idle_times(cluster: Cluster, rack: int, act: int) -> list[tuple[int, int, int]]:
    """Node, begin and end of times without any job."""
    nodes = _nodes_of(cluster, rack)
    first = (act * ACT_S - _WARM_UP_S) // _IDLE_EVERY_S
    last = (act + 1) * ACT_S // _IDLE_EVERY_S
    times: list[tuple[int, int, int]] = []
    for slot in range(first, last + 1):
        chance = Chance(cluster.seed, "idle", rack, slot)
        # The first one never does: it is the one that people look at first.
        if chance.ratio() < _IDLE_CHANCE and len(nodes) > 1:
            node = chance.one_of(nodes[1:])
            begin_s = slot * _IDLE_EVERY_S + chance.whole(0, _IDLE_EVERY_S - 300)
            times.append((node, begin_s, begin_s + chance.whole(120, 300)))
    return times


class _Room:
    """What is free on one node."""

    def __init__(self, size: NodeSize) -> None:
        self.gpu_free_s = [0] * size.gpus
        self._size = size
        self._running: list[tuple[int, int, int]] = []

    def gpus(self, start_s: int) -> list[int]:
        return [i for i, free_s in enumerate(self.gpu_free_s) if free_s <= start_s]

    def fits(self, start_s: int, gpus: int, cpus: int, memory_bytes: int) -> bool:
        self._running = [each for each in self._running if each[0] > start_s]
        used_cpus = sum(each[1] for each in self._running)
        used_bytes = sum(each[2] for each in self._running)
        return (
            used_cpus + cpus <= self._size.cpus
            and used_bytes + memory_bytes <= 0.9 * self._size.memory_bytes
            and len(self.gpus(start_s)) >= gpus
        )

    def take(
        self, start_s: int, end_s: int, gpus: int, cpus: int, memory_bytes: int
    ) -> tuple[int, ...]:
        self._running.append((end_s + _PAUSE_S, cpus, memory_bytes))
        taken = tuple(self.gpus(start_s)[:gpus])
        for index in taken:
            self.gpu_free_s[index] = end_s + _PAUSE_S
        return taken


class _Rack:
    """A scheduler that is played through one act."""

    def __init__(self, cluster: Cluster, rack: int, act: int) -> None:
        self._cluster = cluster
        self._chance = Chance(cluster.seed, "jobs", rack, act)
        self._rack = rack
        self._end_s = (act + 1) * ACT_S
        self._nodes = _nodes_of(cluster, rack)
        self._rooms = {node: _Room(cluster.size) for node in self._nodes}
        self._idle = _idle_times(cluster, rack, act)
        self._racks = -(-cluster.nodes // RACK_NODES)
        served = {s for node in self._nodes for s in cluster.schedulers(node)}
        self._kinds = [
            kind
            for kind in KINDS
            if kind.scheduler in served and (cluster.size.gpus or kind.gpus == (0,))
        ]

    def offer(self, step_s: int) -> Iterator[Job]:
        """Offer a few jobs, and yield those for which there is room."""
        number = 0
        offers = max(1, round(_OFFERS * len(self._nodes) / 4))
        for _ in range(offers):
            if self._chance.ratio() >= _OFFER_CHANCE:
                continue
            weights = [kind.weight for kind in self._kinds]
            kind = self._chance.weighted(self._kinds, weights)
            tasks = self._chance.whole(*kind.tasks)
            # All of an array are one user's, and alike.
            shape = self._shape(kind)
            first = self._number(step_s, number)
            for task in range(tasks):
                if number >= _NUMBERS_PER_STEP:
                    return
                job = self._place(shape, step_s, self._number(step_s, number))
                number += 1
                if job is not None:
                    yield job if tasks == 1 else _in_array(job, first, task)

    def _number(self, step_s: int, count: int) -> int:
        counted = (step_s // _STEP_S * _NUMBERS_PER_STEP + count) % _MOST_NUMBERS
        return counted * self._racks + self._rack

    def _shape(self, kind: Kind) -> "_Shape":
        chance = self._chance
        tenant = chance.one_of(kind.tenants)
        name = chance.one_of(kind.names)
        user = user_of(kind, tenant, chance)
        gpus = min(chance.one_of(kind.gpus), self._cluster.size.gpus)
        cpus = min(chance.one_of(kind.cpus), self._cluster.size.cpus)
        return _Shape(kind, name, tenant, user, chance.one_of(kind.nodes), gpus, cpus)

    def _place(self, shape: "_Shape", step_s: int, number: int) -> Job | None:
        chance, kind = self._chance, shape.kind
        start_s = step_s + chance.whole(0, _STEP_S - 1)
        length_s = round(60 * chance.between(*kind.minutes))
        # Some are cut off by their limit, most ask for more than they need.
        limit_s = -(-round(length_s * chance.between(1.0, 1.8)) // 60) * 60
        end_s = min(start_s + length_s, self._end_s)
        turn = chance.whole(0, len(self._nodes) - 1)
        order = (*self._nodes[turn:], *self._nodes[:turn])
        free = [
            node
            for node in order
            if kind.scheduler in self._cluster.schedulers(node)
            and not self._rests(node, start_s, end_s)
            and self._rooms[node].fits(
                start_s, shape.gpus, shape.cpus, kind.memory_bytes
            )
        ]
        if len(free) < shape.nodes:
            return None
        nodes = tuple(sorted(free[: shape.nodes]))
        gpus = tuple(
            self._rooms[node].take(
                start_s, end_s, shape.gpus, shape.cpus, kind.memory_bytes
            )
            for node in nodes
        )
        return Job(
            number=number,
            kind=kind,
            name=shape.name,
            tenant=shape.tenant,
            user=shape.user,
            nodes=nodes,
            gpus=gpus,
            cpus=shape.cpus,
            start_unix_s=start_s,
            end_unix_s=end_s,
            limit_s=limit_s,
        )

    def _rests(self, node: int, start_s: int, end_s: int) -> bool:
        return any(
            node == resting and start_s < until_s and end_s > from_s
            for resting, from_s, until_s in self._idle
        )


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a job asks for."""

    kind: Kind
    name: str
    tenant: str
    user: str
    nodes: int
    gpus: int
    cpus: int


def _in_array(job: Job, first: int, task: int) -> Job:
    return replace(job, array_number=first, array_task=task)
