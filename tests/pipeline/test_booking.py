from dataclasses import replace

import pytest

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
    job_id,
    jobs,
    labels,
    node,
    reading,
    sample,
    usage,
)

PACKAGE, GPU = cpu(), gpu()
MODEL = replace(cpu("model", wraps_at=None), idle_power_w=Watts(10.0))
GAUGE = gpu(counter=False)


def fold(
    engine: Engine, time_s: float, *readings: Reading, running: WorkloadsReading
) -> Snapshot:
    """Fold a sample of a node with 4 busy CPUs."""
    return engine.fold(
        sample(
            time_s,
            *readings,
            node=node(time_s, 4.0 * time_s),
            workloads=(running,),
        )
    )


def rest(engine: Engine, read: Reading) -> Snapshot:
    """Fold a sample of a node that does nothing."""
    return engine.fold(sample(read.time_s, read, node=node(read.time_s, 0.0)))


def owner(key: str, name: str = "GPU-0") -> WorkloadsReading:
    """Return a job that holds a GPU."""
    return jobs(usage(key, 0.0, gpus=(hold(name),), labels=labels(key)))


def test_energy_that_arrives_late_is_divided_by_all_that_happened() -> None:
    """A used 4 CPUs and B then 4: when 400 J arrive, each has caused half."""
    engine = Engine(EngineSettings())
    fold(engine, 1000.0, reading(PACKAGE, 1000.0, 0), running=jobs())
    four = usage("a", 4.0, labels=labels("a"))
    fold(engine, 1001.0, running=jobs(four, group_cpu_s=4.0))
    other = usage("b", 4.0, labels=labels("b"))

    snapshot = fold(
        engine,
        1002.0,
        reading(PACKAGE, 1002.0, 400.0),
        running=jobs(other, group_cpu_s=8.0),
    )

    assert job_j(snapshot, "a") == pytest.approx({"cpu": 200.0})
    assert job_j(snapshot, "b") == pytest.approx({"cpu": 200.0})


def test_holds_wait_for_a_counter_that_is_late() -> None:
    """A is gone after two seconds, and B has the GPU for four: 200 and 400 J."""
    engine = Engine(EngineSettings())
    fold(engine, 1000.0, reading(GPU, 1000.0, 0, 100), running=owner("a"))
    fold(engine, 1001.0, running=owner("a"))
    fold(engine, 1002.0, running=jobs())
    for time_s in (1003.0, 1004.0, 1005.0):
        fold(engine, time_s, running=owner("b"))

    snapshot = fold(engine, 1006.0, reading(GPU, 1006.0, 600, 100), running=owner("b"))

    assert job_j(snapshot, "a") == pytest.approx({"gpu": 200.0})
    assert job_j(snapshot, "b") == pytest.approx({"gpu": 400.0})


def test_a_gpu_that_nobody_held_for_a_while_is_unallocated_for_that_long() -> None:
    """A is gone after two of five seconds: 200 of 500 J are its own."""
    engine = Engine(EngineSettings())
    fold(engine, 1000.0, reading(GPU, 1000.0, 0, 100), running=owner("a"))
    fold(engine, 1001.0, running=owner("a"))
    for time_s in (1002.0, 1003.0, 1004.0):
        fold(engine, time_s, running=jobs())

    snapshot = fold(engine, 1005.0, reading(GPU, 1005.0, 500, 100), running=jobs())

    assert job_j(snapshot, "a") == pytest.approx({"gpu": 200.0})
    assert unattributed_j(snapshot) == pytest.approx({("gpu", "unallocated"): 300.0})


def test_holds_of_unmeasured_time_do_not_wait() -> None:
    """A held the GPU while nobody saw it; what B draws later is B's alone."""
    engine = Engine(EngineSettings())
    fold(engine, 1000.0, reading(GAUGE, 1000.0, None, 100), running=owner("a"))
    for second in range(1, 10):
        fold(engine, 1000.0 + second, running=owner("a"))
    fold(engine, 1010.0, reading(GAUGE, 1010.0, None, 100), running=owner("b"))

    snapshot = fold(
        engine, 1011.0, reading(GAUGE, 1011.0, None, 100), running=owner("b")
    )

    assert job_j(snapshot, "a") == {}
    assert job_j(snapshot, "b") == pytest.approx({"gpu": 100.0})


