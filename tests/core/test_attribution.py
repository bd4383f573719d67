from collections.abc import Callable
from math import fsum

import pytest

from exporter.core.attribution import (
    Attribution,
    attribute_cpu,
    attribute_dram,
    attribute_gpu,
    attribute_platform,
    nobody,
)
from exporter.core.model import IdlePolicy
from exporter.core.units import Joules
from exporter.core.windows import Hold, HoldWindow, NodeWindow, Usage, UsageWindow
from exporter.core.workload import WorkloadId
from tests.fakes.node import job_id

A, B = job_id("a"), job_id("b")


def cpu_window(
    busy_s: float,
    jobs: dict[WorkloadId, tuple[float, float]],
    *,
    capacity_s: float = 8.0,
    complete: bool = True,
) -> UsageWindow:
    """Return a window of 1 s; jobs have CPU seconds used and reserved."""
    return UsageWindow(
        1.0,
        NodeWindow(1.0, busy_s, capacity_s, 0.0, 0.0),
        {w: Usage(used, 0.0, reserved, 0.0) for w, (used, reserved) in jobs.items()},
        complete,
    )


def total_j(parts: Attribution) -> float:
    """Add up all parts."""
    return fsum([*parts.shares_j.values(), *parts.unattributed_j.values()])


# --- CPU --------------------------------------------------------------------


def test_dynamic_cpu_energy_goes_by_cpu_time() -> None:
    """300 J over idle; A had 2 of 6 busy seconds and B 1: 100, 50, rest system."""
    window = cpu_window(6.0, {A: (2.0, 0.0), B: (1.0, 0.0)})

    parts = attribute_cpu(Joules(300.0), Joules(0.0), window, "none")

    assert parts.shares_j == {A: pytest.approx(100.0), B: pytest.approx(50.0)}
    assert parts.unattributed_j == {"idle": 0.0, "system": pytest.approx(150.0)}


def test_reserved_cpus_pay_for_idle_energy() -> None:
    """80 J idle: A reserved 4 of 8 CPUs, B 2, and two are nobody's."""
    window = cpu_window(6.0, {A: (2.0, 4.0), B: (1.0, 2.0)})

    parts = attribute_cpu(Joules(380.0), Joules(80.0), window, "reserved")

    assert parts.shares_j == {A: pytest.approx(140.0), B: pytest.approx(70.0)}
    assert parts.unattributed_j == {
        "idle": pytest.approx(20.0),
        "system": pytest.approx(150.0),
    }


def test_used_cpus_pay_for_idle_energy() -> None:
    """380 J over 6 busy seconds, of which A had 2, B 1 and the system 3."""
    window = cpu_window(6.0, {A: (2.0, 4.0), B: (1.0, 2.0)})

    parts = attribute_cpu(Joules(380.0), Joules(80.0), window, "used")

    assert parts.shares_j == {A: pytest.approx(380 / 3), B: pytest.approx(380 / 6)}
    assert parts.unattributed_j == {"idle": 0.0, "system": pytest.approx(190.0)}


def test_nobody_pays_for_idle_energy() -> None:
    """All 80 J stay idle; the rest goes as ever."""
    window = cpu_window(6.0, {A: (2.0, 4.0), B: (1.0, 2.0)})

    parts = attribute_cpu(Joules(380.0), Joules(80.0), window, "none")

    assert parts.shares_j == {A: pytest.approx(100.0), B: pytest.approx(50.0)}
    assert parts.unattributed_j == {
        "idle": pytest.approx(80.0),
        "system": pytest.approx(150.0),
    }


def test_a_full_machine_still_has_idle_energy() -> None:
    """Energy x (1 - utilisation) would make it vanish at full load."""
    window = cpu_window(8.0, {A: (8.0, 4.0)})

    parts = attribute_cpu(Joules(380.0), Joules(80.0), window, "reserved")

    assert parts.shares_j == {A: pytest.approx(340.0)}
    assert parts.unattributed_j["idle"] == pytest.approx(40.0)


def test_jobs_that_used_more_than_the_node_share_what_was_measured() -> None:
    """Counters are read one after another; nobody pays for more than there was."""
    window = cpu_window(2.0, {A: (3.0, 0.0), B: (1.0, 0.0)})

    parts = attribute_cpu(Joules(100.0), Joules(0.0), window, "none")

    assert parts.shares_j == {A: pytest.approx(75.0), B: pytest.approx(25.0)}
    assert parts.unattributed_j["system"] == pytest.approx(0.0)


def test_oversubscribed_cpus_share_idle_energy() -> None:
    """12 CPUs reserved of 8: all of it is paid, and once."""
    window = cpu_window(0.0, {A: (0.0, 9.0), B: (0.0, 3.0)})

    parts = attribute_cpu(Joules(80.0), Joules(80.0), window, "reserved")

    assert parts.shares_j == {A: pytest.approx(60.0), B: pytest.approx(20.0)}
    assert parts.unattributed_j["idle"] == pytest.approx(0.0)


