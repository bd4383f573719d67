"""Which pod holds which part of which GPU, and what if nobody knows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.core.model import GpuInstance
from exporter.core.units import Ratio
from exporter.core.workload import GpuHold, WorkloadsReading
from exporter.workloads.kubernetes.facts import PodFacts
from tests.fakes.cluster_server import PlayedCluster, played_cluster
from tests.fakes.inventory import FakeInventory, gpu
from tests.fakes.kubelet import Container, PlayedKubelet, played_kubelet
from tests.fakes.pod_cgroups import uid_of
from tests.fakes.pod_node import PodNode, ToldNames, pod_node, usage_of

_GPUS = (gpu(0), gpu(1))
_A, _B = (each.uuid for each in _GPUS)
_MIGS = tuple(
    GpuInstance(
        f"MIG-0000000{number}-1111-2222-3333-444444444444", _B, number, Ratio(share)
    )
    for number, share in enumerate((3 / 7, 2 / 7, 2 / 7))
)
_RESOURCE = "nvidia.com/gpu"


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[PlayedKubelet]:
    """Play a kubelet that hands out both GPUs, each as a whole."""
    allocatable = {_RESOURCE: (_A, _B)}
    with played_kubelet(tmp_path / "kubelet", allocatable=allocatable) as kubelet:
        yield kubelet


@pytest.fixture
def told() -> ToldNames:
    """Know the names of nine pods."""
    told = ToldNames()
    for number in range(1, 10):
        told.tell(PodFacts(uid_of(number), "team-a", f"pod-{number}"))
    return told


@pytest.fixture
def node(tmp_path: Path, kubelet: PlayedKubelet, told: ToldNames) -> Iterator[PodNode]:
    """Play a node with two GPUs, whose pods are known by name."""
    with pod_node(
        tmp_path / "node",
        witnesses=(told,),
        kubelet=kubelet,
        inventory=FakeInventory(_GPUS),
    ) as node:
        yield node


def _give(kubelet: PlayedKubelet, number: int, *devices: str) -> None:
    kubelet.give("team-a", f"pod-{number}", _RESOURCE, *devices)


def _read(node: PodNode) -> WorkloadsReading:
    """Let the kubelet be asked, and read."""
    node.tick()
    node.ask_kubelet()
    return node.tick()


def _holds(reading: WorkloadsReading, number: int) -> tuple[GpuHold, ...]:
    return usage_of(reading, number).gpus


# --- who holds what -------------------------------------------------------------------


def test_a_pod_holds_the_gpus_it_was_given(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """All of them, of all its containers, each once."""
    node.pods.start_pod(1)
    node.pods.start_pod(2)
    _give(kubelet, 1, _A)
    _give(kubelet, 1, _A, _B)

    reading = _read(node)

    assert _holds(reading, 1) == (GpuHold(_A), GpuHold(_B))
    assert _holds(reading, 2) == ()
    assert reading.unknown_gpus == frozenset()


def test_nobody_is_asked_on_a_node_without_gpus(
    tmp_path: Path, kubelet: PlayedKubelet, told: ToldNames
) -> None:
    """Nor is gRPC loaded."""
    with pod_node(tmp_path / "node", witnesses=(told,), kubelet=kubelet) as node:
        node.pods.start_pod(1)

        reading = node.tick()

        assert reading.unknown_gpus == frozenset()
        assert kubelet.asks == []


def test_replicas_are_parts_of_all_there_are(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """What nobody holds is unallocated."""
    kubelet.allocatable = {_RESOURCE: [f"{_A}::{number}" for number in range(4)]}
    for number in (1, 2):
        node.pods.start_pod(number)
    _give(kubelet, 1, f"{_A}::0")
    _give(kubelet, 2, f"{_A}::1", f"{_A}::3")

    reading = _read(node)

    assert _holds(reading, 1) == (GpuHold(_A, Ratio(0.25)),)
    assert _holds(reading, 2) == (GpuHold(_A, Ratio(0.5)),)


def test_replicas_of_an_unknown_number_are_shared_among_their_holders(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """An old kubelet does not tell how many there are."""
    kubelet.allocatable = None
    for number in (1, 2):
        node.pods.start_pod(number)
    _give(kubelet, 1, f"{_A}::0")
    _give(kubelet, 2, f"{_A}::1", f"{_A}::3")

    reading = _read(node)

    assert _holds(reading, 1) == (GpuHold(_A, Ratio(1 / 3)),)
    assert _holds(reading, 2) == (GpuHold(_A, Ratio(2 / 3)),)


def test_an_instance_is_its_slices_of_its_gpu(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """A replica of one is a part of them."""
    node.inventory.parts = _MIGS
    kubelet.allocatable = {
        "nvidia.com/mig-3g.20gb": [_MIGS[0].uuid],
        "nvidia.com/mig-2g.10gb": [f"{_MIGS[1].uuid}::{each}" for each in range(2)],
    }
    for number in (1, 2):
        node.pods.start_pod(number)
    kubelet.give("team-a", "pod-1", "nvidia.com/mig-3g.20gb", _MIGS[0].uuid)
    kubelet.give("team-a", "pod-2", "nvidia.com/mig-2g.10gb", f"{_MIGS[1].uuid}::1")

    reading = _read(node)

    first, second = (instance.uuid for instance in _MIGS[:2])
    assert _holds(reading, 1) == (GpuHold(_B, Ratio(3 / 7), instance=first),)
    assert _holds(reading, 2) == (GpuHold(_B, Ratio(1 / 7), instance=second),)


def test_a_pod_that_ended_is_not_believed_to_hold_anything(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """Some kubelets tell of it for half an hour; its cgroup is gone."""
    for number in (1, 2):
        node.pods.start_pod(number)
    _give(kubelet, 1, _A)
    _give(kubelet, 2, _A)
    _read(node)
    node.pods.end_pod(node.pods.pods[uid_of(1)])

    readings = []
    for _ in range(3):
        readings.append(node.tick(31.0))
        node.ask_kubelet()

    (usage,) = readings[-1].usages
    assert usage.workload.key == uid_of(2)
    assert usage.gpus == (GpuHold(_A),)
    assert readings[-1].unknown_gpus == frozenset()


def test_of_two_pods_of_one_name_the_later_one_is_meant(
    node: PodNode, kubelet: PlayedKubelet, told: ToldNames
) -> None:
    """The other one is ending."""
    for number in (2, 1):
        facts = PodFacts(uid_of(number), "team-a", "db-0", start_unix_s=5.0 + number)
        told.tell(facts)
        node.pods.start_pod(number)
    kubelet.give("team-a", "db-0", _RESOURCE, _A)

    reading = _read(node)

    assert _holds(reading, 1) == ()
    assert _holds(reading, 2) == (GpuHold(_A),)


def test_a_gpu_that_is_given_twice_is_shared_and_told_of(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """A plugin of another kind may do so; nothing is counted twice."""
    for number in (1, 2):
        node.pods.start_pod(number)
        _give(kubelet, number, _A)

    reading = _read(node)

    assert _holds(reading, 1) == _holds(reading, 2) == (GpuHold(_A, Ratio(0.5)),)
    assert "team-a/pod-1 and team-a/pod-2" in node.source.doubt
    assert dict(node.source.doubts)["conflict"] == 1


def test_instances_that_are_made_later_are_found(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """An operator divided the GPU."""
    node.pods.start_pod(1)
    kubelet.give("team-a", "pod-1", "nvidia.com/mig-3g.20gb", _MIGS[0].uuid)
    before = _read(node)
    node.inventory.parts = _MIGS

    after = node.tick()

    assert _holds(before, 1) == ()
    held = GpuHold(_B, Ratio(3 / 7), instance=_MIGS[0].uuid)
    assert _holds(after, 1) == (held,)


# --- claims ---------------------------------------------------------------------------


def _claim(kubelet: PlayedKubelet, number: int, device: str) -> None:
    claims = (
        ("gpu.nvidia.com", "node-1", device),
        ("dra.net", "node-1", "eth1"),
    )
    kubelet.pods["team-a", f"pod-{number}"] = [Container(claims=claims)]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[PlayedCluster]:
    """Play an API server that knows the devices of claims."""
    with played_cluster(tmp_path / "cluster") as cluster:
        devices = [
            {"name": "gpu-0", "attributes": {"uuid": {"string": _A}}},
            {"name": "gpu-1", "attributes": {"uuid": {"string": _B}}},
        ]
        cluster.slices = [
            {
                "spec": {
                    "driver": "gpu.nvidia.com",
                    "pool": {"name": "node-1"},
                    "devices": devices,
                }
            }
        ]
        yield cluster


def test_claims_are_gpus_that_the_api_server_names(
    tmp_path: Path, kubelet: PlayedKubelet, told: ToldNames, cluster: PlayedCluster
) -> None:
    """Two pods that share a claim share its GPU, which is no conflict."""
    with pod_node(
        tmp_path / "node",
        witnesses=(told,),
        kubelet=kubelet,
        inventory=FakeInventory(_GPUS),
        api=cluster.client(),
    ) as node:
        for number, device in ((1, "gpu-0"), (2, "gpu-1"), (3, "gpu-1")):
            node.pods.start_pod(number)
            _claim(kubelet, number, device)

        reading = _read(node)

        assert _holds(reading, 1) == (GpuHold(_A),)
        half = (GpuHold(_B, Ratio(0.5)),)
        assert _holds(reading, 2) == _holds(reading, 3) == half
        assert node.source.doubt == ""
        assert reading.unknown_gpus == frozenset()


def test_a_claim_that_nobody_explains_is_unknown_and_not_guessed(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """Some GPU is held; which one, only the API server could tell."""
    node.pods.start_pod(1)
    _claim(kubelet, 1, "gpu-0")

    reading = _read(node)

    assert _holds(reading, 1) == ()
    assert reading.unknown_gpus == {_A, _B}
    assert "API server" in node.source.doubt
    assert dict(node.source.doubts)["unknown_gpu"] == 1


# --- what nobody knows ----------------------------------------------------------------


def test_a_device_that_is_no_gpu_here_is_told_of(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """A GPU that fell off the bus, or a plugin with names of its own."""
    node.pods.start_pod(1)
    _give(kubelet, 1, "GPU-ffffffff-0000-0000-0000-000000000000")

    reading = _read(node)

    assert reading.unknown_gpus == {_A, _B}
    assert "GPU-ffffffff" in node.source.doubt
    assert dict(node.source.doubts)["unknown_gpu"] == 1


@pytest.mark.parametrize("device", ["0000:c1:00.0", "amdgpu_xcp_1", "renderD128"])
def test_an_amd_gpu_is_unknown_and_never_guessed(
    node: PodNode, kubelet: PlayedKubelet, device: str
) -> None:
    """It is in no inventory: nobody is charged for one of NVIDIA's in its place."""
    kubelet.allocatable = {_RESOURCE: [_A, _B], "amd.com/gpu": [device]}
    for number in (1, 2):
        node.pods.start_pod(number)
    kubelet.give("team-a", "pod-1", "amd.com/gpu", device)
    _give(kubelet, 2, _A)

    reading = _read(node)

    assert _holds(reading, 1) == ()
    assert _holds(reading, 2) == (GpuHold(_A),)
    assert reading.unknown_gpus == {_A, _B}
    assert device in node.source.doubt
    assert dict(node.source.doubts) == {"unknown_gpu": 1}


