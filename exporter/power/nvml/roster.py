"""All GPUs that a node has had so far, whether they are there now or not.

Some are released or gone: they stay, without a handle, and their reads fail with the
reason. Any thread may ask who is on it; only the driver changes it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exporter.core.errors import SourceError, SourceFaultyError
from exporter.core.units import Seconds
from exporter.power.nvml.gpu import NvmlGpu
from exporter.power.nvml.places import Places


class Roster:
    """The GPUs, by UUID.

    Args:
        monotonic: CLOCK_MONOTONIC, s.
        patience_s: how long to wait for all workers together, s, and how long
            they wait for the driver.
        gpm: what MIG instances do may be read from performance counters.
    """

    def __init__(
        self, monotonic: Callable[[], float], patience_s: Seconds, *, gpm: bool
    ) -> None:
        self._monotonic = monotonic
        self._patience_s = patience_s
        self._gpm = gpm
        self._known: dict[str, NvmlGpu] = {}

    def all(self) -> tuple[NvmlGpu, ...]:
        """Return all of them, in the order in which they came."""
        return tuple(self._known.values())

    def find(self, uuid: str) -> NvmlGpu | None:
        """Return one of them, if there is."""
        return self._known.get(uuid)

    def expect(self, uuid: str) -> None:
        """Know a GPU from now on, if it is not known yet."""
        if uuid not in self._known:
            self._known[uuid] = NvmlGpu(
                uuid, self._monotonic, self._patience_s, gpm=self._gpm
            )

    def keep_only(self, places: Places) -> None:
        """Forget those that were not found now."""
        self._known = {
            uuid: gpu for uuid, gpu in self._known.items() if uuid in places.found
        }

    def attach(self, places: Places) -> int:
        """Give every GPU that was found its new handle, the others none.

        Returns:
            How many were not found.
        """
        for uuid, place in places.found.items():
            self.expect(uuid)
            self._known[uuid].attach(place)
        missing = self._known.keys() - places.found.keys()
        for uuid in missing:
            self._known[uuid].detach(
                SourceFaultyError(
                    f"GPU {uuid} was there before, and NVML finds it no more; if it "
                    "was taken out on purpose, 'jouled gpu release' and 'resume' "
                    "forget it"
                )
            )
        return len(missing)

    def detach(self, why: SourceError) -> None:
        """Drop the handles of all; they are held."""
        for gpu in self._known.values():
            gpu.detach(why)

    def forget_samples(self) -> None:
        """Give back what the library keeps for them; they are held."""
        for gpu in self._known.values():
            gpu.forget_samples()

    @contextmanager
    def workers_kept_out(self) -> Iterator[bool]:
        """Hold every GPU, and tell whether that could be done in time."""
        taken: list[NvmlGpu] = []
        end_s = time.monotonic() + self._patience_s
        try:
            for gpu in self._known.values():
                if not gpu.take(Seconds(max(0.0, end_s - time.monotonic()))):
                    break
                taken.append(gpu)
            yield len(taken) == len(self._known)
        finally:
            for gpu in taken:
                gpu.give_back()
