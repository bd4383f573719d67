"""Which GPU an id of a device plugin means."""

import pytest

from exporter.core.model import GpuInstance
from exporter.core.units import Ratio
from exporter.workloads.gpu_names import GpuPart
from exporter.workloads.kubernetes.device_names import (
    DeviceName,
    DeviceNames,
    split_id,
)
from tests.fakes.inventory import gpu

_MIG = "MIG-0fc03d8b-1111-5c4d-a0a7-2b8f2d5d9f10"
# The second has the device file nvidia0, as happens.
_GPUS = (gpu(0, minor=1), gpu(1, minor=0, pci="00000000:C1:00.0"))
_INSTANCES = (GpuInstance(_MIG, _GPUS[1].uuid, 3, Ratio(2 / 7)),)
_NAMES = DeviceNames(_GPUS, _INSTANCES)


@pytest.mark.parametrize(
    ("device_id", "name"),
    [
        (_GPUS[0].uuid, DeviceName(_GPUS[0].uuid, is_replica=False)),
        (f"{_GPUS[0].uuid}::7", DeviceName(_GPUS[0].uuid, is_replica=True)),
        (f"{_GPUS[0].uuid}-7", DeviceName(_GPUS[0].uuid, is_replica=True)),
        (_MIG, DeviceName(_MIG, is_replica=False)),
        (f"{_MIG}::0", DeviceName(_MIG, is_replica=True)),
        ("nvidia0", DeviceName("nvidia0", is_replica=False)),
        ("nvidia0/vgpu3", DeviceName("nvidia0", is_replica=True)),
        ("nvidia0/gi3", DeviceName("nvidia0/gi3", is_replica=False)),
        ("nvidia0/gi3/vgpu0", DeviceName("nvidia0/gi3", is_replica=True)),
        ("0000:c1:00.0", DeviceName("0000:c1:00.0", is_replica=False)),
        ("card0-1", DeviceName("card0-1", is_replica=False)),
        ("::", DeviceName("::", is_replica=False)),
        ("", DeviceName("", is_replica=False)),
    ],
)
def test_a_replica_is_told_from_its_device(device_id: str, name: DeviceName) -> None:
    """Each plugin has its own way to number them."""
    assert split_id(device_id) == name


@pytest.mark.parametrize(
    ("base", "part"),
    [
        (_GPUS[0].uuid, GpuPart(_GPUS[0].uuid)),
        (_MIG, GpuPart(_GPUS[1].uuid, Ratio(2 / 7), _MIG)),
        (
            f"MIG-{_GPUS[1].uuid}/3/0",
            GpuPart(_GPUS[1].uuid, Ratio(2 / 7), _MIG),
        ),
        ("nvidia0", GpuPart(_GPUS[1].uuid)),
        ("nvidia1", GpuPart(_GPUS[0].uuid)),
        ("nvidia0/gi3", GpuPart(_GPUS[1].uuid, Ratio(2 / 7), _MIG)),
        ("0000:c1:00.0", GpuPart(_GPUS[1].uuid)),
        ("0000:C1:00.0", GpuPart(_GPUS[1].uuid)),
    ],
)
def test_a_device_is_found_by_any_of_its_names(base: str, part: GpuPart) -> None:
    """UUID, number of the device file, or address."""
    assert _NAMES.find(base) == part


@pytest.mark.parametrize(
    "base",
    [
        "GPU-ffffffff-0000-0000-0000-000000000000",
        "MIG-ffffffff-0000-0000-0000-000000000000",
        "nvidia7",
        "nvidia0/gi9",
        "nvidia7/gi3",
        "0000:ff:00.0",
        "mlx5_0",
        "0",
        "",
    ],
)
def test_what_is_no_gpu_here_is_not_guessed(base: str) -> None:
    """A number alone could be any."""
    assert _NAMES.find(base) is None
