"""Grams that are counted beside emissions: by contracts, and of making the node."""

import json
from dataclasses import replace

import pytest

from exporter.core.embodied import EmbodiedCarbon
from exporter.core.units import Grams, GramsPerKwh, Seconds
from exporter.pipeline.decoding import decode
from exporter.pipeline.encoding import encode
from exporter.pipeline.state import EngineSettings
from tests.fakes.counters import job
from tests.fakes.life import Life, LivingJob, PlayedDevice
from tests.fakes.node import CPUS, cpu, gpu, hold, labels

# A gram a second.
MAKING = EmbodiedCarbon(Grams(1e6), Seconds(1e6))
CONTRACTED = GramsPerKwh(50.0)
BOTH = EngineSettings(market_intensity=CONTRACTED, embodied=MAKING)


def living(settings: EngineSettings) -> Life:
    """Return a node with a GPU of 360 W, and one tick behind it."""
    devices = [PlayedDevice(cpu(), 0.0), PlayedDevice(gpu(), 360.0)]
    life = Life(devices, settings)
    life.tick()
    return life


def test_contracts_are_counted_beside_the_grid() -> None:
    """The same energy and PUE at another figure; the grid's is what it was."""
    life = living(BOTH)
    life.start("1", 0.0, hold())
    life.tick()

    last = life.tick(10.0)

    kwh = last.node_energy_j / 3.6e6
    assert last.market_intensity == 50.0
    assert last.market_g == pytest.approx(kwh * 50 * 1.25)
    assert last.emissions_g == pytest.approx(kwh * 400 * 1.25)
    assert job(last).market_g == pytest.approx(job(last).emissions_g * 50 / 400)
    (tenant,) = last.tenants
    assert tenant.market_g == pytest.approx(tenant.emissions_g * 50 / 400)


def test_contracts_without_carbon_are_a_zero_that_is_known() -> None:
    """Nothing is emitted on paper; that is told, not left out."""
    life = living(EngineSettings(market_intensity=GramsPerKwh(0.0)))
    life.start("1", 0.0, hold())

    last = life.tick()

    assert (last.market_g, job(last).market_g) == (0.0, 0.0)
    assert (last.embodied_g, job(last).embodied_g) == (None, None)


def test_what_nobody_configured_is_not_there() -> None:
    """No zero that one could take for a figure."""
    life = living(EngineSettings())
    life.start("1", 0.0, hold())

    last = life.tick()

    assert (last.market_intensity, last.market_g, last.embodied_g) == (None,) * 3
    assert (job(last).market_g, job(last).embodied_g) == (None, None)
    assert (last.tenants[0].market_g, last.tenants[0].embodied_g) == (None, None)


def test_making_the_node_is_used_up_by_the_second() -> None:
    """Whether it computes or not; a job has what it reserved of that."""
    life = living(BOTH)
    life.start("1", CPUS / 4)
    life.tick()

    last = life.tick(10.0)

    assert last.embodied_g == pytest.approx(11.0)
    assert job(last).embodied_g == pytest.approx(11.0 / 4)
    assert last.tenants[0].embodied_g == pytest.approx(11.0 / 4)


def test_a_job_that_ended_has_its_last_slice_and_no_more() -> None:
    """It was there until the tick that found it gone."""
    life = living(BOTH)
    life.start("1", CPUS / 4)
    life.tick()
    life.end("1")
    life.tick()

    last = life.tick(10.0)

    assert job(last).embodied_g == pytest.approx(2 / 4)
    assert last.embodied_g == pytest.approx(12.0)


def test_a_tenant_gets_what_was_counted_before_the_labels() -> None:
    """And gets it once."""
    life = living(BOTH)
    life.jobs["1"] = LivingJob(CPUS / 4, (hold(),))
    life.tick()
    life.jobs["1"].labels = labels("1")
    life.tick()

    last = life.tick()

    (tenant,) = last.tenants
    assert tenant.embodied_g == pytest.approx(job(last).embodied_g)
    assert tenant.market_g == pytest.approx(job(last).market_g)
    assert tenant.market_g == pytest.approx(tenant.emissions_g * 50 / 400)


def test_counters_go_on_where_a_reload_left_them() -> None:
    """Switched off they are not shown; switched on again they have not fallen."""
    life = living(BOTH)
    life.start("1", CPUS / 4, hold())
    before = life.tick()

    life.engine.settings = EngineSettings()
    off = life.tick()
    life.engine.settings = BOTH
    after = life.tick()

    assert (off.market_g, off.embodied_g) == (None, None)
    assert before.market_g is not None
    assert after.market_g == pytest.approx(before.market_g * 2)
    assert before.embodied_g == pytest.approx(1.0)
    assert after.embodied_g == pytest.approx(2.0)


def test_a_restart_loses_nothing_of_them() -> None:
    """The time the daemon was away is used up too."""
    life = living(BOTH)
    life.start("1", 1.0, hold())
    life.tick()
    life.restart()

    last = life.tick(10.0)

    assert last.embodied_g == pytest.approx(11.0)
    # It holds the only GPU.
    assert job(last).embodied_g == pytest.approx(11.0)
    assert last.market_g == pytest.approx(last.emissions_g * 50 / 400)
    assert last.tenants[0].market_g == pytest.approx(job(last).market_g)


@pytest.mark.parametrize("part", ["jobs", "tenants"])
def test_a_checkpoint_with_grams_of_nobody_is_refused(part: str) -> None:
    """Parts that contradict each other are not gone on from."""
    life = living(replace(BOTH))
    life.start("1", CPUS / 4, hold())
    life.tick()
    stored = json.loads(json.dumps(encode(life.state)))
    rows = stored["beside"][2 if part == "jobs" else 3]
    rows[0][1] = "nobody"

    with pytest.raises(KeyError, match="nobody"):
        decode(stored)
