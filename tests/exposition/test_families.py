import pytest

from exporter.core.model import GpuInfo, GpuStatus
from exporter.core.snapshot import ComponentTotals, JobTotals, Snapshot
from exporter.core.units import Grams, Joules, Seconds, Watts
from exporter.core.workload import WorkloadId, WorkloadLabels
from exporter.exposition import (
    carbon_metrics,
    daemon_metrics,
    gpu_metrics,
    job_metrics,
    node_metrics,
)
from exporter.exposition.catalogue import CATALOGUE
from exporter.exposition.families import Build, families
from exporter.exposition.family import LabelValues, Sample
from exporter.exposition.job_metrics import JOB_INFO_LABELS
from exporter.exposition.metric import LEVELS, Level, Metric
from tests.fakes.snapshots import bare_snapshot, changed, rich_snapshot

BUILD = Build("1.2.3", "3.11.7")


def samples(
    snapshot: Snapshot, metric: Metric, level: Level = "job"
) -> dict[LabelValues, float]:
    """Return one metric's series and values."""
    found = all_samples(snapshot, level)[metric.name]
    return {labels: value for labels, value, _ in found}


def all_samples(snapshot: Snapshot, level: Level = "job") -> dict[str, list[Sample]]:
    """Return every metric's samples by its name."""
    return {metric.name: found for metric, found in families(snapshot, BUILD, level)}


def job(**changes: object) -> JobTotals:
    """Return a small running job with some fields changed."""
    usual = JobTotals(
        WorkloadId("slurm", "7"),
        WorkloadLabels("7", user="ada"),
        created_unix_s=Seconds(1000.0),
        energy_j=(("cpu", Joules(5.0)),),
        power_w=(("cpu", Watts(2.0)),),
        emissions_g=Grams(0.5),
        cpu_s=Seconds(3.0),
    )
    return changed(usual, **changes)


def test_every_metric_of_the_catalogue_is_filled_once_and_in_its_order() -> None:
    """A metric that nobody fills would be a promise nobody keeps."""
    found = families(rich_snapshot(), BUILD, "job")

    assert tuple(metric for metric, _ in found) == CATALOGUE
    assert all(series for _, series in found)


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_contains_its_metrics_and_those_below(level: Level) -> None:
    """``metrics.level`` bounds how many series a node can have."""
    allowed = LEVELS[: LEVELS.index(level) + 1]

    found = families(rich_snapshot(), BUILD, level)

    assert tuple(metric for metric, _ in found) == tuple(
        metric for metric in CATALOGUE if metric.level in allowed
    )


def test_as_many_values_as_labels_everywhere() -> None:
    """One too few would shift every label behind it."""
    for metric, found in families(rich_snapshot(), BUILD, "job"):
        assert all(len(labels) == len(metric.labels) for labels, _, _ in found)


def test_no_series_appears_twice() -> None:
    """Prometheus refuses a scrape in which one does."""
    for _, found in families(rich_snapshot(), BUILD, "job"):
        labels = [labels for labels, _, _ in found]

        assert len(set(labels)) == len(labels)


def test_what_is_not_known_is_absent_and_not_zero() -> None:
    """A zero would be a measurement."""
    found = all_samples(bare_snapshot())

    for metric in (
        node_metrics.NODE_POWER,
        node_metrics.NODE_ENERGY,
        node_metrics.NODE_EMISSIONS,
        node_metrics.NODE_MARKET_EMISSIONS,
        node_metrics.NODE_EMBODIED,
        carbon_metrics.MARKET_INTENSITY,
        node_metrics.CPU_BUSY,
        node_metrics.COMPONENT_POWER,
        carbon_metrics.CARBON_OBSERVED,
        job_metrics.JOB_POWER,
        gpu_metrics.GPU_INFO,
        daemon_metrics.SOURCE_READ_DURATION,
    ):
        assert found[metric.name] == []


def test_what_is_not_counted_has_no_series_of_anybody() -> None:
    """Grams by contracts and of making the node are there where they are wanted."""
    jobs = tuple(
        changed(job, market_g=None, embodied_g=None) for job in rich_snapshot().jobs
    )
    tenants = tuple(
        changed(tenant, market_g=None, embodied_g=None)
        for tenant in rich_snapshot().tenants
    )
    without = changed(
        rich_snapshot(),
        market_intensity=None,
        market_g=None,
        embodied_g=None,
        jobs=jobs,
        tenants=tenants,
    )

    found = all_samples(without)

    empty = {name for name, samples in found.items() if not samples}
    assert empty == {
        f"jouled_{of}_{what}_grams_total"
        for of in ("node", "job", "tenant")
        for what in ("market_emissions", "embodied")
    } | {carbon_metrics.MARKET_INTENSITY.name}


