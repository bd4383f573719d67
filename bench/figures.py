"""Figures of the daemon and of its peer, as tables and targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.node import GPUS
from bench.processes import Cost
from bench.report import Target, table
from bench.scrapes import Scrapes

USUAL_JOBS = 64
"""The case of the targets; its scrape has about a thousand series."""


@dataclass(frozen=True, slots=True)
class Case:
    """One exporter, left alone and then scraped.

    Attributes:
        name: for a person.
        quiet: its cost while nobody scrapes it.
        rss_mib: resident memory after the scrapes, MiB.
        prometheus: scraped as Prometheus does: OpenMetrics if there is, gzip.
        plain: scraped as curl does: text, not compressed.
    """

    name: str
    quiet: Cost
    rss_mib: float
    prometheus: Scrapes
    plain: Scrapes


def cost_table(cases: Sequence[Case]) -> str:
    """Lay out what each costs while nobody asks."""
    return table(
        ("", "CPU s/min", "ms/tick", "RSS MiB", "after scrapes"),
        (
            (
                case.name,
                f"{case.quiet.cpu_s_per_minute:.3f}",
                f"{case.quiet.cpu_s_per_minute / 60 * 1e3:.2f}",
                f"{case.quiet.rss_mib:.1f}",
                f"{case.rss_mib:.1f}",
            )
            for case in cases
        ),
    )


def scrape_table(cases: Sequence[Case], peer: Case) -> str:
    """Lay out what a scrape costs, and how that compares with the peer's."""
    rows = []
    for case in cases:
        for way, one, theirs in (
            ("as Prometheus", case.prometheus, peer.prometheus),
            ("plain text", case.plain, peer.plain),
        ):
            ratio = one.cpu_us_per_series / theirs.cpu_us_per_series
            rows.append(
                (
                    f"{case.name}, {way}",
                    str(one.series),
                    f"{one.bytes / 1024:.0f}",
                    f"{one.median_s * 1e3:.2f}",
                    f"{one.cpu_s * 1e3:.2f}",
                    f"{one.cpu_us_per_series:.2f}",
                    f"{ratio:.2f}",
                )
            )
    header = ("", "series", "KiB", "median ms", "CPU ms", "CPU µs/series", "ratio")
    return table(header, rows)


def parts_table(parts: Mapping[int, Mapping[str, float]]) -> str:
    """Lay out milliseconds of parts, by number of jobs."""
    names = next(iter(parts.values()), {})
    return table(
        ("", *(f"{jobs} jobs" for jobs in parts)),
        ((name, *(f"{of[name]:.3f}" for of in parts.values())) for name in names),
    )


def judge(
    peer: Case, cases: Mapping[int, Case], more: int, growth: float
) -> list[Target]:
    """Return what the daemon has to keep to, and whether it does.

    Args:
        peer: node_exporter.
        cases: the daemon by number of jobs.
        more: with so many processes more
        growth: it took so many times the CPU.
    """
    none, usual = cases.get(0), cases.get(USUAL_JOBS)
    ratio = None
    if usual is not None:
        ours, theirs = usual.prometheus, peer.prometheus
        ratio = ours.cpu_us_per_series / theirs.cpu_us_per_series
    return [
        Target(
            f"CPU, {GPUS} GPUs, no jobs",
            0.09,
            none.quiet.cpu_s_per_minute if none else None,
            "s/min",
        ),
        Target(
            f"CPU, {GPUS} GPUs, {USUAL_JOBS} jobs",
            0.25,
            usual.quiet.cpu_s_per_minute if usual else None,
            "s/min",
        ),
        Target(
            f"CPU with {more} more processes, change",
            10,
            abs(growth - 1) * 100,
            "%",
        ),
        Target(
            f"RSS, {USUAL_JOBS} jobs, after scrapes",
            60,
            usual.rss_mib if usual else None,
            "MiB",
        ),
        Target(
            f"scrape CPU per series, {USUAL_JOBS} jobs, of node_exporter's",
            0.25,
            ratio,
            "",
        ),
        Target(
            f"median scrape as Prometheus, {USUAL_JOBS} jobs, per 1,000 series",
            3,
            usual.prometheus.median_ms_per_thousand if usual else None,
            "ms",
        ),
        Target(
            f"median scrape as plain text, {USUAL_JOBS} jobs, per 1,000 series",
            3,
            usual.plain.median_ms_per_thousand if usual else None,
            "ms",
        ),
    ]


def judge_slurm(jobs: int, parts: Mapping[str, float]) -> Target:
    """Return what a tick with so many jobs of Slurm may cost; a scrape is none of it.

    Args:
        jobs: how many there are.
        parts: CPU of each part, ms.
    """
    tick_ms = sum(ms for part, ms in parts.items() if part.startswith("tick"))
    return Target(f"tick, {jobs} jobs of Slurm", 25, tick_ms, "ms")
