"""What a snapshot says, in a form that tests can compare."""

from exporter.core.snapshot import JobTotals, Snapshot, TenantTotals
from exporter.core.workload import WorkloadId
from tests.fakes.node import SLURM

Series = tuple[object, ...]


def counters(snapshot: Snapshot) -> dict[Series, float]:
    """Return every counter that a scrape would see, by its identity."""
    found: dict[Series, float] = {
        ("node",): snapshot.node_energy_j,
        ("grams",): snapshot.emissions_g,
        ("fallback grams",): snapshot.fallback_emissions_g,
        ("dropped",): snapshot.jobs_dropped,
        **_beside(("node",), snapshot),
    }
    for component in snapshot.components:
        found["component", component.component] = component.energy_j
    for part in snapshot.unattributed:
        found["unattributed", part.component, part.reason] = part.energy_j
    for name, seconds in snapshot.unmeasured_s:
        found["unmeasured", name] = seconds
    for device in snapshot.devices:
        found["device", device.device] = device.energy_j
    for tenant in snapshot.tenants:
        who = ("tenant", tenant.scheduler, tenant.tenant, tenant.user)
        found[(*who, "J")] = tenant.energy_j
        found[(*who, "g")] = tenant.emissions_g
        found |= _beside(who, tenant)
    for job in snapshot.jobs:
        which = ("job", job.workload, job.created_unix_s)
        found[(*which, "g")] = job.emissions_g
        found[(*which, "s")] = job.cpu_s
        found |= _beside(which, job)
        for name, energy_j in job.energy_j:
            found[(*which, name)] = energy_j
    return found


def _beside(
    series: Series, totals: Snapshot | TenantTotals | JobTotals
) -> dict[Series, float]:
    counts = {"market": totals.market_g, "embodied": totals.embodied_g}
    return {(*series, k): grams for k, grams in counts.items() if grams is not None}


def job(snapshot: Snapshot, key: str = "1") -> JobTotals:
    """Return one job of a snapshot."""
    wanted = WorkloadId(SLURM, key)
    return next(one for one in snapshot.jobs if one.workload == wanted)


def job_j(snapshot: Snapshot, key: str = "1") -> dict[str, float]:
    """Return the energy of a job by component, J."""
    return {
        str(name): float(energy_j) for name, energy_j in job(snapshot, key).energy_j
    }


def job_w(snapshot: Snapshot, key: str = "1") -> dict[str, float]:
    """Return the power of a job by component, W."""
    return {str(name): float(watts) for name, watts in job(snapshot, key).power_w}


def component_j(snapshot: Snapshot) -> dict[str, float]:
    """Return the energy of the node by component, J."""
    return {str(one.component): float(one.energy_j) for one in snapshot.components}


def unattributed_j(snapshot: Snapshot) -> dict[tuple[str, str], float]:
    """Return unattributed energy by component and reason, J, where there is any."""
    return {
        (one.component, one.reason): float(one.energy_j)
        for one in snapshot.unattributed
        if one.energy_j > 1e-9
    }
