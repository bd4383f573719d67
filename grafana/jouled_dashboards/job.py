"""*Job*: one job of Slurm, one pod, or all pods of a workload, over all their nodes."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.jouled_dashboards import job_details, links, look, variables
from grafana.jouled_dashboards.frame import Panel, board, job_events, row
from grafana.jouled_dashboards.panels import About, stat
from grafana.jouled_dashboards.queries import (
    JOB,
    JOB_LABELS,
    current,
    kwh,
    last,
)

_NO_JOB = "nothing: choose a job, and a time in which it ran"
_NO_LIMIT = "not known: the job has no time limit, or ended"

_ENERGY = f"sum({last(f'jouled_job_energy_joules_total{{{JOB}}}')})"
_GRAMS = f"sum({last(f'jouled_job_emissions_grams_total{{{JOB}}}')})"
_PROJECTED = f"sum(jouled_job_projected_energy_joules{{{JOB}}})"
_SO_FAR = (
    "Since the job began, over all of its nodes, as they told last in the time "
    "range. The range has to reach the end of the job; it need not reach its "
    "beginning. A node that was booted since has forgotten what came before."
)
_BY_THEN = (
    "What it will be at the end of the job's time limit, as its nodes projected some "
    "seconds ago: the power of late goes on{}. A job that ends early needs less."
)


def dashboard() -> Dashboard:
    """Return the dashboard."""
    made = board(
        links.JOB,
        "Job",
        "One job of Slurm, one pod, or all pods of a workload, over all of their "
        "nodes: power, energy, carbon, cost, use of GPUs, and what it will be at the "
        "end. For users, and for operators who found it elsewhere. Needs "
        "metrics.level: job, and no recording rules.",
        [
            variables.datasource(),
            variables.cluster(),
            variables.scheduler(),
            variables.tenant(),
            variables.user(),
            variables.workload(),
            variables.job(),
            variables.price(),
            variables.currency(),
        ],
        events=job_events(f"{{{JOB}}}", JOB_LABELS),
        begin="now-3h",
    )
    row(made, "So far", [*_so_far(), *_now()])
    row(made, "At the end", _at_the_end())
    row(made, "Which jobs these are", [job_details.jobs()])
    row(made, "Power", job_details.power())
    row(made, "Energy and carbon", job_details.energy())
    row(made, "How well it uses what it holds", job_details.use())
    row(made, "Nodes", [job_details.nodes()])
    return made


def _so_far() -> list[Panel]:
    return [
        stat(
            About(
                "Power",
                "Mean power in the last sampling interval, of all components and "
                "nodes.",
                look.WATTS,
                "none: the job does not run",
            ),
            current(f"sum(jouled_job_power_watts{{{JOB}}})"),
            width=6,
            height=5,
            color=look.BLUE,
        ),
        stat(
            About("Energy", _SO_FAR, look.KWH, _NO_JOB),
            current(kwh(_ENERGY)),
            width=6,
            height=5,
            color=look.BLUE,
        ),
        stat(
            About(
                "CO2e",
                "Energy times the carbon intensity at that moment times the PUE. "
                + _SO_FAR,
                look.GRAMS,
                _NO_JOB,
            ),
            current(_GRAMS),
            width=6,
            height=5,
            color=look.GREEN,
        ),
        stat(
            About(
                "Cost, $currency",
                "Energy times the price above, which you can change; the PUE is not in "
                "it. " + _SO_FAR,
                look.PLAIN,
                _NO_JOB,
                decimals=2,
            ),
            current(f"{kwh(_ENERGY)} * $price"),
            width=6,
            height=5,
            color=look.TEAL,
        ),
    ]


def _now() -> list[Panel]:
    start = f"min({last(f'jouled_job_start_timestamp_seconds{{{JOB}}}')})"
    end = f"max({last(f'jouled_job_end_timestamp_seconds{{{JOB}}}')})"
    return [
        stat(
            About(
                "Running for",
                "From the start of the job to its end, or to the end of the time range "
                "while it runs.",
                look.SECONDS,
                _NO_JOB,
            ),
            current(
                f"""
                (
                  {end} unless on () count(jouled_job_power_watts{{{JOB}}})
                    or
                  vector(time())
                )
                  - {start}
                """
            ),
            color=look.TEXT,
        ),
        stat(
            About(
                "Progress",
                "How far the job is, as it says itself. The mean over its nodes.",
                look.RATIO,
                "the job does not tell",
                decimals=0,
            ),
            current(f"avg(jouled_job_progress_ratio{{{JOB}}})"),
            color=look.BLUE,
        ),
        stat(
            About("Nodes", "Nodes that tell of the job now.", look.COUNT, "none now"),
            current(
                "count(count by (cluster, instance) "
                f"(jouled_job_emissions_grams_total{{{JOB}}}))"
            ),
            color=look.BLUE,
        ),
        stat(
            About(
                "GPUs",
                "GPUs the job holds; parts of shared GPUs are added up.",
                look.COUNT,
                "none",
            ),
            current(f"sum(jouled_job_gpus{{{JOB}}})"),
            color=look.BLUE,
        ),
        stat(
            About(
                "GPU use",
                "Mean use of the GPUs it holds, as far as it is known. A GPU that is "
                "held and not used draws power, and nobody else can have it.",
                look.RATIO,
                "no GPU, or its use is not known",
                decimals=0,
            ),
            current(job_details.GPU_USE),
            color=look.RED,
            steps=((0.2, look.ORANGE), (0.5, look.GREEN)),
        ),
        stat(
            About(
                "Carbon intensity it had",
                "CO2e over energy: the intensity at the times it ran, weighted with "
                "its energy, the PUE included.",
                look.INTENSITY,
                _NO_JOB,
                decimals=0,
            ),
            current(f"{_GRAMS} / ({kwh(f'({_ENERGY} > 0)')})"),
            color=look.GREEN,
            steps=look.INTENSITY_STEPS,
        ),
    ]


def _at_the_end() -> list[Panel]:
    return [
        stat(
            About("Energy at the end", _BY_THEN.format(""), look.KWH, _NO_LIMIT),
            current(kwh(_PROJECTED)),
            width=6,
            color=look.BLUE,
        ),
        stat(
            About(
                "CO2e at the end",
                _BY_THEN.format(", at the intensity that is forecast of the grid"),
                look.GRAMS,
                _NO_LIMIT,
            ),
            current(f"sum(jouled_job_projected_emissions_grams{{{JOB}}})"),
            width=6,
            color=look.GREEN,
        ),
        stat(
            About(
                "Cost at the end, $currency",
                "Energy at the end times the price above.",
                look.PLAIN,
                _NO_LIMIT,
                decimals=2,
            ),
            current(f"{kwh(_PROJECTED)} * $price"),
            width=6,
            color=look.TEAL,
        ),
        stat(
            About(
                "Of that used by now",
                "Energy so far as a part of what it will be at the end, of those nodes "
                "and jobs of which that is known.",
                look.RATIO,
                _NO_LIMIT,
                decimals=0,
            ),
            current(
                f"""
                sum(
                  jouled_job_energy_joules_total{{{JOB}}}
                    and on (instance, {JOB_LABELS})
                  jouled_job_projected_energy_joules{{{JOB}}}
                )
                  / {_PROJECTED}
                """
            ),
            width=6,
            color=look.BLUE,
        ),
    ]
