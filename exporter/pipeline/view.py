"""Builds the immutable snapshot from the ledger after a tick."""

from dataclasses import replace

from exporter.core.accounts import DeviceAccount, JobAccount, TenantAccount
from exporter.core.idle import WEAKEST_FIRST
from exporter.core.ledger import TENANT_IDLE_S, Ledger
from exporter.core.metering import STALE_AFTER_INTERVALS
from exporter.core.model import (
    COMPONENTS,
    Component,
    DeviceId,
    IdleMethod,
    Sample,
    SourceStatus,
)
from exporter.core.snapshot import (
    ComponentTotals,
    DeviceTotals,
    IdlePower,
    JobTotals,
    Snapshot,
    TenantTotals,
    UnattributedTotals,
)
from exporter.core.units import Grams, Joules, Ratio, Seconds, Watts
from exporter.core.workload import WorkloadLabels
from exporter.pipeline.missing import count_missing, is_replaced
from exporter.pipeline.state import EngineSettings, EngineState


def build_snapshot(
    sample: Sample, state: EngineState, settings: EngineSettings, busy: Ratio | None
) -> Snapshot:
    """Return the node as it is after a tick.

    Args:
        sample: what was read in it.
        state: the engine's memory, with the sample already folded in.
        settings: what the operator decided.
        busy: mean part of the CPUs that was busy; ``None`` if unknown.
    """
    ledger = state.ledger
    present = _present_devices(sample, ledger)
    gpus = {d: state.gpus[d] for d, _ in present if d in state.gpus}
    utilization = {
        device.name: gpu.utilization
        for device, gpu in gpus.items()
        if gpu.utilization is not None
    }
    power_w = _component_power(state, present)
    known_w = [watts for watts in power_w.values() if watts is not None]
    snapshot = Snapshot(
        time_s=sample.time_s,
        unix_s=sample.unix_s,
        node_energy_j=Joules(sum(ledger.components.values())),
        node_power_w=Watts(sum(known_w)) if known_w else None,
        emissions_g=Grams(ledger.emissions_g),
        fallback_emissions_g=Grams(ledger.fallback_g),
        components=tuple(
            [
                ComponentTotals(c, Joules(ledger.components[c]), power_w.get(c))
                for c in COMPONENTS
                if c in ledger.components
            ]
        ),
        devices=tuple(
            [
                DeviceTotals(
                    device,
                    Joules(account.energy_j),
                    None if account.power_w is None else Watts(account.power_w),
                    gpus.get(device),
                    state.divisions.get(device.name),
                )
                for device, account in present
            ]
        ),
        unattributed=tuple(
            [
                UnattributedTotals(component, reason, Joules(energy_j))
                for (component, reason), energy_j in ledger.unattributed.items()
            ]
        ),
        idle=_idle_power(state, present),
        cpu_busy=busy,
        jobs=tuple(
            [
                _job_totals(job, job.labels, power_w, utilization)
                for job in ledger.jobs.values()
                if job.exported and job.labels is not None
            ]
        ),
        tenants=tuple(
            [
                TenantTotals(
                    *key,
                    created_unix_s=Seconds(account.created_unix_s),
                    energy_j=Joules(account.energy_j),
                    emissions_g=Grams(account.emissions_g),
                )
                for key, account in ledger.tenants.items()
                if sample.time_s - account.active_s < TENANT_IDLE_S
            ]
        ),
        intensity=sample.intensity,
        pue=sample.pue,
        forecast=sample.forecast,
        carbon_fetches=sample.carbon_fetches,
        sources=_sources(sample, state),
        unmeasured_s=tuple(
            [
                (component, Seconds(seconds))
                for component, seconds in ledger.unmeasured_s.items()
            ]
        ),
        missed_ticks=sample.missed_ticks,
        jobs_dropped=ledger.jobs_dropped,
        jobs_waiting=ledger.jobs_waiting,
        devices_missing=tuple(count_missing(sample, state, present).items()),
        sample_duration_s=sample.duration_s,
    )
    if settings.market_intensity is None and settings.embodied is None:
        return snapshot
    return _with_what_is_beside(snapshot, ledger, settings)


def _with_what_is_beside(
    snapshot: Snapshot, ledger: Ledger, settings: EngineSettings
) -> Snapshot:
    """Add what is counted beside emissions; few sites want it."""
    has_market = settings.market_intensity is not None
    has_embodied = settings.embodied is not None

    def of(
        account: JobAccount | TenantAccount | Ledger,
    ) -> tuple[Grams | None, Grams | None]:
        return (
            Grams(account.market_g) if has_market else None,
            Grams(account.embodied_g) if has_embodied else None,
        )

    jobs = []
    for job in snapshot.jobs:
        market_g, embodied_g = of(ledger.jobs[job.workload])
        jobs.append(job._replace(market_g=market_g, embodied_g=embodied_g))
    tenants = []
    for tenant in snapshot.tenants:
        key = (tenant.scheduler, tenant.tenant, tenant.user)
        market_g, embodied_g = of(ledger.tenants[key])
        tenants.append(tenant._replace(market_g=market_g, embodied_g=embodied_g))
    market_g, embodied_g = of(ledger)
    return snapshot._replace(
        jobs=tuple(jobs),
        tenants=tuple(tenants),
        market_intensity=settings.market_intensity,
        market_g=market_g,
        embodied_g=embodied_g,
    )


