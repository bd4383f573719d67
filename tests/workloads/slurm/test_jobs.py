"""Which jobs are reported, and with what CPU time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.core.errors import (
    SourceAbsentError,
    SourceDeniedError,
    SourceFaultyError,
)
from exporter.core.workload import WorkloadId
from exporter.workloads.cgroups import FileBudget
from exporter.workloads.inotify import Event, Inotify
from tests.fakes.cgroups import Layout, drop, environ, sluid_of
from tests.fakes.slurm_node import (
    LONGEST_S,
    SlurmNode,
    ids,
    slurm_node,
    usage_of,
    wait_watched,
)
from tests.fakes.unprivileged import public_directory, unprivileged
from tests.fakes.waiting import wait_until

_LAYOUTS: tuple[Layout, ...] = ("v1", "v2", "sluid")
_every_layout = pytest.mark.parametrize("layout", _LAYOUTS)


# --- presence -------------------------------------------------------------------------


def test_a_node_without_slurm_is_absent_not_faulty(tmp_path: Path) -> None:
    """Most machines: said once, and no alert."""
    node = SlurmNode(tmp_path)

    with pytest.raises(SourceAbsentError, match="no cgroup of Slurm"):
        node.source.read()

    node.source.close()


def test_a_prolog_s_directory_is_reason_enough_to_be_here(tmp_path: Path) -> None:
    """So the first job after a boot is counted from its beginning."""
    node = SlurmNode(tmp_path)
    node.drops.mkdir(parents=True)

    assert node.source.read().usages == ()

    node.source.close()


def test_slurm_that_starts_later_is_found(tmp_path: Path) -> None:
    """The daemon starts at boot, slurmd when the file systems are there."""
    node = SlurmNode(tmp_path, "v2")
    with pytest.raises(SourceAbsentError):
        node.source.read()
    node.slurm.start_slurmd()
    node.slurm.start_job(1)

    reading = node.look()

    assert ids(reading) == {1}
    node.source.close()


@_every_layout
def test_the_first_job_after_a_boot_is_found_at_once(
    tmp_path: Path, layout: Layout
) -> None:
    """With no Prolog, and no cgroup of Slurm till then: not at the next look."""
    node = SlurmNode(tmp_path, layout)
    with pytest.raises(SourceAbsentError):
        node.source.read()
    node.slurm.start_slurmd()
    node.slurm.start_job(1)

    def is_told() -> bool:
        try:
            return ids(node.source.read()) == {1}
        except SourceAbsentError:
            return False

    wait_until(is_told, "it is told without any time passing", LONGEST_S)
    node.source.close()


def test_who_only_looks_removes_nothing(tmp_path: Path) -> None:
    """What the Prolog and the Epilog leave is for the daemon, not for its guests."""
    node = SlurmNode(tmp_path, only_looks=True, plays_wall=True)
    node.slurm.start_slurmd()
    node.end_unheard(node.slurm.start_job(1))
    node.date(drop(node.drops, 2, SLURM_JOB_USER="ada"))
    node.look()

    node.tick(100_000.0)
    node.tick(100_000.0)

    assert [path.name for path in node.drops.iterdir()] == ["2"]
    assert len(list(node.ended.iterdir())) == 1
    node.source.close()


def test_slurm_that_goes_away_leaves_an_empty_node(tmp_path: Path) -> None:
    """Its jobs have ended: nobody shall wait for them."""
    with slurm_node(tmp_path, "v1") as node:
        job = node.slurm.start_job(1)
        node.look()
        node.slurm.end_job(job)
        (node.slurm.cgroupfs / "cpuacct" / "slurm_node001").rename(tmp_path / "gone")

        reading = node.look()

        assert ids(reading) <= {1}
        assert node.look().usages == ()


def test_a_cgroup_file_system_that_may_not_be_read_is_denied() -> None:
    """An operator has to act."""
    with public_directory() as root:
        node = SlurmNode(root)
        node.slurm.start_slurmd()
        node.slurm.cgroupfs.chmod(0)

        with unprivileged(), pytest.raises(SourceDeniedError, match="cgroup"):
            node.source.read()

        node.slurm.cgroupfs.chmod(0o755)
        node.source.close()


def test_a_counter_that_is_garbage_is_faulty(tmp_path: Path) -> None:
    """Missing is not zero: the job is not charged for nothing."""
    with slurm_node(tmp_path, "v2") as node:
        job = node.slurm.start_job(1)
        (node.slurm.directory(job) / "cpu.stat").write_text("usage_usec x\n")

        with pytest.raises(SourceFaultyError, match=r"cpu\.stat"):
            node.source.read()


# --- CPU time -------------------------------------------------------------------------


@_every_layout
def test_jobs_are_reported_with_the_cpu_time_of_the_kernel(
    tmp_path: Path, layout: Layout
) -> None:
    """Two jobs that keep one and two CPUs busy."""
    with slurm_node(tmp_path, layout) as node:
        node.source.read()
        node.slurm.start_job(1, busy_cpus=1.0)
        node.slurm.start_job(2, busy_cpus=2.0)

        node.look()
        reading = node.tick(10.0)

        assert usage_of(reading, 1).cpu_s == pytest.approx(41.0)
        assert usage_of(reading, 2).cpu_s == pytest.approx(82.0)


@_every_layout
def test_steps_are_not_added_to_their_job(tmp_path: Path, layout: Layout) -> None:
    """The counter of a cgroup holds all that is below."""
    with slurm_node(tmp_path, layout) as node:
        job = node.slurm.start_job(1)
        for step in range(20):
            node.slurm.add_step(job, str(step), environ(1))
        node.source.read()

        reading = node.look()

        assert usage_of(reading, 1).cpu_s == pytest.approx(31.0)


@_every_layout
def test_a_suspended_job_stays_and_uses_nothing(tmp_path: Path, layout: Layout) -> None:
    """It holds what it reserved; its counter stands still."""
    with slurm_node(tmp_path, layout) as node:
        job = node.slurm.start_job(1, cpus="0-3")
        before = usage_of(node.look(), 1).cpu_s
        job.busy_cpus = 0.0

        usage = usage_of(node.tick(10.0), 1)

        assert usage.cpu_s == before
        assert usage.reserved_cpus == 4.0


def test_tasks_of_an_array_are_jobs_by_their_raw_ids(tmp_path: Path) -> None:
    """As cgroups and SLURM_JOB_ID name them; info tells the array."""
    with slurm_node(tmp_path, "v1") as node:
        for raw, task in ((5, 0), (6, 1), (3, 2)):
            variables = environ(raw, SLURM_ARRAY_JOB_ID=3, SLURM_ARRAY_TASK_ID=task)
            node.slurm.start_job(raw, variables=variables)
        node.look()

        labels = {raw: node.read_labelled(raw).labels for raw in (3, 5, 6)}

        told = {
            raw: (each.job_id, each.info["array_job_id"], each.info["array_task_id"])
            for raw, each in labels.items()
            if each is not None
        }
        assert told == {3: ("3", "3", "2"), 5: ("5", "3", "0"), 6: ("6", "3", "1")}


def test_parts_of_a_heterogeneous_job_are_jobs_that_know_each_other(
    tmp_path: Path,
) -> None:
    """Each component has an id of its own."""
    with slurm_node(tmp_path, "v2") as node:
        for part in (7, 8):
            node.slurm.start_job(part, variables=environ(part, SLURM_HET_JOB_ID=7))
        node.look()

        labels = [node.read_labelled(part).labels for part in (7, 8)]

        assert [each.info["het_job_id"] for each in labels if each] == ["7", "7"]


def test_a_job_on_two_nodes_of_one_machine_is_one_job(tmp_path: Path) -> None:
    """A machine that plays several nodes has a root for each."""
    with slurm_node(tmp_path, "v1") as node:
        cpuacct = node.slurm.cgroupfs / "cpuacct"
        node.slurm.start_job(7, busy_cpus=0)
        other = cpuacct / "slurm_node002" / "uid_1000" / "job_7"
        other.mkdir(parents=True)
        for directory in (other, other.parent, other.parents[1]):
            (directory / "cpuacct.usage").write_text("5000000000\n")

        first = usage_of(node.look(), 7)
        (other / "cpuacct.usage").unlink()
        other.rmdir()
        second = usage_of(node.look(), 7)

        assert first.cpu_s == second.cpu_s == pytest.approx(5.0)


# --- beginning and end ----------------------------------------------------------------


@_every_layout
def test_a_new_job_is_noticed_at_once(tmp_path: Path, layout: Layout) -> None:
    """Not only when everything is looked at again."""
    with slurm_node(tmp_path, layout) as node:
        node.source.read()
        node.slurm.start_job(1)

        assert node.read_job(1).cpu_s == 0.0


@_every_layout
def test_a_job_that_ended_is_not_reported_and_its_group_counts_on(
    tmp_path: Path, layout: Layout
) -> None:
    """What it used last is the group's, less what the others used."""
    with slurm_node(tmp_path, layout) as node:
        job = node.slurm.start_job(1)
        node.slurm.start_job(2)
        node.look()
        for job_id in (1, 2):
            node.read_labelled(job_id)
        (before,) = node.tick().groups
        node.clock.pass_s(0.7)
        node.slurm.end_job(job)

        reading = node.read_until(lambda each: ids(each) == {2})

        (after,) = reading.groups
        assert before.members == (WorkloadId("slurm", "1"), WorkloadId("slurm", "2"))
        assert after.cpu_s - before.cpu_s == pytest.approx(1.4)
        assert after.members == (WorkloadId("slurm", "2"),)


