"""A large site as it is stored: the series of nodes and jobs, and what rules record.

Nodes of even numbers run jobs of Slurm, the others pods. Values are made up, but every
series has the labels it would have, and those of one job fit each other.
"""

import random
from collections.abc import Iterator, Sequence

from bench.tsdb import Course, Labels

SCRAPE_S, NODES_RULES_S, JOBS_RULES_S = 15, 30, 60
_COURSES = 40
_GPUS = 8
_TENANTS, _USERS = 100, 990
_COMPONENTS = ("cpu", "dram", "gpu", "platform")
_OF_JOBS = ("cpu", "dram", "gpu")
# Of each scheduler, as recorded.
_TOP_JOBS = 50
_LISTED = (
    "jouled_job_nodes:count",
    "jouled_job_power_watts:sum",
    "jouled_job_energy_joules:sum",
    "jouled_job_emissions_grams:sum",
    "jouled_job_gpus:sum",
    "jouled_job_gpu_utilization:ratio",
)
_HORIZONS = ("1h", "3h", "6h", "12h", "24h")
_SOURCES = ("rapl", "nvml", "ipmi", "slurm", "checkpoint", "archive")
_REASONS = (
    ("cpu", "idle"),
    ("cpu", "system"),
    ("dram", "idle"),
    ("gpu", "unallocated"),
    ("gpu", "unknown"),
    ("platform", "idle"),
)

Told = tuple[str, Sequence[tuple[str, str]], bool]
"""Name, labels beside those of all, and whether it is a counter."""


