"""What is read of the kubelet's messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.workloads.kubernetes.allocations import wanted_resources
from exporter.workloads.kubernetes.pod_devices import (
    ClaimedDevice,
    PodDevices,
    parse_devices,
    parse_pods,
)
from exporter.workloads.kubernetes.wire import WireError, byte_fields
from tests.fakes.kubelet import Container, encode_devices, encode_list

_GPU = "GPU-00000000-1111-2222-3333-444444444444"
_OTHER = "GPU-00000001-1111-2222-3333-444444444444"

# Written by protobuf's own compiler and library for Python, from the messages of the
# podresources API v1: a pod with two containers, CPUs, memory and NUMA nodes; one
# without devices; one with a claim.
_LIST = bytes.fromhex(
    """
    0a87020a07747261696e2d3012067465616d2d611a420a04696e6974123a0a0e6e76696469612e636f
    6d2f67707512284750552d30303030303030302d313131312d323232322d333333332d343434343434
    3434343434341aaf010a046d61696e126c0a0e6e76696469612e636f6d2f67707512284750552d3030
    3030303030302d313131312d323232322d333333332d34343434343434343434343412284750552d30
    303030303030312d313131312d323232322d333333332d3434343434343434343434341a060a000a02
    080112120a0872646d612f68636112066d6c78355f301a05000102ac02221e0a066d656d6f72791080
    80808080201a0d0a0b08ffffffffffffffffff010a120a0377656212067465616d2d621a030a01630a
    710a07636c61696d657212077465616d2dc3bc1a5d0a01632a580a036f6c6412096770752d636c6169
    6d1a077465616d2dc3bc223d0a1c0a1a6b38732e6770752e6e76696469612e636f6d2f636c61696d3d
    78120e6770752e6e76696469612e636f6d1a066e6f64652d3122056770752d30
    """
)
# The same for an AllocatableResourcesResponse with four replicas of a GPU.
_ALLOCATABLE = bytes.fromhex(
    """
    0ac4010a0e6e76696469612e636f6d2f677075122b4750552d30303030303030302d313131312d3232
    32322d333333332d3434343434343434343434343a3a30122b4750552d30303030303030302d313131
    312d323232322d333333332d3434343434343434343434343a3a31122b4750552d3030303030303030
    2d313131312d323232322d333333332d3434343434343434343434343a3a32122b4750552d30303030
    303030302d313131312d323232322d333333332d3434343434343434343434343a3a330a120a087264
    6d612f68636112066d6c78355f30120200011a0a0a066d656d6f72791005
    """
)


def _is_gpu(resource: str) -> bool:
    return resource == "nvidia.com/gpu"


def test_pods_are_read_as_protobuf_writes_them() -> None:
    """Every container's devices together, and nothing of what else they have."""
    pods = parse_pods(_LIST, _is_gpu)

    assert pods == (
        PodDevices("team-a", "train-0", frozenset({_GPU, _OTHER})),
        PodDevices(
            "team-ü",
            "claimer",
            frozenset(),
            frozenset({ClaimedDevice("gpu.nvidia.com", "node-1", "gpu-0")}),
        ),
    )


def test_devices_that_can_be_handed_out_are_read_as_protobuf_writes_them() -> None:
    """How many replicas a GPU has is told nowhere else."""
    devices = parse_devices(_ALLOCATABLE, _is_gpu)

    assert devices == tuple(f"{_GPU}::{number}" for number in range(4))


def test_the_played_kubelet_writes_what_protobuf_would() -> None:
    """Else the other tests would prove nothing."""
    allocatable = {
        "nvidia.com/gpu": [f"{_GPU}::{number}" for number in range(4)],
        "rdma/hca": ["mlx5_0"],
    }
    pods = {("team-b", "web"): [Container()]}

    # Without CPUs and memory at its end, and with the pod alone.
    assert _ALLOCATABLE.startswith(encode_devices(allocatable))
    assert encode_list(pods) in _LIST


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_message_or_is_refused(data: bytes) -> None:
    """Nothing else can come of it, and nothing takes for ever."""
    try:
        parse_pods(data, _is_gpu)
        parse_devices(data, _is_gpu)
    except WireError:
        pass


@given(st.integers(0, len(_LIST) - 1))
def test_a_message_that_is_cut_short_is_not_half_believed(length: int) -> None:
    """A pod that is missing would seem to hold nothing."""
    whole = parse_pods(_LIST, _is_gpu)

    try:
        pods = parse_pods(_LIST[:length], _is_gpu)
    except WireError:
        return

    assert pods == whole[: len(pods)]


@pytest.mark.parametrize(
    "data", [b"\x0b", b"\x0a\x05ab", b"\xff" * 11, b"\x09\x00", b"\x0d\x00", b"\x80"]
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    """Groups, lengths beyond the end, numbers without one."""
    with pytest.raises(WireError):
        list(byte_fields(memoryview(data)))


def test_fields_that_nobody_knows_are_passed_over() -> None:
    """Newer kubelets say more."""
    data = b"\x78\x96\x01" + b"\x7d1234" + b"\x7912345678" + b"\x0a\x02ok"

    assert [(n, bytes(v)) for n, v in byte_fields(memoryview(data))] == [(1, b"ok")]


@pytest.mark.parametrize(
    ("patterns", "resource", "is_wanted"),
    [
        (("nvidia.com/gpu",), "nvidia.com/gpu", True),
        (("nvidia.com/gpu",), "nvidia.com/gpu.shared", False),
        (("nvidia.com/mig-*",), "nvidia.com/mig-1g.5gb", True),
        (("nvidia.com/mig-*",), "nvidia.com/gpu", False),
        (("a.b/c",), "aXb/c", False),
        (("a/b", "c/d"), "c/d", True),
        ((), "", False),
        ((), "a/b", False),
        (("a/b",), "", False),
    ],
)
def test_resources_are_wanted_as_configured(
    patterns: tuple[str, ...], resource: str, *, is_wanted: bool
) -> None:
    """By their names, or by how those begin."""
    assert wanted_resources(patterns)(resource) is is_wanted
