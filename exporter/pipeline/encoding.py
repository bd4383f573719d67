"""The engine's memory as lists, texts and numbers, for the checkpoint.

Rows are lists in the order of the fields, so that a checkpoint of hundreds of
jobs is written in a fraction of a tick. ``decoding`` is the way back.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from exporter.core.accounts import JobAccount
from exporter.core.cpu_time import SchedulerMemory
from exporter.core.ledger import Ledger
from exporter.core.metering import Meter
from exporter.core.windows import Hold, Usage
from exporter.core.workload import NodeUsage, WorkloadId, WorkloadLabels, WorkloadUsage
from exporter.pipeline.rows import Row
from exporter.pipeline.state import EngineState

_meter_row = attrgetter(*Meter.__slots__)


def encode(state: EngineState) -> dict[str, Any]:
    """Return the state as lists, texts and numbers."""
    ledger = state.ledger
    tracker = state.usage
    return {
        "meters": [
            [*device, *_meter_row(meter)] for device, meter in state.meters.items()
        ],
        "tracker": [tracker.time_s, _encode_node(tracker.node)],
        "schedulers": [
            _encode_scheduler(name, memory, ledger)
            for name, memory in tracker.schedulers.items()
        ],
        "windows": [
            [
                component,
                window.elapsed_s,
                window.node,
                _by_workload(window.usages),
                window.complete,
            ]
            for component, window in state.windows.items()
        ],
        "holds": [
            [
                name,
                window.elapsed_s,
                window.held_s,
                _by_workload(window.holds),
                window.activity_s,
            ]
            for name, window in state.holds.items()
        ],
        "source_errors": [
            [source, reason, count]
            for source, counts in state.source_errors.items()
            for reason, count in counts.items()
        ],
        "carbon_fetches": [
            [*key, count] for key, count in state.carbon_fetches.copy().items()
        ],
        "missed_ticks": [state.missed_ticks],
        "platform": [state.platform_debt_j, state.platform_waiting_j],
        "devices": [
            [*device, account.energy_j, account.power_w, account.seen_s, account.source]
            for device, account in ledger.devices.items()
        ],
        "forgotten": list(state.forgotten),
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
        "beside": _encode_beside(ledger),
    }


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


def _encode_scheduler(name: str, memory: SchedulerMemory, ledger: Ledger) -> Row:
    return [
        name,
        memory.time_s,
        [
            _encode_usage(usage, ledger.jobs[workload])
            for workload, usage in memory.usages.items()
        ],
        [[*workload, group] for workload, group in memory.group_of.items()],
        list(memory.group_cpu_s.items()),
        [[*workload, seconds] for workload, seconds in memory.last_cpu_s.items()],
        list(memory.uncounted),
    ]


def _encode_usage(usage: WorkloadUsage, job: JobAccount) -> Row:
    # Labels that are frozen are written with the job.
    labels = usage.labels if job.labels is None else None
    return [
        usage.workload,
        usage.cpu_s,
        usage.memory_bytes,
        usage.reserved_cpus,
        usage.reserved_memory_bytes,
        [[hold.device, hold.share, hold.activity] for hold in usage.gpus],
        _encode_labels(labels),
        usage.start_unix_s,
        usage.time_limit_s,
    ]


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


def _encode_beside(ledger: Ledger) -> Row:
    """Grams beside the emissions: most nodes count none."""
    if not (ledger.market_g or ledger.embodied_g):
        return []
    return [
        ledger.market_g,
        ledger.embodied_g,
        [
            [*workload, job.market_g, job.embodied_g]
            for workload, job in ledger.jobs.items()
        ],
        [
            [*key, account.market_g, account.embodied_g]
            for key, account in ledger.tenants.items()
        ],
    ]


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
        job.estimated_j,
        job.fallback_g,
        job.peak_power_w,
        job.gpu_use,
    ]
