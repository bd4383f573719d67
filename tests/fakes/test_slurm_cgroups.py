import os
import subprocess
from pathlib import Path

import pytest

from tests.fakes.slurm_cgroups import CONTROLLERS, node_name, remove_abandoned


def of_a_killed_run() -> str:
    """Return the name of a node's cgroup whose process is gone."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    mine = f"jouledtest{os.getpid()}x"
    return f"slurm_{node_name('a1').replace(mine, f'jouledtest{gone.pid}x')}"


def make_job(hierarchies: Path, node: str) -> Path:
    """Make a job's cgroup without processes in every hierarchy; return the first."""
    jobs = [hierarchies / one / node / "uid_0" / "job_7" for one in CONTROLLERS]
    for job in jobs:
        (job / "step_batch").mkdir(parents=True)
    return jobs[0]


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    """A daemon would take it for jobs, and the next run would refuse to begin."""
    node = of_a_killed_run()
    make_job(tmp_path, node)

    remove_abandoned(tmp_path)

    assert not list(tmp_path.glob(f"*/{node}"))


def test_a_cgroup_that_holds_a_process_is_left_alone(tmp_path: Path) -> None:
    """In one hierarchy is enough: the job lives."""
    job = make_job(tmp_path, of_a_killed_run())
    (job / "cgroup.procs").write_text(f"{os.getpid()}\n")

    remove_abandoned(tmp_path)

    assert len(list(tmp_path.glob("*/slurm_*/uid_0/job_7"))) == len(CONTROLLERS)


@pytest.mark.parametrize(
    "node",
    [f"slurm_{node_name('a1')}", "slurm_n1", "slurm_jouled", "slurm"],
    # The first is another in each process that runs tests beside this one.
    ids=["ours", "n1", "jouled", "slurm"],
)
def test_cgroups_of_who_lives_and_of_a_real_slurm_are_left_alone(
    tmp_path: Path, node: str
) -> None:
    """Their jobs may be about to begin, and then they have no process for a moment."""
    job = make_job(tmp_path, node)

    remove_abandoned(tmp_path)

    assert job.exists()
