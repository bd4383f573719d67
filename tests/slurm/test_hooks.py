import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from exporter.core.snapshot import JobTotals
from exporter.core.units import Grams, Joules, Seconds
from exporter.exposition.http import create_app
from exporter.workloads.slurm.end_records import EndRecords
from tests.fakes.command_line import REPOSITORY
from tests.fakes.serving import serving
from tests.fakes.slurm_cluster import LONGEST_S, SlurmCluster
from tests.fakes.snapshots import FakeReader, changed, rich_snapshot
from tests.fakes.waiting import wait_until

SCRIPTS = REPOSITORY / "deploy" / "slurm"
HOOKS = {kind: SCRIPTS / f"{kind}.d" / "50-jouled.sh" for kind in ("prolog", "epilog")}
NASTY = 'it\'s "a" $(reboot)\nnew line ☃'


@pytest.fixture
def run_dir(cluster: SlurmCluster, answers: Path) -> Iterator[Path]:
    """Return the run directory of a daemon that listens to the cluster's hooks."""
    install_hooks(cluster, answers)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(answers / "hooks.sock"))
        yield answers


@pytest.fixture
def reader() -> FakeReader:
    """Return a node that knows no job yet."""
    return FakeReader(changed(rich_snapshot(), jobs=()))


@pytest.fixture
def settings(reader: FakeReader, answers: Path, cluster: SlurmCluster) -> Iterator[str]:
    """Return what a script of the controller exports first."""
    with serving(create_app(reader, version="1.2.3")) as port:
        # No resolver knows the name of the node.
        (answers / "summary.curlrc").write_text(f'connect-to="::127.0.0.1:{port}"\n')
        yield (
            f"export JOULED_SUMMARY_DIR='{answers}'\n"
            f"export SLURM_CONF='{cluster.layout.config_file}'\n"
            f"export PATH='{answers}/bin':$PATH\n"
        )


@pytest.fixture
def accounts(answers: Path) -> Path:
    """Return where a stand-in of sacctmgr writes its arguments, one on each line.

    The real one wants slurmdbd, and that a database.
    """
    program = answers / "bin" / "sacctmgr"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" >{answers}/new\n"
        f"mv {answers}/new {answers}/accounts\n"
    )
    program.chmod(0o755)
    return answers / "accounts"


def install_hooks(cluster: SlurmCluster, run_dir: Path) -> None:
    """Install Prolog and Epilog as a site would."""
    for kind, script in HOOKS.items():
        cluster.add_hook(kind, script, {"JOULED_STATE__RUN_DIR": str(run_dir)})


def entries(path: Path) -> Mapping[str, str]:
    """Return the variables in a drop file."""
    pairs = [entry.partition("=") for entry in path.read_text().split("\0")]
    return {name: value for name, _, value in pairs}


def ended_job(job_id: int) -> JobTotals:
    """Return what the daemon says of a job."""
    some = rich_snapshot().jobs[0]
    return changed(
        some,
        labels=changed(some.labels, job_id=str(job_id)),
        energy_j=(("cpu", Joules(7_200.0)),),
        emissions_g=Grams(0.75),
        gpus=None,
        gpu_utilization=None,
        gpu_use=None,
        end_unix_s=Seconds(some.created_unix_s + 60),
    )


def test_a_drop_file_is_there_as_long_as_the_job_is(
    cluster: SlurmCluster, run_dir: Path
) -> None:
    """It says whose job it is and which GPUs it holds, without asking slurmctld."""
    job = cluster.submit(
        "sleep 600",
        user="nobody",
        gpus=1,
        options=[f"--comment={NASTY}", f"--job-name={NASTY}", "--account=climate"],
    )
    file = run_dir / "slurm" / "jobs" / str(job)

    cluster.wait_for_processes(job, "nobody")
    found = entries(file)
    cluster.cancel(job)
    cluster.wait_for_end(job)

    assert found["SLURM_JOB_ID"] == str(job)
    assert found["SLURM_JOB_UID"] == "65534"
    assert found["SLURM_JOB_USER"] == "nobody"
    assert found["SLURM_JOB_ACCOUNT"] == "climate"
    assert found["SLURM_JOB_GPUS"] in {"0", "1"}
    assert found["CUDA_VISIBLE_DEVICES"] == found["SLURM_JOB_GPUS"]
    wait_until(lambda: not file.exists(), "the epilog removed it", LONGEST_S)


def test_a_requeued_job_has_a_drop_file_in_each_of_its_runs(
    cluster: SlurmCluster, run_dir: Path
) -> None:
    """The second run has the same id and may hold other GPUs."""
    job = cluster.submit("sleep 600", gpus=1)
    file = run_dir / "slurm" / "jobs" / str(job)
    cluster.wait_for_processes(job)
    first = file.stat()

    cluster.requeue(job)
    cluster.wait_for_state(job, "PENDING")
    between = file.exists()
    cluster.wait_for_state(job, "RUNNING")
    second, found = file.stat(), entries(file)
    cluster.cancel(job)

    assert not between
    assert second.st_mtime_ns > first.st_mtime_ns
    assert found["SLURM_JOB_RESTART_COUNT"] == "1"


