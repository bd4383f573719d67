import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from exporter.core.errors import SourceDeniedError, SourceFaultyError
from exporter.workloads.cgroups import (
    Cgroup,
    CgroupTrees,
    FileBudget,
    count_cpus,
    find_trees,
)
from tests.fakes.cgroups import Layout, PlayedJob, PlayedSlurm
from tests.fakes.clock import Clock
from tests.fakes.unprivileged import public_directory, unprivileged

_BOTH: tuple[Layout, ...] = ("v1", "v2")


def _played(tmp_path: Path, layout: Layout) -> PlayedSlurm:
    played = PlayedSlurm(tmp_path, layout, Clock())
    played.start_slurmd()
    return played


@contextmanager
def _cgroup(
    played: PlayedSlurm, job: PlayedJob, budget: FileBudget | None = None
) -> Iterator[Cgroup]:
    trees = find_trees(played.cgroupfs)
    controller = "cpuacct" if played.layout == "v1" else None
    with closing(
        Cgroup(trees, job.path, controller, budget or FileBudget(10))
    ) as cgroup:
        yield cgroup


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# --- trees ----------------------------------------------------------------------------


def test_the_trees_of_version_1_are_found_by_controller(tmp_path: Path) -> None:
    """Distributions mount several controllers together, and link to them."""
    for name in ("cpu,cpuacct", "memory", "systemd"):
        (tmp_path / name).mkdir()
    (tmp_path / "cpuacct").symlink_to("cpu,cpuacct")

    trees = find_trees(tmp_path)

    assert trees.unified is None
    assert trees.v1.keys() == {"cpu", "cpuacct", "memory"}
    assert trees.v1["cpuacct"].samefile(tmp_path / "cpu,cpuacct")


def test_a_unified_tree_is_the_mount_point_itself(tmp_path: Path) -> None:
    """As on every machine with version 2 alone."""
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "memory").mkdir()

    assert find_trees(tmp_path) == CgroupTrees(unified=tmp_path)


def test_a_hybrid_machine_has_both(tmp_path: Path) -> None:
    """Version 2 is mounted beside version 1 by systemd."""
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified" / "cgroup.controllers").touch()
    (tmp_path / "cpuacct").mkdir()

    trees = find_trees(tmp_path)

    assert trees.unified == tmp_path / "unified"
    assert trees.v1 == {"cpuacct": tmp_path / "cpuacct"}


def test_a_machine_without_cgroups_has_no_trees(tmp_path: Path) -> None:
    """Absence, not an error."""
    assert find_trees(tmp_path / "gone") == CgroupTrees()


def test_a_file_system_that_may_not_be_read_is_denied() -> None:
    """An operator has to act."""
    with public_directory() as directory:
        (directory / "cgroup").mkdir(mode=0o700)

        with unprivileged(), pytest.raises(SourceDeniedError, match="may not read"):
            find_trees(directory / "cgroup")


# --- quantities -----------------------------------------------------------------------


@pytest.mark.parametrize("layout", _BOTH)
def test_cpu_time_is_in_seconds_in_both_versions(
    tmp_path: Path, layout: Layout
) -> None:
    """One counts nanoseconds, the other microseconds."""
    played = _played(tmp_path, layout)
    job = played.start_job(1)
    played.spend(job, 23.290131)

    with _cgroup(played, job) as cgroup:
        first = cgroup.cpu_s()
        played.spend(job, 1.5)

        assert first == pytest.approx(23.290131)
        assert cgroup.cpu_s() == pytest.approx(24.790131)


@pytest.mark.parametrize("layout", _BOTH)
def test_memory_is_what_is_anonymous(tmp_path: Path, layout: Layout) -> None:
    """Page cache is nobody's: to count it charged one job 180 W on a 120 W node."""
    played = _played(tmp_path, layout)
    job = played.start_job(1)
    job.memory_bytes = 123_456_789
    played.spend(job, 0)

    with _cgroup(played, job) as cgroup:
        assert cgroup.memory_bytes() == 123_456_789


@pytest.mark.parametrize("layout", _BOTH)
def test_limits_are_what_a_job_reserved(tmp_path: Path, layout: Layout) -> None:
    """Slurm confines a job to what it allocated."""
    played = _played(tmp_path, layout)
    job = played.start_job(1, cpus="0-3,8", memory_limit=52_428_800)

    with _cgroup(played, job) as cgroup:
        assert cgroup.reserved_cpus() == 5
        assert cgroup.reserved_memory_bytes() == 52_428_800


@pytest.mark.parametrize("layout", _BOTH)
def test_a_job_that_is_not_confined_has_no_limits(
    tmp_path: Path, layout: Layout
) -> None:
    """What is effective for one that is not confined is that of the whole node."""
    played = _played(tmp_path, layout)
    job = played.start_job(1)

    with _cgroup(played, job) as cgroup:
        assert cgroup.reserved_cpus() is None
        assert cgroup.reserved_memory_bytes() is None


