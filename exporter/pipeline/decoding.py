"""The engine's memory back from what ``encoding`` made of it.

Every object is built anew and every field is checked: see ``rows`` for the
letters that tell their kinds.
"""

from collections.abc import Mapping
from typing import Any

from exporter.core.accounts import DeviceAccount, JobAccount, TenantAccount
from exporter.core.cpu_time import SchedulerMemory
from exporter.core.interval import UsageTracker
from exporter.core.ledger import Ledger
from exporter.core.metering import Meter
from exporter.core.model import COMPONENTS, Component, DeviceId
from exporter.core.windows import Hold, HoldWindow, NodeWindow, Usage, UsageWindow
from exporter.core.workload import (
    GpuHold,
    GpuUse,
    NodeUsage,
    WorkloadId,
    WorkloadLabels,
    WorkloadUsage,
)
from exporter.pipeline.rows import (
    Row,
    device_id,
    fields,
    known_component,
    known_reason,
)
from exporter.pipeline.state import EngineState


def decode(data: Mapping[str, Any]) -> EngineState:
    """Return the state that ``encode`` was given.

    Raises:
        KeyError: a part is missing.
        TypeError: a part has another shape.
        ValueError: a part has an impossible value, or contradicts another.
    """
    state = EngineState()
    for component, name, *rest in data["meters"]:
        meter = Meter(*fields(rest, "NNnNnnnnbn"))
        state.meters[device_id(component, name)] = meter
    time_s, node = fields(data["tracker"], "NL")
    state.usage = UsageTracker(
        time_s, None if node is None else NodeUsage(*fields(node, "nnpnp"))
    )
    for row in data["schedulers"]:
        name, memory = _scheduler(row)
        state.usage.schedulers[name] = memory
    for component, *rest in data["windows"]:
        state.windows[known_component(component)] = _usage_window(rest)
    for row in data["holds"]:
        name, elapsed_s, held_s, holds, activity_s = fields(row, "tnnln")
        state.holds[name] = HoldWindow(
            elapsed_s,
            held_s,
            {w: Hold(*rest) for w, rest in _by_workload(holds, "nN")},
            activity_s,
        )
    state.platform_debt_j, state.platform_waiting_j = fields(data["platform"], "nn")
    for row in data["source_errors"]:
        source, reason, count = fields(row, "ttn")
        state.source_errors.setdefault(source, {})[reason] = count
    for row in data["carbon_fetches"]:
        provider, outcome, count = fields(row, "ttn")
        state.carbon_fetches[provider, outcome] = count
    (state.missed_ticks,) = fields(data["missed_ticks"], "n")
    for row in data["forgotten"]:
        state.forgotten.add(device_id(*fields(row, "tt")))
    state.ledger = _ledger(data)
    _check(state)
    # Most nodes count none.
    if beside := data["beside"]:
        _add_beside(state.ledger, beside)
    return state


def _check(state: EngineState) -> None:
    """Refuse parts that the engine relies on to agree."""
    ledger = state.ledger
    for device in state.meters:
        if device not in ledger.devices:
            msg = f"{device} has a meter and no account"
            raise ValueError(msg)
    for device in ledger.devices:
        if device.component not in ledger.unmeasured_s:
            msg = f"{device} has an account and its component none"
            raise ValueError(msg)
    for memory in state.usage.schedulers.values():
        for workload in memory.usages:
            if workload not in ledger.jobs:
                msg = f"{workload} has a usage and no account"
                raise ValueError(msg)


def _ledger(data: Mapping[str, Any]) -> Ledger:
    emissions_g, fallback_g, jobs_dropped = fields(data["node"], "nnn")
    jobs = [_job(row) for row in data["jobs"]]
    tenants = [fields(row, "tttnnnn") for row in data["tenants"]]
    return Ledger(
        devices=dict(map(_device, data["devices"])),
        components=_by_component(data["components"]),
        unattributed={
            (known_component(component), known_reason(reason)): fields(rest, "n")[0]
            for component, reason, *rest in data["unattributed"]
        },
        unmeasured_s=_by_component(data["unmeasured"]),
        emissions_g=emissions_g,
        fallback_g=fallback_g,
        jobs={job.workload: job for job in jobs},
        tenants={
            (scheduler, tenant, user): TenantAccount(*rest)
            for scheduler, tenant, user, *rest in tenants
        },
        jobs_dropped=jobs_dropped,
    )


