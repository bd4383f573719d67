"""What the hub tells of a job, and when it is not believed."""

import time
from pathlib import Path

import pytest

from exporter.core.units import Seconds
from exporter.core.workload import WorkloadLabels
from exporter.workloads.slurm.hub_jobs import HubJob, HubJobs
from exporter.workloads.slurm.job import LABELS_WAIT_S
from tests.fakes.cgroups import drop, environ
from tests.fakes.slurm_node import SlurmNode, slurm_node, usage_of

_FACTS = {
    "SLURM_JOB_NAME": "train",
    "SLURM_JOB_USER": "alice",
    "SLURM_JOB_ACCOUNT": "physics",
    "SLURM_JOB_PARTITION": "gpu",
    "SLURM_ARRAY_JOB_ID": "5",
    "SLURM_ARRAY_TASK_ID": "0",
    "SLURM_JOB_NODELIST": "n[01-02]",
}
_INFO = {
    "name": "train",
    "array_job_id": "5",
    "array_task_id": "0",
    "node_list": "n[01-02]",
}


def _hub(**jobs: HubJob) -> HubJobs:
    hub_jobs = HubJobs()
    hub_jobs.answers = True
    _tell(hub_jobs, **jobs)
    return hub_jobs


def _tell(hub_jobs: HubJobs, **jobs: HubJob) -> None:
    hub_jobs.by_id = {name.removeprefix("job"): job for name, job in jobs.items()}


def _job(
    *,
    started_s: float = 300.0,
    uid: int | None = 1001,
    limit_s: float | None = 36_000.0,
    facts: dict[str, str] | None = None,
) -> HubJob:
    """Return a job that started so long ago."""
    return HubJob(
        _FACTS if facts is None else facts,
        uid,
        Seconds(time.time() - started_s),
        None if limit_s is None else Seconds(limit_s),
    )


def _late_labels(node: SlurmNode) -> WorkloadLabels:
    labels = usage_of(node.tick(LABELS_WAIT_S), 7).labels
    assert labels is not None
    return labels


def test_what_comes_in_time_becomes_the_labels(tmp_path: Path) -> None:
    """Neither a Prolog nor an environment told anything."""
    hub_jobs = _hub()
    with slurm_node(tmp_path, "v1", hub_jobs=hub_jobs) as node:
        node.source.read()
        node.slurm.start_job(7, uid=1001, step=None)
        waiting = node.read_job(7).labels
        _tell(hub_jobs, job7=_job())

        labels = node.read_labelled(7).labels

        assert waiting is None
        assert labels == WorkloadLabels("7", "alice", "physics", "gpu", info=_INFO)


def test_what_comes_late_only_describes_the_job(tmp_path: Path) -> None:
    """A counter whose labels change is another series."""
    hub_jobs = _hub()
    with slurm_node(tmp_path, "v1", hub_jobs=hub_jobs) as node:
        node.know_user(1001)
        node.source.read()
        node.slurm.start_job(7, uid=1001, step=None)
        node.read_job(7)
        before = _late_labels(node)
        _tell(hub_jobs, job7=_job())

        usage = usage_of(node.tick(), 7)

        assert before == WorkloadLabels("7", "user1001")
        assert usage.labels == WorkloadLabels("7", "user1001", info=_INFO)
        assert usage.time_limit_s == pytest.approx(36_000.0, abs=3600.0)


def test_who_is_on_the_node_is_believed_first(tmp_path: Path) -> None:
    """Its word came first, and cannot be of another cluster."""
    hub_jobs = _hub(job7=_job())
    with slurm_node(tmp_path, "v1", hub_jobs=hub_jobs) as node:
        drop(node.drops, 7, SLURM_JOB_USER="bob", SLURM_JOB_ACCOUNT="bio")
        node.source.read()
        node.slurm.start_job(7, uid=1001, variables=environ(7))

        labels = node.read_labelled(7).labels

        assert labels is not None
        assert (labels.user, labels.account) == ("bob", "bio")
        assert (labels.partition, labels.info["name"]) == ("batch", "job-7")
        assert labels.info["array_job_id"] == "5"