def test_until_the_kubelet_has_answered_nobody_knows(node: PodNode) -> None:
    """Unknown is not unallocated."""
    node.pods.start_pod(1)

    reading = node.tick()

    assert reading.unknown_gpus == {_A, _B}


def test_a_gpu_of_a_pod_without_a_name_is_unknown(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """The kubelet tells names, the cgroup a UID; they meet in who knows both."""
    node.pods.start_pod(20)
    kubelet.give("team-b", "nameless", _RESOURCE, _A)

    reading = _read(node)

    assert reading.unknown_gpus == {_A, _B}


def test_a_kubelet_that_is_away_is_believed_for_a_minute(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """Then nobody knows, which is told and counted; and when it is back, all is."""
    node.pods.start_pod(1)
    _give(kubelet, 1, _A)
    _read(node)
    kubelet.stop()

    during = []
    for _ in range(600):
        node.ask_kubelet()
        reading = node.tick()
        during.append((bool(_holds(reading, 1)), bool(reading.unknown_gpus)))
    doubt = node.source.doubt
    kubelet.start()
    node.ask_kubelet()
    after = node.tick()

    assert during[:58] == [(True, False)] * 58
    assert during[61:] == [(False, True)] * 539
    assert "which pod holds which GPU" in doubt
    assert dict(node.source.doubts) == {"gpus": 1}
    assert _holds(after, 1) == (GpuHold(_A),)
    assert after.unknown_gpus == frozenset()
    assert node.source.doubt == ""


def test_the_kubelet_is_asked_on_a_timer_and_not_for_every_pod(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """Two hundred pods may begin within a second."""
    node.pods.start_pod(1)
    node.tick()
    waits = [node.ask_kubelet() for _ in range(100)]

    assert kubelet.asks.count("List") == 1
    assert waits[0] == 30.0
    assert max(waits[1:]) <= 0.5


def test_how_many_there_are_stays_known_when_it_is_not_told(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """Shares do not change because one answer failed."""
    kubelet.allocatable = {_RESOURCE: [f"{_A}::{number}" for number in range(4)]}
    node.pods.start_pod(1)
    _give(kubelet, 1, f"{_A}::0")
    _read(node)
    kubelet.allocatable = None
    node.clock.pass_s(30.0)

    reading = _read(node)

    assert _holds(reading, 1) == (GpuHold(_A, Ratio(0.25)),)


# --- where processes compute ----------------------------------------------------------


def test_a_pod_that_computes_where_it_holds_nothing_is_told_of(
    node: PodNode, kubelet: PlayedKubelet
) -> None:
    """It was started with all devices visible: to use is not to hold."""
    pod = node.pods.start_pod(1)
    _give(kubelet, 1, _A)
    (node.procfs / "77").mkdir(parents=True)
    (node.procfs / "77" / "cgroup").write_text(f"0::/{pod.path}/c\n")
    node.inventory.pids = {_A: (77, 78), _B: (77,)}
    _read(node)

    reading = node.tick(11.0)

    assert _holds(reading, 1) == (GpuHold(_A),)
    assert f"computes on GPU {_B}" in node.source.doubt
    assert dict(node.source.doubts) == {"conflict": 1}
