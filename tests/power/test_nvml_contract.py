"""What holds of any NVIDIA driver: run on the stand-in, and by -m gpu on a real one.

A fact that holds of the stand-in alone belongs in the other modules; a fact that
a real GPU refutes means that the stand-in is wrong.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.core.model import Reading
from exporter.power.nvml import NvmlDriver
from tests.fakes import nvml

# Counters of real GPUs advance some ten times a second.
_UPDATE_S = 0.2


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.gpu)])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NvmlDriver]:
    """Return a driver that has found its GPUs."""
    release_file = tmp_path / "nvml-release"
    if request.param == "real":
        with closing(NvmlDriver(release_file)) as found:
            found.read()
            yield found
        return
    with (
        nvml.in_process(tmp_path, gpus=2),
        closing(NvmlDriver(release_file)) as found,
    ):
        found.read()
        yield found


def _read_all(driver: NvmlDriver) -> tuple[Reading, ...]:
    return tuple(reading for gpu in driver.members() for reading in gpu.read())


def test_there_are_gpus_and_the_driver_itself_has_no_reading(
    driver: NvmlDriver,
) -> None:
    """The sampler reads the members, each in a worker of its own."""
    assert driver.read() == ()
    assert driver.members()
    assert driver.members() is driver.members()


def test_what_is_done_on_a_gpu_is_a_part_of_it_or_unknown(driver: NvmlDriver) -> None:
    """Jobs that share it are charged by that."""
    for gpu in driver.members():
        told = []
        for _ in range(4):
            gpu.read()
            told.append(gpu.activity())
            time.sleep(_UPDATE_S)

        # The first answers only tell what is old.
        assert told[:2] == [None, None]
        for activity in told[2:]:
            if activity is not None:
                parts = [*activity.processes.values(), *activity.instances.values()]
                assert all(0 <= part <= 1 for part in parts)


def test_a_gpu_is_named_by_its_uuid(driver: NvmlDriver) -> None:
    """An index changes when a GPU is taken out; the name of a series must not."""
    for gpu in driver.members():
        (reading,) = gpu.read()

        assert reading.device.id.component == "gpu"
        assert reading.device.id.name == gpu.uuid
        assert reading.device.source == gpu.info.name == f"nvml/{gpu.uuid}"
        assert gpu.uuid.startswith("GPU-")


def test_no_two_gpus_share_a_name(driver: NvmlDriver) -> None:
    """Their energies would be added up as one device's."""
    names = [gpu.uuid for gpu in driver.members()]

    assert len(names) == len(set(names))


def test_a_gpu_reports_energy_or_power_or_both(driver: NvmlDriver) -> None:
    """Without either there is nothing to attribute."""
    for reading in _read_all(driver):
        assert reading.count is not None or reading.power_w is not None
        has_counter = reading.device.joules_per_count is not None
        assert has_counter == (reading.count is not None)


def test_the_method_follows_the_counter(driver: NvmlDriver) -> None:
    """Users of the numbers are told how they came about."""
    for gpu in driver.members():
        (reading,) = gpu.read()

        expected = "integrated" if reading.count is None else "counter"
        assert (gpu.info.method, gpu.info.quality) == (expected, "measured")


def test_a_reading_carries_the_time_at_which_it_was_taken(driver: NvmlDriver) -> None:
    """Power is energy over the time between two readings, not between two ticks."""
    for gpu in driver.members():
        before_s = time.monotonic()
        (reading,) = gpu.read()
        after_s = time.monotonic()

        assert before_s <= reading.time_s <= after_s


def test_the_counter_counts_no_more_than_the_gpu_can_draw(driver: NvmlDriver) -> None:
    """It would if the unit were not the millijoule."""
    first = _read_all(driver)
    time.sleep(2 * _UPDATE_S)
    second = _read_all(driver)

    for before, after in zip(first, second, strict=True):
        if before.count is None or after.count is None:
            continue
        energy_j = (after.count - before.count) * (after.device.joules_per_count or 0)
        longest_s = after.time_s - before.time_s + _UPDATE_S
        assert 0 <= energy_j <= after.device.max_power_w * longest_s


def test_what_is_told_of_a_gpu_is_possible(driver: NvmlDriver) -> None:
    """A unit that is misread shows here."""
    for reading in _read_all(driver):
        gpu = reading.gpu
        assert gpu is not None
        assert gpu.info.uuid == reading.device.id.name
        assert gpu.info.index >= 0
        assert gpu.info.model
        assert gpu.info.driver[0].isdigit()
        assert reading.power_w is None or (
            0 <= reading.power_w <= reading.device.max_power_w
        )
        assert gpu.utilization is None or 0 <= gpu.utilization <= 1
        assert gpu.memory_total_bytes is None or gpu.memory_total_bytes > 1 << 28
        assert gpu.temperature_c is None or 0 < gpu.temperature_c < 120
        assert gpu.power_limit_w is None or 5 < gpu.power_limit_w < 10_000


def test_a_closed_driver_can_be_read_again(driver: NvmlDriver) -> None:
    """Letting go of NVML and taking it up again is what a release does."""
    names = [gpu.uuid for gpu in driver.members()]

    driver.close()
    assert driver.members() == ()
    driver.read()

    assert [gpu.uuid for gpu in driver.members()] == names
    assert _read_all(driver)


def test_closing_twice_is_harmless(driver: NvmlDriver) -> None:
    """The order of a shutdown is not always the same."""
    driver.close()
    driver.close()

    assert driver.members() == ()
