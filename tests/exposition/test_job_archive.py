import asyncio
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from exporter.core.archive import JobArchive, JobPage, JobQuery
from exporter.core.errors import ArchiveError
from exporter.core.workload import GpuUse
from exporter.exposition.archive_desk import ArchiveDesk
from exporter.exposition.http import create_app
from exporter.pipeline.archive_db import kept_text
from exporter.pipeline.archive_reader import ArchiveReader
from tests.fakes.asgi import Asker
from tests.fakes.node import labels
from tests.fakes.records import NASTY, gpu_job, nasty, record, running, write_archive
from tests.fakes.snapshots import FakeReader, changed, rich_snapshot

LONG_S = 60.0
USE = GpuUse(7200.0, 7200.0, 1800.0, 3600.0)


class HangingArchive:
    """Answers when its gate is opened."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def find(self, query: JobQuery) -> JobPage:  # noqa: ARG002 - the port's
        """Find nothing, once the gate is open."""
        self.gate.wait(LONG_S)
        return JobPage((), None)


def node(archive: JobArchive | None) -> Asker:
    """Return a client of a node with this archive."""
    app = create_app(FakeReader(rich_snapshot()), version="1", archive=archive)
    return Asker(app)


@pytest.fixture
def client(tmp_path: Path) -> Asker:
    """Return a client of a node that has known some jobs."""
    records = [
        record("1", estimated_j=360.0, fallback_g=0.1),
        record("2", 20.0, labels=labels("2", user="eve", account="maths")),
        gpu_job("3", USE),
        running("4", energy_j=()),
        nasty(),
    ]
    path = write_archive(tmp_path / "archive.db", records)
    return node(ArchiveReader(path, LONG_S))


def found(client: Asker, **question: object) -> list[str]:
    """Return the ids of the jobs that the archive tells of, in order."""
    answer = client.get(f"/api/v1/jobs?{urlencode(question)}")
    assert answer.status_code == 200, answer.text
    return [job["job_id"] for job in answer.json()["jobs"]]


# --- what it tells ----------------------------------------------------------


def test_without_a_question_the_jobs_of_now_are_told(client: Asker) -> None:
    """As before; the archive is not asked."""
    answer = client.get("/api/v1/jobs").json()

    assert len(answer["jobs"]) == len(rich_snapshot().jobs)
    assert answer["next_cursor"] is None


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"limit": 2}, [kept_text(NASTY), "4"]),
        ({"user": "eve"}, ["2"]),
        ({"account": "maths"}, ["2"]),
        ({"user": NASTY.replace("\udc80", "?")}, [kept_text(NASTY)]),
        ({"since": "2026-03-20T12:01:00", "user": "ada"}, ["4", "3", "1"]),
        ({"until": "2026-03-20T12:01:00"}, ["2"]),
        ({"since": "1s", "until": "now"}, []),
        ({"since": "1774008020", "until": "1774008021"}, ["2"]),
    ],
)
def test_the_archive_is_asked_by_who_and_when(
    client: Asker, question: dict[str, object], expected: list[str]
) -> None:
    """The newest first."""
    assert found(client, **question) == expected


def test_pages_follow_each_other(client: Asker) -> None:
    """Until there are no more."""
    first = client.get("/api/v1/jobs?limit=3").json()
    second = client.get(f"/api/v1/jobs?limit=3&cursor={first['next_cursor']}").json()

    ids = [job["job_id"] for page in (first, second) for job in page["jobs"]]
    assert ids == [kept_text(NASTY), "4", "3", "2", "1"]
    assert second["next_cursor"] is None


def test_a_job_of_the_archive_has_the_fields_of_a_job_of_now(client: Asker) -> None:
    """What only a tick can tell is null."""
    jobs = {
        job["job_id"]: job for job in client.get("/api/v1/jobs?limit=9").json()["jobs"]
    }
    now = client.get("/api/v1/jobs").json()["jobs"][0]

    job = jobs["3"]
    assert job.keys() == now.keys()
    assert job["state"] == "ended"
    assert job["running"] is False
    assert job["energy_j"] == 36_000.0
    assert job["components_j"] == {"cpu": 3000.0, "gpu": 33_000.0}
    assert (job["gpu_held_s"], job["gpu_idle_s"], job["gpu_use_ratio"]) == (
        7200.0,
        3600.0,
        0.25,
    )
    assert job["peak_power_w"] == 55.0
    assert job["power_w"] is job["memory_bytes"] is job["gpus"] is None
    assert jobs["4"]["running"] is True
    assert jobs["4"]["energy_j"] is jobs["4"]["measured_ratio"] is None


def test_a_job_tells_how_well_its_figures_are_known(client: Asker) -> None:
    """The part that was measured, and the part of grams on fallback data."""
    job = client.get("/api/v1/jobs/1").json()

    assert job["estimated_energy_j"] == 360.0
    assert job["measured_ratio"] == pytest.approx(0.9)
    assert job["fallback_emissions_g"] == pytest.approx(0.1)
    assert job["fallback_ratio"] == pytest.approx(0.25)


def test_a_job_of_now_tells_the_same() -> None:
    """And is not looked for in the archive."""
    (first, *_) = rich_snapshot().jobs
    told = changed(first, estimated_j=1.0, peak_power_w=500.0, gpu_use=USE)
    snapshot = changed(rich_snapshot(), jobs=(told,))
    asker = Asker(create_app(FakeReader(snapshot), version="1"))

    job = asker.get(f"/api/v1/jobs/{first.labels.job_id}").json()

    assert job["state"] == "running"
    assert job["last_seen_unix_s"] is None
    assert job["estimated_energy_j"] == 1.0
    assert job["peak_power_w"] == 500.0
    assert job["gpu_use_ratio"] == 0.25


def test_a_job_that_left_long_ago_is_found_in_the_archive(tmp_path: Path) -> None:
    """Of a requeued one the last run; by scheduler, where ids are the same."""
    path = tmp_path / "archive.db"
    last = record("7", created_unix_s=1e9, workload=record("8").workload)
    write_archive(path, [record("7"), changed(last, labels=labels("7", user="eve"))])
    asker = node(ArchiveReader(path, LONG_S))

    assert asker.get("/api/v1/jobs/7").json()["user"] == "eve"
    assert asker.get("/api/v1/jobs/7?scheduler=slurm").status_code == 200
    assert asker.get("/api/v1/jobs/7?scheduler=kubernetes").status_code == 404
    assert asker.get("/api/v1/jobs/8").status_code == 404


def test_nasty_names_can_be_asked_for_and_are_told_whole(client: Asker) -> None:
    """JSON can hold everything, and a value is not a part of the question."""
    name = quote(kept_text(NASTY), safe="")

    job: Any = client.get(f"/api/v1/jobs/{name}").json()

    assert job["user"] == job["info"]["name"] == kept_text(NASTY)


# --- what it refuses --------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("since=yesterday", "since: expected a time such as 7d"),
        ("until=", "until: expected a time such as 7d"),
        ("limit=0", "greater than or equal to 1"),
        ("limit=1001", "less than or equal to 1000"),
        ("limit=many", "valid integer"),
        ("cursor=0", "greater than or equal to 1"),
        ("cursor=99999999999999999999", "less than or equal to"),
        ("usr=ada", "Extra inputs are not permitted"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    client: Asker, question: str, why: str
) -> None:
    """With what would make sense; a misspelt name must not ask for everybody's."""
    answer = client.get(f"/api/v1/jobs?{question}")

    assert answer.status_code == 422
    assert why in answer.text


