"""Every metric of the node daemon, once.

``families.py`` and ``job_families.py`` fill them, ``render.py`` writes them, and
``docs/metrics.md`` and ``jouled metrics`` print them. A name here is a promise:
changing one breaks somebody's dashboard.

Names follow the Prometheus conventions: base units, the unit at the end of the
name, ``_total`` behind a counter and ``_info`` behind facts whose value is 1.
The labels of a counter never change during its life; what may change lives in a
gauge or in an info metric of its own.
"""

from dataclasses import replace

from exporter.exposition.metric import Metric, counter, gauge, info

# What tells one job's series from another's; empty where the scheduler has no
# such thing, so that one query serves Slurm and Kubernetes.
JOB_LABELS = (
    "scheduler",
    "job_id",
    "user",
    "account",
    "partition",
    "namespace",
    "pod",
)
# Further facts of a job, from ``WorkloadLabels.info``: for joins, never a key.
JOB_INFO_LABELS = (
    "name",
    "array_job_id",
    "array_task_id",
    "workload_kind",
    "workload_name",
    "containers",
    "queue",
    "node_list",
)

# --- the node ---------------------------------------------------------------

NODE_POWER = gauge(
    "jouled_node_power_watts",
    (),
    "Mean power of all components in the last sampling interval.",
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
    "interval.",
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
    "(configured, learned, assumed).",
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

# --- GPUs -------------------------------------------------------------------

GPU_INFO = info(
    "jouled_gpu_info",
    ("device", "index", "model", "driver", "pci"),
    "What a GPU is; its value is always 1.",
)
GPU_DIVISION = info(
    "jouled_gpu_division_info",
    ("device", "method"),
    "By what the dynamic energy of a GPU is divided that several jobs share (activity: "
    "what each did on it; share: what each holds of it); its value is always 1.",
)
GPU_UTILIZATION = gauge(
    "jouled_gpu_utilization_ratio",
    ("device",),
    "Part of the time a kernel ran on the GPU, as its driver tells.",
)
GPU_MEMORY_USED = gauge(
    "jouled_gpu_memory_used_bytes", ("device",), "GPU memory in use."
)
GPU_MEMORY_TOTAL = gauge(
    "jouled_gpu_memory_total_bytes", ("device",), "GPU memory installed."
)
GPU_TEMPERATURE = gauge(
    "jouled_gpu_temperature_celsius", ("device",), "Temperature of the GPU."
)
GPU_POWER_LIMIT = gauge(
    "jouled_gpu_power_limit_watts",
    ("device",),
    "Power limit the driver enforces on the GPU.",
)

# --- jobs and tenants -------------------------------------------------------

JOB_POWER = gauge(
    "jouled_job_power_watts",
    (*JOB_LABELS, "component"),
    "Mean power charged to a job in the last sampling interval; absent once it ended.",
    "job",
)
JOB_ENERGY = counter(
    "jouled_job_energy_joules_total",
    (*JOB_LABELS, "component"),
    "Energy charged to a job on this node since it was first seen. A new job is told "
    "once its labels are known, after 5 s at most; till then it is in the component "
    "alone.",
    "job",
)
JOB_EMISSIONS = counter(
    "jouled_job_emissions_grams_total",
    JOB_LABELS,
    "CO2e charged to a job on this node: energy times carbon intensity at that "
    "time times PUE.",
    "job",
)
JOB_MARKET_EMISSIONS = counter(
    "jouled_job_market_emissions_grams_total",
    JOB_LABELS,
    "CO2e of a job's energy on this node by the site's contracts (market-based).",
    "job",
)
JOB_EMBODIED = counter(
    "jouled_job_embodied_grams_total",
    JOB_LABELS,
    "A job's part of the CO2e of making this node, by what it reserved of it.",
    "job",
)
JOB_CPU_TIME = counter(
    "jouled_job_cpu_seconds_total",
    JOB_LABELS,
    "CPU time a job used on this node since it was first seen.",
    "job",
)
JOB_GPUS = gauge(
    "jouled_job_gpus",
    JOB_LABELS,
    "GPUs a job holds on this node; parts of shared GPUs are added up.",
    "job",
)
JOB_GPU_UTILIZATION = gauge(
    "jouled_job_gpu_utilization_ratio",
    JOB_LABELS,
    "Mean utilisation of the GPUs a job holds on this node.",
    "job",
)
JOB_MEMORY = gauge(
    "jouled_job_memory_bytes",
    JOB_LABELS,
    "Anonymous resident memory of a job on this node, page cache excluded.",
    "job",
)
JOB_START = gauge(
    "jouled_job_start_timestamp_seconds", JOB_LABELS, "Unix time a job started.", "job"
)
JOB_END = gauge(
    "jouled_job_end_timestamp_seconds",
    JOB_LABELS,
    "Unix time a job was last seen; absent while it runs.",
    "job",
)
JOB_PROJECTED_ENERGY = gauge(
    "jouled_job_projected_energy_joules",
    JOB_LABELS,
    "Energy a job will have used on this node at the end of its time limit, as "
    "projected some seconds ago; absent without a limit and once it ended.",
    "job",
)
JOB_PROJECTED_EMISSIONS = gauge(
    "jouled_job_projected_emissions_grams",
    JOB_LABELS,
    "CO2e a job will have caused on this node at the end of its time limit, by what "
    "is forecast of the grid; absent without a limit and once it ended.",
    "job",
)
JOB_PROGRESS = gauge(
    "jouled_job_progress_ratio", JOB_LABELS, "How far a job is, from 0 to 1.", "job"
)
JOB_INFO = info(
    "jouled_job_info",
    (*JOB_LABELS, *JOB_INFO_LABELS),
    "Further facts of a job; its value is always 1. A site adds labels of pods by "
    "kubernetes.pod_labels.",
    "job",
)
TENANT_ENERGY = counter(
    "jouled_tenant_energy_joules_total",
    ("scheduler", "tenant", "user"),
    "Energy charged to a user of a Slurm account or Kubernetes namespace on this "
    "node since boot; outlives the jobs.",
    "tenant",
)
TENANT_EMISSIONS = counter(
    "jouled_tenant_emissions_grams_total",
    ("scheduler", "tenant", "user"),
    "CO2e charged to a user of a Slurm account or Kubernetes namespace on this "
    "node since boot; outlives the jobs.",
    "tenant",
)
TENANT_MARKET_EMISSIONS = counter(
    "jouled_tenant_market_emissions_grams_total",
    ("scheduler", "tenant", "user"),
    "CO2e of the energy charged to a user of a Slurm account or Kubernetes namespace "
    "on this node by the site's contracts (market-based).",
    "tenant",
)
TENANT_EMBODIED = counter(
    "jouled_tenant_embodied_grams_total",
    ("scheduler", "tenant", "user"),
    "Part of the CO2e of making this node for a user of a Slurm account or "
    "Kubernetes namespace, by what the jobs reserved.",
    "tenant",
)

# --- carbon -----------------------------------------------------------------

CARBON_INTENSITY = gauge(
    "jouled_carbon_intensity_grams_per_kwh",
    ("zone", "provider", "signal", "factors"),
    "Carbon intensity of the grid in force, in grams of CO2e per kilowatt-hour.",
)
CARBON_OBSERVED = gauge(
    "jouled_carbon_intensity_observed_timestamp_seconds",
    ("zone",),
    "Unix time the carbon intensity in force speaks of; absent for a constant.",
)
CARBON_FALLBACK_LEVEL = gauge(
    "jouled_carbon_intensity_fallback_level",
    ("zone",),
    "How far the carbon intensity in force is from live: 0 live or fixed, 1 last "
    "good value, 2 yearly figure of the zone, 3 yearly figure of the world.",
)
CARBON_ESTIMATED = gauge(
    "jouled_carbon_intensity_estimated",
    ("zone",),
    "1 if the provider itself calls the carbon intensity in force an estimate.",
)
CARBON_FORECAST = gauge(
    "jouled_carbon_intensity_forecast_grams_per_kwh",
    ("zone", "horizon"),
    "Carbon intensity that is expected at one moment, so long from now (1h, 3h, 6h, "
    "12h, 24h); absent where no forecast reaches.",
)
CARBON_FETCHES = counter(
    "jouled_carbon_fetches_total",
    ("provider", "outcome"),
    "Calls to a provider of carbon intensity, by what they came to.",
)
MARKET_INTENSITY = gauge(
    "jouled_carbon_market_intensity_grams_per_kwh",
    (),
    "What a kilowatt-hour emits by the site's contracts, as configured.",
)
PUE = gauge(
    "jouled_pue_ratio",
    (),
    "Power usage effectiveness that emissions are multiplied by.",
)

# --- the daemon itself ------------------------------------------------------

SOURCE_UP = gauge(
    "jouled_source_up",
    ("source",),
    "1 if a source could be read in the last tick; else its series are absent.",
)
SOURCE_INFO = info(
    "jouled_source_info",
    ("source", "component", "method", "quality", "scope"),
    "What a source is and whether its numbers are measured or estimated; its "
    "value is always 1.",
)
SOURCE_ERRORS = counter(
    "jouled_source_errors_total",
    ("source", "reason"),
    "Ticks in which a source could not be read (absent, denied, faulty, timeout).",
)
SOURCE_READ_DURATION = gauge(
    "jouled_source_read_duration_seconds",
    ("source",),
    "How long the last read of a source took.",
)
SAMPLE_DURATION = gauge(
    "jouled_sample_duration_seconds",
    (),
    "How long it took to read all sources in the last tick.",
)
SAMPLE_TIME = gauge(
    "jouled_sample_timestamp_seconds",
    (),
    "Unix time of the last tick, by the clock of the node.",
)
SAMPLES_MISSED = counter(
    "jouled_samples_missed_total",
    (),
    "Ticks that were skipped because an earlier one was late.",
)
JOBS_DROPPED = counter(
    "jouled_jobs_dropped_total",
    (),
    "Jobs without series of their own because the cap on exported jobs was "
    "reached; their energy still goes to the tenant.",
)
BUILD_INFO = info(
    "jouled_build_info",
    ("version", "python"),
    "Version of the daemon and of the Python it runs on; its value is always 1.",
)

# In the order of a scrape.
CATALOGUE: tuple[Metric, ...] = (
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
    UNATTRIBUTED_ENERGY,
    IDLE_POWER,
    CPU_BUSY,
    UNMEASURED_TIME,
    GPU_INFO,
    GPU_DIVISION,
    GPU_UTILIZATION,
    GPU_MEMORY_USED,
    GPU_MEMORY_TOTAL,
    GPU_TEMPERATURE,
    GPU_POWER_LIMIT,
    JOB_POWER,
    JOB_ENERGY,
    JOB_EMISSIONS,
    JOB_MARKET_EMISSIONS,
    JOB_EMBODIED,
    JOB_CPU_TIME,
    JOB_GPUS,
    JOB_GPU_UTILIZATION,
    JOB_MEMORY,
    JOB_START,
    JOB_END,
    JOB_PROJECTED_ENERGY,
    JOB_PROJECTED_EMISSIONS,
    JOB_PROGRESS,
    JOB_INFO,
    TENANT_ENERGY,
    TENANT_EMISSIONS,
    TENANT_MARKET_EMISSIONS,
    TENANT_EMBODIED,
    CARBON_INTENSITY,
    CARBON_OBSERVED,
    CARBON_FALLBACK_LEVEL,
    CARBON_ESTIMATED,
    CARBON_FORECAST,
    CARBON_FETCHES,
    MARKET_INTENSITY,
    PUE,
    SOURCE_UP,
    SOURCE_INFO,
    SOURCE_ERRORS,
    SOURCE_READ_DURATION,
    SAMPLE_DURATION,
    SAMPLE_TIME,
    SAMPLES_MISSED,
    JOBS_DROPPED,
    BUILD_INFO,
)


def job_info_with(labels: tuple[str, ...]) -> Metric:
    """Return ``JOB_INFO`` with further labels, which a site has chosen."""
    return replace(JOB_INFO, labels=(*JOB_INFO.labels, *labels)) if labels else JOB_INFO
