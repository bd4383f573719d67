from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.core.errors import SourceAbsentError, SourceFaultyError
from exporter.core.model import GpuInfo, GpuInstance
from exporter.core.units import Ratio
from exporter.power.nvml import NvmlDriver, NvmlInventory
from tests.fakes import nvml
from tests.fakes.clock import Clock
from tests.fakes.nvml import FakeNvml

_PROCESSES = "nvmlDeviceGetComputeRunningProcesses_v3"


@pytest.fixture
def hardware(tmp_path: Path) -> Iterator[FakeNvml]:
    """Return a machine with two GPUs."""
    with nvml.in_process(tmp_path, gpus=2) as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    """Return the clock by which is asked again."""
    return Clock(1000.0)


@pytest.fixture
def driver(hardware: FakeNvml, clock: Clock) -> Iterator[NvmlDriver]:
    """Return a driver that has not been read yet."""
    release_file = hardware.path.with_name("nvml-release")
    with closing(NvmlDriver(release_file, clock)) as new:
        yield new


def _read(driver: NvmlDriver) -> None:
    """Read the driver and all its GPUs once."""
    driver.read()
    for gpu in driver.members():
        gpu.read()


def test_gpus_are_known_at_once_and_described_when_they_were_read(
    hardware: FakeNvml, driver: NvmlDriver
) -> None:
    """What identifies one is asked by its own worker, as that may hang."""
    inventory = NvmlInventory(driver)
    before = inventory.gpus()
    driver.read()
    found = inventory.gpus()

    _read(driver)

    assert before == ()
    uuid = hardware.gpus[1].uuid
    assert found[1] == GpuInfo(uuid, 1, None, "", "570.86.15", "")
    assert inventory.gpus()[1] == GpuInfo(
        uuid=uuid,
        index=1,
        minor=6,
        model="NVIDIA H100 80GB HBM3",
        driver="570.86.15",
        pci="0000:02:00.0",
    )


def test_as_long_as_nothing_changes_the_answers_are_the_same_objects(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """So whoever asks each tick sees at a glance that there is no news."""
    hardware.add_process(0, pid=42, memory=7)
    inventory = NvmlInventory(driver)
    _read(driver)
    first = (inventory.gpus(), inventory.instances(), inventory.processes())

    clock.pass_s(100)
    _read(driver)

    again = (inventory.gpus(), inventory.instances(), inventory.processes())
    assert all(a is b for a, b in zip(first, again, strict=True))


def test_a_gpu_that_is_lost_is_still_there(
    hardware: FakeNvml, driver: NvmlDriver
) -> None:
    """Who holds it holds it; its processes are not known any more."""
    hardware.add_process(1, pid=42, memory=7)
    inventory = NvmlInventory(driver)
    _read(driver)
    hardware.fault(1, nvml.GPU_IS_LOST)

    with pytest.raises(SourceFaultyError):
        driver.members()[1].read()

    assert len(inventory.gpus()) == 2


def test_gpus_that_were_released_are_still_held(
    hardware: FakeNvml, driver: NvmlDriver
) -> None:
    """An operator lets go of NVML while jobs run on."""
    inventory = NvmlInventory(driver)
    _read(driver)
    known = inventory.gpus()
    hardware.path.with_name("nvml-release").touch()

    with pytest.raises(SourceAbsentError):
        driver.read()

    assert inventory.gpus() is known
    assert inventory.processes() == {}


def test_processes_are_told_by_gpu_and_asked_for_rarely(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """They are a cross-check; a tick has no time for them."""
    hardware.add_process(0, pid=43, memory=7)
    hardware.add_process(0, pid=42, memory=7)
    inventory = NvmlInventory(driver)
    _read(driver)
    asked = nvml.calls(_PROCESSES)
    first = inventory.processes()
    hardware.add_process(1, pid=44, memory=7)

    for _ in range(9):
        clock.pass_s(1)
        _read(driver)
    asked_meanwhile = nvml.calls(_PROCESSES)
    clock.pass_s(1)
    _read(driver)

    uuid = [gpu.uuid for gpu in hardware.gpus]
    assert first == {uuid[0]: (42, 43)}
    assert asked_meanwhile == asked
    assert inventory.processes() == {uuid[0]: (42, 43), uuid[1]: (44,)}


def test_instances_are_told_with_their_parts_of_the_gpu(
    hardware: FakeNvml, driver: NvmlDriver, clock: Clock
) -> None:
    """All parts together are never more than the GPU."""
    hardware.set(0, mig_mode=1)
    hardware.add_mig(0, 0, uuid="MIG-a", gpu_instance=1, gpu_slices=3, compute_slices=3)
    inventory = NvmlInventory(driver)
    _read(driver)
    first = inventory.instances()
    # Two compute instances in one GPU instance divide its slices.
    for position, name in ((2, "b"), (3, "c")):
        hardware.add_mig(
            0,
            position,
            uuid=f"MIG-{name}",
            gpu_instance=5,
            compute_instance=position - 2,
            gpu_slices=4,
            compute_slices=2,
        )

    clock.pass_s(60)
    _read(driver)

    uuid = hardware.gpus[0].uuid
    assert first == (GpuInstance("MIG-a", uuid, 1, Ratio(3 / 7)),)
    assert inventory.instances() == (
        *first,
        GpuInstance("MIG-b", uuid, 5, Ratio(2 / 7)),
        GpuInstance("MIG-c", uuid, 5, Ratio(2 / 7)),
    )


@pytest.mark.parametrize(
    "symbol",
    [
        _PROCESSES,
        "nvmlDeviceGetMigMode",
        "nvmlDeviceGetMaxMigDeviceCount",
        "nvmlDeviceGetAttributes_v2",
    ],
)
@pytest.mark.parametrize("code", [nvml.NOT_SUPPORTED, nvml.UNKNOWN, nvml.NO_PERMISSION])
def test_a_gpu_that_does_not_tell_is_read_all_the_same(
    hardware: FakeNvml, driver: NvmlDriver, symbol: str, code: int
) -> None:
    """Energy does not depend on who uses it."""
    hardware.set(0, mig_mode=1)
    hardware.add_mig(0, 0, uuid="MIG-a", gpu_instance=1, gpu_slices=1)
    hardware.fault(0, code, symbol)
    inventory = NvmlInventory(driver)

    _read(driver)

    assert len(inventory.gpus()) == 2
    assert not driver.members()[0].needs_driver
    told = (inventory.instances(), inventory.processes())
    assert told == ((), {}) or symbol == _PROCESSES
