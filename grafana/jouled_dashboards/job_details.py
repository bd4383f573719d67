"""The rows of *Job* over time, by node, and by job."""

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from grafana.jouled_dashboards import links, look, panels
from grafana.jouled_dashboards.frame import Panel
from grafana.jouled_dashboards.panels import About, graph
from grafana.jouled_dashboards.queries import (
    JOB,
    JOB_LABELS,
    graphed,
    kwh,
    last,
    tabled,
    with_tenant,
)
from grafana.jouled_dashboards.tables import Label, Value, table

_MOST = 20
_MOST_ROWS = 200
_BY_NODE = "cluster, instance"
_KNOWN = "jouled_job_gpu_utilization_ratio"

GPU_USE = (
    f"sum({_KNOWN}{{{JOB}}} * (jouled_job_gpus{{{JOB}}} > 0))"
    f" / sum((jouled_job_gpus{{{JOB}}} > 0) and {_KNOWN}{{{JOB}}})"
)
"""Use of all GPUs of the job, 0 to 1."""

_RATE = f"rate(jouled_job_energy_joules_total{{{JOB}}}[$__rate_interval])"
_NOT_THEN = "nothing: no job that is chosen ran in this time"


def _to_node() -> DynamicConfigValue:
    return links.to(links.NODE, "Show this node", node=links.label("instance"))


def power() -> list[Panel]:
    """Return the row on power."""
    each = f"sum by ({_BY_NODE}) ({_RATE})"
    return [
        graph(
            About(
                "By component",
                "Power charged to the job, from its counters of energy. *cpu* and "
                "*dram* have a part of the idle power of the node, for what the job "
                "reserved of it; *gpu* is all that its GPUs draw; *platform* is its "
                "part of fans, network and losses of the power supply.",
                look.WATTS,
                _NOT_THEN,
            ),
            [graphed(f"sum by (component) ({_RATE})", "{{component}}")],
            stacked=True,
            series=panels.colored(look.COMPONENTS),
        ),
        graph(
            About(
                "By node",
                f"The {_MOST} nodes with the most power, and the others together. "
                "Nodes of one job that differ much are worth a look: one waits for "
                "another, or does nothing.",
                look.WATTS,
                _NOT_THEN,
            ),
            [
                graphed(f"topk({_MOST}, {each})", "{{instance}}"),
                graphed(
                    f"sum({_RATE}) - sum(topk({_MOST}, {each})) > 0.001",
                    "other nodes",
                ),
            ],
            stacked=True,
            series={"other nodes": [look.fixed(look.REASONS["idle"])]},
            patterns={panels.all_but("other nodes"): [_to_node()]},
        ),
    ]


def energy() -> list[Panel]:
    """Return the row on energy and carbon."""
    return [
        graph(
            About(
                "Energy so far, and at the end",
                "*so far*: what the nodes tell that have the job now. *at the end*: "
                "what it will be at the end of the time limit, as projected then. It "
                "is absent without a time limit.",
                look.KWH,
                _NOT_THEN,
            ),
            [
                graphed(kwh(f"sum(jouled_job_energy_joules_total{{{JOB}}})"), "so far"),
                graphed(
                    kwh(f"sum(jouled_job_projected_energy_joules{{{JOB}}})"),
                    "at the end",
                ),
            ],
            width=8,
            series={
                "so far": [look.fixed(look.BLUE)],
                "at the end": [look.fixed(look.ORANGE), look.dashed()],
            },
        ),
        graph(
            About(
                "CO2e so far, and at the end",
                "As energy beside it; the projection knows the forecast of the grid, "
                "as far as there is one.",
                look.GRAMS,
                _NOT_THEN,
            ),
            [
                graphed(f"sum(jouled_job_emissions_grams_total{{{JOB}}})", "so far"),
                graphed(
                    f"sum(jouled_job_projected_emissions_grams{{{JOB}}})",
                    "at the end",
                ),
            ],
            width=8,
            series={
                "so far": [look.fixed(look.GREEN)],
                "at the end": [look.fixed(look.ORANGE), look.dashed()],
            },
        ),
        graph(
            About(
                "CO2e an hour",
                "Power times carbon intensity times PUE. It falls when the job draws "
                "less, and when the grid is cleaner.",
                look.GRAMS_PER_HOUR,
                _NOT_THEN,
            ),
            [
                graphed(
                    "sum(rate(jouled_job_emissions_grams_total"
                    f"{{{JOB}}}[$__rate_interval])) * 3600",
                    "CO2e",
                )
            ],
            width=8,
            series={"CO2e": [look.fixed(look.GREEN)]},
            legend="list",
        ),
    ]


