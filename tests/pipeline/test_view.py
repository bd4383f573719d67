from dataclasses import replace

import pytest

from exporter.core.model import DeviceId
from exporter.core.snapshot import Snapshot
from exporter.core.units import Seconds, Watts
from exporter.core.workload import WorkloadUsage
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import component_j, job, job_j, job_w
from tests.fakes.node import (
    cpu,
    failing,
    gpu,
    hold,
    job_id,
    jobs,
    labels,
    node,
    play,
    reading,
    sample,
    usage,
)

PACKAGE = cpu()


def known(key: str, cpu_s: float) -> WorkloadUsage:
    """Return a job whose labels are known."""
    return usage(key, cpu_s, labels=labels(key))


def tick(engine: Engine, time_s: float, *usages: WorkloadUsage) -> Snapshot:
    """Fold a package of 100 W on a node with 4 busy CPUs, and jobs."""
    return engine.fold(
        sample(
            time_s,
            reading(PACKAGE, time_s, 100.0 * time_s),
            node=node(time_s, 4.0 * time_s),
            workloads=(jobs(*usages, group_cpu_s=time_s),),
        )
    )


# --- jobs and tenants -------------------------------------------------------


def test_a_job_is_shown_with_its_labels_or_after_five_seconds() -> None:
    """Rule 8: what it used until then is in its first value."""
    engine = Engine(EngineSettings())

    shown = [tick(engine, 1000.0 + s, usage("1", s)) for s in range(7)]

    assert [len(one.jobs) for one in shown] == [0, 0, 0, 0, 0, 1, 1]
    assert job(shown[5]).labels.job_id == "1"
    assert job_j(shown[5]) == pytest.approx({"cpu": 5 * 25.0})
    assert shown[5].tenants[0].energy_j == pytest.approx(5 * 25.0)


def test_an_ended_job_shows_its_total_and_its_end_until_it_is_old() -> None:
    """Rule 6: any number of Prometheus servers see its last value."""
    engine = Engine(EngineSettings(ended_jobs_s=60.0))
    tick(engine, 1000.0, known("1", 1000.0))
    tick(engine, 1001.0, known("1", 1001.0))

    ended = tick(engine, 1002.0)
    later = tick(engine, 1062.0)
    gone = tick(engine, 1062.1)

    assert job_j(ended) == pytest.approx({"cpu": 50.0})
    assert job(ended).end_unix_s == ended.unix_s
    assert not job_w(ended)
    assert job(ended).gpus is None
    assert job(ended).gpu_holds == ()
    assert job(ended).memory_bytes is None
    assert job(later) == job(ended)
    assert not gone.jobs
    assert gone.tenants[0].energy_j == pytest.approx(50.0)


def test_a_tenant_that_is_idle_for_a_day_retires_and_comes_back() -> None:
    """With its old total, which budgets have counted already."""
    engine = Engine(EngineSettings())
    tick(engine, 1000.0, known("1", 1000.0))
    before = tick(engine, 1001.0, known("1", 1001.0))
    tick(engine, 1002.0)

    almost = tick(engine, 1001.9 + 86_400)
    away = tick(engine, 1002.0 + 86_400)
    back = tick(engine, 1003.0 + 86_400, known("2", 0.0))

    assert before.tenants
    assert almost.tenants
    assert not away.tenants
    assert back.tenants[0].created_unix_s == before.tenants[0].created_unix_s
    assert back.tenants[0].energy_j == almost.tenants[0].energy_j


def test_jobs_beyond_the_cap_are_counted_and_paid_by_their_tenant() -> None:
    """A million tiny jobs are not a million series."""
    engine = Engine(EngineSettings(max_jobs=1))
    tick(engine, 1000.0, known("1", 0.0), known("2", 0.0))

    snapshot = tick(engine, 1001.0, known("1", 1.0), known("2", 1.0))

    assert [one.workload for one in snapshot.jobs] == [job_id("1")]
    assert (snapshot.jobs_dropped, snapshot.jobs_waiting) == (1, 1)
    assert snapshot.tenants[0].energy_j == pytest.approx(50.0)


