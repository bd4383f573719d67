"""Says of what is read on a simulated machine that nothing of it was measured.

Readers of real sensors say "measured" of themselves, and rightly so. Here they read
what a script made up: each is wrapped in one that says "simulated".
"""

from dataclasses import replace

from exporter.core.model import Reading, SourceInfo
from exporter.core.ports import PowerDriver, PowerSource
from exporter.pipeline.sampler import Sources


def mark(sources: Sources) -> Sources:
    """Return the same sources; those of power say that they are simulated."""
    return replace(
        sources,
        power=tuple(map(SimulatedSource, sources.power)),
        drivers=tuple(map(SimulatedDriver, sources.drivers)),
    )


class SimulatedSource:
    """A source whose numbers are invented; implements ``core.ports.PowerSource``."""

    def __init__(self, source: PowerSource) -> None:
        self._source = source
        self._told: SourceInfo | None = None
        self._info = source.info

    @property
    def info(self) -> SourceInfo:
        """What it says of itself, but for the quality."""
        told = self._source.info
        if told is not self._told:
            self._told = told
            is_number = told.quality != "none"
            self._info = replace(told, quality="simulated") if is_number else told
        return self._info

    def read(self) -> tuple[Reading, ...]:
        """Read the source.

        Raises:
            SourceError: as the source says.
        """
        return self._source.read()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class SimulatedDriver(SimulatedSource):
    """A driver whose devices are invented; implements ``core.ports.PowerDriver``."""

    def __init__(self, driver: PowerDriver) -> None:
        super().__init__(driver)
        self._driver = driver
        self._of: tuple[PowerSource, ...] = ()
        self._members: tuple[PowerSource, ...] = ()
        self._wrapped: dict[int, SimulatedSource] = {}

    @property
    def restart_needed(self) -> bool:
        """As the driver says."""
        return self._driver.restart_needed

    def expect(self, names: tuple[str, ...]) -> None:
        """Hand them on."""
        self._driver.expect(names)

    def members(self) -> tuple[PowerSource, ...]:
        """Return its devices; the same tuple until that changes."""
        members = self._driver.members()
        if members is not self._of:
            self._of = members
            # The same device is the same source, however often the list changes.
            self._wrapped = {
                id(one): self._wrapped.get(id(one)) or SimulatedSource(one)
                for one in members
            }
            self._members = tuple(self._wrapped.values())
        return self._members
