import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.core.archive import JobOrder, JobQuery, JobRecord
from exporter.core.errors import ArchiveError
from exporter.core.workload import GpuUse, WorkloadId, WorkloadLabels
from exporter.pipeline.archive_db import ArchiveDb
from exporter.pipeline.archive_reader import ArchiveReader
from tests.fakes.node import UNIX_S, labels
from tests.fakes.records import (
    NASTY,
    gpu_job,
    nasty,
    record,
    running,
    write_archive,
)
from tests.fakes.snapshots import changed
from tests.fakes.unprivileged import public_directory, unprivileged

LONG_S = 60.0
USE = GpuUse(100.0, 80.0, 40.0, 5.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the archive is, at a place that is no plain URI."""
    directory = tmp_path / "a b?c#d%41é"
    directory.mkdir()
    return directory / "archive.db"


def reader(path: Path, records: Iterable[JobRecord]) -> ArchiveReader:
    """Return a reader of an archive with these records."""
    return ArchiveReader(write_archive(path, records), LONG_S)


def keys(reader: ArchiveReader, query: JobQuery) -> str:
    """Return the keys of what is found, in order."""
    return "".join(one.workload.key for one in reader.find(query).records)


# --- what is found ----------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        record(),
        running(),
        record(state="lost", end_unix_s=None),
        record(energy_j=(), peak_power_w=None, start_unix_s=None),
        record(energy_j=(("cpu", 0.0), ("gpu", 1e-300), ("platform", 1e15))),
        gpu_job("1", USE),
        record(workload=WorkloadId("kubernetes", "ü"), labels=WorkloadLabels("")),
    ],
)
def test_a_record_is_found_as_it_was_written(path: Path, told: JobRecord) -> None:
    """Down to the last bit of every number."""
    page = reader(path, [told]).find(JobQuery())

    assert page.records == (told,)
    assert page.cursor is None


def test_names_are_found_whatever_is_in_them(path: Path) -> None:
    """A value is never taken for a part of the question."""
    archive = reader(path, [nasty(), record("1")])

    for query in (
        JobQuery(user=NASTY),
        JobQuery(account=NASTY),
        JobQuery(job_id=NASTY),
    ):
        (found,) = archive.find(query).records
        assert found.labels.info["name"] == NASTY.replace("\udc80", "?")
    assert not archive.find(JobQuery(user="' OR 1=1 --")).records


def test_a_job_belongs_to_the_time_in_which_it_was_last_seen(path: Path) -> None:
    """So each job is in one month, and the months add up."""
    archive = reader(path, [record("1", 10.0), record("2", 20.0), running("3", 30.0)])

    assert keys(archive, JobQuery(since_unix_s=UNIX_S + 20)) == "32"
    assert keys(archive, JobQuery(until_unix_s=UNIX_S + 20)) == "1"
    assert keys(archive, JobQuery(since_unix_s=UNIX_S + 31)) == ""


def test_jobs_are_found_by_who_and_which(path: Path) -> None:
    """All that is asked for has to be true."""
    archive = reader(
        path,
        [
            record("1"),
            record("2", labels=labels("2", user="eve")),
            record("3", labels=labels("3", account="maths")),
            record("4", labels=WorkloadLabels("4", "ada", namespace="physics")),
            record("5", workload=WorkloadId("kubernetes", "5")),
        ],
    )

    assert keys(archive, JobQuery(user="eve")) == "2"
    assert keys(archive, JobQuery(account="physics")) == "5421"
    assert keys(archive, JobQuery(user="ada", account="maths")) == "3"
    assert keys(archive, JobQuery(job_id="3")) == "3"
    assert keys(archive, JobQuery(scheduler="kubernetes")) == "5"


@pytest.mark.parametrize(
    ("order", "expected"),
    [("newest", "4321"), ("end", "2143"), ("energy", "1324"), ("emissions", "3421")],
)
def test_jobs_come_in_the_order_asked_for(
    path: Path, order: JobOrder, expected: str
) -> None:
    """What has no energy at all comes last."""
    archive = reader(
        path,
        [
            record("1", 30.0, energy_j=(("cpu", 900.0),)),
            record("2", 40.0, energy_j=(("cpu", 1.0),)),
            record("3", 10.0, energy_j=(("cpu", 800.0),), emissions_g=3.0),
            record("4", 20.0, energy_j=(), emissions_g=2.0),
        ],
    )

    assert keys(archive, JobQuery(order=order)) == expected
    assert keys(archive, JobQuery(order=order, limit=2)) == expected[:2]


def test_pages_show_every_job_once_though_rows_change_meanwhile(path: Path) -> None:
    """A running job is written anew each minute, and others come."""
    archive = reader(path, (running(f"{number}") for number in range(9)))
    query = JobQuery(limit=4)
    seen, cursors = "", []
    with closing(ArchiveDb(path, LONG_S)) as db:
        while True:
            page = archive.find(query)
            seen += "".join(one.workload.key for one in page.records)
            db.write([running("3", 500.0), running("7", 600.0), record("x")])
            if page.cursor is None:
                break
            cursors.append(page.cursor)
            query = replace(query, cursor=page.cursor)

    assert seen == "876543210"
    assert cursors == [6, 2]


def test_only_the_newest_first_have_pages(path: Path) -> None:
    """An order that changes while it is read cannot be continued."""
    archive = reader(path, [record("1"), record("2")])

    assert archive.find(JobQuery(limit=1)).cursor == 2
    assert archive.find(JobQuery(limit=1, order="energy")).cursor is None


# --- sums -------------------------------------------------------------------


def test_sums_are_over_all_that_is_asked_for(path: Path) -> None:
    """Whatever the limit of the list is."""
    archive = reader(
        path,
        [
            record("1", estimated_j=600.0),
            gpu_job("2", USE),
            changed(gpu_job("3", USE), fallback_g=0.1),
            record("4", labels=labels("4", user="eve")),
        ],
    )

    sums = archive.sums(JobQuery(user="ada", limit=1))

    assert sums.jobs == 3
    assert sums.energy_j == pytest.approx(75_600.0)
    assert sums.estimated_j == 600.0
    assert sums.emissions_g == pytest.approx(1.2)
    assert sums.fallback_g == pytest.approx(0.1)
    assert sums.cpu_s == 270.0
    assert sums.gpu_use == GpuUse(200.0, 160.0, 80.0, 10.0)


def test_the_sum_of_nothing_known_is_not_known(path: Path) -> None:
    """And not 0 J."""
    archive = reader(path, [record("1", energy_j=())])

    for query in (JobQuery(), JobQuery(user="nobody")):
        sums = archive.sums(query)
        assert sums.energy_j is None
        assert sums.gpu_use is None


# --- beside a daemon, and without one ---------------------------------------


def test_it_reads_what_is_being_written(path: Path) -> None:
    """Neither waits for the other."""
    write_archive(path, [record("1")])
    archive = ArchiveReader(path, LONG_S)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE jobs SET user = 'eve'")

        before = archive.find(JobQuery()).records[0].labels.user
        writer.execute("COMMIT")
        after = archive.find(JobQuery()).records[0].labels.user

    assert (before, after) == ("ada", "eve")


def test_reading_leaves_nothing_behind(path: Path) -> None:
    """Root may look, and the daemon's user must be able to write afterwards."""
    archive = reader(path, [record("1")])
    before = path.read_bytes()

    archive.find(JobQuery())
    archive.sums(JobQuery())

    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == before


def test_it_can_be_read_where_nothing_can_be_written() -> None:
    """Everybody whom the mode of the file allows, while a daemon writes or not."""
    with public_directory() as directory:
        path = directory / "archive.db"
        write_archive(path, [record("1")])
        path.chmod(0o644)
        archive = ArchiveReader(path, LONG_S)
        with unprivileged():
            at_rest = archive.find(JobQuery()).records
        with closing(ArchiveDb(path, LONG_S)) as db:
            db.write([record("2")])
            with unprivileged():
                beside_a_daemon = archive.find(JobQuery()).records

    assert (len(at_rest), len(beside_a_daemon)) == (1, 2)


@pytest.mark.parametrize("endings", [("", "-wal", "-shm"), ("", "-wal")])
def test_what_a_daemon_left_that_was_killed_is_read(
    path: Path, tmp_path: Path, endings: tuple[str, ...]
) -> None:
    """What it wrote last is in the log only, and stays there for the next daemon."""
    left = tmp_path / "left"
    left.mkdir()
    with closing(ArchiveDb(path, LONG_S)) as db:
        db.write([record("1")])
        for ending in endings:
            shutil.copy(f"{path}{ending}", left / f"archive.db{ending}")
    log = (left / "archive.db-wal").read_bytes()

    found = ArchiveReader(left / "archive.db", LONG_S).find(JobQuery()).records

    assert len(found) == 1
    assert (left / "archive.db-wal").read_bytes() == log


def test_a_file_in_another_mode_is_read_too(path: Path) -> None:
    """Such as one that was copied by SQLite's own tools."""
    archive = reader(path, [record("1")])
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")

    assert len(archive.find(JobQuery()).records) == 1


# --- what goes wrong --------------------------------------------------------


def test_no_archive_is_told(path: Path) -> None:
    """With the path, and nothing is made."""
    with pytest.raises(ArchiveError, match=r"there is no archive .*archive\.db"):
        ArchiveReader(path, LONG_S).find(JobQuery())

    assert not path.exists()


def test_an_archive_that_is_being_made_is_not_there_yet(path: Path) -> None:
    """For a moment it is empty."""
    path.touch()

    with pytest.raises(ArchiveError, match="there is no archive"):
        ArchiveReader(path, LONG_S).find(JobQuery())


def test_a_file_that_may_not_be_read_is_told_with_the_remedy() -> None:
    """By default only the daemon's user and group may."""
    with public_directory() as directory:
        path = write_archive(directory / "archive.db", [record("1")])
        path.chmod(0)

        with unprivileged(), pytest.raises(ArchiveError, match=r"may not read .* root"):
            ArchiveReader(path, LONG_S).find(JobQuery())


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" * 300])
def test_a_spoilt_file_is_told(path: Path, content: bytes) -> None:
    """And left to the daemon to set aside."""
    path.write_bytes(content)

    with pytest.raises(ArchiveError, match="cannot read the archive"):
        ArchiveReader(path, LONG_S).sums(JobQuery())

    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("PRAGMA application_id = 42", "another program"),
        ("PRAGMA user_version = 2", "its format is 2, and this jouled knows 1"),
        ("UPDATE jobs SET state = 'odd'", "'odd' is no state of a job"),
        ("UPDATE jobs SET info = '[]'", "are no labels of a job"),
        ("UPDATE jobs SET info = 'x'", "what no jouled wrote"),
        ("UPDATE jobs SET cpu_s = 'x'", "could not convert"),
        ("UPDATE jobs SET seen_unix_s = NULL", "what no jouled wrote"),
        ("DROP TABLE jobs", "no such table"),
    ],
)
def test_what_no_jouled_wrote_is_told(path: Path, statement: str, why: str) -> None:
    """Rather than shown, or crashed on."""
    archive = reader(path, [record("1")])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)

    with pytest.raises(ArchiveError, match=why):
        archive.find(JobQuery())


def test_text_that_is_no_text_is_shown_as_far_as_it_is(path: Path) -> None:
    """A spoilt byte must not hide everything else."""
    archive = reader(path, [record("1")])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE jobs SET user = CAST(x'61ff' AS TEXT)")

    assert archive.find(JobQuery()).records[0].labels.user == "a�"


def test_a_question_that_takes_too_long_is_given_up(path: Path) -> None:
    """A large archive must not keep a processor of the node busy."""
    write_archive(path, (record(f"{number}") for number in range(5000)))

    with pytest.raises(ArchiveError, match=r"took longer than -1 s; ask for less"):
        ArchiveReader(path, -1.0).find(JobQuery(order="energy"))