def test_a_job_beyond_the_cap_is_shown_with_all_it_used_once_another_has_left() -> None:
    """Its counter is whole: it began from 0 when the job was first seen."""
    engine = Engine(EngineSettings(max_jobs=1, ended_jobs_s=60.0))
    first = tick(engine, 1000.0, known("1", 0.0), known("2", 0.0))
    tick(engine, 1001.0, known("1", 1.0), known("2", 1.0))
    tick(engine, 1002.0, known("2", 2.0))
    waiting = tick(engine, 1062.0, known("2", 62.0))

    shown = tick(engine, 1063.0, known("2", 63.0))

    assert [one.workload for one in waiting.jobs] == [job_id("1")]
    assert [one.workload for one in shown.jobs] == [job_id("2")]
    assert job(shown, "2").cpu_s == pytest.approx(63.0)
    assert job(shown, "2").created_unix_s == first.unix_s
    assert job_j(shown, "2")["cpu"] > 25.0
    assert (shown.jobs_dropped, shown.jobs_waiting) == (1, 0)


def test_a_job_shows_what_it_holds() -> None:
    """Gauges of its last reading; utilisation is the mean of its GPUs."""
    held = (hold("GPU-0", 0.5), hold("GPU-1"), hold("GPU-9"))
    running = usage("1", 1.0, memory_bytes=77, gpus=held, labels=labels("1"))

    snapshot = Engine(EngineSettings()).fold(
        sample(
            1000.0,
            reading(gpu("GPU-0"), 1000.0, 0, 100, 0.2),
            reading(gpu("GPU-1"), 1000.0, 0, 100, 0.6),
            workloads=(jobs(replace(running, start_unix_s=Seconds(55.0))),),
        )
    )

    assert job(snapshot).gpus == pytest.approx(2.5)
    assert job(snapshot).gpu_holds == held
    assert job(snapshot).gpu_utilization == pytest.approx(0.4)
    assert job(snapshot).memory_bytes == 77
    assert job(snapshot).start_unix_s == 55.0


def test_components_of_a_job_come_in_one_order_whatever_was_read_first() -> None:
    """A scrape that is shuffled compresses badly and compares worse."""
    engine = Engine(EngineSettings())

    *_, snapshot = [
        engine.fold(
            sample(
                1000.0 + second,
                reading(gpu("GPU-0"), 1000.0 + second, 300.0 * second),
                reading(PACKAGE, 1000.0 + second, 100.0 * second),
                node=node(1000.0 + second, 4.0 * second),
                workloads=(
                    jobs(
                        usage("1", second, gpus=(hold("GPU-0"),), labels=labels("1")),
                        group_cpu_s=second,
                    ),
                ),
            )
        )
        for second in range(3)
    ]

    assert [component for component, _ in job(snapshot).energy_j] == ["cpu", "gpu"]
    assert [component for component, _ in job(snapshot).power_w] == ["cpu", "gpu"]


def test_a_job_without_known_gpus_has_no_gpu_utilisation() -> None:
    """None is not 0."""
    blind = usage("2", 0.0, gpus=(hold("GPU-9"),), labels=labels("2"))

    snapshot = tick(Engine(EngineSettings()), 1000.0, known("1", 0.0), blind)

    assert job(snapshot, "1").gpus == 0
    assert job(snapshot, "1").gpu_utilization is None
    assert job(snapshot, "2").gpu_utilization is None


def test_a_gpu_that_is_lost_tells_no_utilisation_for_ever() -> None:
    """Rule 5: its last value leaves with its series, also from its job."""
    engine = Engine(EngineSettings())
    owner = jobs(usage("1", 0.0, gpus=(hold(),), labels=labels("1")))
    engine.fold(sample(1000.0, reading(gpu(), 1000.0, 0, 100, 0.9), workloads=(owner,)))

    soon = engine.fold(sample(1003.0, workloads=(owner,)))
    later = engine.fold(sample(1004.0, workloads=(owner,)))

    assert job(soon).gpu_utilization == pytest.approx(0.9)
    assert job(later).gpu_utilization is None


def test_the_power_of_a_job_nobody_can_see_is_not_repeated() -> None:
    """After a minute without its scheduler it may be doing anything."""
    engine = Engine(EngineSettings())
    tick(engine, 1000.0, known("1", 0.0))
    seen = tick(engine, 1001.0, known("1", 1.0))

    *_, unseen = play(
        engine,
        range(1002, 1063),
        lambda time_s: sample(
            time_s,
            reading(PACKAGE, time_s, 100.0 * time_s),
            node=node(time_s, 4.0 * time_s),
            sources=(failing(),),
        ),
    )

    assert job_w(seen)
    assert not job_w(unseen)
    assert job(unseen).end_unix_s is None


# --- devices ----------------------------------------------------------------


