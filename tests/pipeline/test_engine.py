import logging
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.model import Component, Reading, Sample
from exporter.core.units import GramsPerKwh, Watts
from exporter.core.workload import NodeUsage
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import component_j, job, job_j, job_w, unattributed_j
from tests.fakes.node import (
    GREEN,
    cpu,
    dram,
    failing,
    gpu,
    hold,
    jobs,
    labels,
    node,
    play,
    reading,
    sample,
    usage,
)

TWO_TICKS = (1000.0, 1001.0)
IDLE_80_W: tuple[tuple[Component, Watts], ...] = (("cpu", Watts(80.0)),)


def busy_node(time_s: float) -> NodeUsage:
    """Return a node of 8 CPUs, of which 4 are busy, and 1 GiB in use."""
    return node(time_s, 4.0 * time_s, memory_bytes=2**30)


def package(time_s: float, power_w: float = 200.0) -> Reading:
    """Return a package that draws a constant power."""
    return reading(cpu(), time_s, power_w * time_s)


def test_the_first_tick_has_no_energy() -> None:
    """Rule 2: not even one of zero."""
    running = usage("1", 500.0, labels=labels("1"))

    snapshot = Engine(EngineSettings()).fold(
        sample(
            1000.0,
            package(1000.0),
            node=busy_node(1000.0),
            workloads=(jobs(running),),
        )
    )

    assert not snapshot.node_energy_j
    assert snapshot.node_power_w is None
    assert not snapshot.components
    assert snapshot.cpu_busy is None
    assert len(snapshot.devices) == 1
    assert not job_j(snapshot)
    assert not job(snapshot).cpu_s


def test_cpu_energy_is_divided_by_time_and_reservation() -> None:
    """200 J in 1 s, 80 of them idle; the job had 1 of 4 busy and 2 of 8 CPUs.

    So 120 / 4 + 80 / 4 = 50 J are its own, 60 J are idle and 90 J the system's.
    """
    *_, snapshot = play(
        Engine(EngineSettings(idle_w=IDLE_80_W)),
        TWO_TICKS,
        lambda time_s: sample(
            time_s,
            package(time_s),
            node=busy_node(time_s),
            workloads=(jobs(usage("1", time_s, cpus=2, labels=labels("1"))),),
        ),
    )

    assert snapshot.node_energy_j == pytest.approx(200.0)
    assert job_j(snapshot) == pytest.approx({"cpu": 50.0})
    assert job_w(snapshot) == pytest.approx({"cpu": 50.0})
    assert job(snapshot).cpu_s == pytest.approx(1.0)
    assert unattributed_j(snapshot) == pytest.approx(
        {("cpu", "idle"): 60.0, ("cpu", "system"): 90.0}
    )
    assert snapshot.cpu_busy == pytest.approx(0.5)


def test_settings_may_change_between_two_ticks() -> None:
    """All CPUs are reserved, but now use pays: a quarter of 200 J."""
    engine = Engine(EngineSettings("reserved", idle_w=IDLE_80_W))
    first, second = (
        sample(
            time_s,
            package(time_s),
            node=busy_node(time_s),
            workloads=(jobs(usage("1", time_s, cpus=8, labels=labels("1"))),),
        )
        for time_s in TWO_TICKS
    )
    engine.fold(first)

    engine.settings = EngineSettings("used", idle_w=IDLE_80_W)
    snapshot = engine.fold(second)

    assert job_j(snapshot) == pytest.approx({"cpu": 50.0})


def test_dram_energy_is_divided_by_memory() -> None:
    """The job holds half of the memory in use: 10 of 20 J."""
    half = jobs(usage("1", 0.0, memory_bytes=2**29, labels=labels("1")))

    *_, snapshot = play(
        Engine(EngineSettings()),
        TWO_TICKS,
        lambda time_s: sample(
            time_s,
            reading(dram(), time_s, 20.0 * time_s),
            node=busy_node(time_s),
            workloads=(half,),
        ),
    )

    assert job_j(snapshot) == pytest.approx({"dram": 10.0})


def test_the_owner_of_a_gpu_pays_for_it_and_an_unheld_one_is_unallocated() -> None:
    """Idle or not: it was reserved."""
    owner = jobs(usage("1", 0.0, gpus=(hold("GPU-0"),), labels=labels("1")))

    *_, snapshot = play(
        Engine(EngineSettings()),
        TWO_TICKS,
        lambda time_s: sample(
            time_s,
            reading(gpu("GPU-0"), time_s, 300.0 * time_s, 300.0),
            reading(gpu("GPU-1"), time_s, 60.0 * time_s, 60.0),
            workloads=(owner,),
        ),
    )

    assert job_j(snapshot) == pytest.approx({"gpu": 300.0})
    assert unattributed_j(snapshot) == pytest.approx({("gpu", "unallocated"): 60.0})
    assert component_j(snapshot) == pytest.approx({"gpu": 360.0})


def test_without_schedulers_the_energy_is_idle_or_the_systems() -> None:
    """As on most nodes of a first installation."""
    *_, snapshot = play(
        Engine(EngineSettings(idle_w=IDLE_80_W)),
        TWO_TICKS,
        lambda time_s: sample(time_s, package(time_s), node=busy_node(time_s)),
    )

    assert unattributed_j(snapshot) == pytest.approx(
        {("cpu", "idle"): 80.0, ("cpu", "system"): 120.0}
    )


def test_a_scheduler_that_fails_leaves_its_part_unknown() -> None:
    """CPU energy over idle, and whole GPUs: nobody could ask."""
    *_, snapshot = play(
        Engine(EngineSettings(idle_w=IDLE_80_W)),
        TWO_TICKS,
        lambda time_s: sample(
            time_s,
            package(time_s),
            reading(gpu(), time_s, 300.0 * time_s, 300.0),
            node=busy_node(time_s),
            sources=(failing("denied"),),
        ),
    )

    assert unattributed_j(snapshot) == pytest.approx(
        {("cpu", "idle"): 80.0, ("cpu", "unknown"): 120.0, ("gpu", "unknown"): 300.0}
    )