def test_what_cgroups_have_counted_is_written_down_for_a_dead_daemon(
    cluster: SlurmCluster, answers: Path
) -> None:
    """The job's own cgroup is gone by then; those above it and of others are not."""
    install_hooks(cluster, answers)
    other = cluster.submit("sleep 600")
    cluster.wait_for_processes(other)
    job = cluster.submit("(ulimit -t 1; while :; do :; done)")

    cluster.wait_for_end(job)

    ended = answers / "slurm" / "ended"
    wait_until(
        lambda: bool(list(ended.glob(f"{job}.*"))), "the epilog wrote", LONGEST_S
    )
    # Epilogs of earlier jobs may be late.
    (record,) = (each for each in EndRecords(ended).read() if each.job_id == str(job))
    assert str(other) in {place.job_id for place in record.jobs_s}
    assert record.roots_s - sum(record.jobs_s.values()) > 0.4
    assert (answers / "slurm" / "jobs" / str(job)).exists()


def test_hooks_that_cannot_do_their_work_fail_no_job(
    cluster: SlurmCluster, answers: Path
) -> None:
    """A Prolog that fails takes the node out of service."""
    install_hooks(cluster, answers / "missing")

    state = cluster.wait_for_end(cluster.submit("true"))

    assert state == "COMPLETED"
    node = cluster.run("sinfo", "--noheader", "--format=%T %E")
    assert "drain" not in node


def test_what_a_job_used_is_put_into_its_admin_comment(
    cluster: SlurmCluster, reader: FakeReader, settings: str, accounts: Path
) -> None:
    """Users see it in sacct, for as long as the site keeps accounts."""
    assert reader.snapshot is not None
    cluster.set_epilog_slurmctld(f"{settings}exec {SCRIPTS}/epilog-slurmctld")
    job = cluster.submit("sleep 1")
    reader.snapshot = changed(reader.snapshot, jobs=(ended_job(job),))

    wait_until(accounts.exists, "slurmdbd was told", LONGEST_S, cluster.logs)

    assert accounts.read_text().splitlines() == [
        "--immediate",
        *("update", "job", "where", f"jobid={job}", "cluster=jouled"),
        *("set", "AdminComment=jouled: 2.00 Wh, 0.75 gCO2e"),
    ]


def test_the_last_task_of_an_array_is_not_taken_for_all_of_them(
    cluster: SlurmCluster, reader: FakeReader, settings: str, accounts: Path
) -> None:
    """It has the id of the array."""
    assert reader.snapshot is not None
    cluster.set_epilog_slurmctld(f"{settings}exec {SCRIPTS}/epilog-slurmctld")
    job = cluster.submit("sleep 1", options=["--array=7"])
    reader.snapshot = changed(reader.snapshot, jobs=(ended_job(job),))

    wait_until(accounts.exists, "slurmdbd was told", LONGEST_S, cluster.logs)

    assert f"jobid={job}_7" in accounts.read_text().splitlines()


def test_an_admin_comment_of_others_is_left_alone(
    cluster: SlurmCluster,
    reader: FakeReader,
    settings: str,
    answers: Path,
    accounts: Path,
) -> None:
    """Other tools keep their data there."""
    assert reader.snapshot is not None
    cluster.set_epilog_slurmctld(
        f"{settings}{SCRIPTS}/epilog-slurmctld; touch {answers}/done"
    )
    job = cluster.submit("sleep 600")
    cluster.wait_for_state(job, "RUNNING")
    cluster.run("scontrol", "update", f"JobId={job}", "AdminComment=JS1:abc")
    reader.snapshot = changed(reader.snapshot, jobs=(ended_job(job),))

    cluster.cancel(job)

    wait_until((answers / "done").exists, "the epilog is done", LONGEST_S)
    assert not accounts.exists()


def test_the_mail_of_slurm_tells_what_the_job_used(
    cluster: SlurmCluster, reader: FakeReader, settings: str, answers: Path
) -> None:
    """Slurm calls the program as it would call mail(1)."""
    assert reader.snapshot is not None
    program = answers / "mail"
    program.write_text(
        "#!/bin/sh\n"
        f'{{ echo "$2 <$3>"; cat; }} >{answers}/new\n'
        f'mv {answers}/new "{answers}/$SLURM_JOB_MAIL_TYPE"\n'
    )
    program.chmod(0o755)
    (answers / "summary.conf").write_text(f"mail={program}\n")
    cluster.set_mail(f'{settings}exec {SCRIPTS}/mail-with-energy "$@"')
    job = cluster.submit(
        "sleep 1", options=["--mail-type=END", "--mail-user=ada", "--job-name=train"]
    )
    reader.snapshot = changed(reader.snapshot, jobs=(ended_job(job),))

    wait_until((answers / "Ended").exists, "there is a mail", LONGEST_S)

    subject, line = (answers / "Ended").read_text().splitlines()
    assert subject.startswith(f"Slurm Job_id={job} Name=train Ended")
    assert subject.endswith("<ada>")
    assert line == "jouled: 2.00 Wh, 0.75 gCO2e"
