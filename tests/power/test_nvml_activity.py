"""What is done on a GPU that several share, as its driver tells."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from exporter.core.errors import SourceFaultyError
from exporter.core.gpu_activity import GpuActivity
from exporter.power.nvml import NvmlDriver, NvmlGpu, NvmlInventory
from exporter.power.nvml.library import Handle
from exporter.power.nvml.process_samples import ProcessSamples
from tests.fakes import nvml
from tests.fakes.clock import Clock
from tests.fakes.nvml import FakeNvml

_SAMPLES = "nvmlDeviceGetProcessUtilization"
_NOW_S = 5000.0
_INSUFFICIENT_SIZE = 7


@pytest.fixture
def hardware(tmp_path: Path) -> Iterator[FakeNvml]:
    """Return a machine with a GPU whose samples go by a clock of the test's."""
    with nvml.in_process(tmp_path, gpus=2) as fake:
        fake.sample_at(0, _NOW_S)
        yield fake


@pytest.fixture
def driver(hardware: FakeNvml) -> Iterator[NvmlDriver]:
    """Return a driver that has found the GPUs."""
    release_file = hardware.path.with_name("nvml-release")
    with closing(NvmlDriver(release_file, Clock(1000.0), gpm=True)) as found:
        found.read()
        yield found


@pytest.fixture
def gpu(driver: NvmlDriver) -> NvmlGpu:
    """Return the GPU that is shared."""
    return driver.members()[0]


def _run(hardware: FakeNvml, pid: int, percent: int, **keys: object) -> None:
    hardware.add_process(0, pid=pid, memory=7, sm=percent, **keys)


def _tick(gpu: NvmlGpu) -> GpuActivity | None:
    """Read the GPU and ask about it, as in each tick."""
    gpu.read()
    return gpu.activity()


def _sample(pid: int, time_us: int, percent: int) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, timeStamp=time_us, smUtil=percent)


def _processes(activity: GpuActivity | None) -> Mapping[int, float]:
    assert activity is not None
    return activity.processes


def _begin(gpu: NvmlGpu) -> None:
    """Ask for the first time, and hear what is old."""
    for _ in range(2):
        assert _tick(gpu) is None


def _stop_asking(gpu: NvmlGpu) -> None:
    """Read so often without a question that it is not watched any more."""
    for _ in range(4):
        gpu.read()


# --- processes --------------------------------------------------------------------


def test_a_gpu_that_nobody_asks_about_is_not_watched(gpu: NvmlGpu) -> None:
    """Most GPUs have one owner: there is nothing to divide."""
    before = nvml.calls(_SAMPLES)

    for _ in range(5):
        gpu.read()

    assert nvml.calls(_SAMPLES) == before


def test_each_process_has_its_part_of_the_gpu(hardware: FakeNvml, gpu: NvmlGpu) -> None:
    """As the mean of all samples since the last reading."""
    _run(hardware, 1, 60)
    _run(hardware, 2, 20)
    _run(hardware, 3, 40, begun_us=(_NOW_S + 0.6) * 1e6)
    _run(hardware, 4, 0)
    _begin(gpu)

    hardware.sample_at(0, _NOW_S + 1.0)
    activity = _tick(gpu)

    # The third one was active at five of ten moments.
    assert _processes(activity) == pytest.approx({1: 0.6, 2: 0.2, 3: 0.2})


def test_each_sample_counts_once(hardware: FakeNvml, gpu: NvmlGpu) -> None:
    """The driver keeps them for many ticks."""
    _run(hardware, 1, 60, ended_us=(_NOW_S + 1.5) * 1e6)
    _run(hardware, 2, 20)
    _begin(gpu)

    told = []
    for second in (1, 2, 3):
        hardware.sample_at(0, _NOW_S + second)
        told.append(_processes(_tick(gpu)))
    again = _processes(_tick(gpu))

    # In the second tick the first one was active at four of ten moments.
    assert told == [
        pytest.approx({1: 0.6, 2: 0.2}),
        pytest.approx({1: 0.24, 2: 0.2}),
        pytest.approx({2: 0.2}),
    ]
    assert again == {}


def test_samples_that_were_told_are_not_told_again_when_all_are_asked_for(
    hardware: FakeNvml, gpu: NvmlGpu
) -> None:
    """After a quiet time the driver is asked for all it has, and it has them still."""
    _run(hardware, 1, 60, ended_us=(_NOW_S + 1.05) * 1e6)
    _begin(gpu)
    hardware.sample_at(0, _NOW_S + 1.0)

    told = [_processes(_tick(gpu)) for _ in range(25)]

    assert told == [{1: 0.6}, *[{}] * 24]


def test_samples_of_before_are_not_those_of_the_first_tick(
    hardware: FakeNvml, gpu: NvmlGpu
) -> None:
    """Whoever computed then may be gone, and a job that begins would pay for it."""
    _run(hardware, 1, 60, ended_us=_NOW_S * 1e6)
    _begin(gpu)

    assert _processes(_tick(gpu)) == {}


def test_a_tick_in_which_nobody_asks_loses_no_more_than_itself(
    hardware: FakeNvml, gpu: NvmlGpu
) -> None:
    """A scheduler is late at times, or asks before a slow GPU is read."""
    _run(hardware, 1, 60)
    _begin(gpu)
    for second in (1, 2):
        hardware.sample_at(0, _NOW_S + second)
        gpu.read()

    assert _processes(gpu.activity()) == {1: 0.6}


