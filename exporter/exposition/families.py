"""A snapshot as samples, metric by metric: pure, and the only mapping there is.

What is not known has no sample: an absent series, never a zero.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from exporter.core.forecast import forecast_at
from exporter.core.model import GpuStatus
from exporter.core.snapshot import Snapshot
from exporter.core.units import Seconds
from exporter.exposition import (
    carbon_metrics,
    daemon_metrics,
    gpu_metrics,
    job_metrics,
    node_metrics,
)
from exporter.exposition.family import Family, LabelValues, known, single
from exporter.exposition.job_families import job_families, tenant_families
from exporter.exposition.metric import LEVELS, Level, Metric

HORIZONS_S: Mapping[str, float] = {
    "1h": 3600.0,
    "3h": 3 * 3600.0,
    "6h": 6 * 3600.0,
    "12h": 12 * 3600.0,
    "24h": 24 * 3600.0,
}
"""How far ahead a forecast is shown, s, by the value of its label."""


class Build(NamedTuple):
    """What runs: the values of ``jouled_build_info``."""

    version: str
    python: str


def families(
    snapshot: Snapshot,
    build: Build,
    level: Level,
    job_info: Metric = job_metrics.JOB_INFO,
) -> list[Family]:
    """List every metric of a level with its samples.

    Args:
        snapshot: the node after one tick.
        build: version of the daemon and of Python.
        level: how far the export goes: the node alone, its tenants too, or
            every job.
        job_info: ``JOB_INFO``, maybe with labels of a site's own.

    Returns:
        One family per metric of the level, in the order of the catalogue;
        a metric without samples is there too, so that a reader can forget it.
    """
    depth = LEVELS.index(level)
    found = [*_node(snapshot), *_gpus(snapshot)]
    if depth >= LEVELS.index("job"):
        found += job_families(snapshot, job_info)
    if depth >= LEVELS.index("tenant"):
        found += tenant_families(snapshot)
    return [*found, *_carbon(snapshot), *_daemon(snapshot, build)]


def _node(snapshot: Snapshot) -> list[Family]:
    components = sorted(snapshot.components, key=lambda totals: totals.component)
    # Where nothing was ever measured, a total of 0 would be an invention.
    measured = bool(components)
    return [
        single(node_metrics.NODE_POWER, snapshot.node_power_w),
        single(node_metrics.NODE_ENERGY, snapshot.node_energy_j if measured else None),
        single(node_metrics.NODE_EMISSIONS, snapshot.emissions_g if measured else None),
        single(
            node_metrics.NODE_FALLBACK_EMISSIONS,
            snapshot.fallback_emissions_g if measured else None,
        ),
        single(
            node_metrics.NODE_MARKET_EMISSIONS, snapshot.market_g if measured else None
        ),
        single(node_metrics.NODE_EMBODIED, snapshot.embodied_g),
        known(
            node_metrics.COMPONENT_POWER,
            (((totals.component,), totals.power_w) for totals in components),
        ),
        known(
            node_metrics.COMPONENT_ENERGY,
            (((totals.component,), totals.energy_j) for totals in components),
        ),
        known(
            node_metrics.DEVICE_POWER,
            ((totals.device, totals.power_w) for totals in snapshot.devices),
        ),
        known(
            node_metrics.DEVICE_ENERGY,
            ((totals.device, totals.energy_j) for totals in snapshot.devices),
        ),
        known(
            node_metrics.DEVICES_MISSING,
            (((component,), count) for component, count in snapshot.devices_missing),
        ),
        known(
            node_metrics.UNATTRIBUTED_ENERGY,
            (
                ((totals.component, totals.reason), totals.energy_j)
                for totals in snapshot.unattributed
            ),
        ),
        known(
            node_metrics.IDLE_POWER,
            (((idle.component, idle.method), idle.power_w) for idle in snapshot.idle),
        ),
        single(node_metrics.CPU_BUSY, snapshot.cpu_busy),
        known(
            node_metrics.UNMEASURED_TIME,
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
        return known(metric, ((labels, read(gpu)) for labels, gpu in gpus))

    return [
        Family(
            gpu_metrics.GPU_INFO,
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
        known(
            gpu_metrics.GPU_DIVISION,
            (
                ((totals.device.name, totals.division), 1.0)
                for totals in snapshot.devices
                if totals.division is not None
            ),
        ),
        gauge(gpu_metrics.GPU_UTILIZATION, lambda gpu: gpu.utilization),
        gauge(gpu_metrics.GPU_MEMORY_USED, lambda gpu: gpu.memory_used_bytes),
        gauge(gpu_metrics.GPU_MEMORY_TOTAL, lambda gpu: gpu.memory_total_bytes),
        gauge(gpu_metrics.GPU_TEMPERATURE, lambda gpu: gpu.temperature_c),
        gauge(gpu_metrics.GPU_POWER_LIMIT, lambda gpu: gpu.power_limit_w),
    ]


def _carbon(snapshot: Snapshot) -> list[Family]:
    intensity = snapshot.intensity
    zone = (intensity.zone,)
    return [
        known(
            carbon_metrics.CARBON_INTENSITY,
            [
                (
                    (*zone, intensity.provider, intensity.signal, intensity.factors),
                    intensity.value,
                )
            ],
        ),
        known(carbon_metrics.CARBON_OBSERVED, [(zone, intensity.observed_unix_s)]),
        known(carbon_metrics.CARBON_FALLBACK_LEVEL, [(zone, intensity.fallback_level)]),
        known(carbon_metrics.CARBON_ESTIMATED, [(zone, intensity.estimated)]),
        known(carbon_metrics.CARBON_FORECAST, _expected(snapshot)),
        known(
            carbon_metrics.CARBON_FETCHES,
            (
                ((count.provider, count.outcome), count.fetches)
                for count in snapshot.carbon_fetches
            ),
        ),
        single(carbon_metrics.MARKET_INTENSITY, snapshot.market_intensity),
        single(carbon_metrics.PUE, snapshot.pue),
    ]


def _expected(snapshot: Snapshot) -> Iterator[tuple[LabelValues, float | None]]:
    if not snapshot.forecast:
        return
    for horizon, ahead_s in HORIZONS_S.items():
        unix_s = Seconds(snapshot.unix_s + ahead_s)
        value = forecast_at(snapshot.forecast, unix_s)
        yield (snapshot.intensity.zone, horizon), value


def _daemon(snapshot: Snapshot, build: Build) -> list[Family]:
    sources = [((status.info.name,), status) for status in snapshot.sources]
    return [
        known(
            daemon_metrics.SOURCE_UP,
            ((labels, status.up) for labels, status in sources),
        ),
        known(
            daemon_metrics.SOURCE_INFO,
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
        known(
            daemon_metrics.SOURCE_ERRORS,
            (
                ((*labels, reason), count)
                for labels, status in sources
                for reason, count in status.errors
            ),
        ),
        known(
            daemon_metrics.SOURCE_READ_DURATION,
            (
                (labels, status.read_duration_s or None if status.up else None)
                for labels, status in sources
            ),
        ),
        single(daemon_metrics.SAMPLE_DURATION, snapshot.sample_duration_s),
        single(daemon_metrics.SAMPLE_TIME, snapshot.unix_s),
        single(daemon_metrics.SAMPLES_MISSED, snapshot.missed_ticks),
        single(daemon_metrics.JOBS_DROPPED, snapshot.jobs_dropped),
        Family(daemon_metrics.BUILD_INFO, [(build, 1.0, None)]),
    ]