def use() -> list[Panel]:
    """Return the row on the use of what the job holds."""
    each_gpu = f"avg by ({_BY_NODE}) ({_KNOWN}{{{JOB}}})"
    return [
        graph(
            About(
                "Use of GPUs",
                "Mean use of all its GPUs, and of those of the "
                f"{_MOST} nodes that use them least.",
                look.RATIO,
                "no GPU, or its use is not known",
            ),
            [
                graphed(GPU_USE, "all"),
                graphed(f"bottomk({_MOST}, {each_gpu})", "{{instance}}"),
            ],
            width=8,
            highest=1,
            series={"all": panels.total_line()},
            patterns={panels.all_but("all$"): [_to_node()]},
        ),
        graph(
            About(
                "CPUs at work",
                "CPU time it used in a second, as a number of CPUs, by node.",
                look.COUNT,
                _NOT_THEN,
            ),
            [
                graphed(
                    f"topk({_MOST}, sum by ({_BY_NODE}) (rate("
                    f"jouled_job_cpu_seconds_total{{{JOB}}}[$__rate_interval])))",
                    "{{instance}}",
                )
            ],
            width=8,
            patterns={".*": [_to_node()]},
        ),
        graph(
            About(
                "Memory",
                "Anonymous resident memory by node; the page cache is not in it.",
                look.BYTES,
                _NOT_THEN,
            ),
            [
                graphed(
                    f"topk({_MOST}, sum by ({_BY_NODE}) "
                    f"(jouled_job_memory_bytes{{{JOB}}}))",
                    "{{instance}}",
                )
            ],
            width=8,
            patterns={".*": [_to_node()]},
        ),
    ]


def nodes() -> Panel:
    """Return the table of the job's nodes."""

    def told(expression: str) -> str:
        return f"topk({_MOST_ROWS}, sum by ({_BY_NODE}) ({expression}))"

    return table(
        About(
            "Nodes of the job",
            f"Its nodes, the {_MOST_ROWS} with the most of each column. Energy and "
            "CO2e are since the job began there.",
            look.PLAIN,
            _NOT_THEN,
        ),
        [
            Label(
                "instance",
                "Node",
                links.to(links.NODE, "Show this node", node=links.field("instance")),
            )
        ],
        [
            Value(
                tabled(told(f"jouled_job_power_watts{{{JOB}}}")),
                "Power now",
                look.WATTS,
                bar=True,
                color=look.BLUE,
            ),
            Value(
                tabled(kwh(told(last(f"jouled_job_energy_joules_total{{{JOB}}}")))),
                "Energy so far",
                look.KWH,
            ),
            Value(
                tabled(told(last(f"jouled_job_emissions_grams_total{{{JOB}}}"))),
                "CO2e so far",
                look.GRAMS,
            ),
            Value(tabled(told(f"jouled_job_gpus{{{JOB}}}")), "GPUs", look.COUNT),
            Value(
                tabled(f"topk({_MOST_ROWS}, avg by ({_BY_NODE}) ({_KNOWN}{{{JOB}}}))"),
                "GPU use",
                look.RATIO,
                color=look.RED,
                steps=((0.05, look.ORANGE), (0.3, look.TEXT)),
                decimals=0,
            ),
            Value(
                tabled(told(f"jouled_job_memory_bytes{{{JOB}}}")),
                "Memory",
                look.BYTES,
            ),
        ],
        sort_by="Power now",
    )


def jobs() -> Panel:
    """Return the table of the jobs that are chosen, and what is known of them."""
    facts = "name, workload_kind, workload_name, array_job_id, array_task_id, node_list"
    # One of them, should the nodes of a job not agree.
    named = (
        f"on ({JOB_LABELS}) group_left ({facts}) "
        f"topk by ({JOB_LABELS}) (1, {last(f'jouled_job_info{{{JOB}}}')})"
    )

    def told(expression: str) -> str:
        return with_tenant(f"sum by ({JOB_LABELS}) ({expression}) * {named}")

    return table(
        About(
            "Jobs",
            "All jobs that are chosen above. Click one to see it alone.",
            look.PLAIN,
            _NOT_THEN,
        ),
        [
            Label(
                "job_id",
                "Job",
                links.to_job("Show this job alone"),
                160,
            ),
            Label("name", "Name"),
            Label("user", "User"),
            Label("tenant", "Tenant", links.to_tenant(links.field("tenant"))),
            Label("workload_kind", "Kind", width=110),
            Label("workload_name", "Workload"),
            Label("pod", "Pod"),
            Label("array_job_id", "Array", width=90),
            Label("array_task_id", "Task", width=70),
            Label("scheduler", "Scheduler", width=110),
            Label("partition", "Partition", width=110),
            Label("node_list", "Node list"),
        ],
        [
            Value(
                tabled(kwh(told(last(f"jouled_job_energy_joules_total{{{JOB}}}")))),
                "Energy so far",
                look.KWH,
                bar=True,
                color=look.BLUE,
            ),
            Value(
                tabled(told(last(f"jouled_job_emissions_grams_total{{{JOB}}}"))),
                "CO2e so far",
                look.GRAMS,
            ),
        ],
        sort_by="Energy so far",
        height=6,
    )
