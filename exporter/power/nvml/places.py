"""Where the GPUs are: the handles of one initialisation of NVML."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from exporter.power.nvml.library import Handle, say


@dataclass(frozen=True, slots=True)
class Place:
    """Where one initialisation found a GPU.

    Attributes:
        nvml: the ``pynvml`` module, initialised.
        handle: the GPU, until NVML is shut down.
        index: NVML's number of it; may be another after the next one.
        driver: version of the driver.
    """

    nvml: ModuleType
    handle: Handle
    index: int
    driver: str


@dataclass(frozen=True, slots=True)
class Places:
    """All GPUs of one initialisation.

    Attributes:
        found: by UUID, in the order of NVML.
        refused: what was said of each one that could not be opened.
        driver: version of the driver.
    """

    found: Mapping[str, Place]
    refused: tuple[str, ...]
    driver: str


def find(nvml: ModuleType) -> Places:
    """Open every GPU that can be opened.

    A GPU that fell off the bus may still be counted; it then refuses its
    handle or its UUID, and the others are none the worse for it.

    Raises:
        pynvml.NVMLError: NVML cannot even count them.
    """
    driver: str = nvml.nvmlSystemGetDriverVersion()
    found: dict[str, Place] = {}
    refused: list[str] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle: Handle = nvml.nvmlDeviceGetHandleByIndex(index)
            uuid: str = nvml.nvmlDeviceGetUUID(handle)
        except nvml.NVMLError as error:
            refused.append(f"GPU at index {index}: {say(error)}")
        else:
            found[uuid] = Place(nvml, handle, index, driver)
    return Places(found, tuple(refused), driver)
