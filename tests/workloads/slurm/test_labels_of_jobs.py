"""Who a job belongs to, and what is told of it, and by whom it is believed."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.core.workload import WorkloadLabels
from exporter.workloads.labels import UserNaming
from exporter.workloads.slurm.job import LABELS_WAIT_S
from exporter.workloads.users import UserNames
from tests.fakes.cgroups import drop, encode, environ
from tests.fakes.slurm_node import LONGEST_S, SlurmNode, ids, slurm_node, usage_of
from tests.fakes.unprivileged import public_directory, unprivileged


def _labels(node: SlurmNode, job_id: int) -> WorkloadLabels:
    labels = node.read_labelled(job_id).labels
    assert labels is not None
    return labels


# --- sources of labels ----------------------------------------------------------------


def test_an_environment_tells_who_and_what_without_any_prolog(tmp_path: Path) -> None:
    """A site that installs nothing but the daemon."""
    with slurm_node(tmp_path, "v2") as node:
        node.source.read()
        node.slurm.start_job(7, uid=1001, variables=environ(7, SLURM_JOB_ACCOUNT="bio"))

        labels = _labels(node, 7)

        assert labels == WorkloadLabels(
            job_id="7",
            user="user1001",
            account="bio",
            partition="batch",
            info={"name": "job-7", "node_list": "node001"},
        )


def test_the_prolog_is_believed_before_the_environment(tmp_path: Path) -> None:
    """A user can set any variable, and so let others pay."""
    with slurm_node(tmp_path, "v2") as node:
        node.source.read()
        drop(
            node.drops,
            7,
            SLURM_JOB_USER="alice",
            SLURM_JOB_ACCOUNT="physics",
            SLURM_JOB_NAME="honest",
        )
        forged = environ(
            7, SLURM_JOB_USER="bob", SLURM_JOB_ACCOUNT="bio", SLURM_JOB_NAME="x"
        )
        node.slurm.start_job(7, variables=forged)

        labels = _labels(node, 7)

        assert (labels.user, labels.account) == ("alice", "physics")
        assert labels.info["name"] == "honest"


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_a_user_cannot_be_somebody_else_by_environment(
    tmp_path: Path, layout: str
) -> None:
    """The kernel knows whose processes they are; in version 1 the path as well."""
    with slurm_node(tmp_path, layout) as node:  # type: ignore[arg-type]
        node.source.read()
        forged = environ(7, SLURM_JOB_USER="bob", SLURM_JOB_UID=1002)
        node.slurm.start_job(7, uid=1001, variables=forged)

        assert _labels(node, 7).user == "user1001"


def test_a_user_whom_nobody_knows_is_called_as_slurm_does(tmp_path: Path) -> None:
    """A container has no database of users."""
    with slurm_node(tmp_path, "v1") as node:
        node.source.read()
        told = environ(7, SLURM_JOB_USER="carol")
        node.slurm.start_job(7, uid=70_001, variables=told)
        node.slurm.start_job(8, uid=70_002)

        assert _labels(node, 7).user == "carol"
        assert _labels(node, 8).user == "70002"


def test_what_slurm_leaves_out_is_empty(tmp_path: Path) -> None:
    """It says (null) for what does not exist."""
    with slurm_node(tmp_path, "v1") as node:
        node.source.read()
        variables = environ(7, SLURM_JOB_ACCOUNT="(null)", SLURM_ARRAY_JOB_ID="")
        node.slurm.start_job(7, variables=variables)

        labels = _labels(node, 7)

        assert labels.account == ""
        assert "array_job_id" not in labels.info


def test_slurmstepd_is_not_taken_for_the_job(tmp_path: Path) -> None:
    """Its processes run in the job's cgroup, with the environment of slurmd."""
    with slurm_node(tmp_path, "v2") as node:
        node.source.read()
        job = node.slurm.start_job(7, step=None)
        node.read_job(7)
        node.slurm.add_step(job, "0", environ(8))
        node.slurm.add_step(job, "1", environ(7, SLURM_JOB_ACCOUNT="right"))

        node.tick()

        assert _labels(node, 7).account == "right"


# --- when -----------------------------------------------------------------------------


