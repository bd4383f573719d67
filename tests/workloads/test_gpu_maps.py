import os
from pathlib import Path

from exporter.core.model import GpuInstance
from exporter.core.units import Ratio
from exporter.workloads.gpu_maps import JobMap, NamedGpu
from exporter.workloads.gpu_names import DeviceFiles, GpuNames, GpuPart
from tests.fakes.inventory import gpu

_GPUS = (gpu(0, minor=1), gpu(1, minor=0))
_MIG = (GpuInstance("MIG-a", _GPUS[1].uuid, 3, Ratio(2 / 7)),)


def test_the_directory_of_dcgm_exporter_is_read(tmp_path: Path) -> None:
    """One file per GPU, several jobs in it if they share it."""
    (tmp_path / "0").write_text("41\n42\n")
    (tmp_path / "1.3").write_text("43\n")
    (tmp_path / "README").write_text("44\n")

    found = JobMap(tmp_path, "dcgm").read()

    assert found == {
        "41": {NamedGpu("dcgm", "0")},
        "42": {NamedGpu("dcgm", "0")},
        "43": {NamedGpu("dcgm", "1.3")},
    }


def test_the_directory_of_jobstats_is_read(tmp_path: Path) -> None:
    """Job and user in a line; the user's id is no job."""
    (tmp_path / "0").write_text("41 1000\n")
    (tmp_path / "MIG-a").write_text("43 1001")
    (tmp_path / "note").write_text("44 1000")

    found = JobMap(tmp_path, "gpustat").read()

    assert found == {
        "41": {NamedGpu("gpustat", "0")},
        "43": {NamedGpu("gpustat", "MIG-a")},
    }


def test_what_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    """Other people's files never stop the daemon, whatever they are."""
    (tmp_path / "0").mkdir()
    (tmp_path / "1").write_bytes(b"\xff\xfe\0garbage")
    (tmp_path / "2").write_text("")
    os.mkfifo(tmp_path / "3")
    (tmp_path / "4").symlink_to("gone")

    assert JobMap(tmp_path, "gpustat").read() == {}
    assert JobMap(tmp_path, "dcgm").read() == {}
    assert JobMap(tmp_path / "gone", "dcgm").read() == {}


def test_each_format_numbers_gpus_in_its_own_way() -> None:
    """The one counts like NVML, the other like Slurm."""
    undivided = GpuNames(_GPUS, (), "minor", DeviceFiles())
    divided = GpuNames(_GPUS, _MIG, "minor", DeviceFiles())

    assert NamedGpu("dcgm", "0").find(undivided) == GpuPart(_GPUS[0].uuid)
    assert NamedGpu("gpustat", "0").find(undivided) == GpuPart(_GPUS[1].uuid)
    assert NamedGpu("dcgm", "1.3").find(divided) == GpuPart(
        _GPUS[1].uuid, Ratio(2 / 7), "MIG-a"
    )
    assert NamedGpu("gpustat", "MIG-a").find(divided) == GpuPart(
        _GPUS[1].uuid, Ratio(2 / 7), "MIG-a"
    )
    assert NamedGpu("dcgm", "x").find(undivided) is None
