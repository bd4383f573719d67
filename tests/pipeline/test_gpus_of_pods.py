"""Joules of GPUs that pods share, from the cgroup and the kubelet to the ledger."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import fsum
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.gpu_activity import GpuActivity
from exporter.core.model import GpuInstance
from exporter.core.ports import WorkloadSource
from exporter.core.snapshot import Snapshot
from exporter.core.units import Ratio, Watts
from exporter.core.workload import WorkloadsReading
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from exporter.workloads.cgroups import FileBudget
from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.slurm import SlurmPlaces, SlurmWorkloads
from tests.fakes.cgroups import PlayedSlurm, drop
from tests.fakes.inventory import FakeInventory, gpu
from tests.fakes.kubelet import PlayedKubelet, played_kubelet
from tests.fakes.node import gpu as gpu_device
from tests.fakes.node import reading, sample
from tests.fakes.pod_cgroups import uid_of
from tests.fakes.pod_node import PodNode, ToldNames, no_inotify, pod_node

_GPUS = (gpu(0), gpu(1), gpu(2))
_SHARED, _DIVIDED, _FREE = (each.uuid for each in _GPUS)
_SHARES = (3 / 7, 1 / 7, 3 / 7)
_INSTANCES = tuple(
    GpuInstance(f"MIG-0000000{i}-1111-2222-3333-444444444444", _DIVIDED, i, Ratio(s))
    for i, s in enumerate(_SHARES)
)
_WATTS = {_SHARED: 311.7, _DIVIDED: 203.3, _FREE: 61.9}
_IDLE_W = Watts(60.0)


class _Life:
    """A node with three GPUs, folded tick by tick."""

    def __init__(self, node: PodNode, *more: WorkloadSource) -> None:
        self.node = node
        self.engine = Engine(EngineSettings(idle_w=(("gpu", _IDLE_W),)))
        self._more = more
        self.now_s = 0.0
        self.snapshot: Snapshot | None = None

    def tick(self) -> WorkloadsReading:
        """Let a second pass."""
        self.now_s += 1.0
        pods = self.node.tick()
        readings = [
            reading(
                gpu_device(uuid),
                self.now_s,
                energy_j=watts * self.now_s,
                utilization=0.5,
            )
            for uuid, watts in _WATTS.items()
        ]
        others = tuple(source.read() for source in self._more)
        self.snapshot = self.engine.fold(
            sample(self.now_s, *readings, workloads=(pods, *others))
        )
        self._check()
        return pods

    def run(self, ticks: int) -> None:
        """Let many seconds pass, asking the kubelet as its thread would."""
        for _ in range(ticks):
            self.tick()
            self.node.ask_kubelet()

    def job_j(self, name: str) -> float:
        """GPU energy of a pod or job."""
        assert self.snapshot is not None
        for job in self.snapshot.jobs:
            if name in {job.labels.pod, job.labels.job_id}:
                return dict(job.energy_j).get("gpu", 0.0)
        return 0.0

    def unattributed_j(self) -> dict[str, float]:
        """GPU energy that is nobody's, by reason."""
        assert self.snapshot is not None
        found: defaultdict[str, float] = defaultdict(float)
        for one in self.snapshot.unattributed:
            if one.component == "gpu":
                found[one.reason] += one.energy_j
        return found

    def _check(self) -> None:
        """Nothing is counted twice, and nothing is lost: at every single tick."""
        snapshot = self.snapshot
        assert snapshot is not None
        devices_j = fsum(one.energy_j for one in snapshot.devices)
        expected_j = fsum(_WATTS.values()) * (self.now_s - 1.0)
        jobs_j = fsum(
            energy_j
            for job in self.engine.state.ledger.jobs.values()
            for energy_j in job.energy_j
        )
        nobody_j = fsum(one.energy_j for one in snapshot.unattributed)
        assert devices_j == pytest.approx(expected_j, rel=1e-5)
        assert jobs_j + nobody_j == pytest.approx(devices_j, rel=1e-9, abs=1e-9)


@contextmanager
def _living(root: Path, kubelet: PlayedKubelet, pods: int) -> Iterator[PodNode]:
    told = ToldNames()
    for number in range(1, pods + 1):
        told.tell(PodFacts(uid_of(number), "team-a", f"pod-{number}"))
    with pod_node(
        root,
        witnesses=(told,),
        kubelet=kubelet,
        inventory=FakeInventory(_GPUS, _INSTANCES),
        # Who has a played file open does not see that it is gone.
        budget=FileBudget(0),
        open_inotify=no_inotify,
    ) as node:
        yield node


