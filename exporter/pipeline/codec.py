"""The engine's memory as plain lists and back, for the checkpoint.

Rows are lists in the order of the fields, so that a checkpoint of hundreds of
jobs is written in a fraction of a tick. Decoding builds every object anew; a
row of the wrong shape raises ``TypeError``, ``ValueError`` or ``KeyError``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from exporter.core.interval import (
    Hold,
    HoldWindow,
    NodeWindow,
    SchedulerMemory,
    Usage,
    UsageTracker,
    UsageWindow,
)
from exporter.core.ledger import (
    DeviceAccount,
    JobAccount,
    Ledger,
    TenantAccount,
)
from exporter.core.metering import Meter
from exporter.core.model import (
    COMPONENTS,
    DeviceId,
    GpuHold,
    NodeUsage,
    WorkloadId,
    WorkloadLabels,
    WorkloadUsage,
)
from exporter.core.units import Seconds
from exporter.pipeline.state import EngineState

# What JSON can hold: nested lists of numbers, texts and nothing.
Row = list[Any]


def encode(state: EngineState) -> dict[str, Any]:
    """Return the state as lists, texts and numbers."""
    ledger = state.ledger
    tracker = state.usage
    return {
        "meters": [
            [*device, *(getattr(meter, name) for name in Meter.__slots__)]
            for device, meter in state.meters.items()
        ],
        "tracker": [tracker.time_s, _encode_node(tracker.node)],
        "schedulers": [
            _encode_scheduler(name, memory)
            for name, memory in tracker.schedulers.items()
        ],
        "windows": [
            [component, window.node, _by_workload(window.usages), window.complete]
            for component, window in state.windows.items()
        ],
        "holds": [
            [name, window.elapsed_s, window.held_s, _by_workload(window.holds)]
            for name, window in state.holds.items()
        ],
        "platform": [state.platform_debt_j],
        "devices": [
            [*device, account.energy_j, account.power_w, account.seen_s]
            for device, account in ledger.devices.items()
        ],
        "components": list(ledger.components.items()),
        "unattributed": [[*key, value] for key, value in ledger.unattributed.items()],
        "unmeasured": list(ledger.unmeasured_s.items()),
        "node": [ledger.emissions_g, ledger.fallback_g, ledger.jobs_dropped],
        "jobs": [_encode_job(job) for job in ledger.jobs.values()],
        "tenants": [
            [
                *key,
                account.created_unix_s,
                account.energy_j,
                account.emissions_g,
                account.active_s,
            ]
            for key, account in ledger.tenants.items()
        ],
    }


def decode(data: Mapping[str, Any]) -> EngineState:
    """Return the state that ``encode`` was given.

    Raises:
        KeyError: a part is missing.
        TypeError: a part has another shape.
        ValueError: a part has an impossible value.
    """
    state = EngineState()
    for component, name, *fields in data["meters"]:
        state.meters[_device(component, name)] = Meter(*fields)
    time_s, node = data["tracker"]
    state.usage = UsageTracker(time_s, None if node is None else NodeUsage(*node))
    for name, *fields in data["schedulers"]:
        state.usage.schedulers[name] = _decode_scheduler(*fields)
    for component, window_node, usages, complete in data["windows"]:
        state.windows[component] = UsageWindow(
            None if window_node is None else NodeWindow(*window_node),
            {WorkloadId(s, k): Usage(*fields) for s, k, *fields in usages},
            complete,
        )
    for name, elapsed_s, held_s, holds in data["holds"]:
        state.holds[name] = HoldWindow(
            elapsed_s,
            held_s,
            {WorkloadId(s, k): Hold(*fields) for s, k, *fields in holds},
        )
    (state.platform_debt_j,) = data["platform"]
    state.ledger = _decode_ledger(data)
    return state


def _decode_ledger(data: Mapping[str, Any]) -> Ledger:
    emissions_g, fallback_g, jobs_dropped = data["node"]
    jobs = [_decode_job(*row) for row in data["jobs"]]
    return Ledger(
        devices={
            _device(component, name): DeviceAccount(*fields)
            for component, name, *fields in data["devices"]
        },
        components=dict(data["components"]),
        unattributed={(c, reason): value for c, reason, value in data["unattributed"]},
        unmeasured_s=dict(data["unmeasured"]),
        emissions_g=emissions_g,
        fallback_g=fallback_g,
        jobs={job.workload: job for job in jobs},
        tenants={
            (scheduler, tenant, user): TenantAccount(*fields)
            for scheduler, tenant, user, *fields in data["tenants"]
        },
        jobs_dropped=jobs_dropped,
    )


def _device(component: str, name: str) -> DeviceId:
    for known in COMPONENTS:
        if known == component:
            return DeviceId(known, name)
    msg = f"unknown component {component!r}"
    raise ValueError(msg)


def _by_workload(
    values: Mapping[WorkloadId, Usage] | Mapping[WorkloadId, Hold],
) -> list[Row]:
    return [[*workload, *value] for workload, value in values.items()]


def _encode_node(node: NodeUsage | None) -> Row | None:
    if node is None:
        return None
    return [
        node.time_s,
        node.busy_s,
        node.cpus,
        node.memory_used_bytes,
        node.memory_total_bytes,
    ]


def _encode_scheduler(name: str, memory: SchedulerMemory) -> Row:
    return [
        name,
        memory.time_s,
        [_encode_usage(usage) for usage in memory.usages.values()],
        [[*workload, group] for workload, group in memory.group_of.items()],
        memory.group_cpu_s,
        [[*workload, seconds] for workload, seconds in memory.last_cpu_s.items()],
    ]


def _decode_scheduler(
    time_s: float,
    usages: list[Row],
    groups: list[Row],
    cpu: dict[str, float],
    last: list[Row],
) -> SchedulerMemory:
    decoded = [_decode_usage(*row) for row in usages]
    return SchedulerMemory(
        time_s=Seconds(time_s),
        usages={usage.workload: usage for usage in decoded},
        group_of={WorkloadId(s, k): group for s, k, group in groups},
        group_cpu_s=cpu,
        last_cpu_s={WorkloadId(s, k): seconds for s, k, seconds in last},
    )


def _encode_usage(usage: WorkloadUsage) -> Row:
    return [
        usage.workload,
        usage.cpu_s,
        usage.memory_bytes,
        usage.reserved_cpus,
        usage.reserved_memory_bytes,
        [[hold.device, hold.share, hold.activity] for hold in usage.gpus],
        _encode_labels(usage.labels),
        usage.start_unix_s,
        usage.time_limit_s,
    ]


def _decode_usage(workload: Row, *fields: Any) -> WorkloadUsage:  # noqa: ANN401 - a row
    cpu_s, memory, cpus, reserved, gpus, labels, start, limit = fields
    return WorkloadUsage(
        WorkloadId(*workload),
        cpu_s,
        memory,
        cpus,
        reserved,
        tuple(GpuHold(*hold) for hold in gpus),
        _decode_labels(labels),
        start,
        limit,
    )


def _encode_labels(labels: WorkloadLabels | None) -> Row | None:
    if labels is None:
        return None
    return [
        labels.job_id,
        labels.user,
        labels.account,
        labels.partition,
        labels.namespace,
        labels.pod,
        dict(labels.info),
    ]


def _decode_labels(row: Row | None) -> WorkloadLabels | None:
    return None if row is None else WorkloadLabels(*row)


def _encode_job(job: JobAccount) -> Row:
    return [
        job.workload,
        _encode_labels(job.labels),
        job.created_unix_s,
        job.first_seen_s,
        job.exported,
        job.energy_j,
        job.emissions_g,
        job.cpu_s,
        job.start_unix_s,
        job.ended_s,
        job.ended_unix_s,
    ]


def _decode_job(workload: Row, labels: Row | None, *fields: Any) -> JobAccount:  # noqa: ANN401 - a row
    created, first_seen, exported, energy, emissions, cpu, start, ended, end = fields
    return JobAccount(
        WorkloadId(*workload),
        created_unix_s=created,
        first_seen_s=first_seen,
        labels=_decode_labels(labels),
        exported=exported,
        energy_j=_floats(energy, len(COMPONENTS)),
        emissions_g=emissions,
        cpu_s=cpu,
        start_unix_s=start,
        ended_s=ended,
        ended_unix_s=end,
    )


def _floats(values: Iterable[Any], length: int) -> list[float]:
    floats = [float(value) for value in values]
    if len(floats) != length:
        msg = f"{length} numbers expected, not {len(floats)}"
        raise ValueError(msg)
    return floats
