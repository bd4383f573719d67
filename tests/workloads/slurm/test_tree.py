from pathlib import Path

import pytest

from exporter.core.errors import SourceDeniedError
from exporter.workloads.cgroups import CgroupTrees, find_trees
from exporter.workloads.slurm.tree import JobPlace, job_in_path, scan
from tests.fakes.cgroups import PlayedSlurm, sluid_of
from tests.fakes.clock import Clock
from tests.fakes.unprivileged import public_directory, unprivileged


def _make(root: Path, *paths: str) -> CgroupTrees:
    for path in paths:
        (root / path).mkdir(parents=True, exist_ok=True)
    if not (root / "cpuacct").exists():
        (root / "cgroup.controllers").touch()
    return find_trees(root)


def test_version_1_has_a_cgroup_per_user(tmp_path: Path) -> None:
    """The path tells whose job it is."""
    trees = _make(
        tmp_path,
        "cpuacct/slurm_vm/uid_1001/job_4/step_0/task_0",
        "cpuacct/slurm_vm/uid_0/job_1/step_batch",
        "memory/slurm_vm/uid_0/job_1",
        "cpuacct/user.slice/uid_7/job_9",
    )

    listing = scan(trees)

    assert {job._replace(inode=0) for job in listing.jobs} == {
        JobPlace("slurm_vm/uid_1001/job_4", "cpuacct", "4", "", 1001),
        JobPlace("slurm_vm/uid_0/job_1", "cpuacct", "1", "", 0),
    }
    assert [root.path for root in listing.roots] == ["slurm_vm"]


def test_a_root_is_taken_from_the_controller_that_counts(tmp_path: Path) -> None:
    """The same cgroup in five trees is one."""
    everywhere = [f"{c}/slurm/uid_0/job_1" for c in ("freezer", "cpuacct", "devices")]
    trees = _make(tmp_path, *everywhere)

    listing = scan(trees)

    assert [job.controller for job in listing.jobs] == ["cpuacct"]


def test_a_site_without_that_controller_still_has_jobs(tmp_path: Path) -> None:
    """They hold GPUs, and have owners."""
    trees = _make(tmp_path, "cpuacct", "freezer/slurm/uid_0/job_1")

    listing = scan(trees)

    assert [job.controller for job in listing.jobs] == ["freezer"]


@pytest.mark.parametrize(
    "scope",
    [
        "system.slice/slurmstepd.scope",
        "system.slice/node001_slurmstepd.scope",
        "slurmstepd.scope",
        "hpc.slice/hpc-slurm.slice/slurmstepd.scope",
    ],
)
def test_version_2_has_its_jobs_in_a_scope_of_any_slice(
    tmp_path: Path, scope: str
) -> None:
    """Multi-slurmd builds and the CgroupSlice setting move it."""
    trees = _make(tmp_path, f"{scope}/job_7/step_0", f"{scope}/system", "init.scope")

    listing = scan(trees)

    inode = (tmp_path / scope / "job_7").stat().st_ino
    assert listing.jobs == (JobPlace(f"{scope}/job_7", None, "7", "", None, inode),)
    assert listing.roots[0].others == (f"{scope}/system",)


def test_jobs_named_by_sluid_are_found(tmp_path: Path) -> None:
    """Since Slurm 26.05; what looks for job_* alone sees an empty node."""
    trees = _make(tmp_path, "system.slice/slurmstepd.scope/s8FXKTA79XAR00/step_batch")

    listing = scan(trees)

    path = "system.slice/slurmstepd.scope/s8FXKTA79XAR00"
    (job,) = listing.jobs
    assert job._replace(inode=0) == JobPlace(path, None, "", "s8FXKTA79XAR00", None)


def test_a_hybrid_mount_is_looked_at_too(tmp_path: Path) -> None:
    """Version 2 below "unified", beside the trees of version 1."""
    scope = "unified/system.slice/vm_slurmstepd.scope"
    trees = _make(tmp_path, "cpuacct", f"{scope}/job_1", f"{scope}/slurmd")
    (tmp_path / "unified" / "cgroup.controllers").touch()
    trees = find_trees(tmp_path)

    listing = scan(trees)

    assert [job.job_id for job in listing.jobs] == ["1"]
    assert trees.unified == tmp_path / "unified"


def test_several_nodes_on_one_machine_are_several_roots(tmp_path: Path) -> None:
    """A build for tests, and some real machines."""
    trees = _make(
        tmp_path, "cpuacct/slurm_n1/uid_0/job_1", "cpuacct/slurm_n2/uid_0/job_2"
    )

    listing = scan(trees)

    assert {root.path for root in listing.roots} == {"slurm_n1", "slurm_n2"}
    assert {job.job_id for job in listing.jobs} == {"1", "2"}


def test_slices_of_people_and_pods_are_not_searched(tmp_path: Path) -> None:
    """They are many, and the cost of a look may not follow them."""
    trees = _make(
        tmp_path,
        "user.slice/user-1.slice/slurmstepd.scope/job_1",
        "kubepods.slice/pod.slice/slurmstepd.scope/job_2",
    )

    assert scan(trees).jobs == ()


def test_a_machine_without_slurm_has_nothing(tmp_path: Path) -> None:
    """Most machines."""
    assert scan(_make(tmp_path, "system.slice/ssh.service")).roots == ()
    assert scan(CgroupTrees()).holders == ()


def test_a_directory_that_may_not_be_read_is_denied() -> None:
    """Half of the jobs would be a wrong answer."""
    with public_directory() as root:
        trees = _make(root, "cpuacct/slurm/uid_0/job_1")
        for path in (root / "cpuacct", root / "cpuacct" / "slurm"):
            path.chmod(0o755)
        (root / "cpuacct" / "slurm" / "uid_0").chmod(0o700)

        with unprivileged(), pytest.raises(SourceDeniedError, match="uid_0"):
            scan(trees)


@pytest.mark.parametrize(
    ("text", "job"),
    [
        ("4:memory:/slurm_vm/uid_0/job_12/step_0\n", "12"),
        ("0::/system.slice/slurmstepd.scope/job_7\n", "7"),
        ("0::/system.slice/slurmstepd.scope/s8FXKTA79XAR00/step_0\n", "s8FXKTA79XAR00"),
        ("0::/user.slice/job_7\n", None),
        ("0::/system.slice/slurmd.service\n", None),
        ("", None),
    ],
)
def test_a_process_is_told_its_job_by_its_cgroup(text: str, job: str | None) -> None:
    """For a process that computes on a GPU."""
    assert job_in_path(text) == job


def test_the_fixture_has_the_shapes_of_real_nodes(tmp_path: Path) -> None:
    """Or the other tests would prove nothing."""
    found = {}
    for layout in ("v1", "v2", "sluid"):
        played = PlayedSlurm(tmp_path / layout, layout, Clock())
        played.start_slurmd()
        played.start_job(5, uid=1001)
        (place,) = scan(find_trees(played.cgroupfs)).jobs
        found[layout] = place

    assert found["v1"].path == "slurm_node001/uid_1001/job_5"
    assert found["v2"].path == "system.slice/node001_slurmstepd.scope/job_5"
    assert found["sluid"].sluid == sluid_of(5)
