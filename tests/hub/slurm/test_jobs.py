import json

import pytest

from exporter.carbon.errors import NonsenseError, UnavailableError
from exporter.hub.slurm.jobs import SlurmJob, parse_jobs
from tests.fakes.slurm_rest import answer, new_row, old_row


def test_a_job_of_slurm_22_05_is_read() -> None:
    """Numbers are numbers there, or null."""
    (job,) = parse_jobs(answer(old_row()))

    assert job == SlurmJob(
        job_id="2",
        name="train",
        user="alice",
        uid=1001,
        account="physics",
        partition="batch",
        array_job_id="",
        array_task_id="",
        het_job_id="",
        node_list="n[01-02]",
        nodes=("n01", "n02"),
        start_unix_s=1_795_333_222.0,
        time_limit_s=300.0,
        state="RUNNING",
    )


def test_a_job_of_a_later_version_is_read_alike() -> None:
    """Numbers are objects there, and a state is a list."""
    assert parse_jobs(answer(new_row())) == parse_jobs(answer(old_row()))


def test_a_task_of_an_array_names_its_array() -> None:
    """Its first task has number 0, which is one."""
    (old,) = parse_jobs(answer(old_row(array_job_id=1, array_task_id=0)))
    number = {"set": True, "infinite": False, "number": 0}
    array = {"set": True, "infinite": False, "number": 1}
    (new,) = parse_jobs(answer(new_row(array_job_id=array, array_task_id=number)))

    assert (old.array_job_id, old.array_task_id) == ("1", "0")
    assert (new.array_job_id, new.array_task_id) == ("1", "0")


@pytest.mark.parametrize(
    "limit",
    [
        None,
        0,
        -1,
        "5",
        True,
        1e300,
        {"set": False, "infinite": False, "number": 5},
        {"set": True, "infinite": True, "number": 0},
        {"set": True},
    ],
)
def test_a_job_without_a_limit_has_none(limit: object) -> None:
    """Unlimited is not 0, nor is what cannot be read."""
    (job,) = parse_jobs(answer(old_row(time_limit=limit)))

    assert job.time_limit_s is None


@pytest.mark.parametrize(
    "row",
    [
        old_row(job_state="PENDING"),
        old_row(job_state="COMPLETED"),
        new_row(job_state=["PENDING", "REQUEUED"]),
        old_row(job_state=None),
        old_row(start_time=0),
        old_row(start_time="soon"),
        old_row(nodes=None),
        old_row(nodes="n[1-"),
        old_row(job_id=0),
        old_row(job_id=10**12),
        "no object",
    ],
)
def test_what_holds_no_nodes_or_cannot_be_read_is_left_out(row: object) -> None:
    """And the others are told."""
    jobs = parse_jobs(answer(row, old_row(job_id=3)))

    assert [job.job_id for job in jobs] == ["3"]


def test_texts_are_made_short_and_can_be_written_out() -> None:
    """Users call their jobs what they like, half a character included."""
    body = answer(old_row(name="x" * 9999, account="(null)")).replace(
        '"alice"', '"al\\ud800ice"'
    )

    (job,) = parse_jobs(body)

    assert len(job.name) == 256
    assert job.account == ""
    assert job.user == "al?ice"


def test_no_jobs_are_no_error() -> None:
    """A cluster may be empty."""
    assert parse_jobs(answer()) == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"jobs": {}}',
        '{"jobs": [{"name": "a"}]}',
        '{"jobs": [{"job_id": NaN}]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_such_answer_is_nonsense(body: str) -> None:
    """An empty list would say that all jobs had ended."""
    with pytest.raises(NonsenseError):
        parse_jobs(body)


def test_an_error_in_place_of_jobs_is_no_empty_cluster() -> None:
    """It is how slurmrestd says that slurmctld is away."""
    body = json.dumps({"errors": [{"error": "t0ken"}], "jobs": []})

    with pytest.raises(UnavailableError) as told:
        parse_jobs(body)

    assert "t0ken" not in str(told.value)
