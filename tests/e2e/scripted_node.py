"""A node whose time is a script's: its power is constant, and its energy is known.

Its counters go on only while the script works, however long anything else takes. So
what it drew before and after a change is known exactly, wherever the change fell.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.daemon import Daemon
from tests.e2e.exposition import Scrape
from tests.fakes.clock import Clock
from tests.fakes.machine import PlayedMachine

ENERGY = "jouled_node_energy_joules_total"
GRAMS = "jouled_node_emissions_grams_total"
FALLBACK_GRAMS = "jouled_node_emissions_fallback_grams_total"
INTENSITY = "jouled_carbon_intensity_grams_per_kwh"
LEVEL = "jouled_carbon_intensity_fallback_level"
FETCHES = "jouled_carbon_fetches_total"

POWER_W = {"intel-rapl:0": 60.0, "intel-rapl:1": 45.0, "intel-rapl:0:2": 5.0}
_STEP_S = 5.0


class ScriptedNode:
    """A machine with sockets and no GPU, and the daemon that reads it.

    Args:
        folder: gets the trees, the state and the log.
        flags: of ``jouled run``, beside those that make it read this node.
    """

    def __init__(self, folder: Path, flags: Sequence[str | Path] = ()) -> None:
        self._clock = Clock()
        self._machine = PlayedMachine(
            "two-socket-intel", folder / "machine", self._clock
        )
        for zone in self._machine.machine.zones:
            self._machine.set_power(zone.id, POWER_W.get(zone.id, 0.0))
        self.daemon = Daemon(
            folder,
            (
                *("--path.sysfs", self._machine.sysfs),
                *("--path.procfs", self._machine.procfs),
                *("--no-power.nvml", "--sampling.interval", "200ms"),
                *flags,
            ),
        )

    def work(self, seconds: float) -> tuple[Scrape, Scrape]:
        """Draw its power for so much of its time, a multiple of 5 s.

        Returns:
            A scrape before, and one with all of that energy in it.
        """
        before = self._settled()
        for _ in range(round(seconds / _STEP_S)):
            self._clock.pass_s(_STEP_S)
            self._machine.play()
            self.daemon.tick_after(time.time())
        return before, self._settled()

    def close(self) -> None:
        """End the daemon, and close the files of the machine."""
        self.daemon.close()
        self._machine.close()

    def _settled(self) -> Scrape:
        self.daemon.tick_after(time.time())
        return self.daemon.scrape()


@contextmanager
def scripted(node: ScriptedNode) -> Iterator[ScriptedNode]:
    """Run a node's daemon, and end it whatever happens."""
    try:
        node.daemon.start()
        yield node
    finally:
        node.close()


def drawn_j(seconds: float) -> float:
    """Return what a scripted node draws in so much of its time, J."""
    return sum(POWER_W.values()) * seconds


def grew(name: str, before: Scrape, after: Scrape) -> float:
    """Return how much a counter without labels grew from one scrape to the other."""
    return after.value(name) - before.value(name)
