import os
import subprocess
from pathlib import Path

import pytest

from tests.fakes.slurm_cluster import LONGEST_S, SlurmCluster, missing
from tests.fakes.waiting import wait_until

USERS = ("nobody", "daemon")


def test_a_running_job_has_a_cgroup_that_counts_its_cpu_time(
    cluster: SlurmCluster,
) -> None:
    """Everything that is attributed to jobs rests on this."""
    job = cluster.submit("while :; do :; done")
    usage = cluster.job_cgroup(job) / "cpuacct.usage"

    cluster.wait_for_processes(job)

    before_ns = int(usage.read_text())
    wait_until(lambda: int(usage.read_text()) > before_ns, "it counts", LONGEST_S)
    cluster.cancel(job)
    cluster.wait_for_end(job)
    wait_until(lambda: not usage.exists(), "the cgroup is gone", LONGEST_S)


def test_a_job_may_open_its_own_gpu_and_no_other(
    cluster: SlurmCluster, answers: Path
) -> None:
    """A fence that does not hold would prove nothing about who holds a GPU."""
    tries = [f"head -c 1 {cluster.layout.gpu_file(minor)}" for minor in (0, 1)]
    errors = answers / "errors"

    job = cluster.submit(f"{{ {'; '.join(tries)}; }} 2>{errors}; sleep 600", gpus=1)

    wait_until(lambda: _lines(errors) == 2, "it tried both", LONGEST_S, cluster.logs)
    opened = errors.read_text()
    # Beyond the fence there is no driver.
    assert "nvidia0' for reading: No such device or address" in opened
    assert "nvidia1' for reading: Operation not permitted" in opened
    cluster.cancel(job)


def test_users_of_the_machine_submit_jobs_of_their_own(cluster: SlurmCluster) -> None:
    """Two users are needed to show whose energy it is; none has to be created."""
    jobs = {user: cluster.submit("sleep 600", user=user) for user in USERS}

    for user, job in jobs.items():
        cluster.wait_for_processes(job, user)

    assert cluster.show(jobs["nobody"])["UserId"].startswith("nobody(")
    assert cluster.show(jobs["daemon"])["UserId"].startswith("daemon(")
    for job in jobs.values():
        cluster.cancel(job)


def test_an_array_has_a_job_per_task(cluster: SlurmCluster) -> None:
    """Its last task bears the id of the whole, the others ids of their own."""
    master = cluster.submit("sleep 600", options=["--array=0-2"])

    cluster.wait_for_state(master, "RUNNING")

    listed = cluster.run("squeue", "--noheader", "--format=%F %A", f"--job={master}")
    raw_ids = {int(line.split()[1]) for line in listed.splitlines()}
    assert len(raw_ids) == 3
    assert master in raw_ids
    cluster.cancel(master)


def test_each_srun_is_a_step_in_the_cgroup_of_its_job(cluster: SlurmCluster) -> None:
    """Steps come and go while the counter of the job goes on."""
    job = cluster.submit("srun true; srun sleep 600")
    step = cluster.job_cgroup(job) / "step_1"

    wait_until(step.exists, "its second step runs", LONGEST_S, cluster.logs)

    assert not step.with_name("step_0").exists()
    cluster.cancel(job)


def test_a_job_can_be_suspended_requeued_and_cancelled(cluster: SlurmCluster) -> None:
    """The tests of the daemon put jobs through all of these."""
    job = cluster.submit("sleep 600")
    cluster.wait_for_processes(job)

    cluster.suspend(job)
    suspended = cluster.state(job)
    cluster.resume(job)
    cluster.requeue(job)
    cluster.wait_for_state(job, "PENDING")
    cluster.wait_for_state(job, "RUNNING")
    restarts = cluster.show(job)["Restarts"]
    cluster.cancel(job)

    assert suspended == "SUSPENDED"
    assert restarts == "1"
    assert cluster.wait_for_end(job) == "CANCELLED"


def test_hooks_run_as_root_before_and_after_a_job(
    cluster: SlurmCluster, answers: Path, tmp_path: Path
) -> None:
    """What a site installs in prolog.d and epilog.d is tested the same way."""
    script = tmp_path / "10-test"
    script.write_text('#!/bin/sh\nid -u >"$ANSWERS/$SLURM_SCRIPT_CONTEXT"\n')
    script.chmod(0o755)
    cluster.add_hook("prolog", script, {"ANSWERS": str(answers)})
    cluster.add_hook("epilog", script, {"ANSWERS": str(answers)})

    cluster.wait_for_end(cluster.submit("true", user="nobody"))

    wait_until((answers / "epilog_slurmd").exists, "the epilog ran", LONGEST_S)
    assert (answers / "prolog_slurmd").read_text() == "0\n"


def test_devices_are_listed_where_slurmd_itself_is_confined() -> None:
    """Only there does ``devices.list`` say which GPUs a job may open."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with SlurmCluster(gpu_minors=(1, 0), listed_devices=True) as cluster:
        job = cluster.submit("sleep 600", gpus=1)
        cluster.wait_for_processes(job)

        listed = (cluster.job_cgroup(job, "devices") / "devices.list").read_text()

    # The first GPU in Slurm's order is the second by its minor number.
    assert "c 195:1 rwm" in listed
    assert "c 195:0 rwm" not in listed


def test_the_rest_api_answers_without_a_token_on_its_socket(
    cluster: SlurmCluster,
) -> None:
    """The hub may ask there for what no node can know."""
    socket = cluster.start_rest()

    done = subprocess.run(
        [
            "curl",
            "-sS",
            "--unix-socket",
            str(socket),
            "http://localhost/slurm/v0.0.38/ping",
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert '"hostname"' in done.stdout, done.stderr


def test_a_cluster_that_ended_leaves_nothing_behind() -> None:
    """A test suite must not fill the machine it runs on."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)

    with SlurmCluster() as cluster:
        job = cluster.submit("trap '' TERM; sleep 600; sleep 600", gpus=1)
        cluster.wait_for_processes(job)
        processes = _processes_of(cluster)

    assert processes
    assert not _processes_of(cluster)
    assert not cluster.directory.exists()
    assert not [root for root in cluster.cgroup_roots() if root.exists()]


def _lines(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def _processes_of(cluster: SlurmCluster) -> list[int]:
    """Return the processes that know the configuration of the cluster."""
    needle = os.fsencode(cluster.layout.config_file)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "environ").read_bytes() + (
                process / "cmdline"
            ).read_bytes()
        except OSError:
            continue
        if needle in known:
            found.append(int(process.name))
    return found