def test_labels_wait_for_the_first_process_but_not_for_long(tmp_path: Path) -> None:
    """The ledger freezes them after 5 s; incomplete ones still have the user."""
    with slurm_node(tmp_path, "v1") as node:
        drop(node.drops, 7, SLURM_JOB_PARTITION="gpu")
        node.know_user(1001)
        node.source.read()
        node.slurm.start_job(7, uid=1001, step=None)
        node.read_job(7)
        node.tick(1.0)
        waiting = usage_of(node.tick(2.5), 7).labels

        after = usage_of(node.tick(0.6), 7).labels

        assert waiting is None
        assert after == WorkloadLabels("7", user="user1001", partition="gpu")


def test_a_name_that_comes_late_is_told_late(tmp_path: Path) -> None:
    """Slurm may take its time between the Prolog and the first process of a job."""
    with slurm_node(tmp_path, "v1") as node:
        node.source.read()
        drop(node.drops, 7, SLURM_JOB_USER="alice")
        job = node.slurm.start_job(7, uid=1001, step=None)
        node.read_job(7)
        node.tick(LABELS_WAIT_S)
        without = _labels(node, 7)

        node.slurm.add_step(job, "batch", environ(7, SLURM_JOB_ACCOUNT="bio"), uid=1001)
        node.tick(60.0)
        named = _labels(node, 7)

        assert without == WorkloadLabels(job_id="7", user="alice")
        assert named == replace(without, info={"name": "job-7", "node_list": "node001"})


def test_a_drop_file_that_tells_all_needs_no_process(tmp_path: Path) -> None:
    """Newer Prologs know the name: no wait, and no capability."""
    with slurm_node(tmp_path, "v2") as node:
        drop(node.drops, 7, SLURM_JOB_USER="alice", SLURM_JOB_NAME="train")
        node.source.read()
        node.slurm.start_job(7, step=None)

        labels = node.read_job(7).labels

        assert labels is not None
        assert labels.user == "alice"


def test_labels_do_not_change_once_they_are_told(tmp_path: Path) -> None:
    """A counter whose labels change is another series."""
    with slurm_node(tmp_path, "v1") as node:
        node.source.read()
        node.slurm.start_job(7)
        before = _labels(node, 7)
        drop(node.drops, 7, SLURM_JOB_USER="late")

        assert usage_of(node.look(), 7).labels is before


def test_a_directory_server_that_hangs_costs_a_name_not_a_tick(tmp_path: Path) -> None:
    """LDAP may take as long as it likes."""
    answer = threading.Event()

    def lookup(_uid: int) -> str | None:
        answer.wait(LONGEST_S)
        return None

    with slurm_node(tmp_path, "v1", users=UserNames(lookup)) as node:
        node.source.read()
        node.slurm.start_job(7, uid=1001)
        node.read_job(7)

        labels = usage_of(node.tick(4.0), 7).labels
        answer.set()

        assert labels is not None
        assert labels.user == "1001"


def test_without_the_capability_it_is_said_once_and_the_rest_is_told() -> None:
    """Only the operator can grant CAP_SYS_PTRACE; jobs need not wait for him."""
    with public_directory() as root, slurm_node(root, "v1") as node:
        drop(node.drops, 7, SLURM_JOB_USER="alice")
        for job_id in (7, 8):
            job = node.slurm.start_job(job_id, uid=1001)
            for pid in job.pids:
                (node.slurm.procfs / str(pid) / "environ").chmod(0)
        with unprivileged():
            seven, eight = (_labels(node, job_id) for job_id in (7, 8))
            for _ in range(5):
                node.clock.pass_s(20.0)
                node.source.read()

        assert seven.user == "alice"
        assert eight.user == "user1001"
        assert dict(node.source.doubts) == {"denied": 1}
        assert "CAP_SYS_PTRACE" in node.source.doubt


# --- reservations and times -----------------------------------------------------------