def test_devices_are_listed_in_version_1(tmp_path: Path) -> None:
    """Where a job is allowed single ones, they tell its GPUs."""
    played = _played(tmp_path, "v1")
    devices = ("c 195:3 rw", "c 1:3 rwm", "b 8:* r", "c 136:* rw", "nonsense")
    job = played.start_job(1, devices=devices)

    with _cgroup(played, job) as cgroup:
        assert cgroup.devices() == frozenset({(195, 3), (1, 3)})


@pytest.mark.parametrize("layout", _BOTH)
def test_all_devices_allowed_tells_nothing(tmp_path: Path, layout: Layout) -> None:
    """The kernel does not list what is denied; version 2 has no list at all."""
    played = _played(tmp_path, layout)
    job = played.start_job(1)

    with _cgroup(played, job) as cgroup:
        assert cgroup.devices() is None


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0", 1),
        ("0-3", 4),
        ("0-1,4,8-11", 7),
        ("", None),
        ("3-1", None),
        ("0-", None),
        ("-1", None),
        ("a-b", None),
        ("0-99999999", None),
    ],
)
def test_a_list_of_cpus_is_counted_or_refused(text: str, cpus: int | None) -> None:
    """A number that is made up would charge idle power to the wrong job."""
    assert count_cpus(text) == cpus


# --- ends and errors ------------------------------------------------------------------


@pytest.mark.parametrize("layout", _BOTH)
def test_a_cgroup_that_is_gone_is_a_result(tmp_path: Path, layout: Layout) -> None:
    """Jobs end at any moment; nothing has failed then."""
    played = _played(tmp_path, layout)
    job = played.start_job(1)
    with _cgroup(played, job) as cgroup:
        played.end_job(job)

        assert cgroup.cpu_s() is None
        assert not cgroup.exists()
        assert cgroup.memory_bytes() is None
        assert cgroup.reserved_cpus() is None
        assert cgroup.reserved_memory_bytes() is None
        assert cgroup.devices() is None


def test_version_1_without_a_cpu_counter_tells_none(tmp_path: Path) -> None:
    """Not every site lets Slurm use that controller; the job exists all the same."""
    played = PlayedSlurm(tmp_path, "v1", Clock(), counts_cpu=False)
    played.start_slurmd()
    job = played.start_job(1)
    trees = find_trees(played.cgroupfs)

    with closing(Cgroup(trees, job.path, "freezer", FileBudget(1))) as cgroup:
        assert cgroup.cpu_s() is None
        assert cgroup.exists()


@pytest.mark.parametrize(
    ("layout", "garbage"),
    [("v1", "x"), ("v1", ""), ("v2", "user_usec 1\n"), ("v2", "usage_usec 1.5\n")],
)
def test_garbage_in_a_counter_is_faulty(
    tmp_path: Path, layout: Layout, garbage: str
) -> None:
    """A counter that is not a number never becomes a zero."""
    played = _played(tmp_path, layout)
    job = played.start_job(1)
    name = "cpuacct.usage" if layout == "v1" else "cpu.stat"
    (played.directory(job) / name).write_text(garbage)

    with _cgroup(played, job) as cgroup, pytest.raises(SourceFaultyError, match=name):
        cgroup.cpu_s()


# --- open files -----------------------------------------------------------------------


def test_a_counter_is_kept_open_and_closed_in_the_end(tmp_path: Path) -> None:
    """One file per job; thousands of jobs pass through a node."""
    played = _played(tmp_path, "v1")
    job = played.start_job(1)
    budget = FileBudget(1)
    before = _open_files()
    with _cgroup(played, job, budget) as cgroup:
        cgroup.cpu_s()
        cgroup.cpu_s()
        during = _open_files()

    assert during == before + 1
    assert _open_files() == before
    assert budget.take()


def test_beyond_the_budget_a_file_is_opened_for_each_reading(tmp_path: Path) -> None:
    """A node with more jobs than files may be open is read all the same."""
    played = _played(tmp_path, "v1")
    job = played.start_job(1)
    before = _open_files()

    with _cgroup(played, job, FileBudget(0)) as cgroup:
        played.spend(job, 1.0)
        first = cgroup.cpu_s()
        played.spend(job, 1.0)

        assert (first, cgroup.cpu_s()) == (1.0, 2.0)
        assert _open_files() == before


def test_half_of_the_files_are_left_to_others() -> None:
    """Sensors, sockets and the archive need some too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    budget = FileBudget.of_this_process()

    taken = 0
    while budget.take():
        taken += 1

    assert taken == min(soft // 2, 1 << 16) or soft == resource.RLIM_INFINITY
