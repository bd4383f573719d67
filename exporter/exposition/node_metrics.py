"""Metrics of the node, its components and its devices."""

from exporter.exposition.metric import Metric, counter, gauge

NODE_POWER = gauge(
    "jouled_node_power_watts",
    (),
    "Mean power of all devices that can be read, in the last sampling interval; "
    "jouled_devices_missing counts those that cannot.",
)
NODE_ENERGY = counter(
    "jouled_node_energy_joules_total",
    (),
    "Energy of all components since boot.",
)
NODE_EMISSIONS = counter(
    "jouled_node_emissions_grams_total",
    (),
    "CO2e of the node since boot: energy times carbon intensity at that time "
    "times PUE.",
)
NODE_FALLBACK_EMISSIONS = counter(
    "jouled_node_emissions_fallback_grams_total",
    (),
    "Part of the node's CO2e that was computed on fallback carbon intensity.",
)
NODE_MARKET_EMISSIONS = counter(
    "jouled_node_market_emissions_grams_total",
    (),
    "CO2e of the node's energy by the site's contracts (market-based); never added "
    "to the other emissions. Absent unless configured.",
)
NODE_EMBODIED = counter(
    "jouled_node_embodied_grams_total",
    (),
    "CO2e of making the node, as far as its life has been used up since boot; never "
    "added to emissions. Absent unless configured.",
)
COMPONENT_POWER = gauge(
    "jouled_component_power_watts",
    ("component",),
    "Mean power of a component (cpu, dram, gpu, platform) in the last sampling "
    "interval, as far as its devices can be read.",
)
COMPONENT_ENERGY = counter(
    "jouled_component_energy_joules_total",
    ("component",),
    "Energy of a component since boot.",
)
DEVICE_POWER = gauge(
    "jouled_device_power_watts",
    ("component", "device"),
    "Mean power of one device in the last sampling interval.",
)
DEVICE_ENERGY = counter(
    "jouled_device_energy_joules_total",
    ("component", "device"),
    "Energy of one device since boot.",
)
DEVICES_MISSING = gauge(
    "jouled_devices_missing",
    ("component",),
    "Devices that were read before and whose power is not known now: it is in no "
    "power of the component or of the node. 0 where those are whole.",
)
UNATTRIBUTED_ENERGY = counter(
    "jouled_unattributed_energy_joules_total",
    ("component", "reason"),
    "Energy no job is charged for since boot, by reason (idle, system, "
    "unallocated, unknown).",
)
IDLE_POWER = gauge(
    "jouled_idle_power_watts",
    ("component", "method"),
    "Power a component would draw with nothing to do, and how that is known "
    "(configured, modelled, learned, assumed).",
)
CPU_BUSY = gauge(
    "jouled_cpu_busy_ratio",
    (),
    "Part of all CPUs that was busy in the last sampling interval.",
)
UNMEASURED_TIME = counter(
    "jouled_unmeasured_seconds_total",
    ("component",),
    "Time whose energy could not be measured and is in no counter.",
)

# In the order of a scrape.
NODE_METRICS: tuple[Metric, ...] = (
    NODE_POWER,
    NODE_ENERGY,
    NODE_EMISSIONS,
    NODE_FALLBACK_EMISSIONS,
    NODE_MARKET_EMISSIONS,
    NODE_EMBODIED,
    COMPONENT_POWER,
    COMPONENT_ENERGY,
    DEVICE_POWER,
    DEVICE_ENERGY,
    DEVICES_MISSING,
    UNATTRIBUTED_ENERGY,
    IDLE_POWER,
    CPU_BUSY,
    UNMEASURED_TIME,
)
