"""Snapshots of invented nodes, and a reader that shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import sin
from typing import Literal, TypeVar, cast

from exporter.core.forecast import ForecastPoint
from exporter.core.gpu_activity import Division
from exporter.core.model import (
    Component,
    DeviceId,
    FetchCount,
    GpuInfo,
    GpuStatus,
    Intensity,
    Quality,
    SourceInfo,
    SourceStatus,
)
from exporter.core.snapshot import (
    ComponentTotals,
    DeviceTotals,
    HistoryPoint,
    IdlePower,
    JobTotals,
    Snapshot,
    TenantTotals,
    UnattributedTotals,
)
from exporter.core.units import (
    Bytes,
    Grams,
    GramsPerKwh,
    Joules,
    Ratio,
    Seconds,
    Watts,
)
from exporter.core.workload import GpuHold, WorkloadId, WorkloadLabels

# 2026-03-20 12:00:00 UTC.
NOON_UNIX_S = Seconds(1_774_008_000.0)
BOOT_UNIX_S = Seconds(NOON_UNIX_S - 86_400)
GIB = 1024**3

AnyT = TypeVar("AnyT")


def changed(value: AnyT, **fields: object) -> AnyT:
    """Return a dataclass or named tuple with some fields changed."""
    if isinstance(value, tuple) and hasattr(value, "_replace"):
        return cast("AnyT", value._replace(**fields))
    return replace(value, **fields)  # type: ignore[type-var]  # any dataclass


@dataclass
class FakeReader:
    """Shows what it is given; tests swap ``snapshot`` to play a tick."""

    snapshot: Snapshot | None = None
    points: tuple[HistoryPoint, ...] = ()
    asked: int = field(default=0)

    def latest(self) -> Snapshot | None:
        """Return the snapshot that was put in."""
        self.asked += 1
        return self.snapshot

    def history(self) -> tuple[HistoryPoint, ...]:
        """Return the points that were put in."""
        return self.points


def bare_snapshot() -> Snapshot:
    """Return a node of which nothing is known but the yearly intensity."""
    return Snapshot(
        time_s=Seconds(1000.0),
        unix_s=NOON_UNIX_S,
        node_energy_j=Joules(0.0),
        node_power_w=None,
        emissions_g=Grams(0.0),
        fallback_emissions_g=Grams(0.0),
        components=(),
        devices=(),
        unattributed=(),
        idle=(),
        cpu_busy=None,
        jobs=(),
        tenants=(),
        intensity=Intensity(
            zone="WORLD",
            provider="owid-yearly",
            value=GramsPerKwh(472.9),
            factors="lifecycle",
            fallback_level=3,
        ),
        pue=1.0,
        sources=(
            SourceStatus(
                SourceInfo("rapl", "cpu", "counter", "measured", "device"),
                up=False,
                reason="absent",
                message="no RAPL package or DRAM zone in /sys/class/powercap",
                errors=(("absent", 1),),
            ),
            SourceStatus(
                SourceInfo("nvml", "gpu", "counter", "measured", "device"),
                up=False,
                reason="absent",
                message="libnvidia-ml.so.1 is not installed; install the NVIDIA driver",
                errors=(("absent", 1),),
            ),
        ),
        unmeasured_s=(),
        missed_ticks=0,
        jobs_dropped=0,
        sample_duration_s=Seconds(0.0008),
        tick_duration_s=Seconds(0.0011),
    )


def rich_snapshot() -> Snapshot:
    """Return a node with 8 GPUs, 5 jobs, one ended, and a failed source."""
    gpus = tuple(_gpu(index) for index in range(8))
    components = (
        ComponentTotals("cpu", Joules(14_256_018.25), Watts(231.5)),
        ComponentTotals("dram", Joules(2_203_412.5), Watts(31.25)),
        ComponentTotals(
            "gpu",
            Joules(sum(gpu.energy_j for gpu in gpus)),
            Watts(sum(gpu.power_w or 0.0 for gpu in gpus)),
        ),
        ComponentTotals("platform", Joules(9_876_543.0), Watts(148.0)),
    )
    jobs = (
        changed(
            _slurm_job("4242", "ada", "climate", gpus=4, watts=1310.0, hours=5.2),
            gpu_holds=tuple(GpuHold(gpu.device.name) for gpu in gpus[:4]),
        ),
        changed(
            _slurm_job(
                "4243", "grace", "protein-folding", gpus=2, watts=612.0, hours=1.4
            ),
            gpu_holds=tuple(GpuHold(gpu.device.name) for gpu in gpus[4:6]),
        ),
        _slurm_job("4250", "alan", "climate", gpus=0, watts=88.5, hours=0.3),
        _ended_job(),
        changed(_pod(), gpu_holds=(GpuHold(gpus[6].device.name, share=Ratio(0.5)),)),
    )
    return changed(
        bare_snapshot(),
        node_energy_j=Joules(sum(part.energy_j for part in components)),
        node_power_w=Watts(sum(part.power_w or 0.0 for part in components)),
        emissions_g=Grams(15_890.125),
        fallback_emissions_g=Grams(402.5),
        components=components,
        devices=(
            _zone("cpu", "package-0", 7_128_018.25, 120.5),
            _zone("cpu", "package-1", 7_128_000.0, 111.0),
            _zone("dram", "dram-0", 1_101_412.5, 15.0),
            _zone("dram", "dram-1", 1_102_000.0, 16.25),
            *gpus,
            _zone("platform", "node", 9_876_543.0, 148.0),
        ),
        unattributed=(
            UnattributedTotals("cpu", "idle", Joules(3_100_000.0)),
            UnattributedTotals("cpu", "system", Joules(410_000.5)),
            UnattributedTotals("dram", "idle", Joules(800_000.0)),
            UnattributedTotals("gpu", "unallocated", Joules(5_254_000.0)),
            UnattributedTotals("gpu", "unknown", Joules(1_000.0)),
        ),
        idle=(
            IdlePower("cpu", "learned", Watts(92.0)),
            IdlePower("dram", "assumed", Watts(0.0)),
        ),
        cpu_busy=Ratio(0.437),
        jobs=jobs,
        tenants=(
            _tenant("slurm", "climate", "ada", 51_000_000.0, 5_600.0),
            _tenant("slurm", "climate", "alan", 900_100.0, 99.0),
            _tenant("slurm", "protein-folding", "grace", 8_200_000.0, 905.5),
            _tenant("kubernetes", "team-llm", "", 3_300_000.25, 365.0),
        ),
        intensity=Intensity(
            zone="DE",
            provider="electricitymaps",
            value=GramsPerKwh(381.0),
            factors="lifecycle",
            fallback_level=0,
            observed_unix_s=Seconds(NOON_UNIX_S - 1500),
            slot_s=Seconds(3600.0),
            valid_until_unix_s=Seconds(NOON_UNIX_S + 9300),
            fetched_unix_s=Seconds(NOON_UNIX_S - 40),
        ),
        forecast=(
            _expected(0, 360.0),
            _expected(1, 345.5),
            _expected(3, 210.0),
            _expected(4, 180.25),
            _expected(6, 240.0),
        ),
        carbon_fetches=(
            FetchCount("hub", "ok", 719),
            FetchCount("hub", "unavailable", 1),
            FetchCount("hub", "denied", 0),
        ),
        pue=1.2,
        sources=(
            _source("rapl", "cpu", read_ms=0.21),
            _source("nvml", "gpu", read_ms=3.4, errors=(("timeout", 2),)),
            SourceStatus(
                SourceInfo("ipmi", "node", "integrated", "measured", "node"),
                up=False,
                reason="denied",
                message="may not open /dev/ipmi0; add the daemon's user to a group "
                "that may, see README, 'IPMI permissions'",
                errors=(("denied", 86_400), ("faulty", 1)),
            ),
            _source("platform-model", "platform", quality="estimated", read_ms=0.01),
            _source("slurm", "workloads", read_ms=0.6),
        ),
        unmeasured_s=(("cpu", Seconds(0.0)), ("gpu", Seconds(2.5))),
        devices_missing=(("cpu", 0), ("dram", 0), ("gpu", 1), ("platform", 0)),
        missed_ticks=3,
        jobs_dropped=0,
        sample_duration_s=Seconds(0.0042),
        tick_duration_s=Seconds(0.0051),
        market_intensity=GramsPerKwh(45.0),
        market_g=Grams(1_876.75),
        embodied_g=Grams(821.5),
    )


def _expected(hour: int, value: float) -> ForecastPoint:
    begin_s = Seconds(NOON_UNIX_S + 3600 * hour)
    return ForecastPoint(begin_s, Seconds(3600.0), GramsPerKwh(value))


def crowded_snapshot(jobs: int) -> Snapshot:
    """Return the rich node with many small jobs instead."""
    return changed(
        rich_snapshot(),
        jobs=tuple(
            _slurm_job(
                str(10_000 + index),
                f"user{index % 17}",
                f"account{index % 5}",
                gpus=1,
                watts=71.123456 + index,
                hours=0.1 + index / 7,
            )
            for index in range(jobs)
        ),
    )


def later(snapshot: Snapshot, seconds: float) -> Snapshot:
    """Return the same node some time later; its gauges swing, its counters rise."""

    def moved(energy_j: float) -> Joules:
        return Joules(energy_j + 71.7 * seconds)

    return changed(
        snapshot,
        time_s=Seconds(snapshot.time_s + seconds),
        unix_s=Seconds(snapshot.unix_s + seconds),
        node_energy_j=moved(snapshot.node_energy_j),
        jobs=tuple(
            changed(
                job,
                energy_j=tuple((part, moved(value)) for part, value in job.energy_j),
                power_w=tuple(
                    (part, Watts(value * (1 + (seconds % 7) / 100)))
                    for part, value in job.power_w
                ),
                emissions_g=Grams(job.emissions_g + 0.0123 * seconds),
                cpu_s=Seconds(job.cpu_s + 1.01 * seconds),
            )
            for job in snapshot.jobs
        ),
    )


_DIVISIONS: Mapping[int, Division] = {4: "activity", 5: "share"}


def _gpu(index: int) -> DeviceTotals:
    used = (index < 6) * (48 + index)
    return DeviceTotals(
        DeviceId("gpu", f"GPU-{index:08x}-1f4a-4bd2-9c0e-5a1d3c7e9b{index:02x}"),
        Joules(11_500_000.5 + 250_000.25 * index),
        Watts(301.5 + 7.25 * index if index < 6 else 62.0 + index),
        GpuStatus(
            GpuInfo(
                uuid=f"GPU-{index:08x}-1f4a-4bd2-9c0e-5a1d3c7e9b{index:02x}",
                index=index,
                minor=index,
                model="NVIDIA A100-SXM4-80GB",
                driver="550.54.15",
                pci=f"00000000:{0x10 + index:02X}:00.0",
            ),
            utilization=Ratio(0.92 - 0.03 * index if index < 6 else 0.0),
            memory_used_bytes=Bytes(used * GIB),
            memory_total_bytes=Bytes(80 * GIB),
            temperature_c=58.0 + index,
            power_limit_w=Watts(400.0),
        ),
        division=_DIVISIONS.get(index),
    )


def _zone(
    component: Component, name: str, energy_j: float, power_w: float
) -> DeviceTotals:
    return DeviceTotals(DeviceId(component, name), Joules(energy_j), Watts(power_w))


def _slurm_job(
    job_id: str, user: str, account: str, *, gpus: int, watts: float, hours: float
) -> JobTotals:
    energy_j = watts * hours * 3600
    parts: tuple[tuple[Component, float], ...] = (
        (("cpu", 0.22), ("dram", 0.03), ("gpu", 0.66), ("platform", 0.09))
        if gpus
        else (("cpu", 0.86), ("dram", 0.05), ("platform", 0.09))
    )
    start = Seconds(NOON_UNIX_S - hours * 3600)
    return JobTotals(
        WorkloadId("slurm", job_id),
        WorkloadLabels(
            job_id,
            user=user,
            account=account,
            partition="gpu" if gpus else "cpu",
            info={"name": f"train-{job_id}", "node_list": "node[17-18]"},
        ),
        created_unix_s=start,
        energy_j=tuple((part, Joules(energy_j * share)) for part, share in parts),
        power_w=tuple((part, Watts(watts * share)) for part, share in parts),
        emissions_g=Grams(energy_j / 3.6e6 * 381 * 1.2),
        cpu_s=Seconds(hours * 3600 * 11.4),
        gpus=float(gpus),
        gpu_utilization=Ratio(0.87) if gpus else None,
        memory_bytes=Bytes(61 * GIB + 4096),
        start_unix_s=start,
        projected_energy_j=Joules(energy_j * 2.5),
        projected_emissions_g=Grams(energy_j * 2.5 / 3.6e6 * 381 * 1.2),
        progress=Ratio(0.4),
        market_g=Grams(energy_j / 3.6e6 * 45 * 1.2),
        embodied_g=Grams(hours * 4.25),
    )


def _ended_job() -> JobTotals:
    return changed(
        _slurm_job("4199", "grace", "protein-folding", gpus=1, watts=299.0, hours=2.0),
        power_w=(),
        memory_bytes=None,
        gpus=None,
        gpu_utilization=None,
        projected_energy_j=None,
        projected_emissions_g=None,
        progress=None,
        end_unix_s=Seconds(NOON_UNIX_S - 95),
    )


def _pod() -> JobTotals:
    return JobTotals(
        WorkloadId("kubernetes", "6b1c0e9a-54d8-4f0e-8f6c-0d9d3f1c2a77"),
        WorkloadLabels(
            "finetune-llama-7",
            namespace="team-llm",
            pod="finetune-llama-7-worker-0",
            info={"workload_kind": "PyTorchJob", "workload_name": "finetune-llama"},
        ),
        created_unix_s=Seconds(NOON_UNIX_S - 4100),
        energy_j=(("cpu", Joules(190_000.5)), ("gpu", Joules(1_210_000.25))),
        power_w=(("cpu", Watts(46.0)), ("gpu", Watts(295.0))),
        emissions_g=Grams(177.8),
        cpu_s=Seconds(15_200.0),
        gpus=0.5,
        gpu_utilization=Ratio(0.41),
        memory_bytes=Bytes(12 * GIB),
        start_unix_s=Seconds(NOON_UNIX_S - 4100),
        market_g=Grams(21.0),
        embodied_g=Grams(2.125),
    )


def _tenant(
    scheduler: str, tenant: str, user: str, energy_j: float, grams: float
) -> TenantTotals:
    return TenantTotals(
        scheduler,
        tenant,
        user,
        BOOT_UNIX_S,
        Joules(energy_j),
        Grams(grams),
        market_g=Grams(grams * 45 / 381),
        embodied_g=Grams(grams / 64),
    )


def _source(
    name: str,
    component: Component | Literal["workloads"],
    *,
    quality: Quality = "measured",
    read_ms: float,
    errors: tuple[tuple[str, int], ...] = (),
) -> SourceStatus:
    return SourceStatus(
        SourceInfo(
            name,
            component,
            "modelled" if quality == "estimated" else "counter",
            quality,
            "device",
        ),
        up=True,
        read_duration_s=Seconds(read_ms / 1000),
        errors=errors,
    )


def ten_minutes(snapshot: Snapshot) -> tuple[HistoryPoint, ...]:
    """Return a past that leads to a snapshot: a wave, a job's start, a gap."""
    points = []
    for second in range(-600, 1):
        if -330 < second < -310:
            continue
        wave = 1 + 0.04 * sin(second / 9) + 0.02 * sin(second / 2.3)
        busy = 0.35 if second < -420 else 1.0
        components = tuple(
            (
                totals.component,
                Watts((totals.power_w or 0.0) * wave * _load(totals.component, busy)),
            )
            for totals in snapshot.components
        )
        points.append(
            HistoryPoint(
                Seconds(snapshot.unix_s + second),
                Watts(sum(power_w for _, power_w in components)),
                components,
                snapshot.intensity.value,
            )
        )
    return tuple(points)


def _load(component: Component, busy: float) -> float:
    return busy if component == "gpu" else 0.6 + 0.4 * busy