def test_limits_of_the_cgroup_are_believed_before_the_environment(
    tmp_path: Path,
) -> None:
    """The kernel enforces them."""
    with slurm_node(tmp_path, "v1") as node:
        node.source.read()
        told = environ(7, SLURM_CPUS_ON_NODE=64, SLURM_MEM_PER_NODE=64_000)
        node.slurm.start_job(7, variables=told, cpus="0-3", memory_limit=1 << 30)

        usage = node.read_labelled(7)

        assert usage.reserved_cpus == 4.0
        assert usage.reserved_memory_bytes == 1 << 30


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_without_limits_the_environment_tells_what_is_reserved(
    tmp_path: Path, layout: str
) -> None:
    """Not every site confines its jobs."""
    with slurm_node(tmp_path, layout) as node:  # type: ignore[arg-type]
        node.source.read()
        told = environ(7, SLURM_JOB_CPUS_PER_NODE="4", SLURM_MEM_PER_CPU=500)
        node.slurm.start_job(7, variables=told)

        usage = node.read_labelled(7)

        assert usage.reserved_cpus == 4.0
        assert usage.reserved_memory_bytes == 4 * 500 * (1 << 20)


def test_memory_follows_the_job(tmp_path: Path) -> None:
    """Read every few seconds: the file is long."""
    with slurm_node(tmp_path, "v2") as node:
        node.source.read()
        job = node.slurm.start_job(7)
        first = node.read_labelled(7).memory_bytes
        job.memory_bytes = 7 << 30

        later = usage_of(node.tick(6.0), 7).memory_bytes

        assert first == 1 << 20
        assert later == 7 << 30


def test_start_and_limit_come_from_slurm_if_it_tells_them(tmp_path: Path) -> None:
    """What progress and projections are computed from."""
    with slurm_node(tmp_path, "v2") as node:
        node.source.read()
        told = environ(
            7, SLURM_JOB_START_TIME=1_700_000_000, SLURM_JOB_END_TIME=1_700_003_600
        )
        node.slurm.start_job(7, variables=told)

        usage = node.read_labelled(7)

        assert usage.start_unix_s == 1_700_000_000.0
        assert usage.time_limit_s == 3600.0


def test_else_a_job_began_with_its_prolog_or_its_cgroup(tmp_path: Path) -> None:
    """Older releases tell no times."""
    with slurm_node(tmp_path, "v1") as node:
        node.source.read()
        path = drop(node.drops, 7, SLURM_JOB_USER="alice")
        node.slurm.start_job(7)
        eight = node.slurm.start_job(8)
        made_s = node.slurm.directory(eight).stat().st_mtime

        starts = [node.read_labelled(job_id).start_unix_s for job_id in (7, 8)]

        assert starts[0] == path.stat().st_mtime
        assert starts[1] == pytest.approx(made_s, abs=5.0)


# --- privacy and bounds ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("naming", "user"),
    [
        (UserNaming("none"), ""),
        (UserNaming("hash", b"k" * 16), UserNaming("hash", b"k" * 16).label("user7")),
    ],
)
def test_users_are_told_as_the_site_wishes(
    tmp_path: Path, naming: UserNaming, user: str
) -> None:
    """Some sites may not show who runs what."""
    with slurm_node(tmp_path, "v1", naming=naming) as node:
        node.source.read()
        node.slurm.start_job(1, uid=7)

        labels = _labels(node, 1)

        assert labels.user == user
        assert "user7" not in repr(labels)


@given(
    name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    noise=st.binary(max_size=200),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_name_of_a_job_breaks_its_labels(
    tmp_path_factory: pytest.TempPathFactory, name: str, noise: bytes
) -> None:
    """Quotes, line ends, terabytes and garbage."""
    with slurm_node(tmp_path_factory.mktemp("node"), "v1") as node:
        node.source.read()
        job = node.slurm.start_job(7)
        data = encode(environ(7) | {"SLURM_JOB_NAME": name}) + noise
        node.slurm.write_environ(job.pids[-1], data)

        labels = _labels(node, 7)

        told = labels.info.get("name", "")
        assert len(told) <= 256
        assert told.encode("utf-8").decode("utf-8") == told
        if len(name) <= 256 and name.strip() == name and name != "(null)":
            assert told == name


def test_garbage_in_place_of_an_environment_costs_the_labels_alone(
    tmp_path: Path,
) -> None:
    """The job and its joules are told all the same."""
    with slurm_node(tmp_path, "v1") as node:
        node.know_user(1001)
        node.source.read()
        job = node.slurm.start_job(7, uid=1001)
        node.slurm.write_environ(job.pids[-1], b"\xff" * 5000)
        node.read_job(7)

        reading = node.tick(4.0)

        assert ids(reading) == {7}
        assert usage_of(reading, 7).labels == WorkloadLabels("7", user="user1001")
