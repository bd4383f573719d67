import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.core.archive import JobRecord
from exporter.core.workload import GpuUse, WorkloadLabels
from exporter.pipeline.archive import Archive, Patience
from exporter.pipeline.archive_db import FORGET_AT_ONCE, ArchiveDb, kept_text
from tests.fakes.command_line import LONGEST_S, REPOSITORY, environment
from tests.fakes.node import UNIX_S
from tests.fakes.records import (
    NASTY,
    gpu_job,
    nasty,
    record,
    rows,
    running,
    write_archive,
)
from tests.fakes.unprivileged import public_directory, unprivileged
from tests.fakes.waiting import wait_until

LONG_S = 60.0
DAY_S = 86400.0
QUICK = Patience(busy_s=0.01, retry_s=0.02, longest_retry_s=0.02)


@contextmanager
def archive_at(path: Path, **options: Any) -> Iterator[Archive]:  # noqa: ANN401 - options of Archive
    """Run an archive, which has written everything when it is left."""
    settings = {"retention_s": 400 * DAY_S, "patience": QUICK, "wall": lambda: UNIX_S}
    archive = Archive(path, **{**settings, **options})
    try:
        yield archive
    finally:
        archive.close(LONG_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the archive is."""
    return tmp_path / "archive.db"


def wait_for_row(path: Path, key: str) -> None:
    """Wait until a job has been written."""
    wait_until(lambda: key in rows(path), f"{key} is written", LONG_S)


def wait_for_failure(archive: Archive) -> str:
    """Wait until it says that it cannot write, and return why."""
    wait_until(lambda: not archive.status.up, "it cannot write", LONG_S)
    return archive.status.message


def set_aside(path: Path) -> list[Path]:
    """Return the files that were set aside, without what belongs to them."""
    return [
        found
        for found in sorted(path.parent.glob("archive.db.unusable-*"))
        if not found.name.endswith(("-wal", "-shm"))
    ]


# --- rows -------------------------------------------------------------------


def test_a_job_is_one_row_with_all_that_is_known(path: Path) -> None:
    """Unknown is NULL, and 0 is a measured 0."""
    job = gpu_job("7", GpuUse(100.0, 80.0, 40.0, 5.0))

    with archive_at(path) as archive:
        archive.put([job])

    row = rows(path)["7"]
    assert json.loads(row.pop("info")) == {"name": "train"}
    assert row == {
        "id": 1,
        "scheduler": "slurm",
        "workload": "7",
        "created_unix_s": UNIX_S,
        "job_id": "7",
        "user": "ada",
        "account": "physics",
        "partition": "batch",
        "namespace": "",
        "pod": "",
        "state": "ended",
        "start_unix_s": UNIX_S - 2,
        "end_unix_s": UNIX_S + 100,
        "seen_unix_s": UNIX_S + 100,
        "cpu_j": 3000.0,
        "dram_j": None,
        "gpu_j": 33_000.0,
        "platform_j": None,
        "energy_j": 36_000.0,
        "estimated_j": 0.0,
        "emissions_g": 0.4,
        "fallback_g": 0.0,
        "cpu_s": 90.0,
        "peak_power_w": 55.0,
        "gpu_held_s": 100.0,
        "gpu_known_s": 80.0,
        "gpu_busy_s": 40.0,
        "gpu_idle_s": 5.0,
    }


def test_a_job_without_any_energy_has_none(path: Path) -> None:
    """A node that cannot measure must not report zeros."""
    with archive_at(path) as archive:
        archive.put([record("1", energy_j=(), peak_power_w=None)])

    row = rows(path)["1"]
    assert row["energy_j"] is row["cpu_j"] is row["peak_power_w"] is None
    assert row["gpu_held_s"] is None


def test_the_last_record_of_a_job_counts(path: Path) -> None:
    """Also when the first ones have been written already."""
    with archive_at(path) as archive:
        archive.put([running(seen_s=10.0)])
        wait_for_row(path, "1")
        archive.put([running(seen_s=70.0), record(seen_s=99.0)])

    assert [row["state"] for row in rows(path).values()] == ["ended"]
    assert rows(path)["1"]["end_unix_s"] == UNIX_S + 99


def test_a_job_that_is_requeued_runs_again_in_the_same_row(path: Path) -> None:
    """Its counters went on, so two rows would count its energy twice."""
    with archive_at(path) as archive:
        archive.put([record(seen_s=10.0)])
        wait_for_row(path, "1")
        archive.put([running(seen_s=70.0)])

    assert rows(path)["1"]["state"] == "running"
    assert rows(path)["1"]["end_unix_s"] is None


def test_a_run_whose_counters_started_anew_has_a_row_of_its_own(path: Path) -> None:
    """Its energy is not in the first one."""
    with archive_at(path) as archive:
        archive.put([record("1"), record("1", created_unix_s=UNIX_S + 5)])

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM jobs").fetchone() == (2,)


def test_a_restart_goes_on_with_the_same_file(path: Path) -> None:
    """That is what it is for."""
    for key in ("1", "2"):
        with archive_at(path) as archive:
            archive.put([record(key)])

    assert rows(path).keys() == {"1", "2"}


def test_nasty_names_are_kept_as_they_are(path: Path) -> None:
    """Users choose the names of jobs; only what is no text at all is replaced."""
    with archive_at(path) as archive:
        archive.put([nasty()])

    (row,) = rows(path).values()
    kept = kept_text(NASTY)
    assert kept == NASTY.replace("\udc80", "?")
    assert row["job_id"] == row["user"] == row["pod"] == row["workload"] == kept
    assert json.loads(row["info"]) == {kept: kept, "name": kept}


def test_long_names_do_not_fill_the_disk(path: Path) -> None:
    """Neither do many of them."""
    info = {f"{number}" * 1000: "y" * 10**6 for number in range(100)}
    labels = WorkloadLabels("1", "x" * 10**6, info=info)

    with archive_at(path) as archive:
        archive.put([record(labels=labels)])

    row = rows(path)["1"]
    assert row["user"] == "x" * 256
    assert len(row["info"]) < 20_000


def test_not_everybody_may_read_it(path: Path) -> None:
    """It tells who ran what; an operator may widen the mode, and it stays so."""
    with archive_at(path) as archive:
        archive.put([record("1")])
    mode = path.stat().st_mode & 0o777
    path.chmod(0o644)

    with archive_at(path) as archive:
        archive.put([record("2")])
        wait_for_row(path, "2")
        log_mode = path.with_name("archive.db-wal").stat().st_mode & 0o777

    assert mode == 0o640
    assert log_mode == path.stat().st_mode & 0o777 == 0o644


# --- the end of what nobody saw ---------------------------------------------


def test_jobs_that_ran_when_the_node_went_down_are_lost(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """How they ended is not known: the row tells when they were last seen."""
    write_archive(path, [running("1", 40.0), running("2"), record("3")])
    caplog.set_level(logging.INFO)

    with archive_at(path, running=[running("2").key]):
        pass

    found = rows(path)
    assert [found[key]["state"] for key in "123"] == ["lost", "running", "ended"]
    assert found["1"]["end_unix_s"] is None
    assert found["1"]["seen_unix_s"] == UNIX_S + 40
    assert "how they ended is not known" in caplog.text


def test_only_what_was_there_before_can_be_lost(path: Path) -> None:
    """A file that fails and comes back must not end the jobs of now."""
    with archive_at(path) as archive:
        archive.put([running("1")])
        wait_for_row(path, "1")
        path.rename(path.with_name("away"))
        path.mkdir()
        archive.put([running("2")])
        wait_for_failure(archive)
        path.rmdir()
        shutil.copy(path.with_name("away"), path)
        wait_until(lambda: archive.status.up, "it can write again", LONG_S)

    assert all(row["state"] == "running" for row in rows(path).values())


# --- retention --------------------------------------------------------------


def test_old_records_are_forgotten(path: Path) -> None:
    """By when the job was last seen; however many there are."""
    old = [record(f"old-{number}", -DAY_S) for number in range(FORGET_AT_ONCE * 2)]
    write_archive(path, [*old, record("new", -DAY_S + 2), running("runs", -3 * DAY_S)])

    with archive_at(path, retention_s=DAY_S - 1, running=[running("runs").key]):
        wait_until(lambda: len(rows(path)) == 2, "the old ones are gone", LONG_S)

    assert rows(path).keys() == {"new", "runs"}


def test_forgetting_goes_in_small_steps(path: Path) -> None:
    """So that no transaction keeps others from writing for long."""
    write_archive(path, (record(f"{n}") for n in range(FORGET_AT_ONCE + 1)))

    with closing(ArchiveDb(path, 5.0)) as db:
        steps = [db.forget(UNIX_S + 101) for _ in range(3)]

    assert steps == [FORGET_AT_ONCE, 1, 0]


# --- what goes wrong --------------------------------------------------------


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" * 300])
def test_a_spoilt_file_is_set_aside_and_a_new_one_begun(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It may hold what somebody wants back, and metrics must go on."""
    path.write_bytes(content)

    with archive_at(path) as archive:
        archive.put([record("1")])
        wait_for_row(path, "1")
        wait_until(lambda: archive.status.up, "it can write", LONG_S)

    assert [aside.read_bytes() for aside in set_aside(path)] == [content]
    assert set_aside(path)[0].name == "archive.db.unusable-20260320T120000Z"
    assert caplog.text.count("the archive cannot be used, a new one is begun") == 1


@pytest.mark.parametrize(
    ("pragma", "why"),
    [
        ("application_id = 42", "it is a database of another program"),
        ("user_version = 2", "its format is 2, and this jouled knows 1"),
    ],
)
def test_a_file_of_another_kind_is_set_aside(
    path: Path, pragma: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """To write into it could spoil it for the program that knows it."""
    write_archive(path, [record("1")])
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA {pragma}")

    with archive_at(path) as archive:
        archive.put([record("2")])

    assert rows(path).keys() == {"2"}
    assert rows(set_aside(path)[0]).keys() == {"1"}
    assert why in caplog.text


def test_a_file_that_is_spoilt_behind_its_header_is_set_aside(path: Path) -> None:
    """A disk does not only spoil beginnings; what belongs to the file goes along."""
    write_archive(path, (record(f"{number}") for number in range(1000)))
    with closing(sqlite3.connect(path)) as other:
        other.execute("SELECT count(*) FROM sqlite_master").fetchall()
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(4096)
            file.write(os.urandom(size - 4096))

        with archive_at(path) as archive:
            archive.put([record("after")])

    assert rows(path).keys() == {"after"}
    (aside,) = set_aside(path)
    assert aside.stat().st_size == size
    assert aside.with_name(f"{aside.name}-wal").exists()


def test_a_disk_that_spoils_every_file_is_not_filled_with_them(path: Path) -> None:
    """One copy an hour is kept; till then the archive is down."""
    path.write_bytes(b"garbage" * 1000)
    with archive_at(path) as archive:
        archive.put([record("1")])
        wait_for_row(path, "1")
        for part in path.parent.glob("archive.db*"):
            if "unusable" not in part.name:
                part.unlink()
        path.write_bytes(b"garbage" * 1000)

        archive.put([record("2")])
        message = wait_for_failure(archive)

    assert "is spoilt again" in message
    assert "check the disk" in message
    assert len(set_aside(path)) == 1


def test_a_file_that_cannot_be_set_aside_is_told(path: Path) -> None:
    """And left as it is."""
    in_the_way = path.with_name("archive.db.unusable-20260320T120000Z")
    in_the_way.mkdir()
    path.write_bytes(b"garbage" * 1000)

    with archive_at(path) as archive:
        message = wait_for_failure(archive)

    assert "aside" in message
    assert path.read_bytes() == b"garbage" * 1000


def test_a_locked_file_is_waited_for(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody repairs it by hand; nothing is lost, and it is told once."""
    write_archive(path, [])
    caplog.set_level(logging.INFO)
    with archive_at(path) as archive:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            archive.put([record("1")])
            message = wait_for_failure(archive)
            archive.put([record("1", seen_s=7.0), record("2")])
            failures = dict(archive.status.errors)["faulty"]
            wait_until(
                lambda: dict(archive.status.errors)["faulty"] > failures,
                "it tries again",
                LONG_S,
            )
        wait_until(lambda: archive.status.up, "it can write again", LONG_S)

    assert "locked" in message
    assert rows(path)["1"]["seen_unix_s"] == UNIX_S + 7
    assert rows(path).keys() == {"1", "2"}
    assert caplog.text.count("cannot write the archive, records of jobs wait") == 1
    assert caplog.text.count("the archive is written again") == 1


def test_a_directory_without_the_right_to_write_is_told() -> None:
    """The operator has to act."""
    with public_directory() as directory, unprivileged():
        if os.access(directory, os.W_OK, effective_ids=True):
            directory.chmod(0o555)
        with archive_at(directory / "archive.db") as archive:
            message = wait_for_failure(archive)

    assert "Permission denied" in message
    assert "archive.db" in message


def test_a_missing_directory_is_told_and_survived(tmp_path: Path) -> None:
    """A disk may be mounted late."""
    path = tmp_path / "late" / "archive.db"

    with archive_at(path) as archive:
        archive.put([record("1")])
        wait_for_failure(archive)
        path.parent.mkdir()
        wait_until(lambda: archive.status.up, "the disk is there", LONG_S)

    assert rows(path).keys() == {"1"}


def test_a_file_that_is_removed_is_begun_anew(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Rather than written where nobody can read it any more."""
    with archive_at(path) as archive:
        archive.put([record("1")])
        wait_for_row(path, "1")
        for part in path.parent.glob("archive.db*"):
            part.unlink()
        archive.put([record("2")])

    assert rows(path).keys() == {"2"}
    assert "the archive was removed" in caplog.text


def test_too_many_waiting_records_drop_the_oldest_and_count_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory is bounded; a job that is told again keeps its place among the last."""
    path = tmp_path / "late" / "archive.db"
    errors = {"dropped": 40}
    patience = Patience(waiting=3, retry_s=0.02, longest_retry_s=0.02)

    with archive_at(path, patience=patience, errors=errors) as archive:
        wait_for_failure(archive)
        archive.put(record(key) for key in "123")
        archive.put([record("1", 7.0)])
        archive.put([record("4"), record("5")])
        path.parent.mkdir()
        wait_until(lambda: archive.status.up, "the disk is there", LONG_S)

    assert rows(path).keys() == {"1", "4", "5"}
    assert errors["dropped"] == 42
    assert dict(archive.status.errors).get("dropped") in {None, 42}
    assert caplog.text.count("too many records of jobs wait") == 1


def test_a_closed_archive_does_not_say_that_all_is_well(path: Path) -> None:
    """Whatever ended its thread, nothing is written any more."""
    with archive_at(path) as archive:
        wait_until(path.exists, "it is open", LONG_S)

    assert not archive.status.up
    assert archive.status.message == "the archive is closed"


def test_a_slow_disk_does_not_hold_the_end_of_the_daemon(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is not written is in the checkpoint."""
    write_archive(path, [])
    patience = Patience(busy_s=30.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        archive = Archive(path, retention_s=1e12, patience=patience)
        archive.put([record("1")])
        archive.close(0.01)
        assert "leaving without it" in caplog.text

    archive.close(LONG_S)
    assert rows(path).keys() == {"1"}


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0,
    reason="no user namespaces: a disk of our own cannot be mounted",
)
def test_a_full_disk_is_told_and_survived(tmp_path: Path) -> None:
    """Records wait until there is room, and none is lost."""
    mount = 'mount -t tmpfs -o size=256k none "$1" && exec "$2" -m "$3" "$1"'
    script = "tests.fakes.archive_on_full_disk"

    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount, "-", tmp_path, sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
        cwd=REPOSITORY,
        env=environment(),
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("cannot write the archive") == 1
    assert "full" in done.stdout or "disk I/O error" in done.stdout
    assert done.stdout.endswith("rows: 502, late: True\n")


def some_records() -> list[JobRecord]:
    """Return jobs of all kinds."""
    return [record("1"), running("2"), nasty(), record("3", energy_j=())]


def test_a_transaction_is_all_or_nothing(path: Path) -> None:
    """Half of what a tick told would be neither old nor new."""
    with closing(ArchiveDb(path, 5.0)) as db:
        with pytest.raises(sqlite3.Error):
            db.write([*some_records(), record("4", cpu_s=object())])
        db.write([record("5")])

    assert rows(path).keys() == {"5"}
