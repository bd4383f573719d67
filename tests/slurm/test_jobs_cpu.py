import os
from pathlib import Path

import pytest

from tests.fakes.slurm_cluster import LONGEST_S
from tests.fakes.waiting import wait_until
from tests.fakes.work_meter import JOULES_PER_CPU_S
from tests.slurm.site import Figures, Site
from tests.slurm.told import (
    JOB_CPU_S,
    JOB_END,
    JOB_GPUS,
    JOB_J,
    wait_for_one_price,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TENANT_J = "jouled_tenant_energy_joules_total"
BRIEF = "timeout 0.5 sh -c 'while :; do :; done'"


def test_a_batch_job_is_told_with_what_it_is(site: Site) -> None:
    """Everything a dashboard groups by comes from the node alone."""
    job = site.cluster.submit(
        f"{site.work(0.5, 'nobody')}; sleep 600",
        user="nobody",
        options=["--job-name=train", "--account=climate"],
    )

    site.wait(job, lambda view: view.cpu_s > 0.5 and view.name != "", "works")

    view = site.see(job)
    labels = view.labels or {}
    assert labels.items() >= {
        ("user", "nobody"),
        ("account", "climate"),
        ("partition", "batch"),
        ("name", "train"),
        ("node_list", site.cluster.node),
    }
    assert view.get(JOB_GPUS) == 0
    assert (view.get("jouled_job_memory_bytes") or 0) > 0
    assert not view.has_ended


def test_steps_of_a_job_add_up(site: Site) -> None:
    """Each srun has a cgroup of its own, which is gone when the next one begins."""
    steps = [f"srun sh -c '{site.work(until_s)}'" for until_s in (0.6, 1.2)]
    job = site.cluster.submit(f"{'; '.join(steps)}; sleep 600")

    site.wait(job, lambda view: view.cpu_s > 1.2, "has worked in both steps")
    site.rest()

    assert site.see(job).cpu_s == pytest.approx(site.used_s(job), abs=0.01)


def test_each_task_of_an_array_is_a_job(site: Site) -> None:
    """They have ids of their own, and the id of the whole for people."""
    master = site.cluster.submit(
        "sleep 600", options=["--array=0-2", "--job-name=sweep"]
    )
    site.cluster.wait_for_state(master, "RUNNING")
    listed = site.cluster.run("squeue", "--noheader", "--array", "--format=%A %K")
    tasks = dict(line.split() for line in listed.splitlines())

    for job_id in tasks:
        site.wait(int(job_id), lambda view: view.name == "sweep", "has a name")

    assert len(tasks) == 3
    for job_id, task in tasks.items():
        labels = site.see(int(job_id)).labels or {}
        assert labels["array_job_id"] == str(master)
        assert labels["array_task_id"] == task


def test_two_users_pay_for_their_own_jobs(site: Site) -> None:
    """Tenants outlive their jobs: they are what a budget adds up."""
    accounts = {"nobody": "biology", "daemon": "physics"}
    jobs = {
        user: site.cluster.submit(
            site.work(1, user), user=user, options=[f"--account={account}"]
        )
        for user, account in accounts.items()
    }

    views = {user: site.wait_for_end(job) for user, job in jobs.items()}

    for user, view in views.items():
        of_both = {"account": accounts[user], "user": user}
        job_j = view.scrape.total(JOB_J, **of_both)
        assert job_j == view.energy_j("cpu") + view.energy_j("dram")
        assert job_j > 0
        tenant = {"tenant": accounts[user], "user": user}
        assert view.scrape.value(TENANT_J, **tenant) == pytest.approx(job_j, rel=1e-9)


def test_thirty_jobs_at_once_are_told_apart(
    site: Site, answers: Path, figures: Figures
) -> None:
    """They share two cores, start within seconds and end in the same tick."""
    gate = answers / "gate"
    os.mkfifo(gate)
    # Each look takes a little CPU time, of some jobs more than of others.
    linger = f"until test -e {answers}/enough; do sleep 0.1; done"
    told = f"read used <{site.usage_file()}; echo $used >{answers}/$SLURM_JOB_ID"
    script = f"{site.work(0.3)}; {linger}; {told}; : <{gate}"

    jobs = [site.cluster.submit(script) for _ in range(30)]
    for job in jobs:
        site.wait(job, lambda view: view.cpu_s > 0.25, "has worked")
    at_once = site.daemon.scrape()
    price_j = wait_for_one_price(site.daemon, jobs)
    (answers / "enough").touch()
    told_files = [answers / str(job) for job in jobs]
    wait_until(
        lambda: all(path.exists() for path in told_files), "all have told", LONGEST_S
    )
    # What jobs that end at once used since the last tick is divided between them, and
    # is to be next to nothing.
    site.rest()
    with gate.open("w"):
        ended = [site.wait_for_end(job) for job in jobs]

    running = {labels["job_id"] for labels, _ in at_once.series(JOB_GPUS)}
    assert running >= set(map(str, jobs))
    true_s = [int(path.read_text()) / 1e9 for path in told_files]
    errors_s = [view.cpu_s - used for view, used in zip(ended, true_s, strict=True)]
    figures.say(
        f"30 jobs: off by {min(errors_s):.3f} to {max(errors_s):.3f} CPU-s; "
        f"in one tick each paid {price_j:.1f} J for a CPU-s"
    )
    # After its last word a job only waits for the gate, and ends.
    assert min(errors_s) >= -1e-6
    assert max(errors_s) < 0.3
    assert min(view.energy_j("cpu") for view in ended) > 0


def test_a_job_of_half_a_second_is_not_missed(
    site: Site, answers: Path, figures: Figures
) -> None:
    """It may begin and end between two ticks; its user asks for it nevertheless."""
    usage = site.usage_file("nobody")
    job = site.cluster.submit(
        f"{BRIEF}; cat {usage} >{answers}/used",
        user="nobody",
        options=["--job-name=blink", "--account=climate"],
    )

    view = site.wait_for_end(job)

    true_s = int((answers / "used").read_text()) / 1e9
    energy_j = view.energy_j("cpu")
    figures.say(
        f"job of 0.5 s: {true_s:.3f} CPU-s used, {view.cpu_s:.3f} told; "
        f"{energy_j:.1f} J charged"
    )
    labels = view.labels or {}
    assert labels["user"] == "nobody"
    assert labels["account"] == "climate"
    assert true_s <= view.cpu_s < true_s + 0.3
    assert energy_j > 0


def test_a_job_that_ended_is_told_for_as_long_as_configured(site: Site) -> None:
    """Long enough for every Prometheus, and not for ever."""
    brief = site.make_daemon("brief", "--metrics.ended-jobs-for", "3s")
    try:
        brief.start()
        job = site.cluster.submit(BRIEF)
        series = {"job_id": str(job)}
        told = brief.wait_for(
            lambda scrape: scrape.get(JOB_END, **series) is not None, "the job's end"
        )
        gone = brief.wait_for(
            lambda scrape: not scrape.series("jouled_job_info", **series),
            "the job to leave",
        )
        series_j = told.series(JOB_J, **series)
    finally:
        brief.close()

    assert series_j
    assert gone.series(JOB_CPU_S, **series) == []
    assert gone.series(JOB_J, **series) == []
    # With the usual ten minutes it is still there.
    assert site.see(job).has_ended
    assert site.see(job).energy_j("cpu") > 0


def test_a_job_that_is_killed_keeps_what_it_has_used(site: Site) -> None:
    """What it used last is not in its own counter any more, but in its parent's."""
    job = site.cluster.submit("while :; do :; done")
    # So long that it does not matter how far the meter is behind at its end.
    site.wait(job, lambda view: view.cpu_s > 5, "works")
    used_s = site.used_s(job)

    site.cluster.cancel(job)

    view = site.wait_for_end(job)
    assert used_s <= view.cpu_s < used_s + 30
    energy_j = view.energy_j("cpu")
    assert energy_j == pytest.approx(view.cpu_s * JOULES_PER_CPU_S, rel=0.1)
    site.rest()
    assert site.see(job).energy_j("cpu") == energy_j
