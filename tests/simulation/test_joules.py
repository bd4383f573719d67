"""The joules of a simulated machine, through the real readers to the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.core.errors import SourceError
from exporter.core.model import Reading
from exporter.core.snapshot import Snapshot
from exporter.core.units import Seconds
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from exporter.power.nvml import NvmlDriver
from exporter.power.rapl import PowercapSource
from exporter.simulation.cluster import Cluster
from exporter.simulation.node import SimulatedNode
from exporter.simulation.rack import ACT_S
from exporter.simulation.script import Script
from exporter.workloads.node_usage import PsutilNodeUsage
from tests.fakes.clock import Clock
from tests.fakes.node import sample

_GPUS = 8
# Longer than a counter of a busy package takes to go round.
_LENGTH_S = 2400


class _Life:
    """A node and its readers, tick by tick."""

    def __init__(self, folder: Path, index: int, unix_s: float) -> None:
        self.clock = Clock()
        script = Script(Cluster(nodes=4), index)
        self.node = SimulatedNode(script, "n", folder, self.clock, lambda: unix_s)
        self._powercap = PowercapSource(self.node.sysfs, self.clock)
        self._driver = NvmlDriver(
            folder / "nvml-release",
            self.clock,
            lambda: unix_s,
            initialise=self.node.stand_ins.nvml,
        )
        self._usage = PsutilNodeUsage(self.node.procfs, self.clock)
        self._engine = Engine(EngineSettings())
        self.lost_ticks = 0

    def tick(self) -> Snapshot:
        """Let a second pass, and read what is so then."""
        self.clock.pass_s(1.0)
        self.node.play()
        readings = [*self._powercap.read(), *self._gpus()]
        now_s = Seconds(self.clock())
        usage = self._usage.read()
        return self._engine.fold(sample(now_s, *readings, node=usage))

    def true_j(self) -> dict[str, float]:
        """Return what each device has drawn, by the machine's own account."""
        machine, now_s = self.node.machine, self.clock()
        found = {f"package-{n}": j for n, j in enumerate(machine.package_j)}
        found |= {f"dram-{n}": j for n, j in enumerate(machine.dram_j)}
        nvml = self.node.stand_ins.nvml()
        for index, gpu in enumerate(machine.gpus):
            if not gpu.is_lost:
                found[nvml.nvmlDeviceGetUUID(index)] = gpu.energy_at_j(now_s)
        return found

    def close(self) -> None:
        """Close the readers and the node."""
        self._powercap.close()
        self._driver.close()
        self._usage.close()
        self.node.close()

    def _gpus(self) -> Iterator[Reading]:
        try:
            self._driver.read()
        except SourceError:
            self.lost_ticks += 1
        for member in self._driver.members():
            try:
                yield from member.read()
            except SourceError:
                self.lost_ticks += 1


@contextmanager
def _life(folder: Path, index: int, unix_s: float) -> Iterator[_Life]:
    life = _Life(folder, index, unix_s)
    try:
        yield life
    finally:
        life.close()


def _moment(node: int, *, with_loss: bool) -> float:
    """Return when a GPU of a node will be lost in the time of a test, or none."""
    script = Script(Cluster(nodes=4), node)
    for begin_s in range(82_500 * ACT_S, 82_510 * ACT_S, 600):
        lost = [
            script.lost_gpu(begin_s + second) is not None
            for second in range(0, _LENGTH_S + 300, 5)
        ]
        if any(lost) == with_loss and not any(lost[:60]) and not any(lost[-80:]):
            return float(begin_s)
    raise AssertionError


@pytest.mark.parametrize("with_loss", [False, True])
def test_exported_joules_are_those_of_the_machine(
    tmp_path: Path, *, with_loss: bool
) -> None:
    """To a thousandth, through wraps of counters and GPUs that go and come back."""
    with _life(tmp_path, 1, _moment(1, with_loss=with_loss)) as life:
        life.tick()
        first = life.tick()
        true_first_j = life.true_j()
        last = first
        for _ in range(_LENGTH_S):
            last = life.tick()
        true_last_j = life.true_j()

    began = {each.device.name: each.energy_j for each in first.devices}
    ended = {each.device.name: each.energy_j for each in last.devices}
    drawn = {name: ended[name] - began[name] for name in ended}
    true = {name: true_last_j[name] - true_first_j[name] for name in true_last_j}
    assert (life.lost_ticks > 0) == with_loss
    assert len(drawn) == 4 + _GPUS
    assert drawn == pytest.approx(true, rel=1e-3)
    assert sum(drawn.values()) == pytest.approx(sum(true.values()), rel=1e-3)
    assert max(drawn.values()) > 200_000
