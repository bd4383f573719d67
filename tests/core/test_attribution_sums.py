from math import fsum
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.attribution import (
    Attribution,
    attribute_cpu,
    attribute_dram,
    attribute_gpu,
    attribute_platform,
)
from exporter.core.model import IdlePolicy
from exporter.core.units import Joules
from exporter.core.windows import Hold, HoldWindow, NodeWindow, Usage, UsageWindow
from exporter.core.workload import WorkloadId
from tests.fakes.node import job_id

A, B = job_id("a"), job_id("b")


def total_j(parts: Attribution) -> float:
    """Add up all parts."""
    return fsum([*parts.shares_j.values(), *parts.unattributed_j.values()])


# --- properties -------------------------------------------------------------

QUANTITY = st.floats(0, 1e9)
WORKLOADS = st.sampled_from([job_id(key) for key in "abcdefgh"])
PARTS = st.dictionaries(WORKLOADS, st.tuples(QUANTITY, QUANTITY), max_size=8)


@given(
    energy_j=QUANTITY,
    idle_part=st.floats(0, 1),
    node=st.tuples(QUANTITY, QUANTITY),
    jobs=PARTS,
    policy=st.sampled_from(["reserved", "used", "none"]),
    component=st.sampled_from(["cpu", "dram"]),
    complete=st.booleans(),
)
def test_cpu_and_dram_parts_add_up_to_what_was_measured(
    *,
    energy_j: float,
    idle_part: float,
    node: tuple[float, float],
    jobs: dict[WorkloadId, tuple[float, float]],
    policy: IdlePolicy,
    component: Literal["cpu", "dram"],
    complete: bool,
) -> None:
    """Rule 1, whatever the counters said: nothing invented, nothing lost."""
    window = UsageWindow(
        1.0,
        NodeWindow(1.0, *node, *node),
        {w: Usage(used, used, kept, kept) for w, (used, kept) in jobs.items()},
        complete,
    )
    divide = attribute_cpu if component == "cpu" else attribute_dram

    parts = divide(Joules(energy_j), Joules(energy_j * idle_part), window, policy)

    assert total_j(parts) == pytest.approx(energy_j, rel=1e-9)
    assert min([*parts.shares_j.values(), *parts.unattributed_j.values()]) >= 0


@given(
    energy_j=QUANTITY,
    idle_part=st.floats(0, 1),
    times=st.tuples(st.floats(0, 1e6), st.floats(0, 1)),
    jobs=st.dictionaries(
        WORKLOADS, st.tuples(QUANTITY, st.none() | QUANTITY), max_size=8
    ),
    busy_s=QUANTITY,
)
def test_parts_of_a_gpu_add_up_to_the_gpu(
    energy_j: float,
    idle_part: float,
    times: tuple[float, float],
    jobs: dict[WorkloadId, tuple[float, float | None]],
    busy_s: float,
) -> None:
    """Repeating a GPU's power on each instance counts it up to seven times."""
    elapsed_s, held_part = times
    holds = HoldWindow(
        elapsed_s,
        elapsed_s * held_part,
        {w: Hold(*one) for w, one in jobs.items()},
        busy_s,
    )

    parts = attribute_gpu(Joules(energy_j), Joules(energy_j * idle_part), holds)

    assert total_j(parts) == pytest.approx(energy_j, rel=1e-9)
    assert min([*parts.shares_j.values(), *parts.unattributed_j.values()]) >= 0


@given(
    energy_j=st.floats(1, 1e6),
    idle_part=st.floats(0, 0.9),
    jobs=st.dictionaries(
        WORKLOADS,
        st.tuples(st.floats(0.01, 0.125), st.floats(0.01, 0.125)),
        min_size=1,
    ),
    busy=st.floats(0, 1),
)
def test_dynamic_energy_goes_by_activity_and_idle_energy_by_share(
    energy_j: float,
    idle_part: float,
    jobs: dict[WorkloadId, tuple[float, float]],
    busy: float,
) -> None:
    """Whoever does twice as much pays twice as much, whatever the others hold."""
    idle_j = energy_j * idle_part
    holds = HoldWindow(1.0, 1.0, {w: Hold(*one) for w, one in jobs.items()}, busy)

    parts = attribute_gpu(Joules(energy_j), Joules(idle_j), holds)

    each_j = {
        (parts.shares_j[w] - idle_j * share) / activity
        for w, (share, activity) in jobs.items()
    }
    done = max(busy, fsum(activity for _, activity in jobs.values()))
    for one_j in each_j:
        assert one_j == pytest.approx((energy_j - idle_j) / done, rel=1e-6)


@given(
    energy_j=QUANTITY,
    other_j=st.dictionaries(WORKLOADS, QUANTITY, max_size=8),
    total=QUANTITY,
    policy=st.sampled_from(["proportional", "none"]),
)
def test_parts_of_the_platform_add_up_to_the_platform(
    energy_j: float,
    other_j: dict[WorkloadId, float],
    total: float,
    policy: Literal["proportional", "none"],
) -> None:
    """As with every other component."""
    parts = attribute_platform(Joules(energy_j), other_j, Joules(total), policy)

    assert total_j(parts) == pytest.approx(energy_j, rel=1e-9)
    assert min([*parts.shares_j.values(), *parts.unattributed_j.values()]) >= 0
