import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from exporter.core.errors import SourceDeniedError, SourceFaultyError
from exporter.core.model import GpuStatus, Reading
from exporter.power.nvml import NvmlDriver, NvmlGpu
from tests.fakes import nvml
from tests.fakes.clock import Clock
from tests.fakes.nvml import FakeNvml

_ENERGY = "nvmlDeviceGetTotalEnergyConsumption"
_POWER = "nvmlDeviceGetPowerUsage"


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


# --- energy and power -----------------------------------------------------------------


def test_a_reading_tells_all_that_nvml_knows(hardware: FakeNvml) -> None:
    """Every unit that is not NVML's own has been converted once."""
    hardware.set(0, utilization=37, memory_used=3 << 30, temperature=61)
    hardware.set_power(0, 412.5)

    with _opened(hardware) as (gpu, _):
        reading = _reading(gpu)

    assert reading.power_w == 412.5
    assert reading.device.joules_per_count == 1e-3
    assert reading.device.counter_range is None
    assert reading.device.scope == "device"
    assert reading.device.max_power_w == 1050.0
    status = reading.gpu
    assert status is not None
    assert status.utilization == 0.37
    assert status.memory_used_bytes == 3 << 30
    assert status.memory_total_bytes == 80 << 30
    assert status.temperature_c == 61.0
    assert status.power_limit_w == 700.0
    assert status.info.index == 0
    assert status.info.minor == 7
    assert status.info.model == "NVIDIA H100 80GB HBM3"
    assert status.info.driver == "570.86.15"
    assert status.info.pci == "0000:01:00.0"


def test_energy_is_what_was_drawn_exactly(hardware: FakeNvml) -> None:
    """The counter is read as it is, whatever the power did between readings."""
    with _opened(hardware) as (gpu, _):
        for power_w in (650.0, 80.0, 333.0):
            hardware.set_power(0, power_w)
            before_s = time.monotonic()
            reading = _reading(gpu)

            assert reading.count is not None
            energy_j = reading.count * 1e-3 - 1e6
            # The counter was read between these two moments.
            least_j = hardware.true_energy_j(0, until_s=before_s)
            most_j = hardware.true_energy_j(0, until_s=reading.time_s)
            assert least_j - 1e-3 <= energy_j <= most_j + 1e-3


def test_a_frozen_counter_is_told_as_it_is(hardware: FakeNvml) -> None:
    """Whoever computes sees power without energy, and takes over."""
    hardware.freeze_counter(0)
    hardware.settle(0)
    with _opened(hardware) as (gpu, _):
        first, second = _reading(gpu), _reading(gpu)

    assert first.count == second.count
    assert second.power_w == 100.0


def test_a_gpu_without_counter_has_its_power_integrated(hardware: FakeNvml) -> None:
    """Before Volta, and on many virtual GPUs, there is none; that is not 0 J."""
    hardware.fault(0, nvml.NOT_SUPPORTED, _ENERGY)

    with _opened(hardware) as (without, with_counter):
        reading = _reading(without)
        methods = (without.info.method, with_counter.info.method)

    assert reading.count is None
    assert reading.power_w == 100.0
    assert reading.device.joules_per_count is None
    assert methods == ("integrated", "counter")


def test_a_gpu_without_power_gauge_has_its_counter(hardware: FakeNvml) -> None:
    """One of the two is enough."""
    hardware.fault(0, nvml.NOT_SUPPORTED, _POWER)

    with _opened(hardware) as (gpu, _):
        reading = _reading(gpu)

    assert reading.count is not None
    assert reading.power_w is None


def test_a_gpu_with_neither_is_faulty(hardware: FakeNvml) -> None:
    """Its energy is unknown, which a series of zeros would hide."""
    hardware.fault(0, nvml.NOT_SUPPORTED, _ENERGY, _POWER)

    with (
        _opened(hardware) as (gpu, _),
        pytest.raises(SourceFaultyError, match="neither energy nor power"),
    ):
        gpu.read()


def test_a_gpu_that_denies_both_asks_for_the_operator(hardware: FakeNvml) -> None:
    """Trying again does not help, rights do."""
    hardware.fault(0, nvml.NO_PERMISSION, _ENERGY, _POWER)

    with (
        _opened(hardware) as (gpu, _),
        pytest.raises(SourceDeniedError, match="run jouled as root"),
    ):
        gpu.read()


def test_a_counter_that_fails_once_leaves_the_power(hardware: FakeNvml) -> None:
    """The counter is cumulative: the next reading makes up for it."""
    with _opened(hardware) as (gpu, _):
        before = _reading(gpu)
        hardware.fault(0, nvml.TIMEOUT, _ENERGY)
        during = _reading(gpu)
        hardware.fault(0, nvml.SUCCESS, _ENERGY)
        after = _reading(gpu)

    assert (during.count, during.power_w) == (None, 100.0)
    assert during.device == before.device
    assert before.count is not None
    assert after.count is not None
    assert after.count >= before.count


