"""A snapshot as samples, metric by metric: pure, and the only mapping there is.

What is not known has no sample: an absent series, never a zero. Samples are
plain tuples, and a job's label values are made once for all of its metrics,
because a node with many jobs has thousands of them in every scrape.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from exporter.core.model import GpuStatus
from exporter.core.snapshot import JobTotals, Snapshot
from exporter.exposition import catalogue
from exporter.exposition.metric import LEVELS, Level, Metric

LabelValues = tuple[str, ...]
# Label values in the catalogue's order, value, and the Unix time at which a
# counter started from 0 (``None`` if it is not told).
Sample = tuple[LabelValues, float, float | None]


class Family(NamedTuple):
    """All samples of one metric in one snapshot; none at all is allowed."""

    metric: Metric
    samples: list[Sample]


class Build(NamedTuple):
    """What runs: the values of ``jouled_build_info``."""

    version: str
    python: str


def families(snapshot: Snapshot, build: Build, level: Level) -> list[Family]:
    """List every metric of a level with its samples.

    Args:
        snapshot: the node after one tick.
        build: version of the daemon and of Python.
        level: how far the export goes: the node alone, its tenants too, or
            every job.

    Returns:
        One family per metric of the level, in the order of the catalogue;
        a metric without samples is there too, so that a reader can forget it.
    """
    depth = LEVELS.index(level)
    found = [*_node(snapshot), *_gpus(snapshot)]
    if depth >= LEVELS.index("job"):
        found += _jobs(snapshot)
    if depth >= LEVELS.index("tenant"):
        found += _tenants(snapshot)
    return [*found, *_carbon(snapshot), *_daemon(snapshot, build)]


def _node(snapshot: Snapshot) -> list[Family]:
    components = sorted(snapshot.components, key=lambda totals: totals.component)
    # Where nothing was ever measured, a total of 0 would be an invention.
    measured = bool(components)
    return [
        _single(catalogue.NODE_POWER, snapshot.node_power_w),
        _single(catalogue.NODE_ENERGY, snapshot.node_energy_j if measured else None),
        _single(catalogue.NODE_EMISSIONS, snapshot.emissions_g if measured else None),
        _single(
            catalogue.NODE_FALLBACK_EMISSIONS,
            snapshot.fallback_emissions_g if measured else None,
        ),
        _known(
            catalogue.COMPONENT_POWER,
            (((totals.component,), totals.power_w) for totals in components),
        ),
        _known(
            catalogue.COMPONENT_ENERGY,
            (((totals.component,), totals.energy_j) for totals in components),
        ),
        _known(
            catalogue.DEVICE_POWER,
            ((totals.device, totals.power_w) for totals in snapshot.devices),
        ),
        _known(
            catalogue.DEVICE_ENERGY,
            ((totals.device, totals.energy_j) for totals in snapshot.devices),
        ),
        _known(
            catalogue.UNATTRIBUTED_ENERGY,
            (
                ((totals.component, totals.reason), totals.energy_j)
                for totals in snapshot.unattributed
            ),
        ),
        _known(
            catalogue.IDLE_POWER,
            (((idle.component, idle.method), idle.power_w) for idle in snapshot.idle),
        ),
        _single(catalogue.CPU_BUSY, snapshot.cpu_busy),
        _known(
            catalogue.UNMEASURED_TIME,
            (((component,), spent_s) for component, spent_s in snapshot.unmeasured_s),
        ),
    ]


def _gpus(snapshot: Snapshot) -> list[Family]:
    gpus = [
        ((totals.device.name,), totals.gpu)
        for totals in snapshot.devices
        if totals.gpu is not None
    ]

    def gauge(metric: Metric, read: Callable[[GpuStatus], float | None]) -> Family:
        return _known(metric, ((labels, read(gpu)) for labels, gpu in gpus))

    return [
        Family(
            catalogue.GPU_INFO,
            [
                (
                    (
                        *labels,
                        str(gpu.info.index),
                        gpu.info.model,
                        gpu.info.driver,
                        gpu.info.pci,
                    ),
                    1.0,
                    None,
                )
                for labels, gpu in gpus
            ],
        ),
        gauge(catalogue.GPU_UTILIZATION, lambda gpu: gpu.utilization),
        gauge(catalogue.GPU_MEMORY_USED, lambda gpu: gpu.memory_used_bytes),
        gauge(catalogue.GPU_MEMORY_TOTAL, lambda gpu: gpu.memory_total_bytes),
        gauge(catalogue.GPU_TEMPERATURE, lambda gpu: gpu.temperature_c),
        gauge(catalogue.GPU_POWER_LIMIT, lambda gpu: gpu.power_limit_w),
    ]


def _jobs(snapshot: Snapshot) -> list[Family]:
    jobs = _newest_by_labels(snapshot.jobs).items()

    def gauge(metric: Metric, read: Callable[[JobTotals], float | None]) -> Family:
        return _known(metric, ((labels, read(job)) for labels, job in jobs))

    return [
        Family(
            catalogue.JOB_POWER,
            [
                ((*labels, component), power_w, None)
                for labels, job in jobs
                for component, power_w in sorted(job.power_w)
            ],
        ),
        Family(
            catalogue.JOB_ENERGY,
            [
                ((*labels, component), energy_j, job.created_unix_s)
                for labels, job in jobs
                for component, energy_j in sorted(job.energy_j)
            ],
        ),
        Family(
            catalogue.JOB_EMISSIONS,
            [(labels, job.emissions_g, job.created_unix_s) for labels, job in jobs],
        ),
        Family(
            catalogue.JOB_CPU_TIME,
            [(labels, job.cpu_s, job.created_unix_s) for labels, job in jobs],
        ),
        gauge(catalogue.JOB_GPUS, lambda job: job.gpus),
        gauge(catalogue.JOB_GPU_UTILIZATION, lambda job: job.gpu_utilization),
        gauge(catalogue.JOB_MEMORY, lambda job: job.memory_bytes),
        gauge(catalogue.JOB_START, lambda job: job.start_unix_s),
        gauge(catalogue.JOB_END, lambda job: job.end_unix_s),
        gauge(catalogue.JOB_PROJECTED_ENERGY, lambda job: job.projected_energy_j),
        gauge(catalogue.JOB_PROJECTED_EMISSIONS, lambda job: job.projected_emissions_g),
        gauge(catalogue.JOB_PROGRESS, lambda job: job.progress),
        Family(
            catalogue.JOB_INFO,
            [
                (
                    labels
                    + tuple(
                        job.labels.info.get(name, "")
                        for name in catalogue.JOB_INFO_LABELS
                    ),
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


def _tenants(snapshot: Snapshot) -> list[Family]:
    tenants = [
        ((totals.scheduler, totals.tenant, totals.user), totals)
        for totals in snapshot.tenants
    ]
    return [
        Family(
            catalogue.TENANT_ENERGY,
            [
                (labels, totals.energy_j, totals.created_unix_s)
                for labels, totals in tenants
            ],
        ),
        Family(
            catalogue.TENANT_EMISSIONS,
            [
                (labels, totals.emissions_g, totals.created_unix_s)
                for labels, totals in tenants
            ],
        ),
    ]


def _carbon(snapshot: Snapshot) -> list[Family]:
    intensity = snapshot.intensity
    zone = (intensity.zone,)
    return [
        _known(
            catalogue.CARBON_INTENSITY,
            [
                (
                    (*zone, intensity.provider, intensity.signal, intensity.factors),
                    intensity.value,
                )
            ],
        ),
        _known(catalogue.CARBON_OBSERVED, [(zone, intensity.observed_unix_s)]),
        _known(catalogue.CARBON_FALLBACK_LEVEL, [(zone, intensity.fallback_level)]),
        _known(catalogue.CARBON_ESTIMATED, [(zone, intensity.estimated)]),
        _single(catalogue.PUE, snapshot.pue),
    ]


def _daemon(snapshot: Snapshot, build: Build) -> list[Family]:
    sources = [((status.info.name,), status) for status in snapshot.sources]
    return [
        _known(
            catalogue.SOURCE_UP, ((labels, status.up) for labels, status in sources)
        ),
        _known(
            catalogue.SOURCE_INFO,
            (
                (
                    (
                        *labels,
                        status.info.component,
                        status.info.method,
                        status.info.quality,
                        status.info.scope,
                    ),
                    1.0,
                )
                for labels, status in sources
            ),
        ),
        _known(
            catalogue.SOURCE_ERRORS,
            (
                ((*labels, reason), count)
                for labels, status in sources
                for reason, count in status.errors
            ),
        ),
        _known(
            catalogue.SOURCE_READ_DURATION,
            (
                (labels, status.read_duration_s or None if status.up else None)
                for labels, status in sources
            ),
        ),
        _single(catalogue.SAMPLE_DURATION, snapshot.sample_duration_s),
        _single(catalogue.SAMPLES_MISSED, snapshot.missed_ticks),
        _single(catalogue.JOBS_DROPPED, snapshot.jobs_dropped),
        Family(catalogue.BUILD_INFO, [(build, 1.0, None)]),
    ]


def _known(
    metric: Metric, values: Iterable[tuple[LabelValues, float | None]]
) -> Family:
    """Keep the values that are known."""
    return Family(
        metric,
        [(labels, value, None) for labels, value in values if value is not None],
    )


def _single(metric: Metric, value: float | None) -> Family:
    return _known(metric, [((), value)])
