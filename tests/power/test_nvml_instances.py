"""A GPU that is divided while the daemon runs, and what its instances do."""

import logging
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from exporter.core.errors import SourceAbsentError
from exporter.core.gpu_activity import GpuActivity
from exporter.core.units import Ratio
from exporter.power.nvml import NvmlDriver, NvmlGpu, NvmlInventory
from tests.fakes import nvml
from tests.fakes.clock import Clock
from tests.fakes.nvml import FakeNvml

_GPM = "nvmlGpmMigSampleGet"
_ATTRIBUTES = "nvmlDeviceGetAttributes_v2"
_INVALID_ARGUMENT, _TIMEOUT = 2, 10


@pytest.fixture
def clock() -> Clock:
    """Return the clock by which is asked again."""
    return Clock(1000.0)


@pytest.fixture
def hardware(tmp_path: Path) -> Iterator[FakeNvml]:
    """Return a machine with a GPU in MIG mode that has two instances."""
    with nvml.in_process(tmp_path) as fake:
        fake.set(0, mig_mode=1)
        _make(fake, 0, "MIG-a", 1, slices=3, sm_util=50)
        _make(fake, 1, "MIG-b", 2, slices=2, sm_util=10)
        yield fake


@pytest.fixture
def driver(hardware: FakeNvml, clock: Clock) -> Iterator[NvmlDriver]:
    """Return a driver that has found it, and may read performance counters."""
    release_file = hardware.path.with_name("nvml-release")
    with closing(NvmlDriver(release_file, clock, gpm=True)) as found:
        found.read()
        yield found
    assert nvml.gpm_samples() == 0


@pytest.fixture
def gpu(driver: NvmlDriver) -> NvmlGpu:
    """Return the GPU."""
    return driver.members()[0]


def _make(
    hardware: FakeNvml,
    position: int,
    uuid: str,
    number: int,
    *,
    slices: int,
    sm_util: int = 0,
) -> None:
    hardware.add_mig(
        0,
        position,
        uuid=uuid,
        gpu_instance=number,
        gpu_slices=slices,
        compute_slices=slices,
        sm_util=sm_util,
    )


def _tick(gpu: NvmlGpu) -> GpuActivity | None:
    gpu.read()
    return gpu.activity()


def _ticks(gpu: NvmlGpu) -> GpuActivity | None:
    """Read until there are two samples of each instance."""
    for _ in range(2):
        _tick(gpu)
    return _tick(gpu)


def _busy(**instances: float) -> GpuActivity:
    """Return how busy instances are, by the ends of their names."""
    return GpuActivity(
        instances={f"MIG-{name}": Ratio(part) for name, part in instances.items()}
    )


def _uuids(gpu: NvmlGpu) -> list[str]:
    return [instance.uuid for instance in gpu.instances]


# --- the hierarchy ------------------------------------------------------------------


def test_instances_that_come_and_go_are_noticed_within_ten_seconds(
    hardware: FakeNvml, gpu: NvmlGpu, clock: Clock
) -> None:
    """They can be made anew while others compute; their jobs begin at once."""
    gpu.read()
    before = _uuids(gpu)
    hardware.remove_mig(0, 0)
    _make(hardware, 3, "MIG-c", 5, slices=1)

    clock.pass_s(10)
    gpu.read()

    assert before == ["MIG-a", "MIG-b"]
    assert _uuids(gpu) == ["MIG-b", "MIG-c"]
    assert [i.share for i in gpu.instances] == pytest.approx([2 / 7, 1 / 7])


def test_a_mode_that_is_switched_is_noticed_at_once(
    hardware: FakeNvml, driver: NvmlDriver, gpu: NvmlGpu, clock: Clock
) -> None:
    """It takes a GPU that nobody has open: NVML is released for it."""
    gpu.read()
    release = hardware.path.with_name("nvml-release")
    release.touch()
    with suppress(SourceAbsentError):
        driver.read()
    hardware.set(0, mig_mode=0)
    release.unlink()

    driver.read()
    gpu.read()

    assert gpu.instances == ()
    assert NvmlInventory(driver).instances() == ()
    assert clock() == 1000.0


def test_a_mode_that_is_switched_without_a_release_is_noticed(
    hardware: FakeNvml, gpu: NvmlGpu, clock: Clock
) -> None:
    """Since Hopper that takes no reset. In MIG mode there is no utilisation."""

    def utilization() -> float | None:
        clock.pass_s(10)
        gpu.read()
        (reading,) = gpu.read()
        return None if reading.gpu is None else reading.gpu.utilization

    divided = utilization()
    hardware.set(0, mig_mode=0)
    whole, instances = utilization(), gpu.instances
    hardware.set(0, mig_mode=1)
    again = utilization()

    assert (divided, whole, again) == (None, 0.5, None)
    assert instances == ()
    assert _uuids(gpu) == ["MIG-a", "MIG-b"]


def test_processes_are_watched_again_when_the_mode_is_off(
    hardware: FakeNvml, gpu: NvmlGpu, clock: Clock
) -> None:
    """In MIG mode the driver tells nothing of them."""
    for position in (0, 1):
        hardware.remove_mig(0, position)
    divided = _ticks(gpu)
    hardware.set(0, mig_mode=0)
    clock.pass_s(10)

    whole = [_tick(gpu) for _ in range(4)]

    assert divided is None
    assert whole[-1] == GpuActivity()


