"""Which GPU is behind a claim, as the API server tells it."""

from typing import Any

import pytest

from exporter.workloads.kubernetes.pod_devices import ClaimedDevice
from exporter.workloads.kubernetes.resource_slices import ResourceSlices
from tests.fakes.clock import Clock
from tests.fakes.cluster_server import PlayedCluster

_CLAIM = ClaimedDevice("gpu.nvidia.com", "node-1", "gpu-0")
_UUID = "GPU-00000000-1111-2222-3333-444444444444"


def _slice(device: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"name": "s"},
        "spec": {
            "driver": "gpu.nvidia.com",
            "nodeName": "node-1",
            "pool": {"name": "node-1"},
            "devices": [device],
        },
    }


def _slices(cluster: PlayedCluster, clock: Clock) -> ResourceSlices:
    return ResourceSlices(
        cluster.client(), "node-1", chance=lambda: 1.0, monotonic=clock
    )


def _known(_: str) -> bool:
    return True


@pytest.mark.parametrize(
    "device",
    [
        {"name": "gpu-0", "attributes": {"uuid": {"string": _UUID}}},
        {"name": "gpu-0", "basic": {"attributes": {"uuid": {"string": _UUID}}}},
        {"name": "gpu-0", "attributes": {"gpu.nvidia.com/uuid": {"string": _UUID}}},
    ],
)
def test_a_device_of_a_claim_is_found_by_driver_pool_and_name(
    cluster: PlayedCluster, device: dict[str, Any]
) -> None:
    """In each version of the API."""
    cluster.slices = [_slice(device)]
    slices = _slices(cluster, Clock())

    found = slices.find({_CLAIM}, _known)

    assert found == {_CLAIM: _UUID}
    assert slices.trouble == ""
    (asked,) = cluster.asks
    assert asked.query == {"fieldSelector": "spec.nodeName=node-1"}


def test_slices_are_asked_for_once(cluster: PlayedCluster) -> None:
    """Never on a timer."""
    clock = Clock()
    cluster.slices = [
        _slice({"name": "gpu-0", "attributes": {"uuid": {"string": "u"}}})
    ]
    slices = _slices(cluster, clock)

    for _ in range(10):
        slices.find({_CLAIM}, _known)
        clock.pass_s(3600.0)

    assert len(cluster.asks) == 1


def test_a_device_that_nobody_names_is_asked_for_ever_more_rarely(
    cluster: PlayedCluster,
) -> None:
    """It stays unknown, and is never guessed."""
    clock = Clock()
    slices = _slices(cluster, clock)

    for _ in range(3600):
        assert slices.find({_CLAIM}, _known) == {}
        clock.pass_s(1.0)

    assert len(cluster.asks) < 15
    assert "no ResourceSlice" in slices.trouble


def test_a_gpu_that_was_divided_anew_is_asked_for_again(cluster: PlayedCluster) -> None:
    """Another instance has the same name."""
    clock = Clock()
    name = {"name": "gpu-0"}
    cluster.slices = [_slice(name | {"attributes": {"uuid": {"string": "MIG-old"}}})]
    slices = _slices(cluster, clock)
    slices.find({_CLAIM}, _known)
    cluster.slices = [_slice(name | {"attributes": {"uuid": {"string": "MIG-new"}}})]
    clock.pass_s(60.0)

    found = slices.find({_CLAIM}, lambda uuid: uuid == "MIG-new")

    assert found == {_CLAIM: "MIG-new"}


def test_rights_that_are_missing_are_named(cluster: PlayedCluster) -> None:
    """Without them such GPUs are nobody's."""
    cluster.faults.status = 403
    slices = _slices(cluster, Clock())

    assert slices.find({_CLAIM}, _known) == {}
    assert "resourceslices" in slices.trouble


def test_without_an_api_server_claims_stay_unknown() -> None:
    """As in a daemon that systemd runs."""
    slices = ResourceSlices(None, "node-1")

    assert slices.find({_CLAIM}, _known) == {}
    assert "API server" in slices.trouble
    slices.interrupt()


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"spec": None},
        {"spec": {"devices": {}}},
        {"spec": {"devices": [5, {"name": "gpu-0"}]}},
        _slice({"name": "gpu-0", "attributes": {"uuid": {"int": 5}}}),
        _slice({"name": "gpu-0", "attributes": {"uuid": {"string": ""}}}),
    ],
)
def test_a_slice_without_uuids_tells_nothing(
    cluster: PlayedCluster, item: dict[str, Any]
) -> None:
    """Those of networks, and nonsense."""
    cluster.slices = [item]
    slices = _slices(cluster, Clock())

    assert slices.find({_CLAIM}, _known) == {}