def test_what_cannot_be_read_is_not_in_the_snapshot() -> None:
    """A sample of nothing is a snapshot of nothing, and not of zeros."""
    snapshot = Engine(EngineSettings()).fold(sample(1000.0))

    assert snapshot.node_power_w is None
    assert not snapshot.components
    assert not snapshot.devices
    assert not snapshot.idle
    assert not snapshot.unmeasured_s


def test_a_counter_that_breaks_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Rule 3: say so, and do not repeat it each tick."""
    play(
        Engine(EngineSettings()),
        range(1000, 1030),
        lambda time_s: sample(time_s, reading(gpu(), time_s, 500.0, 100.0)),
    )

    assert caplog.text.count("energy counter stands still") == 1


def test_ordinary_events_are_not_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """RAPL wraps every few minutes on a busy node."""
    caplog.set_level(logging.DEBUG)
    wrapping = cpu(wraps_at=10**10)

    play(
        Engine(EngineSettings()),
        range(1000, 1200),
        lambda time_s: sample(time_s, reading(wrapping, time_s, 100.0 * time_s)),
    )

    assert not caplog.records


def test_idle_power_is_not_learned_from_what_is_only_partly_known() -> None:
    """An ambiguous wrap counts 100 J in 600 s: that is no idle power."""
    engine = Engine(EngineSettings())
    small = cpu(wraps_at=10**9)

    play(
        engine,
        (1000.0, 1600.0),
        lambda time_s: sample(
            time_s, reading(small, time_s, 80 * time_s), node=busy_node(time_s)
        ),
    )

    assert "cpu" not in engine.state.learners


def test_idle_power_that_was_learned_is_used() -> None:
    """10 s at 50 W with nothing to do; then, at 90 W, the GPU's holder is idle.

    The holder of a quarter pays a quarter of 50 J and all of 40 J.
    """
    engine = Engine(EngineSettings())
    quarter = jobs(usage("1", 0.0, gpus=(hold(share=0.25),), labels=labels("1")))
    play(
        engine,
        range(1000, 1011),
        lambda time_s: sample(
            time_s, reading(gpu(), time_s, 50.0 * (time_s - 1000), 50.0, 0.0)
        ),
    )

    snapshot = engine.fold(
        sample(1011.0, reading(gpu(), 1011.0, 590.0, 90.0, 0.5), workloads=(quarter,))
    )

    assert job_j(snapshot) == pytest.approx({"gpu": 12.5 + 40.0})


def test_idle_power_counts_for_as_long_as_the_energy_took() -> None:
    """The second package was missed once: 2 s at 80 W of both are idle."""

    def tick(time_s: float) -> Sample:
        readings = [package(time_s)]
        if time_s != 1001.0:
            readings.append(reading(cpu("package-1"), time_s, 200.0 * time_s))
        return sample(time_s, *readings, node=busy_node(time_s))

    engine = Engine(EngineSettings(idle_w=IDLE_80_W))
    *_, before, after = play(engine, (1000.0, 1001.0, 1002.0), tick)

    idle_j = [unattributed_j(one)["cpu", "idle"] for one in (before, after)]
    assert idle_j == pytest.approx([80.0, 240.0])


def test_a_gpu_without_gauges_is_counted_and_nothing_is_learned() -> None:
    """Not every driver tells how busy its GPU is."""
    engine = Engine(EngineSettings())

    *_, snapshot = play(
        engine,
        TWO_TICKS,
        lambda time_s: sample(
            time_s, reading(gpu(), time_s, 300.0 * time_s)._replace(gpu=None)
        ),
    )

    assert component_j(snapshot) == pytest.approx({"gpu": 300.0})
    assert snapshot.devices[0].gpu is None
    assert not engine.state.learners


@given(
    st.lists(
        st.tuples(
            st.floats(0, 900), st.floats(1, 1500), st.floats(1, 2), st.booleans()
        ),
        min_size=1,
        max_size=40,
    )
)
def test_grams_are_the_integral_over_a_changing_grid(
    seconds: list[tuple[float, float, float, bool]],
) -> None:
    """Rule 11: not energy times a mean intensity; to 1e-9."""
    engine = Engine(EngineSettings())
    fine = replace(gpu(), joules_per_count=1e-9)
    owner = jobs(usage("1", 0.0, gpus=(hold(),), labels=labels("1")))
    engine.fold(sample(1000.0, reading(fine, 1000.0, 0.0), workloads=(owner,)))

    energy_j = grams = fallback_g = 0.0
    snapshots = []
    for time_s, (power_w, value, pue, falls_back) in enumerate(seconds, start=1001):
        energy_j += power_w
        grams += power_w * value * pue / 3.6e6
        fallback_g += power_w * value * pue / 3.6e6 if falls_back else 0.0
        grid = replace(
            GREEN, value=GramsPerKwh(value), fallback_level=2 if falls_back else 0
        )
        snapshots.append(
            engine.fold(
                sample(
                    time_s,
                    reading(fine, time_s, energy_j),
                    workloads=(owner,),
                    intensity=grid,
                    pue=pue,
                )
            )
        )

    last = snapshots[-1]
    assert last.emissions_g == pytest.approx(grams, rel=1e-9, abs=1e-9)
    assert last.fallback_emissions_g == pytest.approx(fallback_g, rel=1e-9, abs=1e-9)
    assert job(last).emissions_g == pytest.approx(grams, rel=1e-9, abs=1e-9)
