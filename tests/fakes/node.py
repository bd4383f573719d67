"""An invented node: short builders for what its sources would have read."""

from collections.abc import Callable, Iterable

from exporter.core.model import (
    Component,
    Device,
    DeviceId,
    GpuInfo,
    GpuStatus,
    Intensity,
    Reading,
    Sample,
    Scope,
    SourceInfo,
    SourceStatus,
)
from exporter.core.snapshot import Snapshot
from exporter.core.units import Bytes, GramsPerKwh, Ratio, Seconds, Watts
from exporter.core.workload import (
    GpuHold,
    MissedReading,
    NodeUsage,
    WorkloadGroup,
    WorkloadId,
    WorkloadLabels,
    WorkloadsReading,
    WorkloadUsage,
)
from exporter.pipeline.engine import Engine

SLURM = "slurm"
CPUS = 8
GIB = 2**30
MEMORY_BYTES = 64 * GIB
UNIX_S = 1_774_008_000.0
"""Wall clock at monotonic time 0."""

GREEN = Intensity("DE", "static", GramsPerKwh(400.0), factors="lifecycle")


def cpu(name: str = "package-0", *, wraps_at: int | None = 262_143_328_850) -> Device:
    """Return a package with a counter in µJ."""
    return device("cpu", name, joules_per_count=1e-6, counter_range=wraps_at)


def dram(name: str = "dram") -> Device:
    """Return memory with a counter in µJ."""
    counter_range = 65_712_999_613
    return device("dram", name, joules_per_count=1e-6, counter_range=counter_range)


def gpu(name: str = "GPU-0", *, counter: bool = True) -> Device:
    """Return a GPU with a power gauge and, if told so, a counter in mJ."""
    return device("gpu", name, joules_per_count=1e-3 if counter else None)


def node_meter(name: str = "node", *, counter: bool = True) -> Device:
    """Return a meter of the whole node."""
    unit = 1.0 if counter else None
    return device("platform", name, joules_per_count=unit, scope="node")


def device(
    component: Component,
    name: str,
    *,
    joules_per_count: float | None = 1e-3,
    counter_range: int | None = None,
    max_power_w: float = 1000.0,
    scope: Scope = "device",
) -> Device:
    """Return any device."""
    return Device(
        DeviceId(component, name),
        f"source of {name}",
        joules_per_count,
        counter_range,
        Watts(max_power_w),
        scope,
    )


def reading(
    device: Device,
    time_s: float,
    energy_j: float | None = None,
    power_w: float | None = None,
    utilization: float | None = None,
) -> Reading:
    """Return what a device with this energy in all would show."""
    count = None
    if energy_j is not None and device.joules_per_count is not None:
        count = round(energy_j / device.joules_per_count)
        if device.counter_range is not None:
            count %= device.counter_range
    status = None
    if device.id.component == "gpu":
        info = GpuInfo(device.id.name, 0, 0, "H100", "550.54", "0000:01:00.0")
        known = None if utilization is None else Ratio(utilization)
        status = GpuStatus(info, known)
    watts = None if power_w is None else Watts(power_w)
    return Reading(device, Seconds(time_s), count, watts, status)


def job_id(key: str | int, scheduler: str = SLURM) -> WorkloadId:
    """Return the identity of a job."""
    return WorkloadId(scheduler, str(key))


def labels(
    key: str | int, user: str = "ada", account: str = "physics"
) -> WorkloadLabels:
    """Return what Slurm would say of a job."""
    return WorkloadLabels(str(key), user, account, "batch", info={"name": "train"})


def usage(
    key: str | int,
    cpu_s: float | None,
    *,
    cpus: float = 0.0,
    memory_bytes: int | None = None,
    reserved_memory_bytes: float = 0.0,
    gpus: tuple[GpuHold, ...] = (),
    labels: WorkloadLabels | None = None,
    scheduler: str = SLURM,
    start_s: float | None = None,
    end_s: float | None = None,
) -> WorkloadUsage:
    """Return what a job has used; ``cpus`` are those it reserved.

    ``start_s`` and ``end_s`` are on the monotonic clock, as all times here.
    """
    return WorkloadUsage(
        job_id(key, scheduler),
        None if cpu_s is None else Seconds(cpu_s),
        None if memory_bytes is None else Bytes(memory_bytes),
        cpus,
        reserved_memory_bytes,
        gpus,
        labels,
        None if start_s is None else Seconds(UNIX_S + start_s),
        end_unix_s=None if end_s is None else Seconds(UNIX_S + end_s),
    )


def hold(
    name: str = "GPU-0", share: float = 1.0, activity: float | None = None
) -> GpuHold:
    """Return a hold on a GPU."""
    return GpuHold(name, Ratio(share), None if activity is None else Ratio(activity))


def jobs(
    *usages: WorkloadUsage,
    group_cpu_s: float | None = None,
    members: Iterable[WorkloadId] | None = None,
    scheduler: str = SLURM,
    missed: tuple[MissedReading, ...] = (),
) -> WorkloadsReading:
    """Return a scheduler's reading, with one group above all if its count is told."""
    groups: tuple[WorkloadGroup, ...] = ()
    if group_cpu_s is not None:
        inside = [one.workload for one in usages] if members is None else members
        groups = (WorkloadGroup("all", Seconds(group_cpu_s), tuple(inside)),)
    return WorkloadsReading(scheduler, usages, groups, missed)


def missed(time_s: float, group_cpu_s: float, *usages: WorkloadUsage) -> MissedReading:
    """Return what was counted when nobody read; who ended then has no count."""
    reading = jobs(*usages, group_cpu_s=group_cpu_s)
    return MissedReading(Seconds(time_s), reading.usages, reading.groups)


def node(
    time_s: float, busy_s: float, *, cpus: int = CPUS, memory_bytes: int = 0
) -> NodeUsage:
    """Return how busy the node is; ``busy_s`` in CPU seconds since boot."""
    used, total = Bytes(memory_bytes), Bytes(MEMORY_BYTES)
    return NodeUsage(Seconds(time_s), Seconds(busy_s), cpus, used, total)


def failing(reason: str = "faulty") -> SourceStatus:
    """Return the status of a source of workloads that could not be read."""
    info = SourceInfo("jobs", "workloads", "none", "none", "node")
    return SourceStatus(info, up=False, reason=reason, message="it is a test")


def sample(
    time_s: float,
    *readings: Reading,
    node: NodeUsage | None = None,
    workloads: tuple[WorkloadsReading, ...] = (),
    intensity: Intensity = GREEN,
    pue: float = 1.0,
    sources: tuple[SourceStatus, ...] = (),
    interval_s: float = 1.0,
) -> Sample:
    """Return all that was read in one tick."""
    return Sample(
        Seconds(time_s),
        Seconds(UNIX_S + time_s),
        Seconds(interval_s),
        readings,
        node,
        workloads,
        intensity,
        pue,
        sources,
    )


def play(
    engine: Engine, times: Iterable[float], make: Callable[[float], Sample]
) -> list[Snapshot]:
    """Fold a sample for each time, and return what each showed."""
    return [engine.fold(make(time_s)) for time_s in times]