def _present_devices(
    sample: Sample, ledger: Ledger
) -> list[tuple[DeviceId, DeviceAccount]]:
    """Return the devices whose last reading is not stale."""
    # Half an interval more, for a tick that came late.
    limit_s = (STALE_AFTER_INTERVALS + 0.5) * sample.interval_s
    present = [
        (device, account)
        for device, account in ledger.devices.items()
        if sample.time_s - account.seen_s <= limit_s
    ]
    if len(present) <= len(sample.readings):
        return present
    # What a meter has taken the place of would be in a sum with it.
    replaced = {status.info.name for status in sample.sources if is_replaced(status)}
    return [one for one in present if one[1].source not in replaced]


def _component_power(
    state: EngineState, present: list[tuple[DeviceId, DeviceAccount]]
) -> dict[Component, Watts | None]:
    power_w: dict[Component, Watts | None] = {}
    for device, account in present:
        if account.power_w is None:
            continue
        before_w = power_w.get(device.component) or 0.0
        power_w[device.component] = Watts(before_w + account.power_w)
    if "platform" in power_w:
        power_w["platform"] = state.platform_power_w
    return power_w


def _idle_power(
    state: EngineState, present: list[tuple[DeviceId, DeviceAccount]]
) -> tuple[IdlePower, ...]:
    found: dict[Component, list[tuple[IdleMethod, float]]] = {}
    for component in dict.fromkeys(device.component for device, _ in present):
        if component != "gpu" and component in state.idle:
            idle = state.idle[component]
            found[component] = [(idle.method, idle.power_w)]
    for device, _ in present:
        gpu_idle = state.idle.get(f"gpu/{device.name}")
        if device.component == "gpu" and gpu_idle is not None:
            found.setdefault("gpu", []).append((gpu_idle.method, gpu_idle.power_w))
    return tuple(
        IdlePower(
            component,
            min([method for method, _ in parts], key=WEAKEST_FIRST.index),
            Watts(sum([watts for _, watts in parts])),
        )
        for component, parts in found.items()
    )


def _job_totals(
    job: JobAccount,
    labels: WorkloadLabels,
    known_w: dict[Component, Watts | None],
    utilization: dict[str, Ratio],
) -> JobTotals:
    running = job.usage if job.ended_s is None else None
    projected_j, projected_g = job.projection or (None, None)
    known = []
    if running is not None:
        known = [
            utilization[hold.device]
            for hold in running.gpus
            if hold.device in utilization
        ]
    return JobTotals(
        workload=job.workload,
        labels=labels,
        created_unix_s=Seconds(job.created_unix_s),
        # Lists are quicker than generators, and there are many jobs.
        energy_j=tuple(
            [
                (component, Joules(energy_j))
                for component, energy_j in zip(COMPONENTS, job.energy_j, strict=True)
                if energy_j > 0
            ]
        ),
        power_w=tuple(
            [
                (component, Watts(power_w))
                for component, power_w in zip(COMPONENTS, job.power_w, strict=True)
                # A part is not known for longer than the whole is.
                if power_w is not None and known_w.get(component) is not None
            ]
        ),
        emissions_g=Grams(job.emissions_g),
        cpu_s=Seconds(job.cpu_s),
        gpus=sum(hold.share for hold in running.gpus) if running is not None else None,
        gpu_utilization=Ratio(sum(known) / len(known)) if known else None,
        memory_bytes=running.memory_bytes if running is not None else None,
        start_unix_s=None if job.start_unix_s is None else Seconds(job.start_unix_s),
        end_unix_s=None if job.ended_unix_s is None else Seconds(job.ended_unix_s),
        projected_energy_j=projected_j,
        projected_emissions_g=projected_g,
        estimated_j=Joules(job.estimated_j),
        fallback_g=Grams(job.fallback_g),
        peak_power_w=None if job.peak_power_w is None else Watts(job.peak_power_w),
        gpu_use=job.gpu_use,
        gpu_holds=running.gpus if running is not None else (),
    )


def _sources(sample: Sample, state: EngineState) -> tuple[SourceStatus, ...]:
    """Return the sources, saying so where a counter had to be given up."""
    broken = {
        reading.device.source
        for reading in sample.readings
        if state.meters[reading.device.id].broken
    }
    if not broken:
        return sample.sources
    return tuple(
        status._replace(info=replace(status.info, method="integrated"))
        if status.info.name in broken
        else status
        for status in sample.sources
    )
