from math import fsum

import pytest

from tests.e2e.exposition import Scrape
from tests.e2e.measured import INTENSITY_G_PER_KWH, PUE, Measured
from tests.e2e.node import ZONES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

COMPONENTS = ("cpu", "dram", "gpu")
DEVICE = "jouled_device_energy_joules_total"
COMPONENT = "jouled_component_energy_joules_total"
NODE = "jouled_node_energy_joules_total"
JOB = "jouled_job_energy_joules_total"
UNATTRIBUTED = "jouled_unattributed_energy_joules_total"
TENANT = "jouled_tenant_energy_joules_total"

# What the project promises. At rest nothing but the rounding of the counters is
# left, so the run is held to more than that.
PROMISED = 1e-3
ROUNDING = 1e-6
EXACT = 1e-9


def test_each_device_has_drawn_what_is_counted(measured: Measured) -> None:
    """The whole point: the joules are those that were spent."""
    devices = (*ZONES.values(), *measured.gpus)

    for device in devices:
        true_j = measured.end.true_j[device] - measured.begin.true_j[device]
        counted_j = measured.end.scrape.value(
            DEVICE, device=device
        ) - measured.begin.scrape.value(DEVICE, device=device)
        assert true_j > 0
        assert counted_j == pytest.approx(true_j, rel=PROMISED)
        assert counted_j == pytest.approx(true_j, rel=ROUNDING, abs=0.002)


def test_the_node_has_drawn_what_its_devices_have(measured: Measured) -> None:
    """One figure for the node, and it is not an estimate of its own."""
    true_j = fsum(measured.end.true_j.values()) - fsum(measured.begin.true_j.values())
    counted_j = measured.end.scrape.value(NODE) - measured.begin.scrape.value(NODE)

    assert counted_j == pytest.approx(true_j, rel=ROUNDING)
    assert (
        measured.end.scrape.get("jouled_unmeasured_seconds_total", component="gpu") == 0
    )


def _scrapes(measured: Measured) -> tuple[Scrape, ...]:
    return (measured.begin.scrape, *measured.at_work, measured.end.scrape)


@pytest.mark.parametrize("component", COMPONENTS)
def test_jobs_and_the_unattributed_are_the_component(
    measured: Measured, component: str
) -> None:
    """Nothing invented and nothing lost, in the numbers that leave the daemon."""
    for scrape in _scrapes(measured):
        parts_j = fsum(
            value
            for name in (JOB, UNATTRIBUTED)
            for _, value in scrape.series(name, component=component)
        )
        assert parts_j == pytest.approx(
            scrape.value(COMPONENT, component=component), rel=EXACT
        )


@pytest.mark.parametrize("component", COMPONENTS)
def test_devices_are_the_component(measured: Measured, component: str) -> None:
    """Both sides of the ledger come from the same reading."""
    for scrape in _scrapes(measured):
        assert scrape.total(DEVICE, component=component) == pytest.approx(
            scrape.value(COMPONENT, component=component), rel=EXACT
        )


def test_components_are_the_node(measured: Measured) -> None:
    """A dashboard may add them up."""
    for scrape in _scrapes(measured):
        assert scrape.total(COMPONENT) == pytest.approx(scrape.value(NODE), rel=EXACT)


def test_tenants_have_what_their_jobs_have(measured: Measured) -> None:
    """Budgets add up tenants, reports add up jobs."""
    for scrape in _scrapes(measured):
        assert scrape.total(TENANT) == pytest.approx(scrape.total(JOB), rel=EXACT)


def test_a_job_has_all_energy_of_the_gpus_it_holds(measured: Measured) -> None:
    """They are reserved for it, idle or not."""
    last = measured.end.scrape

    for gpus, job_id in ((measured.gpus[:2], "1"), (measured.gpus[3:5], "3")):
        true_j = fsum(
            measured.end.true_j[gpu] - measured.begin.true_j[gpu] for gpu in gpus
        )
        before = measured.begin.scrape.get(JOB, job_id=job_id, component="gpu") or 0.0
        job_j = last.value(JOB, job_id=job_id, component="gpu") - before
        assert job_j == pytest.approx(true_j, rel=ROUNDING)


def test_a_job_that_ended_keeps_what_it_used(measured: Measured) -> None:
    """It stays long enough for every Prometheus to see its last value."""
    last, half = measured.end.scrape, measured.at_work[len(measured.at_work) // 2]

    assert last.get("jouled_job_power_watts", job_id="2", component="gpu") is None
    assert last.value("jouled_job_end_timestamp_seconds", job_id="2") > 0
    assert last.total(JOB, job_id="2") >= half.total(JOB, job_id="2") > 0


def test_grams_are_the_energy_times_intensity_and_pue(measured: Measured) -> None:
    """The same joules at the site's own intensity: no second arithmetic."""
    last = measured.end.scrape

    grams = last.value(NODE) / 3.6e6 * INTENSITY_G_PER_KWH * PUE
    assert last.value("jouled_node_emissions_grams_total") == pytest.approx(grams)
    assert last.value("jouled_node_emissions_fallback_grams_total") == 0


def test_zones_that_overlap_are_not_added(measured: Measured) -> None:
    """Core and uncore lie inside the package, psys and MMIO show it again."""
    labels = [labels for labels, _ in measured.end.scrape.series(DEVICE)]

    assert {each["device"] for each in labels} == {*ZONES.values(), *measured.gpus}


def test_no_tick_had_anything_to_complain_about(measured: Measured) -> None:
    """Changes of power are no faults."""
    assert "level=warning" not in measured.log
    assert "level=error" not in measured.log