def test_a_node_without_an_archive_says_so() -> None:
    """Rather than that there were no jobs."""
    asker = node(None)

    answer = asker.get("/api/v1/jobs?since=7d")

    assert answer.status_code == 404
    assert "archive.enabled" in answer.json()["detail"]
    assert asker.get("/api/v1/jobs/none").status_code == 404


def test_an_archive_that_cannot_be_read_is_told_with_the_reason(tmp_path: Path) -> None:
    """All else goes on; and not to know a job is not to know that there is none."""
    asker = node(ArchiveReader(tmp_path / "archive.db", LONG_S))

    for path in ("/api/v1/jobs?since=7d", "/api/v1/jobs/none"):
        answer = asker.get(path)
        assert answer.status_code == 503
        assert "there is no archive" in answer.json()["detail"]
    assert asker.get("/api/v1/jobs").status_code == 200


# --- how it waits -----------------------------------------------------------


def test_a_disk_that_hangs_is_given_up() -> None:
    """The client gets an answer, and the daemon can end."""
    archive = HangingArchive()
    desk = ArchiveDesk(archive, patience_s=0.01)

    with pytest.raises(ArchiveError, match=r"did not answer in 0\.01 s"):
        asyncio.run(desk.find(JobQuery()))

    archive.gate.set()


def test_only_a_few_questions_are_answered_at_a_time() -> None:
    """Each has a thread; whoever asks beyond that is told to come again."""
    archive = HangingArchive()
    desk = ArchiveDesk(archive, patience_s=LONG_S)

    async def ask() -> tuple[list[JobPage], JobPage]:
        waiting = [asyncio.create_task(desk.find(JobQuery())) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ArchiveError, match="ask again in a moment"):
            await desk.find(JobQuery())
        archive.gate.set()
        answers = await asyncio.gather(*waiting)
        return answers, await desk.find(JobQuery())

    answers, later = asyncio.run(ask())

    assert answers == [later, later]


def test_a_question_that_hangs_does_not_hold_the_others() -> None:
    """The loop answers them meanwhile."""
    archive = HangingArchive()
    desk = ArchiveDesk(archive, patience_s=LONG_S)

    async def ask() -> JobPage:
        waiting = asyncio.create_task(desk.find(JobQuery()))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        archive.gate.set()
        return await waiting

    assert asyncio.run(ask()) == JobPage((), None)
