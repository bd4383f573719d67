import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from exporter.core.model import GpuStatus, Reading
from exporter.power.nvml import NvmlDriver, NvmlGpu
from tests.fakes import nvml
from tests.fakes.clock import Clock
from tests.fakes.nvml import FakeNvml

_ENERGY = "nvmlDeviceGetTotalEnergyConsumption"


@pytest.fixture
def hardware(tmp_path: Path) -> Iterator[FakeNvml]:
    """Return a machine with two GPUs."""
    with nvml.in_process(tmp_path, gpus=2) as fake:
        yield fake


@contextmanager
def _opened(
    hardware: FakeNvml, clock: Clock | None = None
) -> Iterator[tuple[NvmlGpu, ...]]:
    release_file = hardware.path.with_name("nvml-release")
    with closing(NvmlDriver(release_file, clock or time.monotonic)) as driver:
        driver.read()
        yield driver.members()


def _reading(gpu: NvmlGpu) -> Reading:
    (reading,) = gpu.read()
    return reading


def _status(gpu: NvmlGpu) -> GpuStatus:
    status = _reading(gpu).gpu
    assert status is not None
    return status


def test_a_gauge_that_fails_is_absent_and_energy_goes_on(hardware: FakeNvml) -> None:
    """A missing temperature must neither read 0 °C nor stop the meter."""
    gauges = (
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetTemperature",
        "nvmlDeviceGetTemperatureV",
        "nvmlDeviceGetEnforcedPowerLimit",
    )
    for number, code in ((0, nvml.NOT_SUPPORTED), (1, nvml.UNKNOWN)):
        hardware.fault(number, code, *gauges)

    with _opened(hardware) as gpus:
        readings = [_reading(gpu) for gpu in gpus]

    for reading in readings:
        assert reading.count is not None
        assert reading.gpu is not None
        assert reading.gpu == GpuStatus(info=reading.gpu.info)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"utilization": 255},
        {"memory_used": 1 << 60},
        {"memory_total": 0, "memory_used": 0},
        {"temperature": 4000},
        {"limit_mw": 0},
    ],
)
def test_a_gauge_that_talks_nonsense_is_absent(
    hardware: FakeNvml, nonsense: dict[str, int]
) -> None:
    """Cut down to the limit it would pass for a measurement."""
    hardware.set(0, **nonsense)

    with _opened(hardware) as (gpu, other):
        status, whole = _status(gpu), _status(other)

    values = (
        status.utilization,
        status.memory_used_bytes,
        status.temperature_c,
        status.power_limit_w,
    )
    assert values.count(None) == 1
    assert whole.utilization == 0.5


def test_temperature_is_asked_for_the_old_way_where_the_new_is_unknown(
    hardware: FakeNvml,
) -> None:
    """The old call goes away with CUDA 14, and the new one is younger than Hopper."""
    hardware.fault(0, nvml.NOT_SUPPORTED, "nvmlDeviceGetTemperatureV")
    hardware.set(0, temperature=55)

    with _opened(hardware) as (gpu, _):
        status = _status(gpu)

    assert status.temperature_c == 55.0


def test_a_gpu_in_mig_mode_has_energy_but_no_utilization(hardware: FakeNvml) -> None:
    """Power exists for the whole GPU only, load for its instances only."""
    hardware.set(0, mig_mode=1)

    with _opened(hardware) as (gpu, _):
        reading = _reading(gpu)

    assert reading.count is not None
    assert reading.gpu is not None
    assert reading.gpu.utilization is None
    assert reading.gpu.memory_total_bytes == 80 << 30


def test_what_changes_slowly_is_asked_rarely(hardware: FakeNvml) -> None:
    """Each call costs the driver a millisecond; most would tell nothing new."""
    asked = (
        _ENERGY,
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetTemperatureV",
        "nvmlDeviceGetEnforcedPowerLimit",
    )
    clock = Clock()
    with _opened(hardware, clock) as (gpu, _):
        gpu.read()
        before = [nvml.calls(name) for name in asked]
        for _ in range(120):
            clock.pass_s(1.0)
            gpu.read()
        after = [nvml.calls(name) for name in asked]

    counts = [late - early for late, early in zip(after, before, strict=True)]
    assert counts == [120, 120, 24, 24, 2]


def test_what_is_not_supported_is_not_asked_again(hardware: FakeNvml) -> None:
    """It would cost a call each tick for an answer that is known."""
    hardware.fault(0, nvml.NOT_SUPPORTED, "nvmlDeviceGetUtilizationRates")
    with _opened(hardware) as (gpu, _):
        gpu.read()
        before = nvml.calls("nvmlDeviceGetUtilizationRates")
        gpu.read()
        after = nvml.calls("nvmlDeviceGetUtilizationRates")

    assert after == before


def test_a_name_or_address_that_is_not_told_is_left_out(hardware: FakeNvml) -> None:
    """It identifies the GPU to a person; the UUID does so to everything else."""
    hardware.fault(
        0,
        nvml.NOT_SUPPORTED,
        "nvmlDeviceGetName",
        "nvmlDeviceGetMinorNumber",
        "nvmlDeviceGetPciInfo_v3",
    )

    with _opened(hardware) as (gpu, _):
        info = _status(gpu).info

    assert (info.model, info.minor, info.pci) == ("", None, "")