@_every_layout
def test_a_job_that_came_and_went_within_a_tick_is_reported_once(
    tmp_path: Path, layout: Layout
) -> None:
    """With its user's cgroup around it in version 1, if it was the only one."""
    with slurm_node(tmp_path, layout) as node:
        drop(node.drops, 9, SLURM_JOB_USER="alice", SLURM_JOB_ACCOUNT="physics")
        (before,) = node.source.read().groups
        job = node.slurm.start_job(9, uid=4242)
        wait_watched(node.slurm.directory(job).parent)
        node.slurm.spend(job, 0.4)
        node.slurm.end_job(job)

        reading = node.read_until(lambda each: bool(each.usages))

        (usage,) = reading.usages
        (group,) = reading.groups
        assert usage.cpu_s is None
        assert group.members == (usage.workload,)
        assert group.cpu_s - before.cpu_s == pytest.approx(0.4)
        if layout != "sluid":
            assert usage.workload.key == "9"


def test_a_job_whose_drop_file_is_gone_too_still_has_its_labels(
    tmp_path: Path,
) -> None:
    """The Epilog removes the file as soon as the job has ended."""
    with slurm_node(tmp_path, "v1") as node:
        node.drops.mkdir(parents=True)
        node.source.read()
        path = drop(node.drops, 9, SLURM_JOB_USER="alice", SLURM_JOB_NAME="short")
        job = node.slurm.start_job(9)
        wait_watched(node.slurm.directory(job).parent)
        node.slurm.end_job(job)
        reading = node.read_until(lambda each: bool(each.usages))
        path.unlink()

        (usage,) = reading.usages

        assert usage.labels is not None
        assert usage.labels.user == "alice"
        assert usage.labels.info["name"] == "short"


