import ctypes
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pynvml
import pytest

from exporter.power.nvml import NvmlDriver
from tests.fakes import nvml
from tests.fakes.clock import Clock
from tests.fakes.nvml import FakeNvml

_HEADER = Path(nvml.__file__).with_name("libnvml") / "nvml_types.h"
_REPOSITORY = Path(__file__).parents[2]


def _layouts() -> list[tuple[str, int]]:
    found = re.findall(
        r'_Static_assert\(sizeof\(\w+\) == (\d+), "(\w+)"\)',
        _HEADER.read_text(encoding="utf-8"),
    )
    return [(name, int(size)) for size, name in found]


@pytest.mark.parametrize(("name", "size"), _layouts())
def test_a_structure_has_the_size_that_the_binding_declares(
    name: str, size: int
) -> None:
    """The stand-in writes into memory that pynvml allocated."""
    candidates = (name, f"c_{name}", f"c_{name.removesuffix('_t')}")

    declared = next(
        getattr(pynvml, each) for each in candidates if hasattr(pynvml, each)
    )

    assert ctypes.sizeof(declared) == size


def test_every_structure_of_the_header_is_compared() -> None:
    """A structure without an assert would not be found by the test above."""
    text = _HEADER.read_text(encoding="utf-8")

    assert len(_layouts()) == len(re.findall(r"^typedef struct", text, re.MULTILINE))


def test_every_symbol_that_the_reader_asks_for_is_exported(tmp_path: Path) -> None:
    """What the stand-in lacks would look like an old driver, not like a mistake."""
    clock = Clock(1000.0)
    with (
        nvml.in_process(tmp_path, gpus=1) as hardware,
        closing(NvmlDriver(tmp_path / "nvml-release", clock, gpm=True)) as driver,
    ):
        hardware.set(0, module_scope_mw=300_000)
        driver.read()
        (gpu,) = driver.members()
        gpu.read()
        gpu.activity()
        gpu.read()
        hardware.set(0, mig_mode=1)
        hardware.add_mig(0, 0, uuid="MIG-a", gpu_slices=1)
        clock.pass_s(100)
        for _ in range(2):
            gpu.activity()
            gpu.read()
        library = nvml.load_in_process()

        asked_for = set(pynvml._nvmlGetFunctionPointer_cache)

    assert "nvmlDeviceGetTotalEnergyConsumption" in asked_for
    assert "nvmlDeviceGetProcessUtilization" in asked_for
    assert "nvmlGpmMetricsGet" in asked_for
    assert {name for name in asked_for if not hasattr(library, name)} == set()


def test_an_old_driver_lacks_the_newer_symbols() -> None:
    """Otherwise the tests of old drivers would test nothing."""
    path = nvml.build(old_driver=True) / nvml.LIBRARY

    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", path],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout

    assert "nvmlDeviceGetPowerUsage" in symbols
    assert "nvmlDeviceGetTemperature\n" in symbols
    assert "nvmlDeviceGetTotalEnergyConsumption" not in symbols
    assert "nvmlDeviceGetTemperatureV" not in symbols
    assert "nvmlDeviceGetProcessUtilization" not in symbols
    assert "Gpm" not in symbols
    assert "_v3" not in symbols


def test_a_machine_without_a_compiler_is_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A suite that skips its GPU tests in silence proves nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RuntimeError, match="needs gcc"):
        nvml.build.__wrapped__()