def test_gauges_that_a_gpu_does_not_tell_are_absent() -> None:
    """Its info and its energy are there all the same."""
    device = next(device for device in rich_snapshot().devices if device.gpu)
    info = GpuInfo("GPU-1", 0, None, "Tesla", "550", "0:1")
    silent = changed(device, gpu=GpuStatus(info))
    snapshot = changed(rich_snapshot(), devices=(silent,))

    found = all_samples(snapshot)

    assert found[gpu_metrics.GPU_INFO.name] == [
        ((device.device.name, "0", "Tesla", "550", "0:1"), 1.0, None)
    ]
    assert found[gpu_metrics.GPU_UTILIZATION.name] == []
    assert found[gpu_metrics.GPU_POWER_LIMIT.name] == []
    assert len(found[node_metrics.DEVICE_ENERGY.name]) == 1


def test_components_come_in_one_order_whatever_the_order_of_the_snapshot() -> None:
    """A scrape that is shuffled compresses badly and compares worse."""
    shuffled = changed(
        rich_snapshot(),
        components=(
            ComponentTotals("gpu", Joules(1.0), None),
            ComponentTotals("cpu", Joules(2.0), None),
        ),
    )

    found = all_samples(shuffled)

    energy = found[node_metrics.COMPONENT_ENERGY.name]
    assert [labels for labels, _, _ in energy] == [("cpu",), ("gpu",)]


def test_only_counters_of_jobs_and_tenants_tell_when_they_began() -> None:
    """These are the ones that appear late; the others are as old as the boot."""
    for metric, found in families(rich_snapshot(), BUILD, "job"):
        has_created = metric.type == "counter" and metric.level != "node"

        assert all((created is not None) == has_created for _, _, created in found)


def test_an_ended_job_keeps_its_totals_and_loses_its_gauges() -> None:
    """Its energy stays readable for a while; its power is no more."""
    ended = job(power_w=(), end_unix_s=Seconds(2000.0))
    snapshot = changed(bare_snapshot(), jobs=(ended,))

    assert list(samples(snapshot, job_metrics.JOB_ENERGY).values()) == [5.0]
    assert list(samples(snapshot, job_metrics.JOB_END).values()) == [2000.0]
    assert samples(snapshot, job_metrics.JOB_POWER) == {}


def test_of_a_requeued_job_the_last_run_is_shown() -> None:
    """Both runs have the same labels, and a series may be there once."""
    first = job(emissions_g=Grams(9.0), end_unix_s=Seconds(1500.0))
    second = job(workload=WorkloadId("slurm", "7 again"), created_unix_s=Seconds(1600))
    for jobs in ((first, second), (second, first)):
        snapshot = changed(bare_snapshot(), jobs=jobs)

        assert list(samples(snapshot, job_metrics.JOB_EMISSIONS).values()) == [0.5]
        assert samples(snapshot, job_metrics.JOB_END) == {}


def test_job_info_has_all_its_labels_even_if_little_is_known() -> None:
    """A join needs the same labels on every job."""
    named = job(labels=WorkloadLabels("7", info={"name": "train", "odd": "x"}))
    snapshot = changed(bare_snapshot(), jobs=(named,))

    (labels,) = samples(snapshot, job_metrics.JOB_INFO)

    expected = ("train", *("" for _ in JOB_INFO_LABELS[1:]))
    assert labels[-len(JOB_INFO_LABELS) :] == expected


def test_a_failed_source_is_down_with_its_errors_counted() -> None:
    """An alert needs both: that it is down, and why."""
    snapshot = rich_snapshot()

    assert samples(snapshot, daemon_metrics.SOURCE_UP)[("ipmi",)] == 0
    assert samples(snapshot, daemon_metrics.SOURCE_UP)[("rapl",)] == 1
    errors = samples(snapshot, daemon_metrics.SOURCE_ERRORS)
    assert errors[("ipmi", "denied")] == 86_400
    assert errors[("nvml", "timeout")] == 2


def test_estimates_are_told_from_measurements() -> None:
    """Who adds up measured watts only has to be able to."""
    infos = samples(rich_snapshot(), daemon_metrics.SOURCE_INFO)

    assert ("platform-model", "platform", "modelled", "estimated", "device") in infos
    assert ("rapl", "cpu", "counter", "measured", "device") in infos


def test_a_forecast_is_shown_as_far_as_it_reaches() -> None:
    """A gap in it has no series, and neither has what is beyond it."""
    found = {
        metric.name: rows for metric, rows in families(rich_snapshot(), BUILD, "job")
    }

    rows = found["jouled_carbon_intensity_forecast_grams_per_kwh"]
    assert [(labels, value) for labels, value, _ in rows] == [
        (("DE", "1h"), 345.5),
        (("DE", "3h"), 210.0),
        (("DE", "6h"), 240.0),
    ]


def test_who_asks_nobody_has_no_series_of_it() -> None:
    """They cost nothing where they say nothing."""
    found = {
        metric.name: rows for metric, rows in families(bare_snapshot(), BUILD, "job")
    }

    assert found["jouled_carbon_intensity_forecast_grams_per_kwh"] == []
    assert found["jouled_carbon_fetches_total"] == []