def test_a_job_that_ended_before_its_labels_were_known_says_farewell(
    tmp_path: Path,
) -> None:
    """Its joules belong to a tenant, so the labels come after it; nothing else."""
    with slurm_node(tmp_path, "v1") as node:
        node.source.read()
        job = node.slurm.start_job(3, uid=4242, step=None, cpus="0-1")
        first = node.read_job(3)
        node.slurm.end_job(job)

        readings = [node.read_until(lambda each: usage_of(each, 3).cpu_s is None)]
        while readings[-1].usages:
            readings.append(node.tick())

        assert first.labels is None
        usages = [usage_of(each, 3) for each in readings if each.usages]
        labels = usages[-1].labels
        assert labels is not None
        assert labels.user == "user4242"
        assert len(usages) <= 3
        # What it used and held last is charged with the first farewell alone.
        assert [bool(each.groups[0].members) for each in readings] == [
            index == 0 for index in range(len(readings))
        ]
        assert all(usage.reserved_cpus == 0 for usage in usages[1:])


@_every_layout
def test_a_requeued_job_goes_on_under_the_same_identity(
    tmp_path: Path, layout: Layout
) -> None:
    """Same id, new cgroup, which counts from 0."""
    with slurm_node(tmp_path, layout) as node:
        job = node.slurm.start_job(1)
        node.look()
        first = node.read_labelled(1).workload
        node.slurm.end_job(job)
        node.read_until(lambda each: not each.usages)
        node.slurm.start_job(1)

        again = node.read_labelled(1)

        assert again.workload == first
        assert again.cpu_s == pytest.approx(0.0)


@_every_layout
def test_a_job_requeued_within_a_tick_counts_on(tmp_path: Path, layout: Layout) -> None:
    """The reader must not go on reading the old cgroup's open file."""
    with slurm_node(tmp_path, layout) as node:
        drop(node.drops, 1, SLURM_JOB_SLUID=sluid_of(1))
        job = node.slurm.start_job(1)
        node.look()
        node.read_labelled(1)
        node.slurm.end_job(job)
        again = node.slurm.start_job(1, busy_cpus=0)
        node.slurm.spend(again, 0.25)

        reading = node.look()

        assert usage_of(reading, 1).cpu_s == pytest.approx(31.25)


