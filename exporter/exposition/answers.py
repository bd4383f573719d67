"""The node of a snapshot and its grid as answers of the JSON API: pure."""

from collections.abc import Iterable, Sequence

from exporter.core.model import Component, GpuStatus, Quality, SourceStatus
from exporter.core.snapshot import HistoryPoint, Snapshot
from exporter.exposition.api_models import (
    ComponentAnswer,
    DeviceAnswer,
    ErrorCount,
    GpuAnswer,
    HistoryAnswer,
    NodeAnswer,
    SourceAnswer,
    UnattributedAnswer,
)
from exporter.exposition.intensity_models import ForecastPointAnswer, IntensityAnswer

_READ_WITH = {"dram": "cpu", "platform": "node"}
# Enough for a chart; a daemon that samples ten times a second keeps more.
_MOST_POINTS = 600


def node_answer(  # noqa: PLR0913 - parts of one answer, all by name
    snapshot: Snapshot,
    history: Sequence[HistoryPoint],
    *,
    node: str,
    version: str,
    interval_s: float,
    uptime_s: float,
) -> NodeAnswer:
    """Describe the node after one tick.

    Args:
        snapshot: the tick.
        history: past moments to add, oldest first; thinned out if too many.
        node: name of the node.
        version: version of the daemon.
        interval_s: sampling interval aimed at, s.
        uptime_s: how long the daemon has run, s, >= 0.
    """
    components = _components(snapshot)
    return NodeAnswer(
        node=node,
        version=version,
        unix_s=snapshot.unix_s,
        interval_s=interval_s,
        quality=_worst(part.quality for part in components),
        power_w=snapshot.node_power_w,
        energy_j=snapshot.node_energy_j if components else None,
        emissions_g=snapshot.emissions_g if components else None,
        fallback_emissions_g=snapshot.fallback_emissions_g if components else None,
        market_emissions_g=snapshot.market_g if components else None,
        market_intensity_g_per_kwh=snapshot.market_intensity,
        embodied_g=snapshot.embodied_g,
        cpu_busy_ratio=snapshot.cpu_busy,
        pue_ratio=snapshot.pue,
        components=components,
        devices=tuple(
            DeviceAnswer(
                component=totals.device.component,
                device=totals.device.name,
                power_w=totals.power_w,
                energy_j=totals.energy_j,
                gpu=None if totals.gpu is None else _gpu(totals.gpu),
                division=totals.division,
            )
            for totals in snapshot.devices
        ),
        unattributed=tuple(
            UnattributedAnswer(
                component=totals.component,
                reason=totals.reason,
                energy_j=totals.energy_j,
            )
            for totals in snapshot.unattributed
        ),
        sources=tuple(_source(status) for status in snapshot.sources),
        uptime_s=uptime_s,
        missed_ticks=snapshot.missed_ticks,
        sample_duration_s=snapshot.sample_duration_s,
        tick_duration_s=snapshot.tick_duration_s,
        history=tuple(
            HistoryAnswer(
                unix_s=point.unix_s,
                power_w=point.node_power_w,
                components_w=dict(point.components),
                intensity_g_per_kwh=point.intensity_g_per_kwh,
            )
            for point in _thinned(history)
        ),
    )


def intensity_answer(snapshot: Snapshot) -> IntensityAnswer:
    """Describe the carbon intensity in force."""
    intensity = snapshot.intensity
    observed_unix_s = intensity.observed_unix_s
    return IntensityAnswer(
        unix_s=snapshot.unix_s,
        zone=intensity.zone,
        provider=intensity.provider,
        intensity_g_per_kwh=intensity.value,
        signal=intensity.signal,
        factors=intensity.factors,
        estimated=intensity.estimated,
        fallback_level=intensity.fallback_level,
        observed_unix_s=observed_unix_s,
        age_s=None if observed_unix_s is None else snapshot.unix_s - observed_unix_s,
        slot_s=intensity.slot_s,
        valid_until_unix_s=intensity.valid_until_unix_s,
        fetched_unix_s=intensity.fetched_unix_s,
        forecast=tuple(
            ForecastPointAnswer(
                begin_unix_s=point.begin_unix_s,
                slot_s=point.slot_s,
                intensity_g_per_kwh=point.value,
            )
            for point in snapshot.forecast
        ),
    )


def _thinned(history: Sequence[HistoryPoint]) -> Sequence[HistoryPoint]:
    stride = -(-len(history) // _MOST_POINTS) or 1
    # Counted from the end, so that the newest is always among them.
    return history[::-stride][::-1]


def _components(snapshot: Snapshot) -> tuple[ComponentAnswer, ...]:
    idle = {idle.component: idle for idle in snapshot.idle}
    unmeasured_s = dict(snapshot.unmeasured_s)
    missing = dict(snapshot.devices_missing)
    return tuple(
        ComponentAnswer(
            component=totals.component,
            quality=component_quality(snapshot.sources, totals.component),
            power_w=totals.power_w,
            devices_missing=missing.get(totals.component, 0),
            energy_j=totals.energy_j,
            idle_power_w=known.power_w if known is not None else None,
            idle_method=known.method if known is not None else None,
            unmeasured_s=unmeasured_s.get(totals.component),
        )
        for totals in sorted(snapshot.components, key=lambda part: part.component)
        for known in [idle.get(totals.component)]
    )


def component_quality(sources: Iterable[SourceStatus], component: Component) -> Quality:
    """Tell whether a component's power is measured or estimated right now.

    Powercap reads memory along with the CPU, and platform is what a meter of the
    whole node leaves over: those sources speak for them too.

    Args:
        sources: every source, up or not.
        component: the component in question.

    Returns:
        "simulated" or "estimated" if any of its sources that are up is, "none" if
        no source of it is up.
    """
    names = {component, _READ_WITH.get(component, component)}
    return _worst(
        status.info.quality
        for status in sources
        if status.up and status.info.component in names
    )


def _worst(qualities: Iterable[Quality]) -> Quality:
    seen = set(qualities)
    for quality in ("simulated", "estimated"):
        if quality in seen:
            return quality
    return "measured" if "measured" in seen else "none"


def _gpu(gpu: GpuStatus) -> GpuAnswer:
    return GpuAnswer(
        index=gpu.info.index,
        uuid=gpu.info.uuid,
        model=gpu.info.model,
        driver=gpu.info.driver,
        pci=gpu.info.pci,
        utilization_ratio=gpu.utilization,
        memory_used_bytes=gpu.memory_used_bytes,
        memory_total_bytes=gpu.memory_total_bytes,
        temperature_celsius=gpu.temperature_c,
        power_limit_w=gpu.power_limit_w,
    )


def _source(status: SourceStatus) -> SourceAnswer:
    return SourceAnswer(
        source=status.info.name,
        component=status.info.component,
        method=status.info.method,
        quality=status.info.quality,
        scope=status.info.scope,
        up=status.up,
        reason=status.reason,
        message=status.message,
        read_duration_s=status.read_duration_s,
        errors=tuple(
            ErrorCount(reason=reason, ticks=ticks) for reason, ticks in status.errors
        ),
    )