@pytest.mark.parametrize("line", ["gpu\t0\tpowr_mw=1", "gpus\t0", "gpu\t99", "fault"])
def test_a_state_that_is_not_understood_ends_the_program(
    tmp_path: Path, line: str
) -> None:
    """A test with a typo in its hardware must not pass."""
    fake = FakeNvml(tmp_path)
    with fake.path.open("a", encoding="utf-8") as state:
        state.write(line + "\n")

    ended = subprocess.run(
        [sys.executable, "-c", "import pynvml; pynvml.nvmlInit()"],
        check=False,
        env={**os.environ, **fake.env()},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode != 0
    assert "fake NVML: cannot understand" in ended.stderr


def test_a_change_of_power_makes_no_step_in_the_counter(tmp_path: Path) -> None:
    """A counter that fell would be taken for a reset."""
    with nvml.in_process(tmp_path) as fake:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        counts = []
        for power_w in (700.0, 50.0, 0.0, 300.0):
            fake.set_power(0, power_w)
            end_s = time.monotonic() + 0.05
            while time.monotonic() < end_s:
                before_s = time.monotonic()
                counts.append(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
                after_s = time.monotonic()
                drawn_mj = [
                    1e9 + fake.true_energy_j(0, until_s=moment_s) * 1e3
                    for moment_s in (before_s, after_s)
                ]
                assert drawn_mj[0] - 1 <= counts[-1] <= drawn_mj[1] + 1
        pynvml.nvmlShutdown()

    assert counts == sorted(counts)


def test_a_bench_can_use_it_without_pytest(tmp_path: Path) -> None:
    """A daemon is started with its environment, by whatever script."""
    script = (
        "import sys, os, subprocess; from pathlib import Path\n"
        "from tests.fakes.nvml import FakeNvml\n"
        "fake = FakeNvml(Path(sys.argv[1]), gpus=3)\n"
        "code = 'import pynvml as n; n.nvmlInit(); print(n.nvmlDeviceGetCount())'\n"
        "env = {**os.environ, **fake.env()}\n"
        "subprocess.run([sys.executable, '-c', code], env=env, check=True)\n"
    )

    printed = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        check=True,
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout

    assert printed.strip() == "3"


def test_mig_devices_and_processes_are_told(tmp_path: Path) -> None:
    """Attribution on shared GPUs reads these."""
    with nvml.in_process(tmp_path, gpus=1) as fake:
        fake.set(0, mig_mode=1, mig_pending=0)
        fake.add_mig(0, 0, uuid="MIG-a", gpu_instance=1, gpu_slices=3)
        fake.add_mig(0, 2, uuid="MIG-b", gpu_instance=5, gpu_slices=1)
        fake.add_process(0, pid=42, memory=7, gpu_instance=5, compute_instance=0)
        pynvml.nvmlInit()
        parent = pynvml.nvmlDeviceGetHandleByIndex(0)

        mode = pynvml.nvmlDeviceGetMigMode(parent)
        first = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(parent, 0)
        with pytest.raises(pynvml.NVMLError_NotFound):
            pynvml.nvmlDeviceGetMigDeviceHandleByIndex(parent, 1)
        third = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(parent, 2)
        slices = pynvml.nvmlDeviceGetAttributes(first).gpuInstanceSliceCount
        users = [p.pid for p in pynvml.nvmlDeviceGetComputeRunningProcesses(third)]
        others = pynvml.nvmlDeviceGetComputeRunningProcesses(first)
        pynvml.nvmlShutdown()

    assert mode == [1, 0]
    assert (slices, users, others) == (3, [42], [])


def _samples(handle: object, since_us: int) -> list[tuple[int, int, int]]:
    """Process, moment in tenths of a second, and percent, of each sample."""
    return [
        (each.pid, each.timeStamp // 100_000, each.smUtil)
        for each in pynvml.nvmlDeviceGetProcessUtilization(handle, since_us)
    ]


def test_processes_have_a_sample_of_each_moment_at_which_they_were_active(
    tmp_path: Path,
) -> None:
    """The split of a time-sliced GPU rests on them."""
    with nvml.in_process(tmp_path, gpus=2) as fake:
        fake.sample_at(0, 1000.0)
        fake.add_process(0, pid=1, memory=7, sm=70, begun_us=999_800_000)
        fake.add_process(0, pid=2, memory=8, sm=10, ended_us=999_900_000)
        fake.add_process(0, pid=3, memory=9)
        pynvml.nvmlInit()
        busy, idle = (pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(2))

        kept = _samples(busy, 0)
        recent = _samples(busy, 999_700_000)
        with pytest.raises(pynvml.NVMLError_NotFound):
            _samples(busy, 1_000_000_000)
        with pytest.raises(pynvml.NVMLError_NotFound):
            _samples(idle, 0)
        fake.sample_at(0, 1000.1)
        new = _samples(busy, 1_000_000_000)
        users = pynvml.nvmlDeviceGetComputeRunningProcesses(busy)
        pynvml.nvmlShutdown()

    # Those of ten seconds are kept.
    assert [moment for pid, moment, _ in kept if pid == 2] == list(range(9900, 9999))
    assert recent == [(1, 9998, 70), (2, 9998, 10), (1, 9999, 70), (1, 10000, 70)]
    assert new == [(1, 10001, 70)]
    assert [each.usedGpuMemory for each in users] == [7, 8, 9]
    assert {each.gpuInstanceId for each in users} == {0xFFFFFFFF}


def test_samples_go_by_the_clock(tmp_path: Path) -> None:
    """A daemon that is played against sees new ones each tick."""
    with nvml.in_process(tmp_path) as fake:
        fake.add_process(0, pid=1, memory=7, sm=70)
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        before_s = time.time()

        newest_us = max(
            s.timeStamp for s in pynvml.nvmlDeviceGetProcessUtilization(handle, 0)
        )
        after_s = time.time()
        pynvml.nvmlShutdown()

    assert before_s - 0.1 <= newest_us / 1e6 <= after_s


def test_instances_have_performance_counters(tmp_path: Path) -> None:
    """Two samples make one figure; memory is given back."""
    with nvml.in_process(tmp_path) as fake:
        fake.set(0, mig_mode=1)
        fake.add_mig(0, 0, uuid="MIG-a", gpu_instance=3, gpu_slices=3, sm_util=40)
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        question = pynvml.c_nvmlGpmMetricsGet_t()
        question.version, question.numMetrics = pynvml.NVML_GPM_METRICS_GET_VERSION, 1
        question.metrics[0].metricId = pynvml.NVML_GPM_METRIC_SM_UTIL

        supported = pynvml.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice
        samples = [pynvml.nvmlGpmSampleAlloc() for _ in range(2)]
        for sample in samples:
            pynvml.nvmlGpmMigSampleGet(handle, 3, sample)
        with pytest.raises(pynvml.NVMLError_NotFound):
            pynvml.nvmlGpmMigSampleGet(handle, 4, samples[0])
        question.sample1, question.sample2 = samples
        answer = pynvml.nvmlGpmMetricsGet(question).metrics[0]
        held = nvml.gpm_samples()
        for sample in samples:
            pynvml.nvmlGpmSampleFree(sample)
        pynvml.nvmlShutdown()

    assert supported == 1
    assert (answer.nvmlReturn, answer.value) == (0, 40.0)
    assert (held, nvml.gpm_samples()) == (2, 0)


def test_nothing_is_left_in_the_temporary_directory(tmp_path: Path) -> None:
    """A bench that runs every night must not fill the disk."""
    subprocess.run(
        [sys.executable, "-c", "from tests.fakes import nvml; nvml.build()"],
        check=True,
        cwd=_REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        timeout=60,
    )

    assert shutil.which("gcc") is not None
    assert list(tmp_path.iterdir()) == []