def test_parts_of_shared_gpus_add_up_to_what_they_drew(tmp_path: Path) -> None:
    """Two pods on a time-sliced GPU, two on instances; the rest is unallocated."""
    replicas = [f"{_SHARED}::{number}" for number in range(4)]
    with (
        played_kubelet(
            tmp_path / "kubelet",
            allocatable={
                "nvidia.com/gpu": replicas,
                "nvidia.com/mig-3g.20gb": [_INSTANCES[0].uuid, _INSTANCES[2].uuid],
                "nvidia.com/mig-1g.5gb": [_INSTANCES[1].uuid],
            },
        ) as kubelet,
        _living(tmp_path / "node", kubelet, 4) as node,
    ):
        give = kubelet.give
        give("team-a", "pod-1", "nvidia.com/gpu", replicas[0])
        give("team-a", "pod-2", "nvidia.com/gpu", replicas[1], replicas[2])
        give("team-a", "pod-3", "nvidia.com/mig-3g.20gb", _INSTANCES[0].uuid)
        give("team-a", "pod-4", "nvidia.com/mig-1g.5gb", _INSTANCES[1].uuid)
        for number in range(1, 5):
            node.pods.start_pod(number)
        life = _Life(node)
        life.tick()
        node.ask_kubelet()
        life.tick()
        begin = {number: life.job_j(f"pod-{number}") for number in range(1, 5)}
        free_j = life.unattributed_j()["unallocated"]

        life.run(300)

        got = {n: life.job_j(f"pod-{n}") - begin[n] for n in range(1, 5)}
        # Idle by what they hold, the rest among those who hold anything.
        dynamic_w = _WATTS[_SHARED] - _IDLE_W
        for number, (held, of_all) in {1: (1 / 4, 1 / 3), 2: (2 / 4, 2 / 3)}.items():
            watts = _IDLE_W * held + dynamic_w * of_all
            assert got[number] == pytest.approx(300 * watts, rel=1e-6)
        dynamic_w = _WATTS[_DIVIDED] - _IDLE_W
        for number, (held, of_all) in {3: (3 / 7, 3 / 4), 4: (1 / 7, 1 / 4)}.items():
            watts = _IDLE_W * held + dynamic_w * of_all
            assert got[number] == pytest.approx(300 * watts, rel=1e-6)
        free_w = _IDLE_W * (1 / 4 + 3 / 7) + _WATTS[_FREE]
        nobody = life.unattributed_j()
        assert nobody["unallocated"] - free_j == pytest.approx(300 * free_w, rel=1e-6)
        drawn_j = 300 * fsum(_WATTS.values())
        parts_j = fsum(got.values()) + nobody["unallocated"] - free_j
        assert parts_j == pytest.approx(drawn_j, rel=1e-6)


@dataclass
class _Shared:
    """A node whose first two GPUs are shared by two pods each, and what these do."""

    node: PodNode
    life: _Life
    knows_instances: bool = True

    def do(self, processes: Mapping[int, float], instances: Sequence[float]) -> None:
        """Let a second pass in which this was done on the GPUs."""
        parts = {pid: Ratio(part) for pid, part in processes.items()}
        activities = self.node.inventory.activities
        activities[_SHARED] = GpuActivity(processes=parts)
        if self.knows_instances:
            busy = zip(_INSTANCES, instances, strict=True)
            told = {instance.uuid: Ratio(part) for instance, part in busy}
            activities[_DIVIDED] = GpuActivity(instances=told)
        self.life.tick()
        self.node.ask_kubelet()

    def totals_j(self) -> list[float]:
        """Energy of the four pods, and what is unallocated."""
        nobody_j = self.life.unattributed_j()["unallocated"]
        return [*(self.life.job_j(f"pod-{n}") for n in range(1, 5)), nobody_j]

    def divisions(self) -> dict[str, str | None]:
        """By what each GPU was divided in the last second."""
        assert self.life.snapshot is not None
        return {one.device.name: one.division for one in self.life.snapshot.devices}


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[_Shared]:
    """Let pods hold quarters and halves, three slices and one, for some seconds."""
    replicas = [f"{_SHARED}::{number}" for number in range(4)]
    with (
        played_kubelet(
            tmp_path / "kubelet",
            allocatable={
                "nvidia.com/gpu": replicas,
                "nvidia.com/mig-3g.20gb": [_INSTANCES[0].uuid, _INSTANCES[2].uuid],
                "nvidia.com/mig-1g.5gb": [_INSTANCES[1].uuid],
            },
        ) as kubelet,
        _living(tmp_path / "node", kubelet, 4) as node,
    ):
        give = kubelet.give
        give("team-a", "pod-1", "nvidia.com/gpu", replicas[0])
        give("team-a", "pod-2", "nvidia.com/gpu", replicas[1], replicas[2])
        give("team-a", "pod-3", "nvidia.com/mig-3g.20gb", _INSTANCES[0].uuid)
        give("team-a", "pod-4", "nvidia.com/mig-1g.5gb", _INSTANCES[1].uuid)
        for number in range(1, 5):
            pod = node.pods.start_pod(number)
            (node.procfs / str(number)).mkdir(parents=True)
            (node.procfs / str(number) / "cgroup").write_text(f"0::/{pod.path}/c\n")
        life = _Life(node)
        life.run(5)
        yield _Shared(node, life)


