"""What scrapes tell of jobs, and whether all of it adds up."""

from collections.abc import Mapping, Sequence
from math import fsum, isclose

from tests.e2e.daemon import Daemon
from tests.e2e.exposition import Scrape

JOB_J = "jouled_job_energy_joules_total"
JOB_CPU_S = "jouled_job_cpu_seconds_total"
JOB_GPUS = "jouled_job_gpus"
JOB_END = "jouled_job_end_timestamp_seconds"
DEVICE_J = "jouled_device_energy_joules_total"
COMPONENT_J = "jouled_component_energy_joules_total"
UNATTRIBUTED_J = "jouled_unattributed_energy_joules_total"

EXACT = 1e-9
# Of differences of counters.
_SAME = 1e-6


class JobView:
    """What one scrape says of one job."""

    def __init__(self, scrape: Scrape, job_id: int) -> None:
        self.scrape = scrape
        self._labels = {"job_id": str(job_id), "scheduler": "slurm"}

    @property
    def is_there(self) -> bool:
        """Whether it is told."""
        return self.labels is not None

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self.get(JOB_END) is not None

    @property
    def labels(self) -> Mapping[str, str] | None:
        """Labels of its info metric."""
        found = self.scrape.series("jouled_job_info", **self._labels)
        return found[0][0] if found else None

    @property
    def name(self) -> str:
        """Its name; "" while that is not known, or the job is not told."""
        return (self.labels or {}).get("name", "")

    @property
    def cpu_s(self) -> float:
        """CPU time it was charged for, s; 0 before it has any."""
        return self.get(JOB_CPU_S) or 0.0

    def energy_j(self, component: str) -> float:
        """Energy it was charged for, J; 0 before it has any."""
        return self.get(JOB_J, component=component) or 0.0

    def get(self, name: str, **labels: str) -> float | None:
        """Return the value of one of its series; ``None`` if there is none."""
        return self.scrape.get(name, **self._labels, **labels)


def wait_for_one_price(daemon: Daemon, jobs: Sequence[int]) -> float:
    """Wait for a tick in which all these jobs paid alike for their CPU time.

    What a second of it costs depends on whoever else works on the machine, and on
    how late counters are, so from one tick to the next it may be anything. In one
    tick it is the same for all, to the last digit, and jobs that work alike still
    differ in their CPU time: who divides it in another way never gets there.

    Args:
        daemon: what is scraped, so often that no two ticks lie between.
        jobs: have worked, and go on working a little.

    Returns:
        The price, J for each second.
    """
    earlier = [daemon.scrape()]
    found: list[float] = []

    def is_one_price(scrape: Scrape) -> bool:
        before = earlier[0]
        earlier[0] = scrape
        prices_j = [
            _price_j(JobView(before, job), JobView(scrape, job)) for job in jobs
        ]
        found[:] = [price_j for price_j in prices_j if price_j is not None]
        return len(found) == len(jobs) and all(
            isclose(price_j, found[0], rel_tol=_SAME) for price_j in found
        )

    daemon.wait_for(is_one_price, "one price of CPU time for all")
    return found[0]


def _price_j(before: JobView, after: JobView) -> float | None:
    """What a job paid for each second of CPU time, J; ``None`` if for none."""
    used_s = after.cpu_s - before.cpu_s
    paid_j = after.energy_j("cpu") - before.energy_j("cpu")
    return paid_j / used_s if used_s > 0 and paid_j > 0 else None


def missing_j(scrape: Scrape) -> Mapping[str, float]:
    """Return what jobs and the unattributed lack to be the component, J."""
    return {
        labels["component"]: component_j
        - fsum(
            value
            for name in (JOB_J, UNATTRIBUTED_J)
            for _, value in scrape.series(name, component=labels["component"])
        )
        for labels, component_j in scrape.series(COMPONENT_J)
    }


def is_complete(scrape: Scrape) -> bool:
    """Whether the parts of each component are the component."""
    return all(
        abs(lack_j) <= _rounding_j(scrape, component)
        for component, lack_j in missing_j(scrape).items()
    )


def assert_conserved(scrapes: Sequence[Scrape]) -> None:
    """Fail if a joule was invented or lost in any of these scrapes.

    What is missing in one has to be with jobs that waited for their labels then: no
    more than what they have when they are told for the first time.
    """
    told = [_energies_j(scrape) for scrape in scrapes]
    for number, scrape in enumerate(scrapes):
        newcomers_j: dict[str, dict[str, float]] = {}
        for later in told[number + 1 :]:
            for job_id, energies_j in later.items():
                if job_id not in told[number]:
                    newcomers_j.setdefault(job_id, energies_j)
        for component, lack_j in missing_j(scrape).items():
            waiting_j = fsum(each.get(component, 0) for each in newcomers_j.values())
            rounding_j = _rounding_j(scrape, component)
            assert -rounding_j <= lack_j <= waiting_j + rounding_j, (number, component)


def _energies_j(scrape: Scrape) -> dict[str, dict[str, float]]:
    """Energy of each job that is told, by component."""
    told: dict[str, dict[str, float]] = {}
    for labels, _ in scrape.series("jouled_job_info"):
        told[labels["job_id"]] = {}
    for labels, value in scrape.series(JOB_J):
        told.setdefault(labels["job_id"], {})[labels["component"]] = value
    return told


def _rounding_j(scrape: Scrape, component: str) -> float:
    return EXACT * scrape.value(COMPONENT_J, component=component)
