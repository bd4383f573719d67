"""Metrics of jobs and tenants, and the labels that tell them apart."""

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

# In the order of a scrape.
JOB_METRICS: tuple[Metric, ...] = (
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
)


def job_info_with(labels: tuple[str, ...]) -> Metric:
    """Return ``JOB_INFO`` with further labels, which a site has chosen."""
    return replace(JOB_INFO, labels=(*JOB_INFO.labels, *labels)) if labels else JOB_INFO
