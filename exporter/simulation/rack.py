"""A scheduler that is played: which jobs run on the nodes of a rack, and when.

Time is cut into *acts* of six hours. For each, the scheduler is played from half an
hour before the act to its end: a few jobs are offered every ten seconds, and those that
fit are begun at once. At the end of an act all jobs end together.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from exporter.simulation.chance import Chance
from exporter.simulation.cluster import (
    RACK_NODES,
    Cluster,
    Job,
    NodeSize,
    nodes_of_rack,
)
from exporter.simulation.people import KINDS, Kind, user_of

ACT_S = 6 * 3600
_WARM_UP_S = 1800
_STEP_S = 10
# A GPU is not handed out again before the Epilog of the last job is done.
_PAUSE_S = 6

_OFFERS = 2
_OFFER_CHANCE = 0.34
_IDLE_EVERY_S = 1500
_IDLE_CHANCE = 0.6

# Numbers are used again after two years.
_NUMBERS_PER_STEP = 16
_MOST_NUMBERS = 100_000_000


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


def _idle_times(cluster: Cluster, rack: int, act: int) -> list[tuple[int, int, int]]:
    """Node, begin and end of times without any job."""
    nodes = nodes_of_rack(cluster, rack)
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
        self._nodes = nodes_of_rack(cluster, rack)
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