def test_whoever_was_not_watched_for_a_while_is_watched_anew(
    hardware: FakeNvml, gpu: NvmlGpu
) -> None:
    """What was done meanwhile belongs to no tick."""
    _run(hardware, 1, 60)
    _begin(gpu)
    _stop_asking(gpu)
    hardware.sample_at(0, _NOW_S + 8.0)

    _begin(gpu)
    hardware.sample_at(0, _NOW_S + 8.2)
    assert _processes(_tick(gpu)) == {1: 0.6}


def test_a_gpu_on_which_nobody_computes_is_known_to_be_idle(
    hardware: FakeNvml, gpu: NvmlGpu
) -> None:
    """The driver calls that an error; jobs that idle are no unknown ones."""
    _begin(gpu)

    activity = _tick(gpu)
    _run(hardware, 1, 60)
    hardware.sample_at(0, _NOW_S + 1.0)

    assert activity == GpuActivity()
    assert _processes(_tick(gpu)) == {1: 0.6}


def test_each_reading_is_another_object(gpu: NvmlGpu) -> None:
    """So who asks sees whether the GPU has been read since."""
    _begin(gpu)

    first, second = _tick(gpu), _tick(gpu)

    assert first == second
    assert first is not second
    assert gpu.activity() is second


def test_a_clock_that_is_set_back_does_not_silence_the_gpu(
    hardware: FakeNvml, gpu: NvmlGpu
) -> None:
    """Samples bear the time of the wall clock."""
    _run(hardware, 1, 60)
    _begin(gpu)

    told = []
    for tick in range(20):
        hardware.sample_at(0, _NOW_S - 3600.0 + tick)
        told.append(_processes(_tick(gpu)))

    assert told[:11] == [{}] * 11
    assert told[11:] == [{1: 0.6}] * 9


@pytest.mark.parametrize("percent", [101, 4_294_967_295])
def test_nonsense_makes_the_activity_of_all_unknown(
    hardware: FakeNvml, gpu: NvmlGpu, percent: int
) -> None:
    """What the others did in comparison cannot be told."""
    _run(hardware, 1, percent)
    _run(hardware, 2, 20)
    _begin(gpu)
    hardware.sample_at(0, _NOW_S + 1.0)

    assert _tick(gpu) is None


def test_the_time_of_nonsense_is_not_believed() -> None:
    """Else nothing would be newer for long, and busy jobs be taken for idle ones."""
    answers = [
        [_sample(1, 100, 10)],
        [_sample(1, 200, 60), _sample(7, 2**63, 4_294_967_295)],
        [_sample(1, 300, 40)],
    ]
    asked: list[int] = []

    def answer(_: Handle, since_us: int) -> list[SimpleNamespace]:
        asked.append(since_us)
        return answers[len(asked) - 1]

    driver = ModuleType("driver_of_nonsense")
    driver.__dict__.update(NVMLError=OSError, nvmlDeviceGetProcessUtilization=answer)
    samples = ProcessSamples(driver, Handle(0), "GPU-0", set())

    told = [samples.read() for _ in answers]

    assert told[:2] == [None, None]
    assert _processes(told[2]) == {1: 0.4}
    assert asked == [0, 100, 200]


def test_an_answer_that_fails_is_made_up_for_by_the_next(
    hardware: FakeNvml, gpu: NvmlGpu
) -> None:
    """A process that begins between two calls makes the answer too small."""
    _run(hardware, 1, 60)
    _begin(gpu)
    hardware.sample_at(0, _NOW_S + 1.0)

    hardware.fault(0, _INSUFFICIENT_SIZE, _SAMPLES)
    failed = _tick(gpu)
    hardware.fault(0, nvml.SUCCESS, _SAMPLES)

    assert failed is None
    assert _processes(_tick(gpu)) == {1: 0.6}


def test_a_reading_that_fails_tells_nothing(hardware: FakeNvml, gpu: NvmlGpu) -> None:
    """What was done before it may be news to whoever begins to ask."""
    _begin(gpu)
    before = _tick(gpu)

    hardware.fault(0, nvml.GPU_IS_LOST)
    with suppress(SourceFaultyError):
        gpu.read()

    assert before == GpuActivity()
    assert gpu.activity() is None


@pytest.mark.parametrize("code", [nvml.NOT_SUPPORTED, nvml.NO_PERMISSION, 13])
def test_a_gpu_that_does_not_tell_is_asked_no_more_and_told_of_once(
    hardware: FakeNvml, gpu: NvmlGpu, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """Old drivers lack the function; its jobs are charged by their shares."""
    caplog.set_level(logging.INFO)
    hardware.fault(0, code, _SAMPLES)
    before = nvml.calls(_SAMPLES)

    told = [_tick(gpu) for _ in range(5)]
    _stop_asking(gpu)
    told += [_tick(gpu) for _ in range(3)]

    assert told == [None] * 8
    assert nvml.calls(_SAMPLES) - before == 2
    said = [r for r in caplog.records if "charged by their shares" in r.getMessage()]
    assert len(said) == 1


def test_what_was_told_before_a_release_is_forgotten(
    driver: NvmlDriver, gpu: NvmlGpu
) -> None:
    """After it, nothing is known of the tick."""
    _begin(gpu)
    _tick(gpu)
    inventory = NvmlInventory(driver)
    before = inventory.activity(gpu.uuid)

    driver.close()

    assert before == GpuActivity()
    assert inventory.activity(gpu.uuid) is None
    assert inventory.activity("GPU-of-nobody") is None