def test_a_requeued_job_is_looked_at_anew(tmp_path: Path) -> None:
    """Other GPUs, other CPUs: nothing of the last run holds."""
    with slurm_node(tmp_path, "v1") as node:
        job = node.slurm.start_job(1, cpus="0-3")
        node.look()
        node.read_labelled(1)
        node.slurm.end_job(job)
        node.slurm.start_job(1, cpus="0")

        reading = node.look()

        assert usage_of(reading, 1).reserved_cpus == 1.0


# --- groups ---------------------------------------------------------------------------


def test_what_slurmd_uses_is_no_job_s(tmp_path: Path) -> None:
    """In version 2 it runs beside the jobs, below the same cgroup."""
    with slurm_node(tmp_path, "v2") as node:
        node.slurm.daemon_cpus = 3.0
        node.slurm.start_job(1)
        (before,) = node.look().groups

        (after,) = node.tick(10.0).groups

        assert after.cpu_s - before.cpu_s == pytest.approx(10.0)


def test_a_group_never_falls_when_its_cgroups_go(tmp_path: Path) -> None:
    """A restart of slurmd: what ended jobs used stays used."""
    with slurm_node(tmp_path, "v2") as node:
        node.slurm.daemon_cpus = 1.0
        job = node.slurm.start_job(1)
        node.look()
        node.slurm.end_job(job)
        (before,) = node.look().groups
        scope = node.slurm.cgroupfs / "system.slice" / "node001_slurmstepd.scope"
        scope.rename(tmp_path / "gone")

        reading = node.look()

        assert reading.groups == ()
        node.slurm.start_slurmd()
        (after,) = node.look().groups
        assert after.cpu_s >= before.cpu_s - 1e-6


def test_without_a_cpu_counter_jobs_are_known_and_it_is_told(tmp_path: Path) -> None:
    """They still hold GPUs; the remedy is one line of slurm.conf."""
    with slurm_node(tmp_path, "v1", counts_cpu=False) as node:
        job = node.slurm.start_job(1)

        reading = node.look()

        assert usage_of(reading, 1).cpu_s is None
        assert reading.groups == ()
        assert "jobacct_gather/cgroup" in node.source.doubt
        assert dict(node.source.doubts) == {"uncounted": 1}
        node.read_labelled(1)
        node.slurm.end_job(job)
        assert node.read_until(lambda each: not each.usages).usages == ()


# --- names by SLUID -------------------------------------------------------------------


def test_a_job_named_by_sluid_waits_for_its_id(tmp_path: Path) -> None:
    """Till then it is no member of the group, and nobody is charged for it."""
    with slurm_node(tmp_path, "sluid") as node:
        node.source.read()
        node.slurm.start_job(8)
        node.read_job(8)
        job = node.slurm.start_job(7, step=None)
        first = node.look()
        second = node.tick()
        node.slurm.add_step(job, "batch", environ(7))
        third = node.tick()

        assert ids(first) == ids(second) == {8}
        assert ids(third) == {7, 8}
        (before,), (after,), (last,) = first.groups, second.groups, third.groups
        assert after.cpu_s - before.cpu_s == pytest.approx(1.0)
        assert last.cpu_s - after.cpu_s == pytest.approx(
            1.0 + (usage_of(third, 7).cpu_s or 0.0)
        )


def test_the_drop_file_names_a_job_at_once(tmp_path: Path) -> None:
    """The Prolog knows both names, before the job begins."""
    with slurm_node(tmp_path, "sluid") as node:
        node.source.read()
        job = node.slurm.start_job(7, step=None)
        sluid = job.path.rpartition("/")[2]
        drop(node.drops, 7, SLURM_JOB_SLUID=sluid)

        assert node.read_job(7).cpu_s == 0.0


def test_a_job_without_any_id_is_known_by_its_sluid(tmp_path: Path) -> None:
    """Better a strange name than energy of nobody."""
    with slurm_node(tmp_path, "sluid") as node:
        node.source.read()
        job = node.slurm.start_job(7, step=None)
        sluid = job.path.rpartition("/")[2]
        node.look()

        (usage,) = node.tick(5.0).usages

        assert usage.workload.key == sluid
        assert usage.labels is not None
        assert usage.labels.job_id == sluid


