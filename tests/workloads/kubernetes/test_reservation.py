"""What a pod reserved, by what the kubelet made of its requests."""

from math import ceil, log2
from pathlib import Path

import pytest

from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.kubernetes.reservation import (
    NodeSize,
    cpus_of_shares,
    cpus_of_weight,
)
from tests.fakes.pod_cgroups import Version, uid_of
from tests.fakes.pod_node import ToldNames, pod_node, usage_of


def _old_weight(cpus: float) -> int:
    return 1 + (max(2, int(cpus * 1024)) - 2) * 9999 // 262142


def _new_weight(cpus: float) -> int:
    logarithm = log2(max(2, int(cpus * 1024)))
    return ceil(10 ** ((logarithm**2 + 125 * logarithm) / 612 - 7 / 34))


@pytest.mark.parametrize(
    ("node_cpus", "requested"),
    [(1, 0.1), (1, 0.9), (4, 0.5), (4, 3.5), (8, 1.0), (64, 16.0), (128, 100.0)],
)
@pytest.mark.parametrize("is_new", [False, True])
def test_a_weight_tells_the_cpus_by_either_formula(
    node_cpus: int, requested: float, *, is_new: bool
) -> None:
    """Which one it is, the weight of all pods shows; the node keeps a little."""
    weigh = _new_weight if is_new else _old_weight
    root_weight = weigh(node_cpus - 0.06)

    cpus = cpus_of_weight(weigh(requested), NodeSize(node_cpus, root_weight))

    # One step of the weight is some 0.03 CPUs.
    assert cpus == pytest.approx(requested, rel=0.02, abs=0.03)


def test_a_root_that_does_not_tell_is_taken_for_an_old_one() -> None:
    """Most clusters are."""
    cpus = cpus_of_weight(_old_weight(2), NodeSize(8))

    assert cpus == pytest.approx(2, abs=0.03)


@pytest.mark.parametrize("weight", [0, 1, 10_001])
def test_the_least_weight_stands_for_nothing_requested(weight: int) -> None:
    """Of a pod without any request; and no kernel has such weights as the others."""
    assert cpus_of_weight(weight, NodeSize(8, 313)) == 0.0


def test_shares_tell_the_cpus_exactly() -> None:
    """In version 1 they are as they were written."""
    assert [cpus_of_shares(shares) for shares in (2, 102, 1024, 3584)] == [
        0.0,
        102 / 1024,
        1.0,
        3.5,
    ]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_without_names_a_pod_has_reserved_what_its_cgroup_says(
    tmp_path: Path, version: Version
) -> None:
    """Its limit of memory stands for its request."""
    with pod_node(tmp_path, version) as node:
        node.pods.start_pod(1, milli_cpus=2500, memory_limit=1 << 30)
        node.pods.start_pod(2, pod_class="besteffort")

        reading = node.look()

        one, two = usage_of(reading, 1), usage_of(reading, 2)
        assert one.reserved_cpus == pytest.approx(2.5, abs=0.03)
        assert one.reserved_memory_bytes == 1 << 30
        assert (two.reserved_cpus, two.reserved_memory_bytes) == (0.0, 0.0)


def test_requests_that_are_known_are_exact(tmp_path: Path) -> None:
    """And none requested is none, whatever its limits are."""
    told = ToldNames()
    told.tell(PodFacts(uid_of(1), "team-a", "one", cpus=0.25, memory_bytes=5e6))
    told.tell(PodFacts(uid_of(2), "team-a", "two"))
    with pod_node(tmp_path, witnesses=(told,)) as node:
        for number in (1, 2):
            node.pods.start_pod(number, milli_cpus=2500, memory_limit=1 << 30)

        reading = node.look()

        one, two = usage_of(reading, 1), usage_of(reading, 2)
        assert (one.reserved_cpus, one.reserved_memory_bytes) == (0.25, 5e6)
        assert (two.reserved_cpus, two.reserved_memory_bytes) == (0.0, 0.0)
