"""What jobs are charged for a time in which the daemon was dead."""

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.model import Reading
from exporter.core.snapshot import Snapshot
from exporter.core.units import Watts
from exporter.core.workload import WorkloadsReading
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import job_j, unattributed_j
from tests.fakes.node import (
    cpu,
    gpu,
    hold,
    jobs,
    labels,
    missed,
    node,
    reading,
    sample,
    usage,
)

PACKAGE, GPU = cpu(wraps_at=10**16), gpu()
HOLD = (hold(),)


def fold(
    engine: Engine, time_s: float, *readings: Reading, running: WorkloadsReading
) -> Snapshot:
    """Fold a sample of a node with 4 busy CPUs."""
    return engine.fold(
        sample(time_s, *readings, node=node(time_s, 4.0 * time_s), workloads=(running,))
    )


def package(time_s: float) -> Reading:
    """Return a package that draws 100 W, so each CPU second costs 25 J."""
    return reading(PACKAGE, time_s, 100.0 * time_s)


def held(time_s: float) -> Reading:
    """Return a GPU that draws 300 W."""
    return reading(GPU, time_s, 300.0 * time_s, 300.0)


def assert_conserved(snapshot: Snapshot) -> None:
    """Fail unless jobs and unattributed are what was measured."""
    for component in snapshot.components:
        parts_j = [
            energy_j
            for job in snapshot.jobs
            for name, energy_j in job.energy_j
            if name == component.component
        ]
        parts_j += [
            part.energy_j
            for part in snapshot.unattributed
            if part.component == component.component
        ]
        assert fsum(parts_j) == pytest.approx(component.energy_j, rel=1e-9)


def test_a_job_whose_end_was_noted_is_charged_for_what_it_used() -> None:
    """A used 2 CPUs for 4 s of ten, and B 1 CPU all the time."""
    engine = Engine(EngineSettings())
    both = (usage("a", 0.0, labels=labels("a")), usage("b", 0.0, labels=labels("b")))
    fold(engine, 1000.0, package(1000.0), running=jobs(*both, group_cpu_s=0.0))
    end = missed(1004.0, 12.0, usage("a", None), usage("b", 4.0))

    snapshot = fold(
        engine,
        1010.0,
        package(1010.0),
        running=jobs(
            usage("b", 10.0),
            usage("a", None, end_s=1004.0),
            group_cpu_s=18.0,
            members=(both[1].workload,),
            missed=(end,),
        ),
    )

    assert job_j(snapshot, "a") == pytest.approx({"cpu": 8 * 25.0})
    assert job_j(snapshot, "b") == pytest.approx({"cpu": 10 * 25.0})
    assert unattributed_j(snapshot)["cpu", "system"] == pytest.approx(22 * 25.0)
    assert_conserved(snapshot)


def test_a_job_that_ended_unnoted_pays_for_nothing_that_others_may_have_used() -> None:
    """Eight CPU seconds were of jobs, and nobody knows of which."""
    engine = Engine(EngineSettings())
    both = (usage("a", 0.0, labels=labels("a")), usage("b", 0.0, labels=labels("b")))
    fold(engine, 1000.0, package(1000.0), running=jobs(*both, group_cpu_s=0.0))

    snapshot = fold(
        engine,
        1010.0,
        package(1010.0),
        running=jobs(usage("b", 10.0), group_cpu_s=18.0),
    )

    assert job_j(snapshot, "a") == {}
    assert job_j(snapshot, "b") == pytest.approx({"cpu": 10 * 25.0})
    assert unattributed_j(snapshot)["cpu", "unknown"] == pytest.approx(8 * 25.0)
    assert_conserved(snapshot)


def test_the_moment_of_a_noted_end_is_told() -> None:
    """Not that at which the daemon came back."""
    engine = Engine(EngineSettings())
    first = usage("a", 0.0, labels=labels("a"))
    fold(engine, 1000.0, running=jobs(first, group_cpu_s=0.0))
    ended = usage("a", None, end_s=1004.0)
    fold(engine, 1010.0, running=jobs(ended, group_cpu_s=0.0, members=()))

    snapshot = fold(engine, 1011.0, running=jobs(group_cpu_s=0.0))

    (job,) = snapshot.jobs
    assert job.end_unix_s == ended.end_unix_s


