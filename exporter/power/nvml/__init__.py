"""NVIDIA GPUs, through NVML.

``NvmlDriver`` keeps the library in order and finds the GPUs; each ``NvmlGpu``
is a source with a worker of its own, because a call can hang in the kernel.

Source: NVIDIA's NVML API reference, and its Python binding nvidia-ml-py.
"""

from exporter.power.nvml.driver import NvmlDriver
from exporter.power.nvml.gpu import NvmlGpu
from exporter.power.nvml.inventory import NvmlInventory

__all__ = ["NvmlDriver", "NvmlGpu", "NvmlInventory"]
