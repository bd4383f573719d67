"""What takes the place of parts that a machine without them cannot have.

A simulated machine is files, as far as a machine is files: those are read like any
other's. A driver, a kubelet and an API server are none. Whoever stands in for them is
handed to the composition root, and the daemon is the same for the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from exporter.pipeline.sampler import Sources
from exporter.workloads.kubernetes.allocations import Kubelet
from exporter.workloads.kubernetes.names import Witness


@dataclass(frozen=True, slots=True)
class StandIns:
    """Those who stand in.

    Attributes:
        name: of the node; the host has another one.
        nvml: returns what has the functions of ``pynvml``, initialised; raises
            ``InitFailedError``.
        kubelet: tells which pod holds which GPU.
        witnesses: who tells what pods are called.
        mark: says of sources that their numbers are not those of a machine.
    """

    name: str
    nvml: Callable[[], ModuleType]
    kubelet: Kubelet
    witnesses: tuple[Witness, ...]
    mark: Callable[[Sources], Sources]
