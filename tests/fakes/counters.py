"""The counters of a snapshot, by what makes them one and the same series."""

from exporter.core.snapshot import Snapshot

Series = tuple[object, ...]


def counters(snapshot: Snapshot) -> dict[Series, float]:
    """Return every counter that a scrape would see, by its identity."""
    found: dict[Series, float] = {
        ("node",): snapshot.node_energy_j,
        ("grams",): snapshot.emissions_g,
        ("fallback grams",): snapshot.fallback_emissions_g,
        ("dropped",): snapshot.jobs_dropped,
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
    for job in snapshot.jobs:
        which = ("job", job.workload, job.created_unix_s)
        found[(*which, "g")] = job.emissions_g
        found[(*which, "s")] = job.cpu_s
        for name, energy_j in job.energy_j:
            found[(*which, name)] = energy_j
    return found
