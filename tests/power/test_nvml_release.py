import ctypes
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.core.errors import SourceAbsentError, SourceFaultyError
from exporter.core.units import Seconds
from exporter.power.nvml import NvmlDriver
from exporter.power.nvml.release import ReleaseFiles
from tests.fakes import nvml
from tests.fakes.clock import Clock
from tests.fakes.nvml import FakeNvml

_GENEROUS_S = 30.0
_POWER = "nvmlDeviceGetPowerUsage"


@pytest.fixture
def hardware(tmp_path: Path) -> Iterator[FakeNvml]:
    """Return a machine with two GPUs."""
    with nvml.in_process(tmp_path, gpus=2) as fake:
        yield fake


@pytest.fixture
def files(tmp_path: Path) -> ReleaseFiles:
    """Return the conversation in a run directory."""
    return ReleaseFiles(tmp_path / "nvml-release")


@pytest.fixture
def wall() -> Clock:
    """Return the wall clock."""
    return Clock(1_700_000_000.0)


@pytest.fixture
def driver(
    hardware: FakeNvml, files: ReleaseFiles, wall: Clock
) -> Iterator[NvmlDriver]:
    """Return a driver that has found its GPUs."""
    with closing(NvmlDriver(files.request, Clock(), wall)) as found:
        found.read()
        assert len(found.members()) == len(hardware.gpus)
        yield found


def _is_initialised() -> bool:
    """Tell whether this process holds NVML, as an administrator would find out."""
    count = ctypes.c_uint()
    result = nvml.load_in_process().nvmlDeviceGetCount_v2(ctypes.byref(count))
    return bool(result == nvml.SUCCESS)


def test_a_release_shuts_nvml_down_and_says_so(
    driver: NvmlDriver, files: ReleaseFiles
) -> None:
    """Open handles block MIG changes and the unloading of the driver."""
    gpu = driver.members()[0]
    request = files.ask(None, "one")

    with pytest.raises(SourceAbsentError, match="released by an operator"):
        driver.read()

    assert not _is_initialised()
    assert driver.members() == ()
    assert files.acknowledged() == request.text
    with pytest.raises(SourceAbsentError, match="released by an operator"):
        gpu.read()


def test_nvml_is_taken_up_again_when_the_request_is_gone(
    driver: NvmlDriver, files: ReleaseFiles
) -> None:
    """The same GPUs go on under the same names, at once."""
    members = driver.members()
    files.ask(None, "one")
    with pytest.raises(SourceAbsentError):
        driver.read()

    assert files.withdraw()
    driver.read()

    assert driver.members() == members
    assert all(gpu.read() for gpu in members)
    assert files.acknowledged() is None


def test_a_release_ends_by_itself_at_its_time(
    driver: NvmlDriver, files: ReleaseFiles, wall: Clock
) -> None:
    """A forgotten request must not leave a node unmeasured for ever."""
    files.ask(Seconds(wall() + 600), "one")
    with pytest.raises(SourceAbsentError, match="until 2023-11-14 22:23:20 UTC"):
        driver.read()

    wall.pass_s(601)
    driver.read()

    assert len(driver.members()) == 2
    assert files.acknowledged() is None


def test_a_release_lasts_as_long_as_was_asked(files: ReleaseFiles) -> None:
    """An end rounded to whole seconds could be over before it is asked for."""
    files.ask(Seconds(1_700_000_000.4), "one")

    request = files.requested()

    assert request is not None
    assert not request.has_expired(Seconds(1_700_000_000.3))
    assert request.has_expired(Seconds(1_700_000_000.4))


@pytest.mark.parametrize("text", ["", "\n", "soon\n", "nan\n", "inf\n", "\0\xff"])
def test_a_request_without_a_readable_end_has_none(
    driver: NvmlDriver, files: ReleaseFiles, wall: Clock, text: str
) -> None:
    """An empty file from a shell will do; garbage is obeyed rather than ignored."""
    files.request.write_text(text, encoding="utf-8")
    wall.pass_s(1e9)

    with pytest.raises(SourceAbsentError, match="until further notice"):
        driver.read()

    assert not _is_initialised()


def test_a_request_that_cannot_be_read_is_obeyed(
    driver: NvmlDriver, files: ReleaseFiles
) -> None:
    """Whatever lies there, someone wanted the driver; a pipe does not block us."""
    os.mkfifo(files.request)

    with pytest.raises(SourceAbsentError):
        driver.read()
    files.request.unlink()
    files.request.mkdir()
    with pytest.raises(SourceAbsentError):
        driver.read()
    files.request.rmdir()
    driver.read()

    assert len(driver.members()) == 2


def test_another_request_is_acknowledged_anew(
    driver: NvmlDriver, files: ReleaseFiles
) -> None:
    """Who prolongs a release waits for an answer to the new request."""
    files.ask(None, "one")
    with pytest.raises(SourceAbsentError):
        driver.read()

    second = files.ask(None, "two")
    with pytest.raises(SourceAbsentError):
        driver.read()

    assert files.acknowledged() == second.text


