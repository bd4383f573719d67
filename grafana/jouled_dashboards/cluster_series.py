"""What the rows of *Cluster* ask for, and what they say of it."""

from grafana.jouled_dashboards.queries import CLUSTER

SCHEDULED = f'{CLUSTER}, scheduler=~"$scheduler"'
TENANT_POWER = f"cluster_tenant:jouled_tenant_energy_joules:rate5m{{{SCHEDULED}}}"

ENERGY = f"cluster:jouled_node_energy_joules:rate5m{{{CLUSTER}}}"
GRAMS = f"cluster:jouled_node_emissions_grams:rate5m{{{CLUSTER}}}"
WASTE = f"cluster:jouled_wasted_energy_joules:rate5m{{{CLUSTER}}}"
UNATTRIBUTED = (
    f"cluster_component_reason:jouled_unattributed_energy_joules:rate5m{{{CLUSTER}}}"
)

TODAY = (
    "Since midnight, by the clock of your browser. If the time range is absolute: in "
    "that range. Added up from recorded power, so that a time in which Prometheus was "
    "down is missing."
)
WASTED = (
    "*idle*: what nodes draw with nothing to do, where no job reserved it. "
    "*unallocated*: GPUs that nobody holds."
)