class Site:
    """All series, each with the number of its course.

    Args:
        nodes: how many.
        jobs: how many each of them has.
        hours: how long it is.
    """

    def __init__(self, nodes: int, jobs: int, hours: int) -> None:
        # Always the same site.
        self._random = random.Random(1)  # noqa: S311 - nothing is secret here
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self.courses = [
            course
            for step_s in (SCRAPE_S, NODES_RULES_S, JOBS_RULES_S)
            for course in _courses(self._random, step_s, hours * 3600 // step_s)
        ]
        self.series: dict[Labels, int] = {}
        for node in range(nodes):
            self._add_node(node, jobs)
        self._add_sums()

    def _add_node(self, node: int, jobs: int) -> None:
        at = (("instance", f"n{node:05d}:9878"), ("job", "jouled"))
        for name, labels, grows in _of_node():
            self._add(name, (*at, *labels), SCRAPE_S, grows=grows)
        for number in range(jobs):
            who = _who(node, node * jobs + number)
            for name, labels, grows in _of_job():
                self._add(name, (*at, *who, *labels), SCRAPE_S, grows=grows)
            for name in (
                *_LISTED,
                "jouled_job_gpus_known:sum",
                "jouled_job_gpus_busy:sum",
            ):
                self._add(f"cluster_job:{name}", who, JOBS_RULES_S)
            if number == 0 and node < 2 * _TOP_JOBS:
                for name in _LISTED:
                    self._add(f"cluster_top_job:{name}", who, JOBS_RULES_S)
            tenant = _tenant(who)
            for name in ("energy_joules", "emissions_grams"):
                counter = f"jouled_tenant_{name}_total"
                self._add(counter, (*at, *tenant), SCRAPE_S, grows=True)
                for level, labels in (
                    ("cluster_tenant_user", tenant),
                    ("cluster_tenant", tenant[:2]),
                    ("cluster_scheduler", tenant[:1]),
                ):
                    self._add(
                        f"{level}:jouled_tenant_{name}:rate5m", labels, JOBS_RULES_S
                    )

    def _add_sums(self) -> None:
        for name in (
            "jouled_up:count",
            "jouled_up:sum",
            "jouled_node_power_watts:sum",
            "jouled_node_energy_joules:rate5m",
            "jouled_node_emissions_grams:rate5m",
            "jouled_node_emissions_fallback_grams:rate5m",
            "jouled_node_emissions_fallback:ratio_rate5m",
            "jouled_wasted_energy_joules:rate5m",
            "jouled_nodes_estimated:count",
        ):
            self._add(f"cluster:{name}", (), NODES_RULES_S)
        for name in (
            "jouled_job_gpus:sum",
            "jouled_job_gpus_idle:sum",
            "jouled_job_gpus_known:sum",
            "jouled_job_gpus_busy:sum",
        ):
            self._add(f"cluster:{name}", (), JOBS_RULES_S)
        for component in _COMPONENTS:
            labels = (("component", component),)
            for name in ("power_watts:sum", "energy_joules:rate5m"):
                whole = f"cluster_component:jouled_component_{name}"
                self._add(whole, labels, NODES_RULES_S)
            missing = "cluster_component:jouled_devices_missing:sum"
            self._add(missing, labels, NODES_RULES_S)
        unattributed = "jouled_unattributed_energy_joules:rate5m"
        for component, reason in _REASONS:
            both = (("component", component), ("reason", reason))
            name = f"cluster_component_reason:{unattributed}"
            self._add(name, both, NODES_RULES_S)
        for name in ("grams_per_kwh:avg", "fallback_level:max"):
            whole = f"cluster_zone:jouled_carbon_intensity_{name}"
            self._add(whole, (("zone", "DE"),), NODES_RULES_S)
        name = "cluster_zone_horizon:jouled_carbon_intensity_forecast_grams_per_kwh:avg"
        for horizon in _HORIZONS:
            self._add(name, (("zone", "DE"), ("horizon", horizon)), NODES_RULES_S)
        for source in _SOURCES:
            of = ("source", source)
            name = "cluster_source:jouled_source_read_duration_seconds:max"
            self._add(name, (of,), NODES_RULES_S)
            name = "cluster_source_reason:jouled_sources_down:count"
            self._add(name, (of, ("reason", "timeout")), NODES_RULES_S)
        for scheduler in ("slurm", "kubernetes"):
            name = "cluster_scheduler:jouled_jobs:count"
            self._add(name, (("scheduler", scheduler),), JOBS_RULES_S)

    def _add(
        self,
        name: str,
        labels: Sequence[tuple[str, str]],
        step_s: int,
        *,
        grows: bool = False,
    ) -> None:
        every = sorted((("__name__", name), ("cluster", "main"), *labels))
        # Of each pair there is one object, however many series have it.
        key = tuple(self._pairs.setdefault(pair, pair) for pair in every)
        first = (SCRAPE_S, NODES_RULES_S, JOBS_RULES_S).index(step_s) * 2 * _COURSES
        course = self._random.randrange(_COURSES) + (_COURSES if grows else 0)
        self.series.setdefault(key, first + course)


def _courses(chance: random.Random, step_s: int, count: int) -> Iterator[Course]:
    """Yield gauges that wander, and then counters."""
    for _ in range(_COURSES):
        level, values = chance.uniform(0.2, 400.0), []
        for _ in range(count):
            level = max(0.1, level * chance.uniform(0.98, 1.02))
            values.append(round(level, 3))
        yield Course(step_s, values)
    for _ in range(_COURSES):
        total, rate, values = chance.uniform(1e5, 1e8), chance.uniform(1.0, 400.0), []
        for _ in range(count):
            total += rate * step_s * chance.uniform(0.9, 1.1)
            values.append(round(total, 2))
        yield Course(step_s, values)


def _who(node: int, job: int) -> tuple[tuple[str, str], ...]:
    tenant = f"t{job % _TENANTS}"
    if node % 2:
        return (
            ("scheduler", "kubernetes"),
            ("job_id", f"3f2b8c1e-0000-4000-8000-{job:012d}"),
            ("namespace", tenant),
            ("pod", f"worker-{job}"),
        )
    return (
        ("scheduler", "slurm"),
        ("job_id", f"{job}"),
        ("user", f"u{job % _USERS}"),
        ("account", tenant),
        ("partition", "gpu"),
    )


def _tenant(who: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return scheduler, tenant and, of Slurm, the user."""
    of = dict(who)
    found = (
        ("scheduler", of["scheduler"]),
        ("tenant", of.get("account") or of["namespace"]),
    )
    return (*found, ("user", of["user"])) if "user" in of else found


def _of_job() -> Iterator[Told]:
    for component in _OF_JOBS:
        labels = (("component", component),)
        yield "jouled_job_power_watts", labels, False
        yield "jouled_job_energy_joules_total", labels, True
    yield "jouled_job_emissions_grams_total", (), True
    yield "jouled_job_cpu_seconds_total", (), True
    for name in (
        "gpus",
        "gpu_utilization_ratio",
        "memory_bytes",
        "start_timestamp_seconds",
        "progress_ratio",
        "projected_energy_joules",
        "projected_emissions_grams",
    ):
        yield f"jouled_job_{name}", (), False
    yield "jouled_job_info", (("name", "train"), ("queue", "normal")), False


def _of_node() -> Iterator[Told]:
    for name in (
        "up",
        "jouled_node_power_watts",
        "jouled_cpu_busy_ratio",
        "jouled_pue_ratio",
        "jouled_build_info",
        "jouled_sample_duration_seconds",
        "jouled_sample_timestamp_seconds",
        "process_resident_memory_bytes",
    ):
        yield name, (), False
    for name in (
        "jouled_node_energy_joules_total",
        "jouled_node_emissions_grams_total",
        "jouled_node_emissions_fallback_grams_total",
        "jouled_samples_missed_total",
        "jouled_jobs_dropped_total",
        "process_cpu_seconds_total",
    ):
        yield name, (), True
    for component in _COMPONENTS:
        labels = (("component", component),)
        yield "jouled_component_power_watts", labels, False
        yield "jouled_devices_missing", labels, False
        yield "jouled_component_energy_joules_total", labels, True
        yield "jouled_unmeasured_seconds_total", labels, True
        yield "jouled_idle_power_watts", (*labels, ("method", "learned")), False
    for component, reason in _REASONS:
        both = (("component", component), ("reason", reason))
        yield "jouled_unattributed_energy_joules_total", both, True
    yield from _of_devices()
    yield from _of_carbon_and_sources()


def _of_devices() -> Iterator[Told]:
    devices = [("cpu", "package-0"), ("cpu", "package-1"), ("platform", "node")]
    devices += [("gpu", f"GPU-{number}") for number in range(_GPUS)]
    for component, device in devices:
        labels = (("component", component), ("device", device))
        yield "jouled_device_power_watts", labels, False
        yield "jouled_device_energy_joules_total", labels, True
    for number in range(_GPUS):
        gpu = ("device", f"GPU-{number}")
        for name in (
            "utilization_ratio",
            "memory_used_bytes",
            "memory_total_bytes",
            "temperature_celsius",
            "power_limit_watts",
        ):
            yield f"jouled_gpu_{name}", (gpu,), False
        about = (gpu, ("index", f"{number}"), ("model", "H100"))
        yield "jouled_gpu_info", about, False


def _of_carbon_and_sources() -> Iterator[Told]:
    zone = ("zone", "DE")
    intensity = "jouled_carbon_intensity"
    about = (zone, ("provider", "hub"), ("signal", "average"))
    yield f"{intensity}_grams_per_kwh", about, False
    for name in ("observed_timestamp_seconds", "fallback_level", "estimated"):
        yield f"{intensity}_{name}", (zone,), False
    for horizon in _HORIZONS:
        expected = (zone, ("horizon", horizon))
        yield f"{intensity}_forecast_grams_per_kwh", expected, False
    for source in _SOURCES:
        labels = (("source", source),)
        yield "jouled_source_up", labels, False
        yield "jouled_source_read_duration_seconds", labels, False
        yield "jouled_source_errors_total", (*labels, ("reason", "timeout")), True
        yield "jouled_source_info", (*labels, ("quality", "measured")), False
