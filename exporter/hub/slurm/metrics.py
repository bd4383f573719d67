"""Every metric of the jobs of Slurm at the hub, and its samples."""

from exporter.exposition.family import Family
from exporter.exposition.metric import Metric, counter, gauge
from exporter.hub.slurm.keeper import SlurmStanding

FETCHES = counter(
    "jouled_slurm_fetches_total",
    ("outcome",),
    "How often slurmrestd was asked for the jobs of the cluster, by outcome.",
)
LAST_SUCCESS = gauge(
    "jouled_slurm_last_success_timestamp_seconds",
    (),
    "Unix time at which slurmrestd last told the jobs of the cluster.",
)
JOBS = gauge(
    "jouled_slurm_jobs",
    (),
    "Jobs of the cluster that held nodes when slurmrestd last told.",
)

SLURM_METRICS: tuple[Metric, ...] = (FETCHES, LAST_SUCCESS, JOBS)


def slurm_families(standing: SlurmStanding | None) -> list[Family]:
    """Return the metrics with their samples; none if nobody is to be asked."""
    fetches = {} if standing is None else standing.fetches
    table = None if standing is None else standing.table
    return [
        Family(FETCHES, [((name,), n, None) for name, n in sorted(fetches.items())]),
        Family(
            LAST_SUCCESS, [] if table is None else [((), table.fetched_unix_s, None)]
        ),
        Family(JOBS, [] if table is None else [((), table.size, None)]),
    ]
