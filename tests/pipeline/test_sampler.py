import logging
import time
from dataclasses import replace

import pytest

from exporter.carbon.pue_schedule import scheduled_pue
from exporter.carbon.static import FixedPue
from exporter.core.errors import SourceAbsentError, SourceFaultyError
from exporter.core.model import FetchCount
from exporter.core.pue import PueRule
from exporter.core.units import GramsPerKwh, Seconds
from exporter.pipeline.sampler import Clock, Sampler, Sources
from tests.fakes.node import GREEN, cpu
from tests.fakes.sampling import (
    LONG_S,
    FakeDriver,
    HangingPower,
    devices,
    power,
    sampling,
    status,
)
from tests.fakes.sources import (
    FakeIntensity,
    FakeJob,
    FakeNode,
    FakeWorkloads,
)
from tests.fakes.waiting import wait_until

# --- one sample -------------------------------------------------------------


def test_a_sample_holds_what_all_sources_read() -> None:
    """And the figures that are in force."""
    jobs = FakeWorkloads(time.monotonic, (FakeJob("1"),))
    with sampling(power("a"), power("b"), workloads=(jobs,)) as sampler:
        before_s = time.monotonic()
        sample = sampler.sample(missed_ticks=7)

    assert devices(sample) == ["a", "b"]
    assert sample.node is not None
    assert [one.workload.key for one in sample.workloads[0].usages] == ["1"]
    assert before_s <= sample.time_s <= sample.readings[0].time_s
    assert sample.intensity == GREEN
    assert sample.pue == 1.3
    assert sample.interval_s == 1.0
    assert sample.missed_ticks == 7
    assert sample.duration_s >= 0
    assert status(sample) == {"node": "", "fake slurm": "", "a": "", "b": ""}


def test_the_clocks_are_those_that_were_handed_in() -> None:
    """So a test or a simulation knows the time of a sample."""
    sampler = Sampler(
        Sources((), (), FakeNode(lambda: 5.0), (), FakeIntensity()),
        interval_s=Seconds(1.0),
        deadline_s=Seconds(LONG_S),
        pue=FixedPue(1.0),
        clock=Clock(monotonic=lambda: 50.0, wall=lambda: 1e9),
    )

    sample = sampler.sample()
    sampler.close()

    assert (sample.time_s, sample.unix_s, sample.duration_s) == (50.0, 1e9, 0.0)


def test_what_was_asked_of_providers_is_in_each_sample() -> None:
    """Somebody else counts it, from what the checkpoint knew."""
    fetches = {("hub", "ok"): 7}
    sampler = Sampler(
        Sources((), (), FakeNode(lambda: 5.0), (), FakeIntensity()),
        interval_s=Seconds(1.0),
        deadline_s=Seconds(LONG_S),
        pue=FixedPue(1.0),
        fetches=fetches,
    )

    first = sampler.sample()
    fetches["hub", "ok"] += 1
    fetches["file", "ok"] = 1
    second = sampler.sample()
    sampler.close()

    assert first.carbon_fetches == (FetchCount("hub", "ok", 7),)
    assert second.carbon_fetches == (
        FetchCount("hub", "ok", 8),
        FetchCount("file", "ok", 1),
    )


def test_intensity_and_pue_may_be_exchanged_between_two_samples() -> None:
    """A reload needs no restart."""
    with sampling() as sampler:
        sampler.sample()
        sampler.intensity = FakeIntensity(replace(GREEN, value=GramsPerKwh(7.0)))
        sampler.pue = FixedPue(1.1)
        sample = sampler.sample()

    assert sample.intensity.value == 7.0
    assert sample.pue == 1.1


def test_the_pue_is_that_of_the_wall_clock() -> None:
    """And what it will be goes with it, for what jobs will have emitted."""
    pue = scheduled_pue((PueRule(1.5, spans=((0, 60),)),), "UTC", 1.2)
    unix_s = iter([3599.0, 3600.0])
    sampler = Sampler(
        Sources((), (), FakeNode(lambda: 5.0), (), FakeIntensity()),
        interval_s=Seconds(1.0),
        deadline_s=Seconds(LONG_S),
        pue=pue,
        clock=Clock(monotonic=lambda: 50.0, wall=lambda: next(unix_s)),
    )

    samples = [sampler.sample() for _ in range(2)]
    sampler.close()

    assert [sample.pue for sample in samples] == [1.5, 1.2]
    assert samples[1].pue_plan is samples[0].pue_plan is pue.plan(Seconds(3600.0))


# --- sources that fail ------------------------------------------------------


