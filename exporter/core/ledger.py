"""Running totals: devices, components, the unattributed, jobs and tenants.

Every joule is booked twice, as in any ledger: once for what drew it (device,
component, node) and once for who caused it (job, or unattributed by reason).
Both sides come from the same ΔJ, so they are equal at every moment.

A job's labels freeze when they are known, or after 5 s without; from then on it
is exported, and its tenant is credited with what the job had used till then. What
only describes it (``info``) is no label of a counter, and may still be added to. An
ended job stays for a while, so that every Prometheus sees its last value, and
leaves by age. Where there are more jobs than may be exported, the others wait for a
place; a job that gets one begins with all that it has used since it was first seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from exporter.core.accounts import (
    COMPONENT_INDEX,
    DeviceAccount,
    JobAccount,
    TenantAccount,
    TenantKey,
)
from exporter.core.model import COMPONENTS, Component, DeviceId, Reason
from exporter.core.units import Ratio, Seconds
from exporter.core.workload import GpuUse, WorkloadId, WorkloadLabels, WorkloadUsage

LABELS_WAIT_S = 5.0
TENANT_IDLE_S = 24 * 3600.0

NO_GPU_USE = GpuUse()

_REASONS_OF: Mapping[Component, tuple[Reason, ...]] = {
    "cpu": ("idle", "system", "unknown"),
    "dram": ("idle", "system", "unknown"),
    "gpu": ("unallocated", "unknown"),
    "platform": ("system", "unknown"),
}


@dataclass(slots=True)
class Ledger:
    """All totals since boot.

    The node's own totals are accumulated, not added up from devices or jobs
    that are present, so they cannot fall when one of those leaves.

    ``jobs_dropped`` are the jobs that found no place among the exported ones when
    their labels were known; ``jobs_waiting`` those that run without one now.
    """

    devices: dict[DeviceId, DeviceAccount] = field(default_factory=dict)
    components: dict[Component, float] = field(default_factory=dict)
    unattributed: dict[tuple[Component, Reason], float] = field(default_factory=dict)
    unmeasured_s: dict[Component, float] = field(default_factory=dict)
    emissions_g: float = 0.0
    fallback_g: float = 0.0
    market_g: float = 0.0
    embodied_g: float = 0.0
    jobs: dict[WorkloadId, JobAccount] = field(default_factory=dict)
    tenants: dict[TenantKey, TenantAccount] = field(default_factory=dict)
    jobs_dropped: int = 0
    jobs_waiting: int = 0

    def open_device(self, device: DeviceId) -> None:
        """Open the accounts of a device that is new.

        Also those of what nobody will be charged for: energy that is unknown comes in
        one piece after a crash, and Prometheus loses the first value of a series.
        """
        component = device.component
        self.devices.setdefault(device, DeviceAccount())
        self.unmeasured_s.setdefault(component, 0.0)
        for reason in _REASONS_OF[component]:
            self.unattributed.setdefault((component, reason), 0.0)

    def book_device(
        self, device: DeviceId, energy_j: float | None, elapsed_s: float
    ) -> None:
        """Book what a device drew; J, ``None`` if unknown, and the time it took."""
        account = self.devices[device]
        account.power_w = None
        if energy_j is not None:
            account.energy_j += energy_j
            if elapsed_s > 0:
                account.power_w = energy_j / elapsed_s

    def book_component(
        self,
        component: Component,
        energy_j: float,
        gram_per_j: float,
        *,
        fallback: bool,
    ) -> None:
        """Book what a component drew, and its grams."""
        self.components[component] = self.components.get(component, 0.0) + energy_j
        grams = energy_j * gram_per_j
        self.emissions_g += grams
        if fallback:
            self.fallback_g += grams

    def book_unattributed(
        self, component: Component, parts_j: Mapping[Reason, float]
    ) -> None:
        """Book what no job is charged for."""
        for reason, energy_j in parts_j.items():
            key = (component, reason)
            self.unattributed[key] = self.unattributed.get(key, 0.0) + energy_j

    def book_job(  # noqa: PLR0913 - one booking, whose qualities go by name
        self,
        workload: WorkloadId,
        component: Component,
        energy_j: float,
        gram_per_j: float,
        now_s: Seconds,
        *,
        estimated: float = 0.0,
        fallback: bool = False,
    ) -> None:
        """Book a part of a component's energy for the job that caused it.

        Args:
            workload: the job.
            component: the component.
            energy_j: its part, J, >= 0.
            gram_per_j: grams of each joule.
            now_s: monotonic time of the tick.
            estimated: the part of the energy that comes from estimates, 0..1.
            fallback: the grams are computed on fallback intensity.
        """
        job = self.jobs[workload]
        grams = energy_j * gram_per_j
        job.energy_j[COMPONENT_INDEX[component]] += energy_j
        job.emissions_g += grams
        if estimated:
            job.estimated_j += energy_j * estimated
        if fallback:
            job.fallback_g += grams
        if job.labels is not None:
            self._book_tenant(job, job.labels, energy_j, grams, now_s)

    def book_beside(
        self,
        workload: WorkloadId,
        now_s: Seconds,
        *,
        market_g: float = 0.0,
        embodied_g: float = 0.0,
    ) -> None:
        """Book grams for a job that are counted beside its emissions, never with them.

        Args:
            workload: the job.
            now_s: monotonic time of the tick.
            market_g: by the operator's contracts, g, >= 0.
            embodied_g: of making the node, g, >= 0.
        """
        job = self.jobs[workload]
        job.market_g += market_g
        job.embodied_g += embodied_g
        if job.labels is not None:
            tenant = self._book_tenant(job, job.labels, 0.0, 0.0, now_s)
            tenant.market_g += market_g
            tenant.embodied_g += embodied_g

    def book_gpu_use(
        self, workload: WorkloadId, held_s: float, utilization: Ratio | None
    ) -> None:
        """Book that a job held a GPU; arguments as of ``GpuUse.plus``."""
        job = self.jobs[workload]
        job.gpu_use = (job.gpu_use or NO_GPU_USE).plus(held_s, utilization)

    def see_jobs(
        self,
        usages: Mapping[WorkloadId, WorkloadUsage],
        cpu_s: Mapping[WorkloadId, float],
        now_s: Seconds,
        unix_s: Seconds,
    ) -> None:
        """Open accounts for new jobs and keep the usages of all.

        Args:
            usages: all jobs that used anything since the last tick.
            cpu_s: their CPU time since then, s.
            now_s: monotonic time of the tick.
            unix_s: wall clock of the tick.
        """
        for workload, usage in usages.items():
            job = self.jobs.get(workload)
            if job is None:
                job = self.jobs[workload] = JobAccount(workload, unix_s, now_s)
            elif job.ended_s is not None:
                # Requeued under the same id: the same counters go on.
                job.ended_s = job.ended_unix_s = None
            job.usage = usage
            frozen, known = job.labels, usage.labels
            if frozen and known and len(known.info) > len(frozen.info):
                job.labels = replace(frozen, info=known.info)
            if job.start_unix_s is None:
                job.start_unix_s = usage.start_unix_s
            job.cpu_s += cpu_s.get(workload, 0.0)

    def freeze_labels(self, now_s: Seconds, max_jobs: int) -> None:
        """Freeze labels that are known or overdue, and give out free places.

        A place is free as long as fewer than ``max_jobs`` are exported. It goes to
        the job that was seen first of those that run.
        """
        without = [job for job in self.jobs.values() if not job.exported]
        free = max_jobs - len(self.jobs) + len(without)
        waiting = 0
        for job in without:
            if job.labels is None:
                known = job.usage.labels if job.usage is not None else None
                overdue = now_s - job.first_seen_s >= LABELS_WAIT_S
                if known is None and not overdue and job.ended_s is None:
                    continue
                self._freeze(job, known, now_s)
                self.jobs_dropped += free <= 0
            elif job.ended_s is not None:
                continue
            if free > 0:
                job.exported = True
                free -= 1
            elif job.ended_s is None:
                waiting += 1
        self.jobs_waiting = waiting

    def end_jobs(
        self, ended: Iterable[WorkloadId], now_s: Seconds, unix_s: Seconds
    ) -> None:
        """Mark jobs as ended; they stay until ``forget_jobs`` finds them old."""
        for workload in ended:
            job = self.jobs[workload]
            told_unix_s = None if job.usage is None else job.usage.end_unix_s
            job.ended_s = now_s
            job.ended_unix_s = unix_s if told_unix_s is None else told_unix_s
            job.power_w = [None] * len(COMPONENTS)
            job.projection = None

    def forget_jobs(self, now_s: Seconds, keep_s: float) -> frozenset[WorkloadId]:
        """Let jobs go that ended more than ``keep_s`` ago, and return which."""
        old = frozenset(
            workload
            for workload, job in self.jobs.items()
            if job.ended_s is not None and now_s - job.ended_s > keep_s
        )
        for workload in old:
            del self.jobs[workload]
        return old

    def _freeze(
        self, job: JobAccount, known: WorkloadLabels | None, now_s: Seconds
    ) -> None:
        """Give a job its labels, and credit its tenant with what came before."""
        job.labels = known or WorkloadLabels(job_id=job.workload.key)
        energy_j = sum(job.energy_j)
        tenant = self._book_tenant(job, job.labels, energy_j, job.emissions_g, now_s)
        tenant.market_g += job.market_g
        tenant.embodied_g += job.embodied_g

    def _book_tenant(
        self,
        job: JobAccount,
        labels: WorkloadLabels,
        energy_j: float,
        grams: float,
        now_s: float,
    ) -> TenantAccount:
        key = (job.workload.scheduler, labels.tenant, labels.user)
        account = self.tenants.get(key)
        if account is None:
            account = self.tenants[key] = TenantAccount(job.created_unix_s)
        account.energy_j += energy_j
        account.emissions_g += grams
        account.active_s = now_s
        return account
