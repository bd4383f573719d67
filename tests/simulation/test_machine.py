"""The hardware of a simulated node."""

import pytest

from exporter.simulation.cluster import Cluster
from exporter.simulation.machine import GPU_LIMIT_W, Machine
from exporter.simulation.rack import ACT_S
from exporter.simulation.script import Script

_UNIX_S = 82_500 * ACT_S + 0.25
_STEP_S = 0.05


def _machine(node: int = 0) -> Machine:
    return Machine(Script(Cluster(nodes=4), node), now_s=1000.0, unix_s=_UNIX_S)


def _played(machine: Machine, seconds: int) -> None:
    for step in range(1, int(seconds / _STEP_S) + 1):
        machine.advance(1000.0 + step * _STEP_S)


def test_cpu_time_of_the_node_is_that_of_its_jobs_and_the_system() -> None:
    """Nobody's work is missing, so nothing has to be made up for it."""
    machine = _machine()
    ended_s = 0.0
    for step in range(1, 2401):
        machine.advance(1000.0 + step * _STEP_S)
        ended_s += sum(running.cpu_s for running in machine.ended)

    jobs_s = ended_s + sum(running.cpu_s for running in machine.running.values())
    assert jobs_s < machine.busy_s < jobs_s + 120.0
    assert machine.busy_s + machine.idle_s == pytest.approx(120.0 * 64)


def test_energy_does_not_depend_on_how_often_it_is_looked_at() -> None:
    """Power is constant within a second: an integral, not a sum of guesses."""
    often, seldom = _machine(), _machine()

    _played(often, 30)
    for second in range(31):
        # Just after each second of the wall clock, where loads change.
        seldom.advance(1000.0 + second + 0.75)
    often.advance(1030.75)

    assert often.package_j == pytest.approx(seldom.package_j, rel=1e-3)
    assert [gpu.energy_at_j(1030.75) for gpu in often.gpus] == pytest.approx(
        [gpu.energy_at_j(1030.75) for gpu in seldom.gpus], rel=1e-3
    )


def test_a_gpu_counts_on_between_two_looks() -> None:
    """The driver is asked at any time, and never sees less than before."""
    machine = _machine()
    before = machine.gpus[0]
    at_1s_j = before.energy_at_j(1000.9)

    machine.advance(1000.9)

    assert machine.gpus[0].energy_at_j(1000.9) == pytest.approx(at_1s_j)
    assert at_1s_j - before.energy_j == pytest.approx(0.9 * before.power_w)


def test_no_gpu_draws_more_than_its_limit() -> None:
    """The daemon would not believe it."""
    for node in range(4):
        machine = _machine(node)
        for minute in range(60):
            machine.advance(1000.0 + 60.0 * minute)
            for gpu in machine.gpus:
                assert 0 < gpu.power_w <= GPU_LIMIT_W
                assert 20 < gpu.temperature_c < 90
