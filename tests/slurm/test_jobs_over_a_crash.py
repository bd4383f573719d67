"""One run: busy jobs, a GPU at work, and a second daemon that is killed meanwhile."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.exposition import Scrape
from tests.fakes.work_meter import JOULES_PER_CPU_S
from tests.slurm.site import Figures, Site
from tests.slurm.told import (
    COMPONENT_J,
    JOB_GPUS,
    JobView,
    assert_conserved,
    is_complete,
    missing_j,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

# CPU time of the busy jobs, s. The last one ends while the second daemon is dead.
WORK_S: Mapping[str, float] = {"short": 10, "long": 20, "brief": 6}
GPU_W = 300.0
# What is still to come when a busy machine keeps the played counters waiting for a
# moment: 60 ms of two CPUs.
METER_LAG_J = 6.0
REST_W = 60.0


@dataclass(frozen=True)
class Run:
    """What there is to compare.

    Attributes:
        true_s: CPU time of each busy job at its last word, s.
        gpu_j: what the GPU of the job "gpu" drew, J.
        steady: all jobs in the end, as told by a daemon that ran all the time.
        killed: the same by one that did not.
        dead_s: for how long it did not, s.
        scrapes: of the one that ran all the time.
    """

    true_s: Mapping[str, float]
    gpu_j: float
    steady: Mapping[str, JobView]
    killed: Mapping[str, JobView]
    dead_s: float
    scrapes: tuple[Scrape, ...]


@pytest.fixture(scope="module")
def run(shared_site: Site) -> Iterator[Run]:
    """Return the run that all tests of this module look at."""
    site = shared_site
    victim = site.make_daemon("victim")
    with site.scenario():
        try:
            yield _run(site, victim)
        finally:
            victim.close()
            for number in range(len(site.driver.gpus)):
                site.driver.set_power(number, REST_W)


def _run(site: Site, victim: Daemon) -> Run:
    for number in range(len(site.driver.gpus)):
        site.driver.set_power(number, 0.0)
    victim.start()
    site.add_hooks(victim)
    cluster = site.cluster
    answers = Path(tempfile.mkdtemp(dir=cluster.directory))
    told = f"cat {site.usage_file()} >{answers}/$SLURM_JOB_ID"
    for_death, for_life = (
        f"until test -e {answers}/{news}; do sleep 0.5; done"
        for news in ("dead", "alive")
    )
    # What jobs that end in the same tick used last is divided between them: the others
    # end after "brief" has.
    scripts = {
        name: f"{site.work(WORK_S[name])}; {for_life}; {told}"
        for name in ("short", "long")
    }
    work = site.work(WORK_S["brief"])
    scripts["brief"] = f"{site.work(1)}; {for_death}; {work}; {told}"
    scripts["gpu"] = "sleep 600"
    jobs = {
        name: cluster.submit(
            script, gpus=int(name == "gpu"), options=[f"--job-name={name}"]
        )
        for name, script in scripts.items()
    }
    for daemon in (site.daemon, victim):
        _wait_for_jobs(daemon, jobs)
    number = site.gpu_of(jobs["gpu"])
    before_j = site.driver.true_energy_j(number)
    site.driver.set_power(number, GPU_W)
    victim.tick_after(time.time())

    victim.kill()
    dead_since_s = time.monotonic()
    (answers / "dead").touch()
    site.wait_for_end(jobs["brief"])
    site.rest()
    victim.start()
    dead_s = time.monotonic() - dead_since_s

    victim.tick_after(time.time())
    (answers / "alive").touch()
    site.driver.set_power(number, 0.0)
    site.rest()
    gpu_j = site.driver.true_energy_j(number) - before_j
    cluster.cancel(jobs["gpu"])
    for job in jobs.values():
        site.wait_for_end(job)
    victim.wait_for(
        lambda scrape: all(JobView(scrape, job).has_ended for job in jobs.values()),
        "the end of all jobs",
    )
    return Run(
        true_s={
            name: int((answers / str(jobs[name])).read_text()) / 1e9 for name in WORK_S
        },
        gpu_j=gpu_j,
        steady={name: site.see(job) for name, job in jobs.items()},
        killed={name: JobView(victim.scrape(), job) for name, job in jobs.items()},
        dead_s=dead_s,
        scrapes=tuple(site.scrapes),
    )


def _wait_for_jobs(daemon: Daemon, jobs: Mapping[str, int]) -> None:
    """Wait until a daemon tells all of them, and that one holds a GPU."""

    def are_told(scrape: Scrape) -> bool:
        views = {name: JobView(scrape, job) for name, job in jobs.items()}
        return views["gpu"].get(JOB_GPUS) == 1 and all(
            view.name == name for name, view in views.items()
        )

    daemon.wait_for(are_told, "all jobs to be told")


def test_jobs_pay_for_the_cpu_time_they_used(run: Run, figures: Figures) -> None:
    """Ten seconds and twenty: one to two, whoever else keeps the machine busy."""
    energies_j = {name: run.steady[name].energy_j("cpu") for name in WORK_S}
    true_j = {name: run.true_s[name] * JOULES_PER_CPU_S for name in WORK_S}
    ratio = energies_j["long"] / energies_j["short"]
    for name, energy_j in energies_j.items():
        figures.say(
            f"job {name}: {run.true_s[name]:.3f} CPU-s used, "
            f"{run.steady[name].cpu_s:.3f} told; {true_j[name]:.1f} J used, "
            f"{energy_j:.1f} J charged ({energy_j / true_j[name] - 1:+.2%})"
        )
    figures.say(f"long to short: {ratio:.4f}")

    assert ratio == pytest.approx(2, rel=0.03)
    for name in ("short", "long"):
        assert energies_j[name] == pytest.approx(true_j[name], rel=0.03)
    for name, true_s in run.true_s.items():
        # Only its end comes after its last word.
        assert true_s <= run.steady[name].cpu_s < true_s + 0.3


def test_a_kill_in_the_middle_of_a_job_loses_nothing(
    run: Run, figures: Figures
) -> None:
    """Jobs that went on, one that ended meanwhile, and the work of a GPU."""
    for name, steady in run.steady.items():
        killed = run.killed[name]
        component = "gpu" if name == "gpu" else "cpu"
        steady_j, killed_j = steady.energy_j(component), killed.energy_j(component)
        figures.say(
            f"job {name}: {steady_j:.2f} J, and {killed_j:.2f} J "
            f"({killed_j / steady_j - 1:+.3%}) as told by a daemon that was dead for "
            f"{run.dead_s:.1f} s"
        )
        assert killed_j == pytest.approx(steady_j, rel=0.01, abs=METER_LAG_J)
        assert killed.cpu_s == pytest.approx(steady.cpu_s, rel=0.01, abs=0.01)
        assert killed.labels == steady.labels


def test_a_kill_costs_a_gpu_not_even_a_millijoule(run: Run) -> None:
    """Its counter went on, its job held it all the time, and both are remembered."""
    for views in (run.steady, run.killed):
        charged_j = views["gpu"].energy_j("gpu")
        assert charged_j == pytest.approx(run.gpu_j, rel=1e-6, abs=0.002)


def test_every_joule_is_told_once_in_each_scrape(run: Run, figures: Figures) -> None:
    """At most it waits for a few seconds, together with a job without labels yet."""
    complete = [scrape for scrape in run.scrapes if is_complete(scrape)]
    errors = [
        abs(lack_j) / scrape.value(COMPONENT_J, component=component)
        for scrape in complete
        for component, lack_j in missing_j(scrape).items()
        if scrape.value(COMPONENT_J, component=component) > 0
    ]
    figures.say(
        f"jobs and unattributed make up the component in {len(complete)} of "
        f"{len(run.scrapes)} scrapes, to {max(errors, default=0.0):.0e}; in the others "
        "a job waits for its labels"
    )

    assert len(run.scrapes) > 5
    assert_conserved((*run.scrapes, run.steady["gpu"].scrape))
