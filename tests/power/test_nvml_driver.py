import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from exporter.core.errors import SourceFaultyError
from exporter.power.nvml import NvmlDriver, NvmlGpu
from tests.fakes import nvml
from tests.fakes.clock import Clock
from tests.fakes.nvml import ALL_GPUS, FakeNvml

_REPOSITORY = Path(__file__).parents[2]
_GENEROUS_S = 30.0
_INIT = "nvmlInitWithFlags"
_POWER = "nvmlDeviceGetPowerUsage"


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


def _wait_until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _GENEROUS_S
    while not is_so():
        assert time.monotonic() < end_s, "it never came about"
        time.sleep(0.002)


@contextmanager
def _hanging(hardware: FakeNvml, number: int, gpu: NvmlGpu) -> Iterator[None]:
    """Read a GPU in a thread, in which a call hangs until the end."""
    before = nvml.calls(_POWER)
    hardware.hang(number, _POWER)
    thread = threading.Thread(target=gpu.read, daemon=True)
    thread.start()
    _wait_until(lambda: nvml.calls(_POWER) > before)
    try:
        yield
    finally:
        hardware.delay(number, 0, _POWER)
        thread.join(_GENEROUS_S)
        assert not thread.is_alive()


# --- all is well ----------------------------------------------------------------------


def test_nvml_is_initialised_once_and_held(driver: NvmlDriver) -> None:
    """Without persistence mode each initialisation wakes every GPU."""
    driver.read()
    before = nvml.calls(_INIT), nvml.calls("nvmlShutdown")

    for _ in range(50):
        driver.read()
        for gpu in driver.members():
            gpu.read()

    assert (nvml.calls(_INIT), nvml.calls("nvmlShutdown")) == before


def test_a_driver_that_is_never_read_loads_nothing() -> None:
    """A node that switched the source off does not pay megabytes for it."""
    script = (
        "import sys; from pathlib import Path\n"
        "from exporter.power.nvml import NvmlDriver\n"
        "NvmlDriver(Path('/nowhere/nvml-release')).close()\n"
        "sys.exit('pynvml' in sys.modules)\n"
    )

    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=_REPOSITORY, timeout=60
    )


def test_the_driver_calls_itself_nvml(driver: NvmlDriver) -> None:
    """Alerts and the log name it by this."""
    assert driver.info.name == "nvml"
    assert driver.info.component == "gpu"


# --- a GPU is lost --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (nvml.GPU_IS_LOST, r"15 \(GpuIsLost\): it fell off the bus"),
        (nvml.RESET_REQUIRED, r"16 \(ResetRequired\): it has to be reset"),
        (nvml.UNKNOWN, r"999 \(Unknown\)"),
    ],
)
def test_a_gpu_that_fails_leaves_its_siblings_alone(
    hardware: FakeNvml, driver: NvmlDriver, code: int, said: str
) -> None:
    """Missing is not zero, and one GPU's loss is not the node's."""
    driver.read()
    members = driver.members()
    hardware.fault(1, code)

    with pytest.raises(SourceFaultyError, match=said):
        members[1].read()
    driver.read()

    assert driver.members() is members
    assert members[0].read()
    assert members[2].read()
    with pytest.raises(SourceFaultyError):
        members[1].read()


