"""Lives of a node that differ in one thing which may not matter."""

from dataclasses import dataclass
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.units import Watts
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import Series, counters
from tests.fakes.life import Life, PlayedDevice
from tests.fakes.node import cpu, gpu, hold, job_id, node_meter

KEYS = st.sampled_from(["1", "2", "3", "4"])


@dataclass(frozen=True)
class Step:
    """What happens before a tick, and how long the tick is."""

    seconds: float
    package_w: float
    starts: str | None
    ends: str | None


STEPS = st.lists(
    st.builds(
        Step,
        seconds=st.sampled_from([1.0, 1.0, 0.5, 2.5, 5.0]),
        package_w=st.floats(0, 180),
        starts=st.none() | KEYS,
        ends=st.none() | KEYS,
    ),
    min_size=1,
    max_size=40,
)


def live(
    steps: list[Step], *, range_j: int = 10**9, restarts: frozenset[int] = frozenset()
) -> dict[Series, float]:
    """Play a life and return its counters at the end."""
    life = Life(
        [
            PlayedDevice(cpu(wraps_at=range_j * 10**6), 100.0),
            PlayedDevice(gpu(), 300.0),
            PlayedDevice(node_meter(), 700.0),
        ],
        EngineSettings(idle_w=(("cpu", Watts(40.0)), ("gpu", Watts(60.0)))),
    )
    snapshot = life.tick()
    for number, step in enumerate(steps):
        life.devices[0].power_w = step.package_w
        if step.starts is not None and step.starts not in life.jobs:
            life.start(step.starts, 1.5, hold(share=0.25))
        if step.ends is not None:
            life.end(step.ends)
        if number in restarts:
            life.restart()
        snapshot = life.tick(step.seconds)
    return counters(snapshot)


@given(steps=STEPS)
def test_rule_2_a_register_that_wraps_tells_the_same_as_a_wide_one(
    steps: list[Step],
) -> None:
    """The same truth, in a register that wraps every minute or so."""
    # More than the device can draw in the longest tick, so that all is certain.
    assert live(steps, range_j=12_001) == pytest.approx(live(steps), rel=1e-9)


@given(steps=STEPS, restarts=st.frozensets(st.integers(0, 40)))
def test_rule_7_restarts_at_any_tick_change_nothing(
    steps: list[Step], restarts: frozenset[int]
) -> None:
    """What a daemon that was killed had counted, the next one goes on from."""
    assert live(steps, restarts=restarts) == live(steps)


@given(
    seconds=st.lists(st.floats(0.1, 300), min_size=1, max_size=20),
    busy_cpus=st.floats(0, 7),
)
def test_rule_1_missed_ticks_move_no_joule(
    seconds: list[float], busy_cpus: float
) -> None:
    """One long interval divides energy as its parts would have been."""
    often, once = (
        Life(
            [PlayedDevice(cpu(wraps_at=10**15), 100.0)],
            EngineSettings(idle_w=(("cpu", Watts(40.0)),)),
        )
        for _ in range(2)
    )
    for life in (often, once):
        life.start("1", busy_cpus)
        life.tick()

    many = [counters(often.tick(one)) for one in seconds]
    single = counters(once.tick(fsum(seconds)))

    assert many[-1] == pytest.approx(single, rel=1e-6, abs=1e-3)


@given(
    outage=st.integers(1, 200),
    waits=st.booleans(),
    busy_cpus=st.floats(0.1, 7),
)
def test_rule_1_an_outage_charges_no_job_twice(
    *, outage: int, waits: bool, busy_cpus: float
) -> None:
    """What was unknown stays so, and is not charged when the scheduler is back.

    If the energy waits too, then nothing is unknown in the end.
    """
    life = Life([PlayedDevice(cpu(wraps_at=10**15), 100.0)])
    life.start("1", busy_cpus)
    life.tick()
    life.tick()

    life.jobs_readable = False
    life.devices[0].readable = not waits
    for _ in range(outage):
        life.tick()
    life.jobs_readable = life.devices[0].readable = True
    life.tick()
    life.tick()

    known_s = outage + 3 if waits else 3
    fair_j = 100.0 * known_s * busy_cpus / (busy_cpus + 0.5)
    ledger = life.state.ledger
    assert ledger.jobs[job_id("1")].energy_j[0] == pytest.approx(fair_j, rel=1e-6)
    unknown_j = ledger.unattributed.get(("cpu", "unknown"), 0.0)
    assert unknown_j <= 100.0 * (0 if waits else outage) + 1e-6