def _device(row: Row) -> tuple[DeviceId, DeviceAccount]:
    component, name, *rest = row
    return device_id(component, name), DeviceAccount(*fields(rest, "nNnt"))


def _add_beside(ledger: Ledger, row: object) -> None:
    market_g, embodied_g, jobs, tenants = fields(row, "nnll")
    ledger.market_g, ledger.embodied_g = market_g, embodied_g
    for workload, (market_g, embodied_g) in _by_workload(jobs, "nn"):
        job = ledger.jobs[workload]
        job.market_g, job.embodied_g = market_g, embodied_g
    for one in tenants:
        *key, market_g, embodied_g = fields(one, "tttnn")
        tenant = ledger.tenants[tuple(key)]
        tenant.market_g, tenant.embodied_g = market_g, embodied_g


def _job(row: object) -> JobAccount:
    workload, labels, created, first_seen, exported, energy, *rest = fields(
        row, "lLnnblnnNNNnnNL"
    )
    emissions, cpu, start, ended, end, estimated, fallback, peak, gpu_use = rest
    return JobAccount(
        WorkloadId(*fields(workload, "tt")),
        created_unix_s=created,
        first_seen_s=first_seen,
        labels=_labels(labels),
        exported=exported,
        energy_j=fields(energy, "n" * len(COMPONENTS)),
        emissions_g=emissions,
        cpu_s=cpu,
        start_unix_s=start,
        ended_s=ended,
        ended_unix_s=end,
        estimated_j=estimated,
        fallback_g=fallback,
        peak_power_w=peak,
        gpu_use=None if gpu_use is None else GpuUse(*fields(gpu_use, "nnnn")),
    )


def _scheduler(row: object) -> tuple[str, SchedulerMemory]:
    name, time_s, usages, group_of, group_cpu_s, last, uncounted = fields(
        row, "tnlllll"
    )
    decoded = [_usage(usage) for usage in usages]
    return name, SchedulerMemory(
        time_s=time_s,
        usages={usage.workload: usage for usage in decoded},
        group_of={w: group for w, (group,) in _by_workload(group_of, "t")},
        group_cpu_s={one[0]: one[1] for one in (fields(o, "tn") for o in group_cpu_s)},
        last_cpu_s={w: seconds for w, (seconds,) in _by_workload(last, "n")},
        uncounted=frozenset(w for w, _ in _by_workload(uncounted, "")),
    )


def _usage(row: object) -> WorkloadUsage:
    workload, cpu_s, memory, cpus, reserved, gpus, labels, start, limit = fields(
        row, "lNNnnlLNN"
    )
    return WorkloadUsage(
        WorkloadId(*fields(workload, "tt")),
        cpu_s,
        memory,
        cpus,
        reserved,
        tuple(GpuHold(*fields(hold, "tpN")) for hold in gpus),
        _labels(labels),
        start,
        limit,
    )


def _labels(row: Row | None) -> WorkloadLabels | None:
    return None if row is None else WorkloadLabels(*fields(row, "ttttttm"))


def _usage_window(row: object) -> UsageWindow:
    elapsed_s, node, usages, complete = fields(row, "nLlb")
    return UsageWindow(
        elapsed_s,
        None if node is None else NodeWindow(*fields(node, "pnpnn")),
        {w: Usage(*rest) for w, rest in _by_workload(usages, "nnnn")},
        complete,
    )


def _by_workload(rows: Row, kinds: str) -> list[tuple[WorkloadId, Row]]:
    checked = [fields(row, "tt" + kinds) for row in rows]
    return [(WorkloadId(s, k), rest) for s, k, *rest in checked]


def _by_component(rows: Row) -> dict[Component, float]:
    return {known_component(c): fields(rest, "n")[0] for c, *rest in rows}
