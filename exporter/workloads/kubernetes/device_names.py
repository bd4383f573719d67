"""Which GPU a device plugin means by the id of a device.

    GPU-<uuid>, MIG-<uuid>     a GPU, or an instance of one
    <uuid>::N, <uuid>-N        one of several replicas (time-slicing, MPS)
    nvidia0, nvidia0/gi3       GKE: by the number of its device file, and an instance
    nvidia0/vgpu1              GKE: a replica; also of an instance, nvidia0/gi3/vgpu1
    0000:c1:00.0               a GPU, by its PCI address

Source: NVIDIA's device plugin, HAMi, GKE's device plugin, AMD's device plugin.
"""

import re
from typing import NamedTuple

from exporter.core.model import GpuInfo, GpuInstance
from exporter.workloads.gpu_names import DeviceFiles, GpuNames, GpuPart, is_uuid

_REPLICA = re.compile(r"(.+)::\d{1,6}", re.ASCII)
_UUID_REPLICA = re.compile(
    r"((?:GPU|MIG)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-\d{1,6}", re.ASCII
)
_GKE = re.compile(r"(nvidia(\d{1,3})(?:/gi(\d{1,3}))?)(/vgpu\d{1,6})?", re.ASCII)
_PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.ASCII)


class DeviceName(NamedTuple):
    """What the id of a device stands for.

    Attributes:
        base: the id without the number of the replica.
        is_replica: it is one of several.
    """

    base: str
    is_replica: bool


def split_id(device_id: str) -> DeviceName:
    """Tell a device from the number of its replica."""
    match = _REPLICA.fullmatch(device_id) or _UUID_REPLICA.fullmatch(device_id)
    if match is not None:
        return DeviceName(match[1], is_replica=True)
    match = _GKE.fullmatch(device_id)
    if match is not None and match[4]:
        return DeviceName(match[1], is_replica=True)
    return DeviceName(device_id, is_replica=False)


class DeviceNames:
    """Names of the GPUs of one state of an inventory.

    Args:
        gpus: all GPUs.
        instances: the instances of those in MIG mode.
    """

    def __init__(
        self, gpus: tuple[GpuInfo, ...], instances: tuple[GpuInstance, ...]
    ) -> None:
        self._by_uuid = GpuNames(gpus, instances, "index", DeviceFiles())
        self._by_minor = {gpu.minor: gpu for gpu in gpus if gpu.minor is not None}
        self._by_pci = {_short(gpu.pci): gpu for gpu in gpus if gpu.pci}

    def find(self, base: str) -> GpuPart | None:
        """Return the GPU or instance of an id without replica, if there is one."""
        if is_uuid(base):
            return self._by_uuid.find(base)
        match = _GKE.fullmatch(base)
        if match is not None:
            gpu = self._by_minor.get(int(match[2]))
            instance = match[3]
            if gpu is None:
                return None
            return self._by_uuid.find_by_index(
                gpu.index, None if instance is None else int(instance)
            )
        if _PCI.fullmatch(base.lower()):
            gpu = self._by_pci.get(_short(base))
            return None if gpu is None else GpuPart(gpu.uuid)
        return None


def _short(pci: str) -> str:
    """Write a PCI address with four digits of domain, as sysfs does."""
    domain, _, rest = pci.lower().partition(":")
    return f"{domain[-4:]}:{rest}"
