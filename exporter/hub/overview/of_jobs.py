"""Jobs: how many run, and which draw the most."""

from collections.abc import Mapping

from exporter.exposition.job_metrics import JOB_LABELS
from exporter.hub.overview.asking import Asker
from exporter.hub.overview.figures import Job
from exporter.hub.overview.question import Question, Series, by, one_of
from exporter.hub.prometheus.matching import Matcher

_MOST = 15
_RULES = "record-jobs.yml"
_CLUSTER = ("cluster",)
_JOB = ("cluster", *JOB_LABELS)
_IDLE = "0.05"


class OfJobs:
    """Asks about jobs.

    Args:
        series: which are ours.
    """

    def __init__(self, series: Series) -> None:
        self._series = series

    def running(self, asker: Asker) -> int | None:
        """Return how many jobs run; ``None``: nobody knows."""
        jobs = by("sum", _JOB, self._series.raw("jouled_job_power_watts"))
        recorded = self._series.sums("cluster_scheduler:jouled_jobs:count")
        of_each = by("max", ("cluster", "scheduler"), recorded)
        question = Question("running", f"count({jobs})", f"sum({of_each})", _RULES)
        rows = asker.best_or_none(question)
        if rows is None:
            return None
        return int(rows[0].value) if rows else 0

    def gpus(self, asker: Asker) -> tuple[float | None, float | None]:
        """Return how many GPUs jobs hold, and how many of them they hardly use."""
        held = self._series.raw("jouled_job_gpus")
        used = self._series.raw("jouled_job_gpu_utilization_ratio")
        return (
            self._of_all(asker, "job_gpus", f"{held} > 0"),
            self._of_all(asker, "job_gpus_idle", f"{held} > 0 and {used} < {_IDLE}"),
        )

    def largest(self, asker: Asker) -> tuple[Job, ...] | None:
        """Return the jobs that draw the most power; first the most."""
        power = self._of_each("job_power_watts:sum", "jouled_job_power_watts")
        rows = asker.best_or_none(
            Question(
                power.part,
                f"topk({_MOST}, {power.raw})",
                f"topk({_MOST}, {power.recorded})",
                _RULES,
            )
        )
        if not rows:
            return None if rows is None else ()
        # Small in number, whatever there is; of others nothing is asked.
        ours = one_of("job_id", [row.labels.get("job_id", "") for row in rows])
        more = _More(asker, self, ours)
        found = [
            Job(
                dict(zip(_JOB, who, strict=True)),
                more.names.get(who, ""),
                row.value,
                more.energy.get(who),
                more.grams.get(who),
                None if (nodes := more.nodes.get(who)) is None else int(nodes),
                more.gpus.get(who),
                more.used.get(who),
            )
            for row in sorted(rows, key=lambda row: (-row.value, row.of(_JOB)))
            if (who := row.of(_JOB))
        ]
        return tuple(found)

    def energy(self, *which: Matcher) -> Question:
        """What jobs used so far, J."""
        what = "job_energy_joules:sum"
        return self._of_each(what, "jouled_job_energy_joules_total", *which)

    def grams(self, *which: Matcher) -> Question:
        """What jobs emitted so far, g."""
        what = "job_emissions_grams:sum"
        return self._of_each(what, "jouled_job_emissions_grams_total", *which)

    def nodes(self, *which: Matcher) -> Question:
        """On how many nodes jobs run."""
        raw = self._series.raw("jouled_job_emissions_grams_total", *which)
        recorded = self._series.sums("cluster_job:jouled_job_nodes:count", *which)
        return Question(
            "jobs", by("count", _JOB, raw), by("max", _JOB, recorded), _RULES
        )

    def gpus_held(self, *which: Matcher) -> Question:
        """How many GPUs jobs hold."""
        return self._of_each("job_gpus:sum", "jouled_job_gpus", *which)

    def gpus_used(self, *which: Matcher) -> Question:
        """How much of these GPUs is used, 0..1."""
        held = self._series.raw("jouled_job_gpus", *which)
        used = self._series.raw("jouled_job_gpu_utilization_ratio", *which)
        busy = by("sum", _JOB, f"{used} * ({held} > 0)")
        known = by("sum", _JOB, f"{held} > 0 and {used}")
        record = "cluster_job:jouled_job_gpu_utilization:ratio"
        recorded = by("max", _JOB, self._series.sums(record, *which))
        return Question("jobs", f"{busy} / {known}", recorded, _RULES)

    def names(self, *which: Matcher) -> Question:
        """What jobs are called; told by their labels."""
        info = self._series.raw("jouled_job_info", *which)
        return Question("jobs", by("max", (*_JOB, "name", "workload_name"), info))

    def _of_each(self, what: str, metric: str, *which: Matcher) -> Question:
        recorded = self._series.sums(f"cluster_job:jouled_{what}", *which)
        return Question(
            "jobs",
            by("sum", _JOB, self._series.raw(metric, *which)),
            by("max", _JOB, recorded),
            _RULES,
        )

    def _of_all(self, asker: Asker, what: str, raw: str) -> float | None:
        recorded = self._series.sums(f"cluster:jouled_{what}:sum")
        rows = asker.best(
            Question(
                "running",
                by("sum", _CLUSTER, raw),
                by("max", _CLUSTER, recorded),
                _RULES,
            ),
            may_be_none=True,
        )
        return None if rows is None else sum(row.value for row in rows)


class _More:
    """What else is known of some jobs, by the values of their labels."""

    def __init__(self, asker: Asker, jobs: OfJobs, ours: Matcher) -> None:
        self.energy = _values(asker, jobs.energy(ours))
        self.grams = _values(asker, jobs.grams(ours))
        self.nodes = _values(asker, jobs.nodes(ours))
        self.gpus = _values(asker, jobs.gpus_held(ours))
        self.used = _values(asker, jobs.gpus_used(ours))
        told = asker.rows(jobs.names(ours)) or ()
        self.names = {
            row.of(_JOB): row.labels.get("name") or row.labels.get("workload_name", "")
            for row in told
        }


def _values(asker: Asker, question: Question) -> Mapping[tuple[str, ...], float]:
    rows = asker.best(question, may_be_none=True) or ()
    return {row.of(_JOB): row.value for row in rows}
