from dataclasses import replace

import pytest

from exporter.core.model import Quality, Reading, SourceInfo, SourceStatus
from exporter.core.snapshot import JobTotals
from exporter.core.units import Seconds
from exporter.core.workload import GpuUse
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import job
from tests.fakes.node import (
    GREEN,
    cpu,
    device,
    gpu,
    hold,
    jobs,
    labels,
    node,
    node_meter,
    play,
    reading,
    sample,
    usage,
)

MODEL = device("cpu", "model", joules_per_count=1e-6)


def status(of: str, *, estimated: bool) -> SourceStatus:
    """Return the status of a source that is up."""
    quality: Quality = "estimated" if estimated else "measured"
    info = SourceInfo(f"source of {of}", "cpu", "counter", quality, "device")
    return SourceStatus(info, up=True)


def played(seconds: int, *power_w: tuple[str, float], estimated: str) -> JobTotals:
    """Return a job that keeps the whole node busy, after some seconds.

    Args:
        seconds: how many.
        power_w: the devices there are, and what they draw.
        estimated: the one of them that is estimated.
    """
    every = {"model": MODEL, "package-0": cpu(), "node": node_meter()}

    def readings(time_s: float) -> list[Reading]:
        return [reading(every[name], time_s, watts * time_s) for name, watts in power_w]

    *_, last = play(
        Engine(EngineSettings()),
        range(1000, 1001 + seconds),
        lambda time_s: sample(
            time_s,
            *readings(time_s),
            node=node(time_s, 8 * time_s),
            workloads=(jobs(usage("1", 8 * time_s, labels=labels("1"))),),
            sources=tuple(
                status(name, estimated=name == estimated) for name, _ in power_w
            ),
        ),
    )
    return job(last)


def test_energy_of_a_model_is_estimated_energy() -> None:
    """Rule 9: measured and estimated joules of a job are told apart."""
    totals = played(2, ("model", 100.0), estimated="model")

    assert totals.estimated_j == pytest.approx(200.0)


def test_measured_energy_is_not_estimated() -> None:
    """The ordinary case."""
    totals = played(2, ("package-0", 100.0), estimated="")

    assert totals.estimated_j == 0.0


def test_of_a_component_with_both_the_estimated_part_counts() -> None:
    """50 of 150 W are a model's."""
    totals = played(2, ("package-0", 100.0), ("model", 50.0), estimated="model")

    assert totals.estimated_j == pytest.approx(100.0)


def test_a_measured_whole_minus_an_estimate_is_an_estimate() -> None:
    """300 W of the node above 100 W of a model, all of them the job's."""
    totals = played(2, ("model", 100.0), ("node", 300.0), estimated="model")

    assert totals.estimated_j == pytest.approx(600.0)


def test_a_platform_that_is_measured_in_all_its_parts_is_measured() -> None:
    """The same with a meter."""
    totals = played(2, ("package-0", 100.0), ("node", 300.0), estimated="")

    assert totals.estimated_j == 0.0


def test_no_energy_has_no_estimated_part() -> None:
    """A model of a machine that is switched off, so to speak."""
    totals = played(2, ("model", 0.0), estimated="model")

    assert totals.estimated_j == 0.0


def test_fallback_grams_of_a_job_are_counted_apart() -> None:
    """Rule 11: 100 J at 400 g/kWh as usual, and 100 J of them on a yearly figure."""
    engine = Engine(EngineSettings())
    owner = jobs(usage("1", 0.0, gpus=(hold(),), labels=labels("1")))
    yearly = replace(GREEN, fallback_level=2)

    *_, last = (
        engine.fold(
            sample(
                time_s,
                reading(gpu(), time_s, 100 * time_s, 100.0),
                workloads=(owner,),
                intensity=intensity,
            )
        )
        for time_s, intensity in ((1000.0, GREEN), (1001.0, GREEN), (1002.0, yearly))
    )

    totals = job(last)
    assert totals.emissions_g == pytest.approx(200 * 400 / 3.6e6)
    assert totals.fallback_g == pytest.approx(100 * 400 / 3.6e6)


def test_the_peak_is_the_most_of_all_components_in_one_tick() -> None:
    """100 + 50, 300 + 20 and 40 + 60 W."""
    engine = Engine(EngineSettings())
    owner = (hold("GPU-0"),)
    package_j = gpu_j = 0.0
    peaks = []
    for second, (package_w, gpu_w) in enumerate(
        [(0, 0), (100, 50), (300, 20), (40, 60)]
    ):
        time_s = 1000.0 + second
        package_j += package_w
        gpu_j += gpu_w
        running = usage("1", 8 * time_s, gpus=owner, labels=labels("1"))
        snapshot = engine.fold(
            sample(
                time_s,
                reading(cpu(), time_s, package_j),
                reading(gpu("GPU-0"), time_s, gpu_j, gpu_w),
                node=node(time_s, 8 * time_s),
                workloads=(jobs(running),),
            )
        )
        peaks.append(job(snapshot).peak_power_w)

    assert peaks == [None, 150.0, 320.0, 320.0]


# --- how GPUs were used -----------------------------------------------------


def gpu_use(
    *utilizations: float | None, step_s: float = 1.0, share: float = 1.0
) -> GpuUse | None:
    """Return how a job used a GPU that was so busy; ``None``: was not read."""
    engine = Engine(EngineSettings())
    owner = jobs(usage("1", 0.0, gpus=(hold(share=share),), labels=labels("1")))
    used = None
    for number, utilization in enumerate((0.0, *utilizations)):
        time_s = 1000.0 + number * step_s
        read = reading(gpu(), time_s, 0, 100, utilization)
        readings = () if utilization is None else (read,)
        snapshot = engine.fold(sample(time_s, *readings, workloads=(owner,)))
        used = job(snapshot).gpu_use
    return used


def test_gpu_use_is_an_integral_of_what_was_held() -> None:
    """Half a GPU for three seconds, one of them idle."""
    use = gpu_use(0.5, 0.0, 1.0, share=0.5)

    assert use == GpuUse(held_s=1.5, known_s=1.5, busy_s=0.75, idle_s=0.5)
    assert use.utilization == pytest.approx(0.5)


def test_a_gpu_that_is_not_read_is_held_and_not_idle() -> None:
    """Missing is not zero."""
    use = gpu_use(0.5, None, None)

    assert use == GpuUse(held_s=3.0, known_s=1.0, busy_s=0.5, idle_s=0.0)


def test_a_gauge_does_not_stand_for_a_long_absence() -> None:
    """After ten seconds nobody knows what the GPU did in the meantime."""
    use = gpu_use(0.5, step_s=10.0)

    assert use == GpuUse(held_s=10.0)
    assert use.utilization is None


def test_a_job_without_gpus_has_no_gpu_use() -> None:
    """Not one of zero."""
    snapshot = Engine(EngineSettings()).fold(
        sample(1000.0, workloads=(jobs(usage("1", 0.0, labels=labels("1"))),))
    )

    assert job(snapshot).gpu_use is None
    assert job(snapshot).start_unix_s is None


def test_gpu_use_of_a_gpu_that_nobody_measures_is_held() -> None:
    """A driver without readings; the scheduler still knows who holds what."""
    held = usage("1", 0.0, gpus=(hold("GPU-7"),), labels=labels("1"))
    *_, snapshot = play(
        Engine(EngineSettings()),
        (1000.0, 1001.0),
        lambda time_s: sample(time_s, workloads=(jobs(held),)),
    )

    assert job(snapshot).gpu_use == GpuUse(held_s=Seconds(1.0))
