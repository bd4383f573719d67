import pytest

from exporter.core.model import Reading, Sample
from exporter.core.snapshot import Snapshot
from exporter.core.workload import WorkloadsReading
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import component_j, job_j, unattributed_j
from tests.fakes.node import (
    cpu,
    device,
    gpu,
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
