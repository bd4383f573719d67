import pytest

from tests.slurm.site import Site
from tests.slurm.told import JOB_CPU_S, JOB_GPUS, JOB_J, JobView

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_the_counters_of_a_requeued_job_go_on(site: Site) -> None:
    """It has the same id, a new cgroup that counts from 0, and one owner."""
    job = site.cluster.submit(f"{site.work(1)}; sleep 600")
    site.wait(job, lambda view: view.cpu_s >= 1, "has worked")
    first = site.see(job)

    site.cluster.requeue(job)
    site.wait(job, lambda view: view.has_ended, "has ended")
    between = site.see(job)
    site.wait(job, lambda view: view.cpu_s >= first.cpu_s + 1, "has worked again")
    site.rest()

    second = site.see(job)
    assert between.cpu_s >= first.cpu_s
    assert not second.has_ended
    assert second.labels == first.labels
    assert second.cpu_s == pytest.approx(between.cpu_s + site.used_s(job), abs=0.01)
    for name, component in ((JOB_CPU_S, {}), (JOB_J, {"component": "cpu"})):
        told = [JobView(scrape, job).get(name, **component) for scrape in site.scrapes]
        values = [value for value in told if value is not None]
        assert values == sorted(values)


def test_a_suspended_job_pays_for_no_cpu_time(site: Site) -> None:
    """It keeps its place and its memory, and does nothing."""
    job = site.cluster.submit("while :; do :; done", gpus=1)
    site.wait(job, lambda view: view.cpu_s > 0.5, "works")

    site.cluster.suspend(job)
    site.rest()
    suspended = site.see(job)
    site.rest()
    still = site.see(job)
    site.cluster.resume(job)
    site.wait(job, lambda view: view.cpu_s > still.cpu_s + 0.5, "works again")

    assert still.cpu_s == suspended.cpu_s
    assert still.energy_j("cpu") == suspended.energy_j("cpu")
    assert not still.has_ended
    assert still.get(JOB_GPUS) == 1
    assert still.energy_j("gpu") > suspended.energy_j("gpu")