@pytest.mark.parametrize("policy", ["reserved", "used", "none"])
def test_without_jobs_idle_energy_is_idle(policy: IdlePolicy) -> None:
    """And the rest is the system's."""
    parts = attribute_cpu(Joules(100.0), Joules(80.0), cpu_window(1.0, {}), policy)

    assert not parts.shares_j
    assert parts.unattributed_j == {
        "idle": pytest.approx(80.0),
        "system": pytest.approx(20.0),
    }


def test_a_node_that_did_nothing_has_used_nothing() -> None:
    """Without busy time there is nothing to divide by."""
    window = cpu_window(0.0, {A: (0.0, 4.0)})

    parts = attribute_cpu(Joules(100.0), Joules(80.0), window, "used")

    assert parts.shares_j == {A: 0.0}
    assert parts.unattributed_j == {
        "idle": pytest.approx(80.0),
        "system": pytest.approx(20.0),
    }


def test_what_an_unread_scheduler_would_have_claimed_is_unknown() -> None:
    """It is not the system's only because nobody could be asked."""
    window = cpu_window(6.0, {A: (2.0, 0.0)}, complete=False)

    parts = attribute_cpu(Joules(300.0), Joules(0.0), window, "none")

    assert parts.shares_j == {A: pytest.approx(100.0)}
    assert parts.unattributed_j == {"idle": 0.0, "unknown": pytest.approx(200.0)}


@pytest.mark.parametrize("divide", [attribute_cpu, attribute_dram])
def test_without_usage_of_the_node_all_is_unknown(
    divide: Callable[..., Attribution],
) -> None:
    """Jobs alone do not tell what the system used."""
    window = UsageWindow(1.0, None, {A: Usage(1, 1, 1, 1)}, complete=True)

    parts = divide(Joules(100.0), Joules(80.0), window, "reserved")

    assert parts == nobody(Joules(100.0), "unknown")


# --- DRAM -------------------------------------------------------------------


def test_dynamic_dram_energy_goes_by_memory_and_idle_by_reservation() -> None:
    """60 J over idle, 10 of 30 bytes are A's; 40 J idle, 16 of 64 reserved."""
    window = UsageWindow(
        1.0,
        NodeWindow(1.0, 0.0, 8.0, 30.0, 64.0),
        {A: Usage(5.0, 10.0, 5.0, 16.0)},
        complete=True,
    )

    parts = attribute_dram(Joules(100.0), Joules(40.0), window, "reserved")

    assert parts.shares_j == {A: pytest.approx(30.0)}
    assert parts.unattributed_j == {
        "idle": pytest.approx(30.0),
        "system": pytest.approx(40.0),
    }


# --- GPU --------------------------------------------------------------------


def test_the_owner_of_a_gpu_pays_for_all_of_it() -> None:
    """Idle energy included: nobody else could use it."""
    holds = HoldWindow(1.0, 1.0, {A: Hold(1.0, None)})

    parts = attribute_gpu(Joules(300.0), Joules(60.0), holds)

    assert parts.shares_j == {A: pytest.approx(300.0)}
    assert parts.unattributed_j == {"unallocated": 0.0}


def test_a_gpu_that_nobody_holds_is_unallocated() -> None:
    """Also when it is busy: somebody circumvents the scheduler."""
    holds = HoldWindow(1.0, 0.0, {})

    parts = attribute_gpu(Joules(300.0), Joules(60.0), holds)

    assert parts == nobody(Joules(300.0), "unallocated")


def test_a_gpu_of_unknown_holders_is_unknown() -> None:
    """Nobody could ask the scheduler."""
    parts = attribute_gpu(Joules(300.0), Joules(60.0), None)

    assert parts == nobody(Joules(300.0), "unknown")


def test_sharers_pay_idle_by_share_and_dynamic_by_activity() -> None:
    """60 J idle by 1 to 3, 240 J dynamic by 2 to 1: 175 and 125."""
    holds = HoldWindow(1.0, 1.0, {A: Hold(0.25, 0.6), B: Hold(0.75, 0.3)})

    parts = attribute_gpu(Joules(300.0), Joules(60.0), holds)

    assert parts.shares_j == {A: pytest.approx(175.0), B: pytest.approx(125.0)}
    assert parts.unattributed_j["unallocated"] == pytest.approx(0.0)


@pytest.mark.parametrize("activity", [None, 0.0])
def test_without_activity_sharers_pay_by_share(activity: float | None) -> None:
    """Where it is not known of all, or where nobody is said to be busy."""
    holds = HoldWindow(1.0, 1.0, {A: Hold(0.25, 0.0), B: Hold(0.75, activity)})

    parts = attribute_gpu(Joules(300.0), Joules(60.0), holds)

    assert parts.shares_j == {A: pytest.approx(75.0), B: pytest.approx(225.0)}


