from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.embodied import EmbodiedCarbon
from exporter.core.units import Grams, Seconds
from exporter.core.workload import NodeUsage, WorkloadId, WorkloadUsage
from tests.fakes.node import CPUS, MEMORY_BYTES, hold, job_id, node, usage

YEAR_S = 365 * 86400.0
CARBON = EmbodiedCarbon(Grams(1e6), Seconds(4 * YEAR_S))
NODE = node(1000.0, 0.0)
A, B = job_id("a"), job_id("b")


def shares(
    *usages: WorkloadUsage, of: NodeUsage | None = NODE, gpus: int = 4
) -> dict[WorkloadId, float]:
    """Return the shares of some jobs."""
    return CARBON.shares({one.workload: one for one in usages}, of, gpus)


def test_an_hour_of_a_whole_node_is_the_example_of_the_standard() -> None:
    """ISO/IEC 21031: 1000 kg over 4 years are 28.5 g in an hour."""
    assert CARBON.spent_g(Seconds(3600.0)) == pytest.approx(28.5, abs=0.05)


def test_a_life_uses_up_all_of_it() -> None:
    """No more and no less."""
    assert CARBON.spent_g(CARBON.lifetime_s) == pytest.approx(1e6)


def test_a_job_has_the_largest_of_its_shares() -> None:
    """Who holds half of the GPUs leaves half a node to others, at most."""
    by_cpus = usage("a", 0.0, cpus=CPUS / 4, reserved_memory_bytes=MEMORY_BYTES // 8)
    by_memory = usage("b", 0.0, cpus=1, reserved_memory_bytes=MEMORY_BYTES // 2)
    by_gpus = usage("a", 0.0, cpus=1, gpus=(hold("GPU-0"), hold("GPU-1", 0.5)))

    assert shares(by_cpus) == {A: 0.25}
    assert shares(by_memory) == {B: 0.5}
    assert shares(by_gpus) == {A: pytest.approx(0.375)}


def test_who_reserves_nothing_has_no_part() -> None:
    """Nobody was kept from anything."""
    assert shares(usage("a", 0.0)) == {}
    assert shares() == {}


def test_shares_that_come_to_more_than_the_node_are_made_smaller() -> None:
    """One holds all CPUs, another all GPUs: each has half."""
    cpus = usage("a", 0.0, cpus=CPUS)
    gpus = usage("b", 0.0, cpus=0, gpus=tuple(hold(f"GPU-{i}") for i in range(4)))

    assert shares(cpus, gpus) == {A: 0.5, B: 0.5}


def test_no_job_has_more_than_the_node() -> None:
    """Whatever a scheduler says it reserved."""
    assert shares(usage("a", 0.0, cpus=9 * CPUS)) == {A: 1.0}


def test_without_the_node_only_gpus_are_known() -> None:
    """What part of an unknown number of CPUs a job has, nobody knows."""
    both = usage("a", 0.0, cpus=CPUS, gpus=(hold(),))

    assert shares(both, of=None) == {A: 0.25}
    assert shares(both, of=None, gpus=0) == {}


RESERVATIONS = st.tuples(
    st.floats(0, 2 * CPUS), st.floats(0, 2 * MEMORY_BYTES), st.integers(0, 4)
)


@given(st.lists(RESERVATIONS, max_size=8))
def test_parts_never_come_to_more_than_the_node(
    reserved: list[tuple[float, float, int]],
) -> None:
    """However jobs overlap."""
    found = shares(
        *(
            usage(
                str(key),
                0.0,
                cpus=cpus,
                reserved_memory_bytes=memory_bytes,
                gpus=tuple(hold(f"GPU-{index}") for index in range(gpus)),
            )
            for key, (cpus, memory_bytes, gpus) in enumerate(reserved)
        )
    )

    assert fsum(found.values()) <= 1 + 1e-12
    assert all(0 < share <= 1 for share in found.values())
