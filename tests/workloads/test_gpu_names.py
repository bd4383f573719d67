import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.model import GpuInfo, GpuInstance, GpuOrder
from exporter.core.units import Ratio
from exporter.workloads.gpu_names import (
    DeviceFiles,
    GpuNames,
    GpuPart,
    find_device_files,
    is_uuid,
    numbers_in,
)
from tests.fakes.inventory import gpu

# As on real nodes: minor numbers run against the order on the bus.
_GPUS = tuple(gpu(index, minor=7 - index) for index in range(4))
_MIG = (
    GpuInstance("MIG-aaaa", _GPUS[0].uuid, 1, Ratio(3 / 7)),
    GpuInstance("MIG-bbbb", _GPUS[0].uuid, 5, Ratio(1 / 7)),
)


def _names(
    order: GpuOrder = "minor",
    gpus: tuple[GpuInfo, ...] = _GPUS,
    instances: tuple[GpuInstance, ...] = (),
) -> GpuNames:
    files = find_device_files(Path("/nowhere"), gpus)
    return GpuNames(gpus, instances, order, files)


def _index(part: GpuPart | None) -> int | None:
    if part is None:
        return None
    return next(info.index for info in _GPUS if info.uuid == part.device)


@pytest.mark.parametrize(
    ("order", "meant"),
    [("minor", [3, 2, 1, 0]), ("pci", [0, 1, 2, 3]), ("index", [0, 1, 2, 3])],
)
def test_a_number_is_counted_in_the_order_of_the_site(
    order: GpuOrder, meant: list[int]
) -> None:
    """The same number is another GPU, depending on gres.conf."""
    names = _names(order)

    assert [_index(names.find(str(number))) for number in range(4)] == meant
    assert names.find("4") is None


def test_numbers_count_on_over_a_gap_in_the_minor_numbers() -> None:
    """Slurm numbers its list of files: nvidia3 and nvidia5 are 0 and 1."""
    gpus = (gpu(0, minor=3), gpu(1, minor=5))
    names = _names("minor", gpus)

    assert [_index(names.find(number)) for number in ("0", "1", "3")] == [0, 1, None]


def test_without_all_minor_numbers_a_number_tells_nothing() -> None:
    """To guess is to charge somebody else."""
    unknown = GpuInfo("GPU-x", 1, None, "", "", "")

    assert _names("minor", (gpu(0), unknown)).find("0") is None
    assert _names("pci", (gpu(0), unknown)).find("0") is None


def test_a_gpu_that_is_lost_is_counted_by_its_file() -> None:
    """Slurmd read its list when all were there; the others keep their numbers."""
    gpus = (gpu(0, minor=0), gpu(1, minor=2))
    names = GpuNames(gpus, (), "minor", DeviceFiles(minors=(0, 1, 2)))

    assert [_index(names.find(number)) for number in "012"] == [0, None, 1]


def test_pci_order_does_not_follow_a_lost_gpu() -> None:
    """NVML's index moves up when a GPU is gone, the address does not."""
    gpus = (gpu(0, pci="0000:0a:00.0"), gpu(1, pci="0000:02:00.0"))

    assert _index(_names("pci", gpus).find("0")) == 1
    assert _index(_names("index", gpus).find("0")) == 0


def test_a_uuid_is_exact_and_may_be_abbreviated() -> None:
    """CUDA takes the beginning of a UUID too, if it is unambiguous."""
    names = _names()

    assert names.find(_GPUS[2].uuid) == GpuPart(_GPUS[2].uuid)
    assert names.find("GPU-00000002") == GpuPart(_GPUS[2].uuid)
    assert names.find("GPU-0000") is None
    assert names.find("GPU-") is None
    assert names.find("GPU-ffffffff") is None


def test_an_instance_is_found_in_all_its_forms() -> None:
    """Drivers before 470 named them by GPU and numbers."""
    names = _names(instances=_MIG)
    part = GpuPart(_GPUS[0].uuid, Ratio(3 / 7), "MIG-aaaa")

    assert names.find("MIG-aaaa") == part
    assert names.find(f"MIG-{_GPUS[0].uuid}/1/0") == part
    assert names.find(f"MIG-{_GPUS[0].uuid}/9/0") is None
    assert names.find_by_index(0, 1) == part
    assert names.find_by_index(0, 9) is None
    assert names.find_by_index(9, 1) is None


def test_numbers_tell_nothing_where_gpus_are_divided() -> None:
    """Slurm counts instances as well, in an order that it does not define."""
    names = _names(instances=_MIG)

    assert names.find("0") is None
    assert names.find_by_device(195, 7) is None
    assert _index(names.find_by_device(195, 6)) == 1


def test_device_files_tell_gpus_by_their_numbers(tmp_path: Path) -> None:
    """The major number is not the same everywhere."""
    if os.geteuid() != 0:
        pytest.skip("only root can make device files")
    os.mknod(tmp_path / "nvidia7", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    (tmp_path / "nvidia6").touch()

    files = find_device_files(tmp_path, _GPUS)

    assert files.gpus[1, 3] == _GPUS[0].uuid
    # No device, or none there: what NVIDIA's driver would give it.
    assert files.gpus[195, 6] == _GPUS[1].uuid
    assert files.gpus[195, 5] == _GPUS[2].uuid
    assert files.minors == (7,)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0,2", ["0", "2"]),
        ("0-3", ["0", "1", "2", "3"]),
        (" 1 , GPU-a-b ", ["1", "GPU-a-b"]),
        ("", []),
        ("3-1", []),
        ("NoDevFiles", ["NoDevFiles"]),
    ],
)
def test_lists_of_gpus_are_split(text: str, names: list[str]) -> None:
    """Slurm writes ranges in some places, and UUIDs hold dashes too."""
    assert list(numbers_in(text)) == names


@given(st.text())
def test_no_list_makes_more_than_a_few_names(text: str) -> None:
    """An environment may say 0-4000000000."""
    assert len(list(numbers_in(text))) <= 256 * (text.count(",") + 1)
    assert len(list(numbers_in("0-4000000000"))) == 256


def test_what_is_no_name_finds_nothing() -> None:
    """Slurm says NoDevFiles for no GPU at all."""
    assert _names().find("NoDevFiles") is None
    assert not is_uuid("NoDevFiles")
