"""Which GPU is meant by a number or a name that others call it.

There are as many numbers as there are callers, and on real nodes they differ. A
scheduler counts from 0 in one of these orders:

    minor   of the N of /dev/nvidiaN: Slurm, where gres.conf lists the files
    pci     of the PCI address: Slurm with ``AutoDetect=nvml``
    index   of NVML and DCGM: like PCI, but moves up when a GPU is gone

A UUID is always exact; CUDA takes the unambiguous beginning of one as well.
Where GPUs are divided into MIG instances, a scheduler counts those too, in an
order that it does not define: then a number tells nothing.
"""

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from exporter.core.model import GpuInfo, GpuInstance, GpuOrder
from exporter.core.units import Ratio

_NVIDIA_MAJOR = 195
_DEVICE = re.compile(r"nvidia(\d{1,3})", re.ASCII)
_WHOLE = Ratio(1.0)
_UUID_BEGINS = ("GPU-", "MIG-")
# Of the form before release 470: MIG-GPU-<uuid>/<GPU instance>/<compute instance>.
_OLD_MIG = "MIG-GPU-"
_SHORTEST_UUID = len("GPU-") + 4


class GpuPart(NamedTuple):
    """A GPU, or an instance of one.

    Attributes:
        device: ``GpuInfo.uuid``.
        share: the part of the GPU it is, 0..1.
        instance: UUID of the instance; "" for the whole GPU.
    """

    device: str
    share: Ratio = _WHOLE
    instance: str = ""


def is_uuid(name: str) -> bool:
    """Whether a GPU or an instance is named by UUID."""
    return name.startswith(_UUID_BEGINS)


def numbers_in(text: str) -> Iterator[str]:
    """Split a list of names; ranges of numbers such as ``0-3`` become single ones."""
    for word in text.split(","):
        name = word.strip()
        first, dash, last = name.partition("-")
        if dash and first.isdecimal() and last.isdecimal():
            # No node has more; garbage shall not make a list of billions.
            for number in range(int(first), min(int(last), int(first) + 255) + 1):
                yield str(number)
        elif name:
            yield name


class DeviceFiles(NamedTuple):
    """The device files ``nvidiaN``.

    Attributes:
        gpus: UUID of a GPU by (major, minor) of its file.
        minors: N of all files there are, ascending.
    """

    gpus: Mapping[tuple[int, int], str] = MappingProxyType({})
    minors: tuple[int, ...] = ()


class GpuNames:
    """Names of the GPUs of one state of an inventory.

    Args:
        gpus: all GPUs.
        instances: the instances of those in MIG mode.
        order: in which the scheduler counts them.
        devices: the GPUs' device files.
    """

    def __init__(
        self,
        gpus: tuple[GpuInfo, ...],
        instances: tuple[GpuInstance, ...],
        order: GpuOrder,
        devices: DeviceFiles,
    ) -> None:
        self._by_uuid = {gpu.uuid: GpuPart(gpu.uuid) for gpu in gpus}
        self._by_index = {gpu.index: gpu.uuid for gpu in gpus}
        self._by_number = _count(gpus, order, devices.minors)
        self._by_device = devices.gpus
        self._by_instance: dict[tuple[str, int], GpuPart] = {}
        self._divided = frozenset(instance.parent for instance in instances)
        for instance in instances:
            part = GpuPart(instance.parent, instance.share, instance.uuid)
            self._by_uuid[instance.uuid] = part
            self._by_instance[instance.parent, instance.number] = part

    def find(self, name: str) -> GpuPart | None:
        """Return what a scheduler means by a number of its own, or by a UUID."""
        if name.isdecimal():
            uuid = self._by_number.get(int(name))
            return None if uuid is None or self._divided else GpuPart(uuid)
        return self._find_uuid(name) if is_uuid(name) else None

    def find_by_index(self, index: int, instance: int | None = None) -> GpuPart | None:
        """Return the GPU of NVML's number, or an instance of it."""
        uuid = self._by_index.get(index)
        if uuid is None:
            return None
        if instance is not None:
            return self._by_instance.get((uuid, instance))
        return GpuPart(uuid)

    def find_by_device(self, major: int, minor: int) -> GpuPart | None:
        """Return the GPU of a device file; ``None`` if it is another device."""
        uuid = self._by_device.get((major, minor))
        # Whoever holds an instance may open the whole GPU's file too.
        return None if uuid is None or uuid in self._divided else GpuPart(uuid)

    def _find_uuid(self, name: str) -> GpuPart | None:
        part = self._by_uuid.get(name)
        if part is not None:
            return part
        if name.startswith(_OLD_MIG):
            uuid, _, rest = name.removeprefix("MIG-").partition("/")
            number = rest.partition("/")[0]
            if number.isdecimal():
                return self._by_instance.get((uuid, int(number)))
        if len(name) < _SHORTEST_UUID:
            return None
        meant = [part for uuid, part in self._by_uuid.items() if uuid.startswith(name)]
        return meant[0] if len(meant) == 1 else None


def _count(
    gpus: tuple[GpuInfo, ...], order: GpuOrder, minors: Collection[int]
) -> Mapping[int, str]:
    """UUIDs by the scheduler's numbers; none if the order is not known of all."""
    if order == "index":
        return {gpu.index: gpu.uuid for gpu in gpus}
    if order == "pci":
        by_address = sorted(gpus, key=lambda gpu: gpu.pci)
        is_known = all(gpu.pci for gpu in gpus)
        return dict(enumerate(gpu.uuid for gpu in by_address)) if is_known else {}
    by_minor = {gpu.minor: gpu.uuid for gpu in gpus if gpu.minor is not None}
    if len(by_minor) < len(gpus):
        return {}
    # A GPU that is lost still has its file, and Slurm still counts it.
    counted = enumerate(sorted(by_minor.keys() | set(minors)))
    return {number: by_minor[minor] for number, minor in counted if minor in by_minor}


def find_device_files(device_dir: Path, gpus: tuple[GpuInfo, ...]) -> DeviceFiles:
    """Look at the device files.

    Args:
        device_dir: where the files ``nvidiaN`` are. A file that is not there, as in
            a container, is taken to have the numbers that NVIDIA's driver gives it.
        gpus: the GPUs whose files are looked at.
    """
    minors: list[int] = []
    numbers: dict[int, tuple[int, int]] = {}
    try:
        paths = sorted(device_dir.iterdir())
    except OSError:
        paths = []
    for path in paths:
        match = _DEVICE.fullmatch(path.name)
        if match is None:
            continue
        try:
            status = path.stat()
        except OSError:
            continue
        if stat.S_ISCHR(status.st_mode):
            minor = int(match[1])
            minors.append(minor)
            numbers[minor] = (os.major(status.st_rdev), os.minor(status.st_rdev))
    found = {
        numbers.get(gpu.minor, (_NVIDIA_MAJOR, gpu.minor)): gpu.uuid
        for gpu in gpus
        if gpu.minor is not None
    }
    return DeviceFiles(found, tuple(minors))
