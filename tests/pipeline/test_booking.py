import pytest

from exporter.core.model import Reading, Sample, WorkloadsReading
from exporter.core.snapshot import Snapshot
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import component_j, job_j, unattributed_j
from tests.fakes.node import (
    cpu,
    device,
    gpu,
    hold,
    job_id,
    jobs,
    labels,
    node,
    node_meter,
    play,
    reading,
    sample,
    usage,
)

PACKAGE, METER, GPU = cpu(), node_meter(), gpu()
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


def one_job(cpu_s: float) -> WorkloadsReading:
    """Return a job that has used some CPU time."""
    return jobs(usage("1", cpu_s, labels=labels("1")))


def owner(key: str, name: str = "GPU-0") -> WorkloadsReading:
    """Return a job that holds a GPU."""
    return jobs(usage(key, 0.0, gpus=(hold(name),), labels=labels(key)))


# --- energy that arrives late -----------------------------------------------


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
    fold(engine, 1000.0, reading(PACKAGE, 1000.0, 0), running=one_job(0.0))

    fold(engine, 1001.0, running=one_job(1.0))

    assert engine.state.windows.keys() == {"cpu"}


# --- the rest of the node ---------------------------------------------------


def test_the_platform_is_what_the_node_draws_above_its_parts() -> None:
    """900 - 400 - 300 = 200 J; the job caused half of the 700, so 100 are its."""
    engine = Engine(EngineSettings())
    running = jobs(usage("1", 2.0, labels=labels("1")))
    start = [reading(PACKAGE, 1000.0, 0), reading(GPU, 1000.0, 0, 300)]
    fold(engine, 1000.0, *start, reading(METER, 1000.0, 0), running=jobs())

    snapshot = fold(
        engine,
        1001.0,
        reading(PACKAGE, 1001.0, 400.0),
        reading(GPU, 1001.0, 300.0, 300),
        reading(METER, 1001.0, 900.0),
        running=running,
    )

    assert component_j(snapshot) == pytest.approx(
        {"cpu": 400.0, "gpu": 300.0, "platform": 200.0}
    )
    assert snapshot.node_energy_j == pytest.approx(900.0)
    assert job_j(snapshot) == pytest.approx({"cpu": 200.0, "platform": 200 * 2 / 7})
    powers = {one.component: one.power_w for one in snapshot.components}
    assert powers["platform"] == pytest.approx(200.0)


def test_nobody_pays_for_the_platform_if_the_operator_says_so() -> None:
    """It is the system's then."""
    engine = Engine(EngineSettings(platform_policy="none"))

    first, second = (
        fold(
            engine,
            time_s,
            reading(PACKAGE, time_s, 400 * time_s),
            reading(METER, time_s, 900 * time_s),
            running=one_job(4 * time_s),
        )
        for time_s in (1000.0, 1001.0)
    )

    assert not component_j(first)
    assert job_j(second) == pytest.approx({"cpu": 400.0})
    assert unattributed_j(second) == pytest.approx({("platform", "system"): 500.0})


def test_a_meter_that_lags_adds_up_to_what_it_shows() -> None:
    """100, 100, 1600 J, while the package draws 400: 600 J are the platform's."""
    shown_j = [0, 100, 200, 1800]

    shown = play(
        Engine(EngineSettings()),
        range(4),
        lambda second: sample(
            second,
            reading(PACKAGE, second, 400.0 * second),
            reading(METER, second, shown_j[round(second)]),
        ),
    )

    platform_j = [component_j(one).get("platform") for one in shown]
    assert platform_j == [None, 0.0, 0.0, pytest.approx(600.0)]
    assert shown[-1].node_energy_j == pytest.approx(1800.0)


def test_a_meter_that_is_read_rarely_is_compared_with_all_meanwhile() -> None:
    """4 x 900 J of the node are 4 x 400 J of the package and 2000 J more."""

    def tick(second: float) -> Sample:
        readings = [reading(PACKAGE, second, 400.0 * second)]
        if second in {0, 4}:
            readings.append(reading(METER, second, 900.0 * second))
        return sample(second, *readings)

    *_, snapshot = play(Engine(EngineSettings()), range(5), tick)

    assert component_j(snapshot)["platform"] == pytest.approx(2000.0)
    assert snapshot.node_energy_j == pytest.approx(3600.0)


def test_what_others_drew_while_the_meter_saw_nothing_is_not_subtracted() -> None:
    """A gap of its gauge is unmeasured; after it, 900 - 400 W again."""
    gauge = node_meter(counter=False)

    def tick(second: float) -> Sample:
        readings = [reading(PACKAGE, second, 400.0 * second)]
        if not 2 <= second <= 9:
            readings.append(reading(gauge, second, None, 900.0))
        return sample(second, *readings)

    shown = play(Engine(EngineSettings()), range(12), tick)

    platform_j = [component_j(shown[second])["platform"] for second in (1, 10, 11)]
    assert platform_j == pytest.approx([500.0, 500.0, 1000.0])


def test_a_meter_of_a_part_of_the_platform_is_counted_as_it_is() -> None:
    """A network card of 20 W inside a node of 900 W, with a package of 400 W."""
    card = device("platform", "nic")

    *_, snapshot = play(
        Engine(EngineSettings()),
        range(2),
        lambda second: sample(
            second,
            reading(PACKAGE, second, 400.0 * second),
            reading(METER, second, 900.0 * second),
            reading(card, second, 20.0 * second),
        ),
    )

    assert component_j(snapshot)["platform"] == pytest.approx(500.0)
    assert snapshot.node_energy_j == pytest.approx(900.0)
    powers = {one.component: one.power_w for one in snapshot.components}
    assert powers["platform"] == pytest.approx(500.0)


def test_a_part_of_the_platform_without_energy_is_no_part() -> None:
    """Its first reading, and one after a restart of its counter."""
    card = device("platform", "nic")

    *_, snapshot = play(
        Engine(EngineSettings()),
        range(2),
        lambda second: sample(second, reading(card, second, 500.0 - 500.0 * second)),
    )

    assert not component_j(snapshot)
    assert dict(snapshot.unmeasured_s) == pytest.approx({"platform": 1.0})
