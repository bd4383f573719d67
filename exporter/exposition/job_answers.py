"""Jobs of a snapshot and of the archive as answers of the JSON API: pure."""

from exporter.core.archive import JobRecord, part_of
from exporter.core.snapshot import JobTotals, Snapshot
from exporter.exposition.job_models import GpuHoldAnswer, JobAnswer, JobsAnswer


def jobs_answer(snapshot: Snapshot) -> JobsAnswer:
    """Describe every job on the node."""
    return JobsAnswer(
        unix_s=snapshot.unix_s,
        jobs=tuple(job_answer(job) for job in snapshot.jobs),
        jobs_dropped=snapshot.jobs_dropped,
        jobs_waiting=snapshot.jobs_waiting,
    )


def job_answer(job: JobTotals) -> JobAnswer:
    """Describe one job."""
    labels = job.labels
    running = job.end_unix_s is None
    energy_j = sum(part_j for _, part_j in job.energy_j)
    return JobAnswer(
        scheduler=job.workload.scheduler,
        job_id=labels.job_id,
        user=labels.user,
        account=labels.account,
        partition=labels.partition,
        namespace=labels.namespace,
        pod=labels.pod,
        info=dict(labels.info),
        running=running,
        power_w=sum(power_w for _, power_w in job.power_w) if job.power_w else None,
        components_w=dict(job.power_w),
        energy_j=energy_j,
        components_j=dict(job.energy_j),
        emissions_g=job.emissions_g,
        cpu_s=job.cpu_s,
        gpus=job.gpus,
        gpus_held=tuple(
            GpuHoldAnswer(device=hold.device, share=hold.share)
            for hold in job.gpu_holds
        ),
        gpu_utilization_ratio=job.gpu_utilization,
        memory_bytes=job.memory_bytes,
        created_unix_s=job.created_unix_s,
        start_unix_s=job.start_unix_s,
        end_unix_s=job.end_unix_s,
        projected_energy_j=job.projected_energy_j,
        projected_emissions_g=job.projected_emissions_g,
        progress_ratio=job.progress,
        state="running" if running else "ended",
        last_seen_unix_s=job.end_unix_s,
        estimated_energy_j=job.estimated_j,
        fallback_emissions_g=job.fallback_g,
        market_emissions_g=job.market_g,
        embodied_g=job.embodied_g,
        **_ratios_of(job, energy_j),
    )


def record_answer(record: JobRecord) -> JobAnswer:
    """Describe one job of the archive."""
    labels = record.labels
    return JobAnswer(
        scheduler=record.workload.scheduler,
        job_id=labels.job_id,
        user=labels.user,
        account=labels.account,
        partition=labels.partition,
        namespace=labels.namespace,
        pod=labels.pod,
        info=dict(labels.info),
        running=record.state == "running",
        power_w=None,
        components_w={},
        energy_j=record.total_j,
        components_j=dict(record.energy_j),
        emissions_g=record.emissions_g,
        cpu_s=record.cpu_s,
        gpus=None,
        gpus_held=(),
        gpu_utilization_ratio=None,
        memory_bytes=None,
        created_unix_s=record.created_unix_s,
        start_unix_s=record.start_unix_s,
        end_unix_s=record.end_unix_s,
        projected_energy_j=None,
        projected_emissions_g=None,
        progress_ratio=None,
        state=record.state,
        last_seen_unix_s=record.seen_unix_s,
        estimated_energy_j=record.estimated_j,
        fallback_emissions_g=record.fallback_g,
        market_emissions_g=None,
        embodied_g=None,
        **_ratios_of(record, record.total_j),
    )


def _ratios_of(
    job: JobTotals | JobRecord, energy_j: float | None
) -> dict[str, float | None]:
    """What is told alike of a job of now and of one of the archive."""
    use = job.gpu_use
    estimated = part_of(job.estimated_j, energy_j)
    return {
        "measured_ratio": None if estimated is None else 1 - estimated,
        "fallback_ratio": part_of(job.fallback_g, job.emissions_g),
        "peak_power_w": job.peak_power_w,
        "gpu_held_s": None if use is None else use.held_s,
        "gpu_idle_s": None if use is None or not use.known_s else use.idle_s,
        "gpu_use_ratio": None if use is None else use.utilization,
    }