@pytest.mark.parametrize(
    "failure", [SourceFaultyError("x"), OSError("x"), RuntimeError("x"), KeyError("x")]
)
def test_a_source_that_fails_takes_nothing_from_its_siblings(
    failure: Exception,
) -> None:
    """Rule 5: it is missing, the others are there."""
    broken = replace(power("b"), failure=failure)
    with sampling(power("a"), broken, power("c")) as sampler:
        sample = sampler.sample()

    assert devices(sample) == ["a", "c"]
    assert status(sample)["b"] == "faulty"


def test_a_node_and_a_scheduler_may_fail_too() -> None:
    """Then nobody knows who is running, and energy is measured all the same."""
    node = FakeNode(time.monotonic, failure=SourceFaultyError("no /proc/stat"))
    jobs = FakeWorkloads(time.monotonic, (), failure=SourceFaultyError("no cgroups"))
    with sampling(power(), node=node, workloads=(jobs,)) as sampler:
        sample = sampler.sample()

    assert sample.node is None
    assert sample.workloads == ()
    assert devices(sample) == ["rapl"]
    assert status(sample) == {"node": "faulty", "fake slurm": "faulty", "rapl": ""}


def test_a_source_that_hangs_delays_nobody_beyond_the_deadline() -> None:
    """Rule 5: the sample comes without it, and with it when it is back."""
    hanging = HangingPower("hanging", time.monotonic, {cpu("hanging"): 100.0})
    with sampling(power("a"), hanging, power("c"), deadline_s=1.0) as sampler:
        hung = sampler.sample()
        others_answer = {"node": "", "a": "", "hanging": "timeout", "c": ""}
        wait_until(
            lambda: status(sampler.sample()) == others_answer, "others answer", LONG_S
        )
        hanging.gate.set()
        wait_until(
            lambda: devices(sampler.sample()) == ["a", "hanging", "c"],
            "it is back",
            LONG_S,
        )

    assert "hanging" not in devices(hung)
    assert status(hung)["hanging"] == "timeout"


# --- what is told -----------------------------------------------------------


def test_changes_are_told_and_ticks_are_not(caplog: pytest.LogCaptureFixture) -> None:
    """A source that fails for an hour is one line and a metric."""
    caplog.set_level(logging.INFO)
    source = power()
    with sampling(source) as sampler:
        for failure in (None, None, OSError("gone"), OSError("gone"), None):
            source.failure = failure
            sampler.sample()

    told = [
        (record.levelname, record.message)
        for record in caplog.records
        if record.__dict__["source"] == "rapl"
    ]
    assert told == [
        ("INFO", "source up"),
        ("WARNING", "source down: OSError: gone"),
        ("INFO", "source up"),
    ]


def test_absence_is_no_warning_unless_it_was_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Most machines lack most sensors; but one that goes away is noteworthy."""
    caplog.set_level(logging.INFO)
    absent = replace(power("never"), failure=SourceAbsentError("no sensor"))
    leaving = power("leaving")
    with sampling(absent, leaving) as sampler:
        sampler.sample()
        leaving.failure = SourceAbsentError("unplugged")
        sampler.sample()

    levels = {
        (record.__dict__["source"], record.message): record.levelname
        for record in caplog.records
    }
    assert levels["never", "source absent: no sensor"] == "INFO"
    assert levels["leaving", "source down: unplugged"] == "WARNING"


# --- the end ----------------------------------------------------------------


def test_closing_closes_every_source() -> None:
    """Also those that a driver has found."""
    member, source = power("gpu 0"), power()
    driver = FakeDriver((member,))
    jobs = FakeWorkloads(time.monotonic, ())
    with sampling(source, drivers=(driver,), workloads=(jobs,)) as sampler:
        sampler.sample()

    assert all(one.closed for one in (member, source, driver, jobs))


def test_closing_waits_for_no_source_that_hangs() -> None:
    """It is closed when its call returns; the others are at once."""
    hanging = HangingPower("hanging", time.monotonic, {cpu(): 100.0})
    other = power("other")
    with sampling(hanging, other, deadline_s=0.5) as sampler:
        while not hanging.begun.is_set():
            sampler.sample()

        sampler.close()

        assert other.closed
        assert not hanging.closed
        hanging.gate.set()
        wait_until(lambda: hanging.closed, "it is closed", LONG_S)


def test_errors_are_counted_where_the_engine_remembers_them() -> None:
    """By source and reason; a device that comes back goes on counting."""
    errors = {"rapl": {"faulty": 7}, "gone": {"denied": 1}}
    source = replace(power(), failure=SourceFaultyError("x"))
    sampler = Sampler(
        Sources((source,), (), FakeNode(time.monotonic), (), FakeIntensity()),
        interval_s=Seconds(1.0),
        deadline_s=Seconds(LONG_S),
        pue=FixedPue(1.0),
        errors=errors,
    )

    sampler.sample()
    sampler.close()

    assert errors["rapl"] == {"faulty": 8}
    assert errors["gone"] == {"denied": 1}