def test_usage_of_unmeasured_time_does_not_wait() -> None:
    """The counter restarted: what A used has no energy, and B's is B's."""
    engine = Engine(EngineSettings())
    fold(engine, 1000.0, reading(PACKAGE, 1000.0, 9000), running=jobs())
    busy = usage("a", 4.0, labels=labels("a"))
    fold(engine, 1001.0, reading(PACKAGE, 1001.0, 0), running=jobs(busy))

    snapshot = fold(
        engine,
        1002.0,
        reading(PACKAGE, 1002.0, 400.0),
        running=jobs(busy, usage("b", 4.0, labels=labels("b"))),
    )

    assert dict(snapshot.unmeasured_s) == pytest.approx({"cpu": 1.0})
    assert job_j(snapshot, "a") == {}
    assert job_j(snapshot, "b") == pytest.approx({"cpu": 400.0})


def test_a_model_has_idle_energy_from_the_first_interval_on() -> None:
    """Its idle power is known: a learner would need minutes, and a quiet machine."""
    engine = Engine(EngineSettings())
    fold(engine, 1000.0, reading(MODEL, 1000.0, 0), running=jobs())

    snapshot = fold(engine, 1001.0, reading(MODEL, 1001.0, 25.0), running=jobs())

    assert unattributed_j(snapshot) == pytest.approx(
        {("cpu", "idle"): 10.0, ("cpu", "system"): 15.0}
    )
    assert snapshot.idle == (("cpu", "modelled", 10.0),)


def test_what_a_model_drew_is_not_learned_of_the_meter_that_takes_over() -> None:
    """An envelope of 10 W would keep the idle power of 100 W too low for hours."""
    engine = Engine(EngineSettings())
    for second in range(30):
        rest(engine, reading(MODEL, 1000.0 + second, 10.0 * second))

    for second in range(30):
        rest(engine, reading(PACKAGE, 1030.0 + second, 100.0 * second))
    snapshot = rest(engine, reading(PACKAGE, 1060.0, 3000.0))

    (idle,) = snapshot.idle
    assert (idle.component, idle.method) == ("cpu", "learned")
    assert idle.power_w == pytest.approx(100.0)


def test_a_device_that_appears_is_not_paid_by_those_before_it() -> None:
    """Its first reading starts its time, and B alone is there then."""
    engine = Engine(EngineSettings())
    fold(engine, 1000.0, running=owner("a"))
    fold(engine, 1001.0, reading(GPU, 1001.0, 0, 100), running=owner("b"))

    snapshot = fold(engine, 1002.0, reading(GPU, 1002.0, 100, 100), running=owner("b"))

    assert job_j(snapshot, "a") == {}
    assert job_j(snapshot, "b") == pytest.approx({"gpu": 100.0})


def test_energy_of_a_job_that_was_forgotten_is_unknown() -> None:
    """It waited longer than the job stays; nobody else pays for it.

    A held the GPU for 31 s and B for 30, with one second in common.
    """
    engine = Engine(EngineSettings(ended_jobs_s=10.0))
    fold(engine, 1000.0, reading(GPU, 1000.0, 0, 100), running=owner("a"))
    for second in range(1, 31):
        fold(engine, 1000.0 + second, running=owner("a"))
    for second in range(31, 60):
        fold(engine, 1000.0 + second, running=owner("b"))
    waiting = engine.state.holds["GPU-0"].holds

    snapshot = fold(engine, 1060.0, reading(GPU, 1060.0, 6000, 100), running=owner("b"))

    assert job_id("a") not in waiting
    assert len(waiting) == 2
    assert unattributed_j(snapshot) == pytest.approx(
        {("gpu", "unknown"): 31 / 61 * 6000}
    )
    assert job_j(snapshot, "b") == pytest.approx({"gpu": 30 / 61 * 6000})


def test_a_component_without_devices_collects_no_usage() -> None:
    """Most machines have no DRAM meter, and never will."""
    engine = Engine(EngineSettings())
    fold(engine, 1000.0, reading(PACKAGE, 1000.0, 0), running=jobs())

    fold(engine, 1001.0, running=jobs())

    assert engine.state.windows.keys() == {"cpu"}