@pytest.mark.usefixtures("hardware")
def test_a_daemon_that_starts_released_never_opens_the_driver(
    files: ReleaseFiles,
) -> None:
    """The request outlives a restart in the middle of maintenance."""
    request = files.ask(None, "one")
    before = nvml.calls("nvmlInitWithFlags")

    with closing(NvmlDriver(files.request)) as driver:
        with pytest.raises(SourceAbsentError):
            driver.read()

        assert nvml.calls("nvmlInitWithFlags") == before
        assert files.acknowledged() == request.text


@pytest.mark.usefixtures("hardware")
def test_an_acknowledgement_of_a_killed_daemon_is_taken_back(
    files: ReleaseFiles,
) -> None:
    """It would tell an operator that the driver is free while it is not."""
    files.acknowledge(files.ask(None, "one"))
    files.withdraw()

    with closing(NvmlDriver(files.request)) as driver:
        driver.read()

        assert files.acknowledged() is None


def test_closing_takes_the_acknowledgement_back(
    driver: NvmlDriver, files: ReleaseFiles
) -> None:
    """A daemon that is gone cannot answer for the next one."""
    files.ask(None, "one")
    with pytest.raises(SourceAbsentError):
        driver.read()

    driver.close()

    assert files.acknowledged() is None


def test_a_gpu_taken_out_during_a_release_is_forgotten(
    hardware: FakeNvml, driver: NvmlDriver, files: ReleaseFiles
) -> None:
    """This is how one is taken out; otherwise it would be reported lost for ever."""
    files.ask(None, "one")
    with pytest.raises(SourceAbsentError):
        driver.read()

    hardware.unplug(0)
    files.withdraw()
    driver.read()

    assert [gpu.uuid for gpu in driver.members()] == [hardware.gpus[1].uuid]


def test_a_gpu_that_was_expected_is_forgotten_likewise(
    hardware: FakeNvml, files: ReleaseFiles
) -> None:
    """It was lost before the daemon was restarted, and then taken out."""
    hardware.unplug(0)
    with closing(NvmlDriver(files.request)) as driver:
        driver.expect(tuple(gpu.uuid for gpu in hardware.gpus))
        driver.read()
        before = [gpu.uuid for gpu in driver.members()]
        files.ask(None, "one")
        with pytest.raises(SourceAbsentError):
            driver.read()

        files.withdraw()
        driver.read()
        after = [gpu.uuid for gpu in driver.members()]

    assert before == [gpu.uuid for gpu in hardware.gpus]
    assert after == [hardware.gpus[1].uuid]


def test_a_mig_mode_that_was_changed_is_found(
    hardware: FakeNvml, driver: NvmlDriver, files: ReleaseFiles
) -> None:
    """What a GPU reports is found out anew with each new handle."""
    gpu = driver.members()[0]
    gpu.read()
    files.ask(None, "one")
    with pytest.raises(SourceAbsentError):
        driver.read()

    hardware.set(0, mig_mode=1)
    files.withdraw()
    driver.read()

    (reading,) = gpu.read()
    assert reading.gpu is not None
    assert reading.gpu.utilization is None


def test_a_release_waits_for_a_call_that_hangs(
    hardware: FakeNvml, driver: NvmlDriver, files: ReleaseFiles
) -> None:
    """Its handle still blocks the driver: saying "released" would be a lie."""
    stuck = driver.members()[0]
    before = nvml.calls(_POWER)
    hardware.hang(0, _POWER)
    thread = threading.Thread(target=stuck.read, daemon=True)
    thread.start()
    end_s = time.monotonic() + _GENEROUS_S
    while nvml.calls(_POWER) == before:
        assert time.monotonic() < end_s
        time.sleep(0.002)
    request = files.ask(None, "one")

    with pytest.raises(SourceFaultyError, match="a call into the driver hangs"):
        driver.read()

    assert driver.members() == ()
    assert files.acknowledged() is None
    hardware.delay(0, 0, _POWER)
    thread.join(_GENEROUS_S)
    with pytest.raises(SourceAbsentError):
        driver.read()
    assert files.acknowledged() == request.text


def test_a_request_withdrawn_before_it_was_obeyed_changes_nothing(
    driver: NvmlDriver, files: ReleaseFiles
) -> None:
    """NVML was never let go of, so nothing has to be opened again."""
    members = driver.members()
    assert members[0].take(Seconds(1.0))
    files.ask(None, "one")
    with pytest.raises(SourceFaultyError):
        driver.read()
    members[0].give_back()
    before = nvml.calls("nvmlInitWithFlags")

    files.withdraw()
    driver.read()

    assert driver.members() == members
    assert nvml.calls("nvmlInitWithFlags") == before


def test_a_release_that_cannot_be_acknowledged_is_obeyed_all_the_same(
    driver: NvmlDriver, files: ReleaseFiles
) -> None:
    """The operator reads it in the log; the driver is free."""
    files.ask(None, "one")
    files.acknowledgement.mkdir()

    with pytest.raises(SourceAbsentError, match="cannot be written"):
        driver.read()

    assert not _is_initialised()