def test_a_user_cannot_be_somebody_else_if_the_hub_knows_better(
    tmp_path: Path,
) -> None:
    """Their environment is theirs to change."""
    hub_jobs = _hub(job7=_job(uid=70_001))
    with slurm_node(tmp_path, "v1", hub_jobs=hub_jobs) as node:
        node.source.read()
        forged = environ(7, SLURM_JOB_USER="bob")
        node.slurm.start_job(7, uid=70_001, variables=forged)

        labels = node.read_labelled(7).labels

        assert labels is not None
        assert labels.user == "alice"


@pytest.mark.parametrize(
    "other",
    [
        _job(uid=1002),
        _job(started_s=-7 * 86400.0),
        _job(started_s=7 * 86400.0),
    ],
    ids=["another user", "a later run", "an earlier run"],
)
def test_what_is_of_another_job_of_that_id_is_not_taken(
    tmp_path: Path, other: HubJob
) -> None:
    """Another cluster has the same ids, and so has a cluster that begins again."""
    with slurm_node(tmp_path, "v1", hub_jobs=_hub(job7=other)) as node:
        node.know_user(1001)
        node.source.read()
        node.slurm.start_job(7, uid=1001, step=None)
        node.read_job(7)

        labels = _late_labels(node)

        assert labels == WorkloadLabels("7", "user1001")
        assert usage_of(node.tick(), 7).time_limit_s is None


def test_a_requeued_job_does_not_get_the_word_of_its_last_run(tmp_path: Path) -> None:
    """The hub still tells that one for a while."""
    hub_jobs = _hub(job7=_job())
    with slurm_node(tmp_path, "v1", hub_jobs=hub_jobs) as node:
        node.source.read()
        first = node.slurm.start_job(7, uid=1001, variables=environ(7))
        before = node.read_labelled(7)
        node.slurm.end_job(first)
        node.slurm.start_job(7, uid=1001, variables=environ(7))
        node.look()

        after = usage_of(node.tick(), 7)

        assert before.time_limit_s is not None
        assert after.time_limit_s is None


def test_a_limit_that_was_changed_is_taken_over(tmp_path: Path) -> None:
    """An operator gave the job more time."""
    hub_jobs = _hub(job7=_job())
    with slurm_node(tmp_path, "v1", hub_jobs=hub_jobs) as node:
        node.source.read()
        node.slurm.start_job(7, uid=1001)
        node.read_labelled(7)
        _tell(hub_jobs, job7=_job(limit_s=72_000.0))

        usage = usage_of(node.tick(), 7)

        assert usage.time_limit_s == pytest.approx(72_000.0, abs=3600.0)


def test_the_hub_is_asked_for_a_job_that_nobody_names(tmp_path: Path) -> None:
    """And not for one that its environment names."""
    hub_jobs = _hub()
    wishes: list[int] = []
    hub_jobs.on_wish(lambda: wishes.append(1))
    with slurm_node(tmp_path, "v1", hub_jobs=hub_jobs) as node:
        node.source.read()
        assert not hub_jobs.has_jobs
        node.slurm.start_job(7, uid=1001, step=None)
        node.read_job(7)
        node.tick()
        once = len(wishes)
        hub_jobs.take_wish()
        node.tick()

        assert (once, len(wishes)) == (1, 2)
        assert hub_jobs.has_jobs


def test_nothing_waits_for_a_hub_that_is_away(tmp_path: Path) -> None:
    """Who may not read environments has labels at once, as without a hub."""
    hub_jobs = HubJobs()
    with slurm_node(tmp_path, "v1", hub_jobs=hub_jobs) as node:
        drop(node.drops, 7, SLURM_JOB_USER="bob", SLURM_JOB_NAME="x")
        node.source.read()
        node.slurm.start_job(7, uid=1001, step=None)

        assert node.read_job(7).labels is not None
