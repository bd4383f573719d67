"""A node whose every joule is known: two sockets and NVIDIA GPUs, all played.

It can be put *at rest*, with nothing drawn at all. Between two rests the
energy drawn is a number that does not depend on when anybody looked, so what
the daemon counted can be compared with it to the last digit, however slow
the machine is on which the test runs.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from tests.e2e.daemon import Daemon
from tests.fakes.machine import Machine, PlayedMachine, load_machine
from tests.fakes.nvml import LONG_NOTICE_S, FakeNvml

# Name of the device, by the zone it is read from.
ZONES: Mapping[str, str] = {
    "intel-rapl:0": "package-0",
    "intel-rapl:1": "package-1",
    "intel-rapl:0:2": "dram-0",
    "intel-rapl:1:0": "dram-1",
}
NO_WRAPS: Mapping[str, float] = MappingProxyType({})


class Node:
    """The played machine and driver, and the daemon that reads them.

    ``flags`` and ``env`` are for other commands beside that daemon.

    Args:
        folder: gets the trees, the state and the logs.
        gpus: how many GPUs it has.
        wraps_within_j: joules before a zone passes the end of its range, by zone;
            the others do not come near theirs.
        flags: of ``jouled run``, beside those that make it read this node.
        env: what makes it find a driver; ``None``: the played one.
        scripted: whether a scheduler tells it of the jobs in ``script``.
    """

    def __init__(
        self,
        folder: Path,
        gpus: int,
        wraps_within_j: Mapping[str, float] = NO_WRAPS,
        *,
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        scripted: bool = False,
    ) -> None:
        self.machine = PlayedMachine(_machine(wraps_within_j), folder / "machine")
        self.driver = FakeNvml(folder / "nvml", gpus, notice_s=LONG_NOTICE_S)
        self.gpus = tuple(gpu.uuid for gpu in self.driver.gpus)
        self.script = folder / "jobs.json"
        self.env = self.driver.env() if env is None else env
        node_flags = (
            *("--path.sysfs", str(self.machine.sysfs)),
            *("--path.procfs", str(self.machine.procfs)),
            *flags,
        )
        self.daemon = Daemon(
            folder,
            node_flags,
            self.env,
            script=self.script if scripted else None,
        )
        self.flags = (*node_flags, *self.daemon.state_flags)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that are up while all is well."""
        return ("rapl", "nvml", *(f"nvml/{gpu}" for gpu in self.gpus))

    def set_power(
        self, zone_w: Mapping[str, float], gpu_w: Mapping[int, float]
    ) -> None:
        """Let zones and GPUs, by their number, draw so much from now on, W."""
        for zone, power_w in zone_w.items():
            self.machine.set_power(zone, power_w)
        for number, power_w in gpu_w.items():
            self.driver.set_power(number, power_w)

    def rest(self) -> None:
        """Draw nothing, and wait until the daemon has seen everything before."""
        self.set_power(
            dict.fromkeys(ZONES, 0.0), dict.fromkeys(range(len(self.gpus)), 0.0)
        )
        # The last GPU changes its power a moment after it is told to.
        until_s = max(gpu.energy_t0 for gpu in self.driver.gpus)
        time.sleep(max(0.0, until_s - time.monotonic()))
        rest_unix_s = time.time()
        self.daemon.tick_after(rest_unix_s)
        for source in self.sources:
            self.daemon.wait_for_source(source, up=True)
        self.daemon.tick_after(time.time())

    def true_energy_j(self) -> dict[str, float]:
        """Energy each device has drawn since it was made, J, by its name."""
        return {
            **{name: self.machine.true_energy_j(zone) for zone, name in ZONES.items()},
            **{
                gpu: self.driver.true_energy_j(number)
                for number, gpu in enumerate(self.gpus)
            },
        }


@contextmanager
def playing(node: Node) -> Iterator[Node]:
    """Play a node, and end its daemon whatever happens."""
    try:
        with node.machine.playing():
            yield node
    finally:
        node.daemon.close()
        node.machine.close()


def _machine(wraps_within_j: Mapping[str, float]) -> Machine:
    machine = load_machine("two-socket-intel")
    zones = []
    for zone in machine.zones:
        range_j = zone.max_energy_range_uj / 1e6
        left_j = wraps_within_j.get(zone.id, range_j / 2)
        energy_uj = round((range_j - left_j) * 1e6)
        zones.append(replace(zone, energy_uj=energy_uj, power_w=0.0))
    return replace(machine, zones=tuple(zones))