def test_a_gpu_that_comes_back_is_the_same_source(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """Its counters go on under the same name, by a new handle."""
    driver.read()
    members = driver.members()
    hardware.unplug(1)
    with pytest.raises(SourceFaultyError):
        members[1].read()
    clock.pass_s(5)
    driver.read()
    with pytest.raises(SourceFaultyError, match="NVML finds it no more"):
        members[1].read()

    hardware.plug(1)
    clock.pass_s(10)
    driver.read()

    assert driver.members() is members
    (reading,) = members[1].read()
    assert reading.device.id.name == hardware.gpus[1].uuid
    assert reading.count is not None
    assert reading.count < 1e9
    assert reading.may_have_restarted
    assert not members[1].read()[0].may_have_restarted
    assert not members[0].read()[0].may_have_restarted


def test_the_index_of_a_gpu_follows_nvml(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """Indexes move up when a GPU is gone; schedulers that use them see the same."""
    driver.read()
    members = driver.members()
    hardware.unplug(0)
    with pytest.raises(SourceFaultyError):
        members[0].read()

    clock.pass_s(5)
    driver.read()

    (reading,) = members[2].read()
    assert reading.gpu is not None
    assert reading.gpu.info.index == 1
    assert reading.gpu.info.minor == 5


def test_a_lost_gpu_is_looked_for_ever_more_slowly(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """Every look makes the other workers wait."""
    driver.read()
    lost = driver.members()[1]
    hardware.fault(1, nvml.GPU_IS_LOST)
    looked_after_s = []
    for second in range(150):
        before = nvml.calls(_INIT)
        with pytest.raises(SourceFaultyError):
            lost.read()
        driver.read()
        if nvml.calls(_INIT) > before:
            looked_after_s.append(second)
        clock.pass_s(1.0)

    # The first initialisation of all counts as an attempt as well.
    assert looked_after_s == [5, 15, 35, 75, 135]


def test_a_new_gpu_is_seen_when_nvml_is_opened_again(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """NVML fixes its list at initialisation; until then it cannot be known."""
    hardware.unplug(2)
    driver.read()
    before = driver.members()
    hardware.plug(2)
    driver.read()
    assert driver.members() is before

    hardware.load_driver()
    with pytest.raises(SourceFaultyError):
        before[0].read()
    clock.pass_s(10)
    driver.read()

    assert [gpu.uuid for gpu in driver.members()] == [g.uuid for g in hardware.gpus]
    assert driver.members()[:2] == before


def test_a_gpu_that_cannot_be_opened_at_the_start_is_reported_by_the_driver(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """It has no name yet, so no source of its own can say so."""
    hardware.fault(1, nvml.GPU_IS_LOST, "nvmlDeviceGetHandleByIndex_v2")
    with pytest.raises(SourceFaultyError, match=r"GPU at index 1: NVML error 15"):
        driver.read()
    found = [gpu.uuid for gpu in driver.members()]

    hardware.fault(1, nvml.SUCCESS, "nvmlDeviceGetHandleByIndex_v2")
    clock.pass_s(10)
    driver.read()

    assert found == [hardware.gpus[0].uuid, hardware.gpus[2].uuid]
    assert {gpu.uuid for gpu in driver.members()} == {g.uuid for g in hardware.gpus}


def test_a_gpu_that_was_lost_before_a_restart_is_lost_after_it(
    hardware: FakeNvml, driver: NvmlDriver
) -> None:
    """A new process cannot know it, and an alert must not end by a restart."""
    hardware.unplug(1)
    driver.expect(tuple(gpu.uuid for gpu in hardware.gpus))

    driver.read()
    first, lost, last = driver.members()

    assert lost.uuid == hardware.gpus[1].uuid
    with pytest.raises(SourceFaultyError, match="NVML finds it no more"):
        lost.read()
    # Those that are there have not been away.
    assert not first.read()[0].may_have_restarted
    assert not last.read()[0].may_have_restarted


def test_a_lost_gpu_that_was_expected_comes_back_by_itself(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """It is looked for as if it had been lost in this process."""
    hardware.unplug(1)
    driver.expect((hardware.gpus[1].uuid,))
    driver.read()

    hardware.plug(1)
    clock.pass_s(5)
    driver.read()

    (lost,) = [one for one in driver.members() if one.uuid == hardware.gpus[1].uuid]
    assert lost.read()[0].may_have_restarted


# --- a call hangs ---------------------------------------------------------------------


def test_a_call_that_hangs_delays_no_sibling(
    hardware: FakeNvml, driver: NvmlDriver
) -> None:
    """A hang in the kernel lasts until the next boot."""
    driver.read()
    stuck, *others = driver.members()

    with _hanging(hardware, 0, stuck):
        for gpu in others:
            (reading,) = gpu.read()
            assert reading.count is not None
        driver.read()

    assert stuck.read()


def test_nvml_is_not_shut_down_under_a_call_that_hangs(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """Its handle is in use; the loss of another GPU has to wait."""
    driver.read()
    stuck, lost, well = driver.members()
    hardware.fault(1, nvml.GPU_IS_LOST)
    with pytest.raises(SourceFaultyError):
        lost.read()
    clock.pass_s(10)

    with _hanging(hardware, 0, stuck):
        before = nvml.calls("nvmlShutdown")
        with pytest.raises(SourceFaultyError, match="hangs"):
            driver.read()
        assert nvml.calls("nvmlShutdown") == before
        assert well.read()
    hardware.fault(1, nvml.SUCCESS)
    clock.pass_s(60)
    driver.read()

    assert lost.read()
    assert stuck.read()


def test_a_gpu_that_hangs_is_not_read_twice_at_once(
    hardware: FakeNvml, driver: NvmlDriver
) -> None:
    """A second worker would hang as well."""
    driver.read()
    stuck = driver.members()[0]

    with (
        _hanging(hardware, 0, stuck),
        pytest.raises(SourceFaultyError, match="still hangs"),
    ):
        stuck.read()


def test_closing_does_not_wait_for_a_call_that_hangs(
    hardware: FakeNvml, driver: NvmlDriver
) -> None:
    """A daemon that is told to stop stops; the kernel closes the handles."""
    driver.read()
    stuck = driver.members()[0]

    with _hanging(hardware, 0, stuck):
        before = nvml.calls("nvmlShutdown")
        driver.close()

        assert nvml.calls("nvmlShutdown") == before


def test_closing_does_not_wait_for_an_initialisation_that_hangs(
    hardware: FakeNvml, driver: NvmlDriver
) -> None:
    """Opening a broken GPU may take for ever."""
    before = nvml.calls(_INIT)
    hardware.hang(ALL_GPUS, _INIT)
    thread = threading.Thread(target=driver.read, daemon=True)
    thread.start()
    _wait_until(lambda: nvml.calls(_INIT) > before)

    driver.close()

    assert thread.is_alive()
    hardware.delay(ALL_GPUS, 0, _INIT)
    thread.join(_GENEROUS_S)
    assert driver.members()