def test_a_gpu_whose_every_call_times_out_is_faulty(hardware: FakeNvml) -> None:
    """There is no reading to give, and the message says why."""
    with _opened(hardware) as (gpu, _):
        gpu.read()
        hardware.fault(0, nvml.TIMEOUT, _ENERGY, _POWER)

        with pytest.raises(SourceFaultyError, match=r"NVML error 10 \(Timeout\)"):
            gpu.read()


def test_a_gpu_that_is_lost_while_it_is_examined_is_lost(hardware: FakeNvml) -> None:
    """What was found out half must not be kept."""
    hardware.fault(0, nvml.GPU_IS_LOST, "nvmlDeviceGetFieldValues")
    with _opened(hardware) as (gpu, _):
        with pytest.raises(SourceFaultyError, match="GpuIsLost"):
            gpu.read()
        assert gpu.needs_driver


def test_a_gpu_that_is_slow_at_first_keeps_its_counter(hardware: FakeNvml) -> None:
    """A single time-out does not say that there is no counter."""
    hardware.fault(0, nvml.TIMEOUT, _ENERGY)
    with _opened(hardware) as (gpu, _):
        with pytest.raises(SourceFaultyError, match="Timeout"):
            gpu.read()
        hardware.fault(0, nvml.SUCCESS, _ENERGY)
        reading = _reading(gpu)

    assert reading.count is not None


def test_an_absurd_power_is_refused(hardware: FakeNvml) -> None:
    """No GPU draws 4 MW, but drivers have said so."""
    hardware.set(0, power_mw=0xFFFFFFF0)

    with (
        _opened(hardware) as (gpu, _),
        pytest.raises(SourceFaultyError, match="4294967280 mW"),
    ):
        gpu.read()


@pytest.mark.parametrize(("max_limit_mw", "expected_w"), [(300_000, 450), (0, 1500)])
def test_what_is_believed_follows_the_highest_limit(
    hardware: FakeNvml, max_limit_mw: int, expected_w: float
) -> None:
    """A jump of the counter is judged by it; a limit of 0 is no limit."""
    hardware.set(0, max_limit_mw=max_limit_mw)

    with _opened(hardware) as (gpu, _):
        reading = _reading(gpu)

    assert reading.device.max_power_w == expected_w


def test_a_gpu_without_limits_has_a_generous_one(hardware: FakeNvml) -> None:
    """Consumer cards do not tell; their energy is believed all the same."""
    limits = "nvmlDeviceGetPowerManagementLimitConstraints"
    hardware.fault(0, nvml.NOT_SUPPORTED, limits, "nvmlDeviceGetEnforcedPowerLimit")

    with _opened(hardware) as (gpu, _):
        reading = _reading(gpu)

    assert reading.device.max_power_w == 1500.0
    assert reading.gpu is not None
    assert reading.gpu.power_limit_w is None


# --- superchips -----------------------------------------------------------------------


def test_of_a_superchip_only_the_gpu_is_read(hardware: FakeNvml) -> None:
    """Its counter holds the CPU's energy too, which another source reads."""
    hardware.set(0, gpu_scope_mw=300_000, module_scope_mw=650_000)

    with _opened(hardware) as (gpu, _):
        reading = _reading(gpu)
        info = gpu.info

    assert (reading.count, reading.power_w) == (None, 300.0)
    assert (info.method, info.scope) == ("integrated", "device")


def test_a_superchip_that_knows_only_its_module_is_labelled(hardware: FakeNvml) -> None:
    """Better than nothing, as long as it is not taken for the GPU alone."""
    hardware.set(0, module_scope_mw=650_000)

    with _opened(hardware) as (gpu, _):
        reading = _reading(gpu)
        info = gpu.info

    assert reading.count is not None
    assert reading.power_w == 650.0
    assert (info.method, info.scope) == ("counter", "module")
    assert reading.device.scope == "module"
    assert reading.device.max_power_w == 5000.0


@pytest.mark.parametrize("module_mw", [0, 300_000])
def test_a_module_that_is_no_more_than_the_gpu_is_no_superchip(
    hardware: FakeNvml, module_mw: int
) -> None:
    """Some drivers answer 0, or the GPU's own power, instead of "unsupported"."""
    hardware.set(0, gpu_scope_mw=300_000, module_scope_mw=module_mw)

    with _opened(hardware) as (gpu, _):
        reading = _reading(gpu)

    assert reading.count is not None
    assert reading.power_w == 100.0


def test_power_in_the_scope_of_the_gpu_stands_in_for_the_plain_call(
    hardware: FakeNvml,
) -> None:
    """The newer way may work where the older one does not."""
    hardware.set(0, gpu_scope_mw=120_000)
    hardware.fault(0, nvml.NOT_SUPPORTED, _POWER)

    with _opened(hardware) as (gpu, _):
        reading = _reading(gpu)

    assert reading.power_w == 120.0


def test_a_scope_that_stops_answering_is_no_zero(hardware: FakeNvml) -> None:
    """A superchip has nothing else to be read by."""
    hardware.set(0, gpu_scope_mw=300_000, module_scope_mw=650_000)
    with _opened(hardware) as (gpu, _):
        gpu.read()
        hardware.fault(0, nvml.TIMEOUT, "field185")

        with pytest.raises(SourceFaultyError, match="Timeout"):
            gpu.read()
