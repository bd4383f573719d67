"""Writes the overview as the API answers it."""

from collections.abc import Mapping
from typing import TypeVar

from exporter.hub.overview import api_models as models
from exporter.hub.overview.figures import Course, Day, Job, Nodes, Overview, Total
from exporter.hub.overview.keeper import OverviewStanding

ValueT = TypeVar("ValueT")

_NOTHING = Overview(0.0)


def overview_answer(
    standing: OverviewStanding | None, unix_s: float
) -> models.OverviewAnswer:
    """Describe the last good overview, and how it stands with Prometheus.

    Args:
        standing: how it stands; ``None`` if there is no Prometheus.
        unix_s: now.
    """
    known = None if standing is None else standing.overview
    overview = _NOTHING if known is None else known
    return models.OverviewAnswer(
        unix_s=unix_s,
        observed_unix_s=None if known is None else known.at_s,
        prometheus=None if standing is None else _prometheus(standing),
        complete=overview.complete,
        clusters=tuple(
            models.ClusterAnswer(
                cluster=one.name, nodes=one.nodes, nodes_up=one.up, power_w=one.power_w
            )
            for one in overview.clusters
        ),
        nodes=None if overview.nodes is None else _nodes(overview.nodes),
        power=models.PowerAnswer(
            total_w=overview.power_w,
            components_w=_dict(overview.components_w),
            schedulers_w=_dict(overview.schedulers_w),
            unattributed_w=_dict(overview.unattributed_w),
            devices_missing=_dict(overview.devices_missing),
        ),
        emissions_g_per_s=overview.grams_per_s,
        emissions_fallback_ratio=overview.fallback_ratio,
        course=None if overview.course is None else _course(overview.course),
        day=None if overview.day is None else _day(overview.day),
        jobs=models.JobsAnswer(
            running=overview.running,
            gpus_held=overview.gpus,
            gpus_hardly_used=overview.gpus_idle,
            largest=None if overview.jobs is None else tuple(map(_job, overview.jobs)),
        ),
        zones=tuple(
            models.NodesZoneAnswer(
                zone=one.zone,
                intensity_g_per_kwh=one.intensity_g_per_kwh,
                fallback_level=one.level,
            )
            for one in overview.zones
        ),
        missing=tuple(
            models.MissingAnswer(part=one.part, why=one.why, remedy=one.remedy)
            for one in overview.missing
        ),
    )


def _prometheus(standing: OverviewStanding) -> models.PrometheusAnswer:
    return models.PrometheusAnswer(
        host=standing.host,
        outcome=standing.outcome,
        error=standing.error,
        failing_since_unix_s=standing.failing_since_s,
        refresh_duration_s=standing.duration_s,
    )


def _nodes(nodes: Nodes) -> models.NodesAnswer:
    faults = nodes.faults
    return models.NodesAnswer(
        known=nodes.known,
        up=nodes.up,
        down=tuple(
            models.NodeAnswer(cluster=node.cluster, instance=node.instance)
            for node in nodes.down
        ),
        faults=None
        if faults is None
        else tuple(
            models.FaultAnswer(
                cluster=one.node.cluster,
                instance=one.node.instance,
                source=one.source,
                reason=one.reason,
            )
            for one in faults
        ),
        faulty=nodes.faulty,
        estimated=_dict(nodes.estimated),
        simulated=nodes.simulated,
    )


def _course(course: Course) -> models.CourseAnswer:
    return models.CourseAnswer(
        begin_unix_s=course.begin_s,
        step_s=course.step_s,
        components_w={
            name: tuple([None if w is None else round(w, 1) for w in values])
            for name, values in course.components_w.items()
        },
    )


def _day(day: Day) -> models.DayAnswer:
    tenants = day.tenants
    return models.DayAnswer(
        end_unix_s=day.at_s,
        energy_j=_total(day.energy),
        emissions_g=_total(day.emissions),
        tenants=None
        if tenants is None
        else tuple(
            models.TenantAnswer(
                cluster=one.cluster,
                scheduler=one.scheduler,
                tenant=one.tenant,
                energy_j=one.energy_j,
                emissions_g=one.emissions_g,
                power_w=one.power_w,
            )
            for one in tenants
        ),
    )


def _total(total: Total | None) -> models.TotalAnswer | None:
    if total is None:
        return None
    return models.TotalAnswer(amount=total.amount, known_s=total.known_s)


def _job(job: Job) -> models.JobAnswer:
    return models.JobAnswer(
        **job.labels,
        name=job.name,
        power_w=job.power_w,
        energy_j=job.energy_j,
        emissions_g=job.emissions_g,
        nodes=job.nodes,
        gpus=job.gpus,
        gpu_utilization_ratio=job.gpu_utilization,
    )


def _dict(values: Mapping[str, ValueT] | None) -> dict[str, ValueT] | None:
    return None if values is None else dict(values)