def test_slices_that_nobody_holds_are_unallocated() -> None:
    """MIG: 2 of 7 slices are A's, 1 is B's, and 4 idle slices are nobody's."""
    holds = HoldWindow(1.0, 1.0, {A: Hold(2 / 7, None), B: Hold(1 / 7, None)})

    parts = attribute_gpu(Joules(300.0), Joules(70.0), holds)

    assert parts.shares_j == {
        A: pytest.approx(20 + 230 * 2 / 3),
        B: pytest.approx(10 + 230 / 3),
    }
    assert parts.unattributed_j == {"unallocated": pytest.approx(40.0)}


def test_instances_pay_for_what_they_did_and_the_rest_is_unallocated() -> None:
    """70 J idle by slices; of 230 J A's slices did a half, B's a tenth.

    The others were busy as well, in whoever's hands: that is not A's or B's.
    """
    held = {A: Hold(2 / 7, 0.2), B: Hold(1 / 7, 0.04)}
    holds = HoldWindow(1.0, 1.0, held, activity_s=0.4)

    parts = attribute_gpu(Joules(300.0), Joules(70.0), holds)

    assert parts.shares_j == {
        A: pytest.approx(20 + 115.0),
        B: pytest.approx(10 + 23.0),
    }
    assert parts.unattributed_j == {"unallocated": pytest.approx(40 + 92.0)}


def test_instances_that_idle_do_not_pay_for_one_that_nobody_holds() -> None:
    """All that was done was done there, by whoever is not fenced off."""
    held = {A: Hold(2 / 7, 0.0), B: Hold(1 / 7, 0.0)}
    holds = HoldWindow(1.0, 1.0, held, activity_s=0.4)

    parts = attribute_gpu(Joules(300.0), Joules(70.0), holds)

    assert parts.shares_j == {A: pytest.approx(20.0), B: pytest.approx(10.0)}
    assert parts.unattributed_j == {"unallocated": pytest.approx(40.0 + 230.0)}


def test_a_sharer_that_did_nothing_pays_for_its_share_of_idle_alone() -> None:
    """Its process is there and waits."""
    holds = HoldWindow(1.0, 1.0, {A: Hold(0.5, 0.0), B: Hold(0.5, 0.9)})

    parts = attribute_gpu(Joules(300.0), Joules(60.0), holds)

    assert parts.shares_j == {A: pytest.approx(30.0), B: pytest.approx(270.0)}


def test_what_all_did_does_not_matter_where_nobody_knows_what_each_did() -> None:
    """Slices decide, and slices that nobody holds are not known to be busy."""
    held = {A: Hold(2 / 7, None), B: Hold(1 / 7, 0.1)}
    holds = HoldWindow(1.0, 1.0, held, activity_s=0.9)

    parts = attribute_gpu(Joules(300.0), Joules(70.0), holds)

    assert sum(parts.shares_j.values()) == pytest.approx(30 + 230)


def test_more_shares_than_one_gpu_pay_for_one_gpu() -> None:
    """Time-slicing may hand out 4 quarters and then some more."""
    holds = HoldWindow(1.0, 1.0, {A: Hold(1.0, None), B: Hold(1.0, None)})

    parts = attribute_gpu(Joules(300.0), Joules(60.0), holds)

    assert parts.shares_j == {A: pytest.approx(150.0), B: pytest.approx(150.0)}


def test_who_held_it_for_a_part_of_the_time_pays_for_that_part() -> None:
    """Energy that waited 4 s, of which A held the GPU 1 s."""
    holds = HoldWindow(4.0, 1.0, {A: Hold(1.0, None)})

    parts = attribute_gpu(Joules(400.0), Joules(80.0), holds)

    assert parts.shares_j == {A: pytest.approx(100.0)}
    assert parts.unattributed_j == {"unallocated": pytest.approx(300.0)}


def test_a_window_without_length_is_divided_all_the_same() -> None:
    """Two clocks that disagree by a hair invent no joule."""
    holds = HoldWindow(0.0, 0.0, {A: Hold(1e-9, None)})

    parts = attribute_gpu(Joules(300.0), Joules(60.0), holds)

    assert parts.shares_j == {A: pytest.approx(300.0)}


# --- platform ---------------------------------------------------------------


def test_the_rest_of_the_node_goes_in_proportion_to_other_energy() -> None:
    """A caused 100 of 400 J, so a quarter of the fans is its own."""
    parts = attribute_platform(Joules(80.0), {A: 100.0}, Joules(400.0), "proportional")

    assert parts.shares_j == {A: pytest.approx(20.0)}
    assert parts.unattributed_j == {"system": pytest.approx(60.0)}


def test_the_rest_of_the_node_may_be_nobodys() -> None:
    """By policy."""
    parts = attribute_platform(Joules(80.0), {A: 100.0}, Joules(400.0), "none")

    assert parts == nobody(Joules(80.0), "system")


def test_without_other_energy_the_rest_of_the_node_is_the_systems() -> None:
    """There is nothing to be proportional to."""
    parts = attribute_platform(Joules(80.0), {}, Joules(0.0), "proportional")

    assert parts == nobody(Joules(80.0), "system")