def test_gpus_that_changed_hands_are_paid_by_the_time_each_had_them() -> None:
    """A for 4 s, nobody for 2, B for 4: known from the ends and begins of jobs.

    The GPU is read a tick after the jobs, as after a start.
    """
    engine = Engine(EngineSettings())
    first = usage("a", 0.0, gpus=HOLD, labels=labels("a"))
    fold(engine, 1000.0, held(1000.0), running=jobs(first))
    ended = usage("a", None, end_s=1004.0)
    second = usage("b", 0.0, labels=labels("b"), start_s=1006.0)
    fold(engine, 1010.0, running=jobs(ended, second))
    known = usage("b", 0.0, gpus=HOLD, labels=labels("b"), start_s=1006.0)

    snapshot = fold(engine, 1011.0, held(1011.0), running=jobs(known))

    assert job_j(snapshot, "a") == pytest.approx({"gpu": 4 * 300.0})
    assert job_j(snapshot, "b") == pytest.approx({"gpu": 5 * 300.0})
    assert unattributed_j(snapshot) == pytest.approx({("gpu", "unallocated"): 600.0})
    assert_conserved(snapshot)


def test_a_gpu_whose_job_ended_unnoted_was_held_by_nobody_knows_whom() -> None:
    """From second 6 on it was B's; before that A's for some time, or not."""
    engine = Engine(EngineSettings())
    first = usage("a", 0.0, gpus=HOLD, labels=labels("a"))
    fold(engine, 1000.0, held(1000.0), running=jobs(first))
    second = usage("b", 0.0, gpus=HOLD, labels=labels("b"), start_s=1006.0)

    snapshot = fold(engine, 1010.0, held(1010.0), running=jobs(second))

    assert job_j(snapshot, "a") == {}
    assert job_j(snapshot, "b") == pytest.approx({"gpu": 4 * 300.0})
    assert unattributed_j(snapshot) == pytest.approx({("gpu", "unknown"): 1800.0})
    assert_conserved(snapshot)


def test_reserved_idle_power_is_paid_for_the_time_of_the_reservation() -> None:
    """A had all 8 CPUs for 4 of ten seconds at 40 W idle; then they were free."""
    engine = Engine(EngineSettings(idle_w=(("cpu", Watts(40.0)),)))
    first = usage("a", 0.0, cpus=8.0, labels=labels("a"))
    fold(engine, 1000.0, package(1000.0), running=jobs(first, group_cpu_s=0.0))
    end = missed(1004.0, 0.0, usage("a", None))
    ended = usage("a", None, end_s=1004.0)

    snapshot = fold(
        engine,
        1010.0,
        package(1010.0),
        running=jobs(ended, group_cpu_s=0.0, members=(), missed=(end,)),
    )

    assert job_j(snapshot, "a") == pytest.approx({"cpu": 4 * 40.0})
    assert unattributed_j(snapshot)["cpu", "idle"] == pytest.approx(6 * 40.0)
    assert_conserved(snapshot)


@given(
    silence_s=st.floats(4.0, 10_000.0),
    parts=st.lists(st.floats(0.001, 1.0), min_size=1, max_size=6),
    cpus=st.floats(0.1, 0.6),
)
def test_a_death_at_any_time_changes_no_joule_of_jobs_whose_ends_are_noted(
    silence_s: float, parts: list[float], cpus: float
) -> None:
    """Jobs end one after the other; one daemon sees it all, one was dead meanwhile."""
    keys = [str(number) for number in range(len(parts))]
    bounds = [sum(parts[: n + 1]) / sum(parts) for n in range(len(parts))]
    ends_s = {
        key: 1000.0 + silence_s * (bound - 1e-9)
        for key, bound in zip(keys, bounds, strict=True)
    }

    def used_s(key: str, time_s: float) -> float:
        return cpus * (min(time_s, ends_s[key]) - 1000.0)

    def running(time_s: float) -> WorkloadsReading:
        group_s = sum(used_s(key, time_s) for key in keys)
        listed = [
            usage(key, used_s(key, time_s), labels=labels(key))
            for key in keys
            if time_s <= ends_s[key]
        ]
        return jobs(*listed, group_cpu_s=group_s)

    noted = []
    for key in keys:
        time_s = ends_s[key]
        others = [
            usage(each, used_s(each, time_s)) for each in keys if ends_s[each] > time_s
        ]
        group_s = sum(used_s(each, time_s) for each in keys)
        noted.append(missed(time_s, group_s, *others, usage(key, None)))
    engine = Engine(EngineSettings())
    fold(engine, 1000.0, package(1000.0), running=running(1000.0))
    back_s = 1000.0 + silence_s
    told = jobs(
        *(usage(key, None, end_s=ends_s[key]) for key in keys),
        group_cpu_s=sum(used_s(key, back_s) for key in keys),
        members=(),
        missed=tuple(noted),
    )

    snapshot = fold(engine, back_s, package(back_s), running=told)

    for key in keys:
        expected_j = 25.0 * used_s(key, back_s)
        charged_j = job_j(snapshot, key).get("cpu", 0.0)
        assert charged_j == pytest.approx(expected_j, rel=1e-5, abs=1e-3)
    assert_conserved(snapshot)