def _per_second(shared: _Shared, before: list[float], seconds: int) -> list[float]:
    return [
        (after_j - before_j) / seconds
        for after_j, before_j in zip(shared.totals_j(), before, strict=True)
    ]


def test_dynamic_energy_goes_by_what_each_pod_did(shared: _Shared) -> None:
    """Processes on a time-sliced GPU, instances on a divided one; idle by shares."""
    before = shared.totals_j()

    for _ in range(100):
        shared.do({1: 0.6, 2: 0.2}, (0.5, 1.0, 0.25))

    one_w, two_w, three_w, four_w, nobody_w = _per_second(shared, before, 100)
    sliced_w, divided_w = _WATTS[_SHARED] - _IDLE_W, _WATTS[_DIVIDED] - _IDLE_W
    # Of 3.25 busy slices 1.5, 1 and 0.75, which nobody holds and somebody uses.
    assert one_w == pytest.approx(_IDLE_W / 4 + sliced_w * 3 / 4, rel=1e-6)
    assert two_w == pytest.approx(_IDLE_W / 2 + sliced_w / 4, rel=1e-6)
    assert three_w == pytest.approx(_IDLE_W * 3 / 7 + divided_w * 1.5 / 3.25, rel=1e-6)
    assert four_w == pytest.approx(_IDLE_W / 7 + divided_w * 1 / 3.25, rel=1e-6)
    free_w = _IDLE_W * (1 / 4 + 3 / 7) + divided_w * 0.75 / 3.25 + _WATTS[_FREE]
    assert nobody_w == pytest.approx(free_w, rel=1e-6)
    assert shared.divisions() == {
        _SHARED: "activity",
        _DIVIDED: "activity",
        _FREE: None,
    }


def test_without_counters_of_instances_slices_decide(shared: _Shared) -> None:
    """As on all GPUs before Hopper."""
    shared.knows_instances = False
    before = shared.totals_j()

    for _ in range(10):
        shared.do({1: 0.6, 2: 0.2}, (0.5, 1.0, 0.25))

    _, _, three_w, four_w, _ = _per_second(shared, before, 10)
    divided_w = _WATTS[_DIVIDED] - _IDLE_W
    assert three_w == pytest.approx(_IDLE_W * 3 / 7 + divided_w * 3 / 4, rel=1e-6)
    assert four_w == pytest.approx(_IDLE_W / 7 + divided_w / 4, rel=1e-6)
    assert shared.divisions()[_DIVIDED] == "share"


def test_without_the_nodes_process_ids_shares_decide(shared: _Shared) -> None:
    """A daemon in a container sees foreign ids, or none."""
    before = shared.totals_j()

    for _ in range(30):
        shared.do({0: 0.6, 4711: 0.2}, (0.0, 0.0, 0.0))

    one_w, two_w, *_ = _per_second(shared, before, 30)
    assert two_w == pytest.approx(2 * one_w, rel=1e-6)
    assert shared.divisions()[_SHARED] == "share"
    assert "hostPID" in shared.node.source.doubt
    assert dict(shared.node.source.doubts)["untraced"] == 1


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    ticks=st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from((0, 1, 2, 77)), st.floats(0, 1), max_size=4
            ),
            st.tuples(*[st.floats(0, 1)] * 3),
            st.booleans(),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_is_told_the_parts_are_the_whole(
    shared: _Shared,
    ticks: list[tuple[dict[int, float], tuple[float, float, float], bool]],
) -> None:
    """Law of the joule: checked at every single tick."""
    for processes, instances, knows_instances in ticks:
        shared.knows_instances = knows_instances
        shared.do(processes, instances)