@pytest.mark.parametrize("symbol", ["nvmlDeviceGetMigMode", _ATTRIBUTES])
def test_an_answer_that_fails_destroys_no_instance(
    hardware: FakeNvml, gpu: NvmlGpu, clock: Clock, symbol: str
) -> None:
    """Who holds one holds it; without it his energy would be nobody's."""
    gpu.read()
    known = gpu.instances
    hardware.fault(0, _TIMEOUT, symbol)

    clock.pass_s(10)
    gpu.read()

    assert gpu.instances is known


def test_an_instance_that_is_being_taken_away_is_listed_no_more(
    hardware: FakeNvml, gpu: NvmlGpu, clock: Clock
) -> None:
    """Its handle is found, and means nothing a moment later."""
    gpu.read()
    before = _uuids(gpu)
    hardware.fault(0, _INVALID_ARGUMENT, _ATTRIBUTES)

    clock.pass_s(10)
    gpu.read()

    assert before == ["MIG-a", "MIG-b"]
    assert gpu.instances == ()


def test_no_instance_is_nothing_of_its_gpu(hardware: FakeNvml, gpu: NvmlGpu) -> None:
    """Whatever its attributes say: whoever holds it holds at least a slice."""
    hardware.remove_mig(0, 0)
    _make(hardware, 0, "MIG-a", 1, slices=0)

    gpu.read()

    assert [i.share for i in gpu.instances] == pytest.approx([1 / 7, 2 / 7])


# --- activity -----------------------------------------------------------------------


def test_instances_tell_how_busy_they_are(hardware: FakeNvml, gpu: NvmlGpu) -> None:
    """Between two samples; the first one tells nothing."""
    first = [_tick(gpu) for _ in range(2)]
    activity = _tick(gpu)
    hardware.remove_mig(0, 1)
    _make(hardware, 1, "MIG-b", 2, slices=2, sm_util=90)

    assert first == [None, None]
    assert activity == _busy(a=0.5, b=0.1)
    assert _tick(gpu) == _busy(a=0.5, b=0.9)


def test_compute_instances_of_one_gpu_instance_are_as_busy_as_that(
    hardware: FakeNvml, gpu: NvmlGpu
) -> None:
    """Nothing tells them apart."""
    _make(hardware, 2, "MIG-a2", 1, slices=3, sm_util=50)

    activity = _ticks(gpu)

    assert activity is not None
    assert activity.instances == {"MIG-a": 0.5, "MIG-b": 0.1, "MIG-a2": 0.5}
    assert nvml.gpm_samples() == 3


def test_an_instance_that_is_destroyed_costs_the_others_nothing(
    hardware: FakeNvml, gpu: NvmlGpu, clock: Clock
) -> None:
    """It is still listed for some seconds."""
    _ticks(gpu)
    hardware.remove_mig(0, 0)

    at_once = _tick(gpu)
    clock.pass_s(10)
    later = _tick(gpu)

    assert at_once == later == _busy(b=0.1)
    assert nvml.gpm_samples() <= 3


@pytest.mark.parametrize("is_released", [False, True])
def test_samples_are_given_back(
    hardware: FakeNvml, driver: NvmlDriver, gpu: NvmlGpu, *, is_released: bool
) -> None:
    """They are the library's memory: a daemon runs for months."""
    _ticks(gpu)
    held = nvml.gpm_samples()
    if not is_released:
        # Nobody asks any longer.
        for _ in range(4):
            gpu.read()
    else:
        release = hardware.path.with_name("nvml-release")
        release.touch()
        with suppress(SourceAbsentError):
            driver.read()

    assert held == 3
    assert nvml.gpm_samples() == 0


def test_counters_are_not_touched_unless_somebody_allows_it(
    hardware: FakeNvml,
) -> None:
    """What reading them costs in power has not been measured."""
    before = nvml.calls(_GPM)
    with closing(NvmlDriver(hardware.path.with_name("nvml-release"))) as driver:
        driver.read()
        (gpu,) = driver.members()

        activity = _ticks(gpu)

    assert activity is None
    assert nvml.calls(_GPM) == before


@pytest.mark.parametrize("reason", ["old", "denied"])
def test_a_gpu_without_counters_is_told_of_once(
    hardware: FakeNvml, gpu: NvmlGpu, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    """Its jobs are charged by their slices."""
    caplog.set_level(logging.INFO)
    if reason == "old":
        hardware.set(0, gpm_capable=0)
    else:
        hardware.fault(0, nvml.NO_PERMISSION, _GPM)

    told = [_tick(gpu) for _ in range(5)]

    assert told == [None] * 5
    assert nvml.gpm_samples() == 0
    said = [r for r in caplog.records if "slices they hold" in r.getMessage()]
    assert len(said) == 1


def test_an_instance_of_which_nothing_is_told_is_left_out(
    hardware: FakeNvml, gpu: NvmlGpu
) -> None:
    """A figure above 100 % is none."""
    hardware.remove_mig(0, 0)
    _make(hardware, 0, "MIG-a", 1, slices=3, sm_util=250)

    assert _ticks(gpu) == _busy(b=0.1)
