import logging
import threading
import time

import pytest

from exporter.core.errors import SourceFaultyError
from tests.fakes.node import gpu
from tests.fakes.sampling import (
    LONG_S,
    FakeDriver,
    devices,
    power,
    sampling,
    status,
)
from tests.fakes.sources import FakePower, FakeWorkloads
from tests.fakes.waiting import wait_until

# --- drivers ----------------------------------------------------------------


def test_devices_of_a_driver_are_read_from_the_next_sample_on() -> None:
    """Each by a worker of its own."""
    driver = FakeDriver((power("gpu 0"), power("gpu 1")))
    with sampling(drivers=(driver,)) as sampler:
        first = sampler.sample()
        second = sampler.sample()

    assert devices(first) == []
    assert devices(second) == ["gpu 0", "gpu 1"]
    assert status(second) == {"node": "", "driver": "", "gpu 0": "", "gpu 1": ""}


def test_devices_of_a_driver_are_read_before_anybody_is_asked_who_holds_them() -> None:
    """A GPU that is new tells who it is in the tick in which its energy counts.

    As a rule: a worker that the machine does not let run is passed by another.
    """
    asked: list[str] = []

    def note(name: str) -> float:
        asked.append(name)
        return 0.0

    gpu_source = FakePower("gpu 0", lambda: note("gpu"), {gpu(): 100.0})
    jobs = FakeWorkloads(lambda: note("jobs"), ())
    with sampling(drivers=(FakeDriver((gpu_source,)),), workloads=(jobs,)) as sampler:
        sampler.sample()
        asked.clear()

        for _ in range(10):
            sampler.sample()

    pairs = list(zip(asked[::2], asked[1::2], strict=True))
    assert pairs.count(("gpu", "jobs")) > 5


def test_a_device_that_leaves_takes_its_status_along() -> None:
    """A GPU that was taken out is not one that fails."""
    leaving, staying = power("gpu 0"), power("gpu 1")
    driver = FakeDriver((leaving, staying))
    with sampling(drivers=(driver,)) as sampler:
        sampler.sample()
        sampler.sample()
        driver.devices = (staying,)
        sampler.sample()
        last = sampler.sample()

    assert devices(last) == ["gpu 1"]
    assert "gpu 0" not in status(last)
    assert leaving.closed


def test_a_device_that_is_found_anew_replaces_the_old_one() -> None:
    """After a reset the driver has another handle for the same GPU."""
    old, new = power("gpu 0"), power("gpu 0")
    driver = FakeDriver((old,))
    with sampling(drivers=(driver,)) as sampler:
        sampler.sample()
        sampler.sample()
        driver.devices = (new,)
        sampler.sample()
        last = sampler.sample()
        new_is_open = not new.closed

    assert devices(last) == ["gpu 0"]
    assert old.closed
    assert new_is_open


def test_a_device_in_the_place_of_another_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Though as many sources are as well as before."""
    caplog.set_level(logging.INFO)
    driver = FakeDriver((power("gpu 0"),))
    with sampling(drivers=(driver,)) as sampler:
        sampler.sample()
        sampler.sample()
        driver.devices = (power("gpu 1"),)
        sampler.sample()
        sampler.sample()

    up = [record.__dict__["source"] for record in caplog.records]
    assert up == ["node", "driver", "gpu 0", "gpu 1"]


def test_devices_that_stay_keep_their_workers() -> None:
    """A driver that lists its devices anew costs no thread.

    Time and again, that is: a worker that the machine does not let run for a while
    looks as if its source hung, and gets help.
    """
    staying = power("gpu 0")
    driver = FakeDriver((staying,))
    with sampling(drivers=(driver,)) as sampler:
        sampler.sample()
        sampler.sample()

        def costs_no_thread() -> bool:
            threads = set(threading.enumerate())
            driver.devices = (staying,)
            sampler.sample()
            sampler.sample()
            return set(threading.enumerate()) == threads

        wait_until(costs_no_thread, "it costs no thread", LONG_S)
        assert not staying.closed


def test_a_driver_that_fails_does_not_hide_its_devices() -> None:
    """They are read on as long as it names them."""
    driver = FakeDriver((FakePower("gpu 0", time.monotonic, {gpu(): 300.0}),))
    with sampling(drivers=(driver,)) as sampler:
        sampler.sample()
        driver.failure = SourceFaultyError("no list")
        sample = sampler.sample()

    assert devices(sample) == ["GPU-0"]
    assert status(sample)["driver"] == "faulty"
