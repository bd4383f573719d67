"""What is done on a GPU that several share: by its processes, or by its instances."""

from typing import TYPE_CHECKING

from exporter.core.gpu_activity import GpuActivity
from exporter.core.model import GpuInstance
from exporter.power.nvml.places import Place
from exporter.power.nvml.process_samples import ProcessSamples

if TYPE_CHECKING:
    from exporter.power.nvml.instance_samples import InstanceSamples


class Samples:
    """Reads what was done on one GPU, from the first reading to ``close``.

    Args:
        place: where the GPU is, for as long as this is used.
        uuid: of the GPU.
        said: what was already reported as not supported; added to.
        gpm: what instances do may be read from performance counters.
    """

    def __init__(self, place: Place, uuid: str, said: set[str], *, gpm: bool) -> None:
        self._of_processes = ProcessSamples(place.nvml, place.handle, uuid, said)
        self._of_instances: InstanceSamples | None = None
        if gpm:
            # Few sites want it.
            from exporter.power.nvml import instance_samples  # noqa: PLC0415 - above

            self._of_instances = instance_samples.InstanceSamples(
                place.nvml, place.handle, uuid, said
            )

    def read(self, instances: tuple[GpuInstance, ...]) -> GpuActivity | None:
        """Return what was done since the last reading; ``None`` if nobody tells.

        Args:
            instances: those that it is divided into now.
        """
        if not instances:
            return self._of_processes.read()
        return (
            None if self._of_instances is None else self._of_instances.read(instances)
        )

    def close(self) -> None:
        """Give back what the library keeps for it."""
        if self._of_instances is not None:
            self._of_instances.close()
