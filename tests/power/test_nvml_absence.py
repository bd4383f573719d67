import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.core.errors import (
    SourceAbsentError,
    SourceDeniedError,
    SourceFaultyError,
)
from exporter.power.nvml import NvmlDriver
from tests.fakes import nvml
from tests.fakes.clock import Clock
from tests.fakes.nvml import ALL_GPUS, FakeNvml

_REPOSITORY = Path(__file__).parents[2]
_INIT = "nvmlInitWithFlags"


@pytest.fixture
def hardware(tmp_path: Path) -> Iterator[FakeNvml]:
    """Return a machine with three GPUs."""
    with nvml.in_process(tmp_path, gpus=3) as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    """Return the clock by which attempts are spaced."""
    return Clock()


@pytest.fixture
def driver(hardware: FakeNvml, clock: Clock) -> Iterator[NvmlDriver]:
    """Return a driver that has not been read yet."""
    release_file = hardware.path.with_name("nvml-release")
    with closing(NvmlDriver(release_file, clock)) as new:
        yield new


# --- the driver goes and comes --------------------------------------------------------


def test_a_machine_without_driver_is_absent_and_asked_slowly(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """It may be installed later; until then a tick costs no call."""
    hardware.init_code(nvml.DRIVER_NOT_LOADED)
    attempts = []
    for second in range(60):
        before = nvml.calls(_INIT)
        with pytest.raises(SourceAbsentError, match="modprobe nvidia"):
            driver.read()
        if nvml.calls(_INIT) > before:
            attempts.append(second)
        clock.pass_s(1.0)

    assert attempts == [0, 5, 15, 35]
    assert driver.members() == ()


def test_a_driver_that_is_loaded_later_is_found(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """At boot the daemon may be the first."""
    hardware.init_code(nvml.DRIVER_NOT_LOADED)
    with pytest.raises(SourceAbsentError):
        driver.read()

    hardware.load_driver()
    clock.pass_s(5)
    driver.read()

    assert [len(gpu.read()) for gpu in driver.members()] == [1, 1, 1]


def test_a_machine_without_gpus_is_absent(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """A driver without a GPU is not held open; one may be plugged in."""
    for number in range(3):
        hardware.unplug(number)
    before = nvml.calls("nvmlShutdown")
    with pytest.raises(SourceAbsentError, match="sees no GPU"):
        driver.read()
    assert nvml.calls("nvmlShutdown") == before + 1

    hardware.plug(0)
    clock.pass_s(5)
    driver.read()

    assert len(driver.members()) == 1


def test_a_driver_that_may_not_be_opened_asks_for_the_operator(
    hardware: FakeNvml, driver: NvmlDriver
) -> None:
    """Rights are missing, not hardware."""
    hardware.init_code(nvml.NO_PERMISSION)

    with pytest.raises(SourceDeniedError, match="/dev/nvidiactl"):
        driver.read()


def test_an_initialisation_that_fails_otherwise_is_faulty(
    hardware: FakeNvml, driver: NvmlDriver
) -> None:
    """The code is passed on, for whoever looks it up."""
    hardware.init_code(nvml.UNKNOWN)

    with pytest.raises(SourceFaultyError, match=r"cannot be initialised: .* 999"):
        driver.read()


def test_a_list_that_cannot_be_read_is_faulty_and_lets_go(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """Half an initialisation must not stay behind."""
    hardware.fault(ALL_GPUS, nvml.UNKNOWN, "nvmlDeviceGetCount_v2")
    before = nvml.calls("nvmlShutdown")
    with pytest.raises(SourceFaultyError, match="cannot list the GPUs"):
        driver.read()
    assert nvml.calls("nvmlShutdown") == before + 1

    hardware.fault(ALL_GPUS, nvml.SUCCESS, "nvmlDeviceGetCount_v2")
    clock.pass_s(5)
    driver.read()

    assert len(driver.members()) == 3


def test_a_driver_that_was_reloaded_is_initialised_again(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """Same process, same GPUs, new handles, new version."""
    driver.read()
    members = driver.members()
    clock.pass_s(10)
    hardware.load_driver(version="580.1")
    for gpu in members:
        with pytest.raises(SourceFaultyError, match="the driver was reloaded"):
            gpu.read()

    driver.read()

    assert driver.members() is members
    statuses = [reading.gpu for gpu in members for reading in gpu.read()]
    assert [status.info.driver for status in statuses if status] == ["580.1"] * 3


def test_gpus_of_a_driver_that_went_away_stay_and_come_back(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """Someone has to see that eight GPUs are not measured any more."""
    driver.read()
    members = driver.members()
    clock.pass_s(10)
    hardware.unload_driver()
    with pytest.raises(SourceFaultyError):
        members[0].read()
    with pytest.raises(SourceAbsentError, match="modprobe"):
        driver.read()
    for gpu in members:
        with pytest.raises(SourceAbsentError, match="modprobe"):
            gpu.read()

    hardware.load_driver()
    clock.pass_s(60)
    driver.read()

    assert driver.members() is members
    assert all(gpu.read() for gpu in members)


def test_a_driver_exchanged_under_the_process_needs_a_restart(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """The old library stays mapped: no attempt of this process can succeed."""
    driver.read()
    hardware.unload_driver()
    hardware.init_code(nvml.LIB_RM_VERSION_MISMATCH)
    with pytest.raises(SourceFaultyError):
        driver.members()[0].read()
    clock.pass_s(10)
    with pytest.raises(SourceFaultyError, match="has to be restarted"):
        driver.read()
    before = nvml.calls(_INIT)

    clock.pass_s(3600)
    with pytest.raises(SourceFaultyError, match="has to be restarted"):
        driver.read()

    assert driver.restart_needed
    assert nvml.calls(_INIT) == before


def test_a_mismatch_from_the_start_asks_for_no_restart(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """After an upgrade without reboot it would restart for ever, in vain."""
    hardware.init_code(nvml.LIB_RM_VERSION_MISMATCH)
    for _ in range(3):
        with pytest.raises(SourceFaultyError, match="reload the module or reboot"):
            driver.read()
        clock.pass_s(60)
    assert not driver.restart_needed

    hardware.init_code(nvml.SUCCESS)
    driver.read()

    assert len(driver.members()) == 3


def test_a_mismatch_after_the_module_was_missing_needs_a_restart(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """The library was mapped when the daemon came up before the module."""
    hardware.init_code(nvml.DRIVER_NOT_LOADED)
    with pytest.raises(SourceAbsentError):
        driver.read()

    hardware.init_code(nvml.LIB_RM_VERSION_MISMATCH)
    clock.pass_s(60)
    with pytest.raises(SourceFaultyError):
        driver.read()

    assert driver.restart_needed


# --- other processes: a library cannot be exchanged in this one -----------------------

_SCRIPT = """
import sys
from pathlib import Path
from exporter.core.errors import SourceError
from exporter.power.nvml import NvmlDriver

driver = NvmlDriver(Path(sys.argv[1]) / "nvml-release")
try:
    driver.read()
    for gpu in driver.members():
        (reading,) = gpu.read()
        status = reading.gpu
        print(gpu.info.method, reading.count, reading.power_w, status.temperature_c,
              status.utilization, status.memory_used_bytes, repr(status.info.pci))
except SourceError as error:
    print(type(error).__name__, error)
driver.close()
"""


def _print_of(environment: dict[str, str], folder: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(folder)],
        check=True,
        cwd=_REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.strip()


def test_an_old_driver_is_read_by_what_it_has(tmp_path: Path) -> None:
    """No counter, no newer calls: power is integrated, the rest still told."""
    fake = FakeNvml(tmp_path)

    printed = _print_of(fake.env(old_driver=True), tmp_path)

    assert printed == "integrated None 100.0 40.0 0.5 1073741824 ''"


def test_a_machine_without_the_library_is_absent(tmp_path: Path) -> None:
    """Most nodes have no GPU; their log says so in one line."""
    environment = nvml.env_without_library(tmp_path / "lib")

    printed = _print_of(environment, tmp_path)

    assert printed.startswith("SourceAbsentError libnvidia-ml.so.1 is not there")


def test_a_daemon_started_with_the_stand_in_reads_it(tmp_path: Path) -> None:
    """The way in which end-to-end tests and benches use it."""
    fake = FakeNvml(tmp_path, gpus=2)
    fake.set_power(1, 250.0)

    lines = _print_of(fake.env(), tmp_path).splitlines()

    assert [line.split()[0] for line in lines] == ["counter", "counter"]
    assert [line.split()[2] for line in lines] == ["100.0", "250.0"]