def test_the_last_tick_of_a_pod_goes_by_shares(shared: _Shared) -> None:
    """It is gone before anybody could ask what it did; the other one stays alone."""
    shared.do({1: 0.6, 2: 0.2}, (0, 0, 0))
    shared.node.pods.end_pod(shared.node.pods.pods[uid_of(1)])
    before = shared.totals_j()

    shared.do({1: 0.6, 2: 0.2}, (0, 0, 0))
    last_w, *_ = _per_second(shared, before, 1)
    before = shared.totals_j()
    for _ in range(10):
        shared.do({2: 0.2}, (0, 0, 0))
    ended_w, left_w, *_ = _per_second(shared, before, 10)

    sliced_w = _WATTS[_SHARED] - _IDLE_W
    assert last_w == pytest.approx(_IDLE_W / 4 + sliced_w / 3, rel=1e-6)
    assert ended_w == 0.0
    assert left_w == pytest.approx(_IDLE_W / 2 + sliced_w, rel=1e-6)
    assert shared.divisions()[_SHARED] is None


def test_pods_that_come_and_go_on_shared_gpus_lose_no_joule(tmp_path: Path) -> None:
    """Each second another one: checked at every tick."""
    replicas = [f"{_SHARED}::{number}" for number in range(4)]
    with (
        played_kubelet(
            tmp_path / "kubelet", allocatable={"nvidia.com/gpu": replicas}
        ) as kubelet,
        _living(tmp_path / "node", kubelet, 60) as node,
    ):
        life = _Life(node)
        for number in range(1, 60):
            pod = node.pods.start_pod(number)
            kubelet.pods.clear()
            kubelet.give(
                "team-a", f"pod-{number}", "nvidia.com/gpu", replicas[number % 4]
            )
            life.run(3)
            node.pods.end_pod(pod)
        life.run(3)

        assert life.job_j("pod-30") > 0
        assert life.unattributed_j()["unallocated"] > 0


def test_a_kubelet_that_is_away_makes_gpus_unknown_and_no_joule_is_lost(
    tmp_path: Path,
) -> None:
    """Ten minutes: a minute is believed, then nobody knows; then all goes on."""
    with (
        played_kubelet(
            tmp_path / "kubelet", allocatable={"nvidia.com/gpu": [_SHARED]}
        ) as kubelet,
        _living(tmp_path / "node", kubelet, 1) as node,
    ):
        node.pods.start_pod(1)
        kubelet.give("team-a", "pod-1", "nvidia.com/gpu", _SHARED)
        life = _Life(node)
        life.run(10)
        labels = life.snapshot.jobs[0].labels if life.snapshot else None
        kubelet.stop()
        before_j = life.job_j("pod-1")
        life.run(600)
        during_j = life.job_j("pod-1") - before_j
        unknown_j = life.unattributed_j()["unknown"]
        kubelet.start()
        life.run(60)
        after_j = life.job_j("pod-1") - before_j - during_j

        assert during_j == pytest.approx(60 * _WATTS[_SHARED], rel=0.05)
        away_j = 540 * fsum(_WATTS.values())
        assert unknown_j == pytest.approx(away_j, rel=0.05)
        assert after_j == pytest.approx(60 * _WATTS[_SHARED], rel=0.05)
        assert life.snapshot is not None
        assert [job.labels for job in life.snapshot.jobs] == [labels]


def test_a_gpu_that_slurm_holds_stays_its_while_the_kubelet_is_away(
    tmp_path: Path,
) -> None:
    """On a node of both, one scheduler's silence is not the other's."""
    with (
        played_kubelet(
            tmp_path / "kubelet", allocatable={"nvidia.com/gpu": [_SHARED]}
        ) as kubelet,
        _living(tmp_path / "node", kubelet, 1) as node,
    ):
        node.pods.start_pod(1)
        kubelet.give("team-a", "pod-1", "nvidia.com/gpu", _SHARED)
        slurm = PlayedSlurm(tmp_path / "node", "v2", node.clock)
        slurm.start_slurmd()
        drops = tmp_path / "drops"
        drop(drops, 7, SLURM_JOB_USER="alice", CUDA_VISIBLE_DEVICES=_FREE)
        slurm.start_job(7)
        places = SlurmPlaces(slurm.cgroupfs, slurm.procfs, drops, tmp_path / "ended")
        jobs = SlurmWorkloads(places, node.inventory, monotonic=node.clock)
        life = _Life(node, jobs)
        try:
            life.run(10)
            kubelet.stop()
            life.run(100)
            before = (life.job_j("7"), life.job_j("pod-1"))
            life.run(100)
            after = (life.job_j("7"), life.job_j("pod-1"))
        finally:
            jobs.close()

        assert after[0] - before[0] == pytest.approx(100 * _WATTS[_FREE], rel=1e-6)
        assert after[1] == before[1]
