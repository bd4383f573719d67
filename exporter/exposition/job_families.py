"""The jobs and tenants of a snapshot as samples, metric by metric.

A node with many jobs has thousands of samples in every scrape: so they are plain
tuples, and a job's label values are made once for all of its metrics.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter

from exporter.core.snapshot import JobTotals, Snapshot
from exporter.exposition import job_metrics
from exporter.exposition.family import Family, LabelValues, counted
from exporter.exposition.metric import Metric


def job_families(snapshot: Snapshot, job_info: Metric) -> list[Family]:
    """List every metric of jobs; of jobs with the same labels the last one is told.

    Args:
        snapshot: the node after one tick.
        job_info: ``JOB_INFO``, maybe with labels of a site's own.
    """
    told = job_info.labels[len(job_metrics.JOB_LABELS) :]
    jobs = _newest_by_labels(snapshot.jobs).items()

    def gauge(metric: Metric, field: str) -> Family:
        read: Callable[[JobTotals], float | None] = attrgetter(field)
        return Family(
            metric,
            [
                (labels, value, None)
                for labels, job in jobs
                if (value := read(job)) is not None
            ],
        )

    return [
        Family(
            job_metrics.JOB_POWER,
            [
                ((*labels, component), power_w, None)
                for labels, job in jobs
                for component, power_w in job.power_w
            ],
        ),
        Family(
            job_metrics.JOB_ENERGY,
            [
                ((*labels, component), energy_j, job.created_unix_s)
                for labels, job in jobs
                for component, energy_j in job.energy_j
            ],
        ),
        Family(
            job_metrics.JOB_EMISSIONS,
            [(labels, job.emissions_g, job.created_unix_s) for labels, job in jobs],
        ),
        counted(
            job_metrics.JOB_MARKET_EMISSIONS,
            (
                (labels, job.market_g, job.created_unix_s)
                for labels, job in (() if snapshot.market_g is None else jobs)
            ),
        ),
        counted(
            job_metrics.JOB_EMBODIED,
            (
                (labels, job.embodied_g, job.created_unix_s)
                for labels, job in (() if snapshot.embodied_g is None else jobs)
            ),
        ),
        Family(
            job_metrics.JOB_CPU_TIME,
            [(labels, job.cpu_s, job.created_unix_s) for labels, job in jobs],
        ),
        gauge(job_metrics.JOB_GPUS, "gpus"),
        gauge(job_metrics.JOB_GPU_UTILIZATION, "gpu_utilization"),
        gauge(job_metrics.JOB_MEMORY, "memory_bytes"),
        gauge(job_metrics.JOB_START, "start_unix_s"),
        gauge(job_metrics.JOB_END, "end_unix_s"),
        gauge(job_metrics.JOB_PROJECTED_ENERGY, "projected_energy_j"),
        gauge(job_metrics.JOB_PROJECTED_EMISSIONS, "projected_emissions_g"),
        gauge(job_metrics.JOB_PROGRESS, "progress"),
        Family(
            job_info,
            [
                (
                    labels + tuple([job.labels.info.get(name, "") for name in told]),
                    1.0,
                    None,
                )
                for labels, job in jobs
            ],
        ),
    ]


def _newest_by_labels(jobs: Iterable[JobTotals]) -> dict[LabelValues, JobTotals]:
    """Key jobs by their labels; of a requeued job only the last run remains.

    Its runs are two workloads with one job id, and a scrape that names a
    series twice is refused as a whole.
    """
    newest: dict[LabelValues, JobTotals] = {}
    for job in jobs:
        said = job.labels
        labels = (
            job.workload.scheduler,
            said.job_id,
            said.user,
            said.account,
            said.partition,
            said.namespace,
            said.pod,
        )
        other = newest.get(labels)
        if other is None or other.created_unix_s <= job.created_unix_s:
            newest[labels] = job
    return newest


def tenant_families(snapshot: Snapshot) -> list[Family]:
    """List every metric of tenants."""
    tenants = [
        ((totals.scheduler, totals.tenant, totals.user), totals)
        for totals in snapshot.tenants
    ]
    return [
        Family(
            job_metrics.TENANT_ENERGY,
            [
                (labels, totals.energy_j, totals.created_unix_s)
                for labels, totals in tenants
            ],
        ),
        Family(
            job_metrics.TENANT_EMISSIONS,
            [
                (labels, totals.emissions_g, totals.created_unix_s)
                for labels, totals in tenants
            ],
        ),
        counted(
            job_metrics.TENANT_MARKET_EMISSIONS,
            (
                (labels, totals.market_g, totals.created_unix_s)
                for labels, totals in tenants
            ),
        ),
        counted(
            job_metrics.TENANT_EMBODIED,
            (
                (labels, totals.embodied_g, totals.created_unix_s)
                for labels, totals in tenants
            ),
        ),
    ]