def test_a_job_by_sluid_on_two_nodes_of_one_machine_is_one_job(
    tmp_path: Path,
) -> None:
    """Its processes tell the same id in both roots."""
    with slurm_node(tmp_path, "sluid") as node:
        node.slurm.start_job(7, busy_cpus=0)
        job = node.slurm.start_job(8, busy_cpus=0, variables=environ(7))
        node.slurm.spend(job, 5.0)
        scope = node.slurm.cgroupfs / "system.slice" / "node002_slurmstepd.scope"
        scope.mkdir()
        (scope / "cpu.stat").write_text("usage_usec 5000000\n")
        node.slurm.directory(job).rename(scope / "s0000000000009")

        (usage,) = node.look().usages

        assert usage.workload.key == "7"
        assert usage.cpu_s == pytest.approx(5.0)


def test_a_job_cannot_take_the_id_of_another(tmp_path: Path) -> None:
    """A user may put any id into the environment of a process."""
    with slurm_node(tmp_path, "sluid") as node:
        node.slurm.start_job(7)
        node.look()
        thief = node.slurm.start_job(8, variables=environ(7))

        reading = node.look()

        keys = {usage.workload.key for usage in reading.usages}
        assert keys == {"7", thief.path.rpartition("/")[2]}


# --- without inotify ------------------------------------------------------------------


def _no_inotify() -> Inotify:
    raise OSError(24, "Too many open files")


class _FullInotify(Inotify):
    """An instance that may not watch anything more."""

    def watch(self, directory: Path) -> int:
        raise OSError(28, "No space left on device", str(directory))


class _ForgetfulInotify(Inotify):
    """An instance whose queue has always overflowed."""

    def read(self) -> list[Event]:
        lost = Event(-1, "", is_there=False, is_over=False)
        return [lost] if super().read() else []


@pytest.mark.parametrize("open_inotify", [_no_inotify, _FullInotify])
def test_without_watches_jobs_are_found_by_looking(
    tmp_path: Path, open_inotify: Callable[[], Inotify]
) -> None:
    """Limits of a busy node are no reason to see nothing."""
    with slurm_node(tmp_path, "v1", open_inotify=open_inotify) as node:
        node.source.read()
        job = node.slurm.start_job(1)

        assert ids(node.tick()) == {1}

        node.tick(10.0)
        node.slurm.end_job(job)
        node.tick()
        assert node.tick().usages == ()


@pytest.mark.parametrize("open_inotify", [_no_inotify, _FullInotify])
def test_without_watches_a_prolog_s_directory_is_looked_for_in_each_tick(
    tmp_path: Path, open_inotify: Callable[[], Inotify]
) -> None:
    """Nobody else tells that the first job after a boot begins."""
    node = SlurmNode(tmp_path, "v1", open_inotify=open_inotify)
    with pytest.raises(SourceAbsentError):
        node.source.read()
    node.drops.mkdir(parents=True)

    assert node.source.read().usages == ()

    node.source.close()


def test_lost_events_make_it_look_again(tmp_path: Path) -> None:
    """The kernel's queue has a bound."""
    with slurm_node(tmp_path, "v2", open_inotify=_ForgetfulInotify) as node:
        node.source.read()
        node.slurm.start_job(1)

        assert node.read_job(1).cpu_s == 0.0


# --- many jobs ------------------------------------------------------------------------


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@_every_layout
def test_hundreds_of_jobs_leave_nothing_behind(tmp_path: Path, layout: Layout) -> None:
    """Ended jobs keep no file open and no memory taken."""
    with slurm_node(tmp_path, layout) as node:
        node.look()
        node.look()
        before = _open_files()
        for first in range(1, 201, 20):
            jobs = [node.slurm.start_job(first + n) for n in range(20)]
            node.look()
            for job in jobs:
                node.slurm.end_job(job)
            node.look()
            node.look()

        assert node.look().usages == ()
        # The thread that looks around opens directories for a moment.
        wait_until(lambda: _open_files() <= before, "no file is left open", 60)
        assert len(node.source._jobs) == 0
        assert node.source._search._waiting == {}


def test_more_jobs_than_files_may_be_open_are_read(tmp_path: Path) -> None:
    """The limit of open files is no limit of jobs."""
    with slurm_node(tmp_path, "v1", budget=FileBudget(10)) as node:
        node.look()
        before = _open_files()
        for job_id in range(1, 41):
            node.slurm.start_job(job_id)
        node.look()

        reading = node.tick()

        assert len(reading.usages) == 40
        assert all(u.cpu_s == pytest.approx(32.0) for u in reading.usages)
        assert _open_files() <= before + 10


def test_closing_closes_every_file_and_ends_the_thread(tmp_path: Path) -> None:
    """A daemon may build the source anew."""
    before = _open_files()
    with slurm_node(tmp_path, "v2") as node:
        node.slurm.start_job(1)
        node.look()

    assert _open_files() == before