def test_a_device_that_is_not_read_leaves_after_three_intervals() -> None:
    """Rule 5: no last value for ever, of it or of its jobs; sums keep all."""
    engine = Engine(EngineSettings())
    tick(engine, 1000.0, known("1", 1000.0))
    tick(engine, 1001.0, known("1", 1001.0))

    silent = [
        engine.fold(sample(time_s, workloads=(jobs(known("1", time_s)),)))
        for time_s in (1002.0, 1003.0, 1004.0, 1005.0)
    ]

    assert [len(one.devices) for one in silent] == [1, 1, 1, 0]
    assert [one.node_power_w for one in silent] == [100.0, 100.0, 100.0, None]
    assert [bool(job_w(one)) for one in silent] == [True, True, True, False]
    assert component_j(silent[-1]) == pytest.approx({"cpu": 100.0})


def test_three_intervals_are_longer_for_who_reads_rarely() -> None:
    """Every 10 s: shown after 30 s, gone after 40."""
    engine = Engine(EngineSettings())
    engine.fold(sample(1000.0, reading(PACKAGE, 1000.0, 0), interval_s=10.0))

    shown = [
        len(engine.fold(sample(time_s, interval_s=10.0)).devices)
        for time_s in (1030.0, 1040.0)
    ]

    assert shown == [1, 0]


def test_a_device_that_comes_back_goes_on_with_its_total() -> None:
    """Its counter has told all; its mean power is that of the whole time."""
    engine = Engine(EngineSettings())
    engine.fold(sample(1000.0, reading(PACKAGE, 1000.0, 0)))
    engine.fold(sample(1001.0, reading(PACKAGE, 1001.0, 100)))
    engine.fold(sample(1050.0))

    snapshot = engine.fold(sample(1101.0, reading(PACKAGE, 1101.0, 5100)))

    assert snapshot.devices[0].energy_j == pytest.approx(5100.0)
    assert snapshot.devices[0].power_w == pytest.approx(50.0)


def test_unmeasured_time_of_a_gauge_is_told_and_has_no_power() -> None:
    """Rule 3: 10 s that nobody saw are no energy and no watts."""
    gauge = gpu(counter=False)

    *_, snapshot = play(
        Engine(EngineSettings()),
        (1000.0, 1001.0, 1011.0),
        lambda time_s: sample(time_s, reading(gauge, time_s, None, 100)),
    )

    assert dict(snapshot.unmeasured_s) == pytest.approx({"gpu": 10.0})
    assert snapshot.devices[0].power_w is None
    assert component_j(snapshot) == pytest.approx({"gpu": 100.0})


def test_gauges_of_a_gpu_are_shown_with_its_totals() -> None:
    """Those of its last reading."""
    snapshot = Engine(EngineSettings()).fold(
        sample(1000.0, reading(gpu(), 1000.0, 0, 100, 0.25))
    )

    (shown,) = snapshot.devices
    assert shown.device == DeviceId("gpu", "GPU-0")
    assert shown.gpu is not None
    assert shown.gpu.utilization == 0.25


def test_the_source_of_a_broken_counter_says_that_it_is_integrated() -> None:
    """Rule 9: how a number came about is always told, and only of that one."""
    broken, other = (
        failing()._replace(up=True, info=replace(failing().info, name=name))
        for name in ("source of GPU-0", "another")
    )

    *_, snapshot = play(
        Engine(EngineSettings()),
        range(1000, 1015),
        lambda time_s: sample(
            time_s, reading(gpu(), time_s, 500.0, 100.0), sources=(broken, other)
        ),
    )

    assert [one.info.method for one in snapshot.sources] == ["integrated", "none"]


def test_idle_power_is_shown_with_its_weakest_method() -> None:
    """A configured package; two GPUs, of which one has been seen to be idle."""
    *_, snapshot = play(
        Engine(EngineSettings(idle_w=(("cpu", Watts(80.0)),))),
        range(1000, 1012),
        lambda time_s: sample(
            time_s,
            reading(PACKAGE, time_s, 100.0 * time_s),
            reading(gpu("GPU-0"), time_s, 50.0 * time_s, 50.0, 0.0),
            reading(gpu("GPU-1"), time_s, 90.0 * time_s, 90.0, 0.5),
        ),
    )

    assert {one.component: one.method for one in snapshot.idle} == {
        "cpu": "configured",
        "gpu": "assumed",
    }
    assert [one.power_w for one in snapshot.idle] == pytest.approx([80.0, 50.0])
