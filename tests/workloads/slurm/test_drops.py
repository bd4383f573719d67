import os
import stat
from pathlib import Path

import pytest

from exporter.workloads.environ import MOST_BYTES
from exporter.workloads.slurm.drops import DropDirectory
from tests.fakes.cgroups import drop
from tests.fakes.clock import Clock
from tests.fakes.unprivileged import public_directory, unprivileged


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory that the first Prolog will make."""
    return tmp_path / "slurm" / "jobs"


def _drops(directory: Path) -> DropDirectory:
    drops = DropDirectory(directory)
    drops.refresh()
    return drops


def _date(path: Path, age_s: float) -> None:
    """Let a file be as old as this."""
    then_s = path.stat().st_mtime - age_s
    os.utime(path, (then_s, then_s))


def test_what_the_prolog_wrote_is_known(directory: Path) -> None:
    """The only source of an account that no user can change."""
    path = drop(directory, 42, SLURM_JOB_USER="alice", NOT_OURS="x")

    found = _drops(directory).of("42")

    assert found is not None
    assert found.facts == {"SLURM_JOB_ID": "42", "SLURM_JOB_USER": "alice"}
    assert found.written_unix_s == path.stat().st_mtime


def test_a_new_file_is_seen_at_the_next_refresh(directory: Path) -> None:
    """Even if the clock of the file system has not moved since the last one."""
    drops = _drops(directory)
    for job_id in range(1, 30):
        drop(directory, job_id)
        drops.refresh()

        assert drops.of(str(job_id)) is not None


def test_a_requeued_job_has_its_new_file(directory: Path) -> None:
    """The Prolog ran again; the id is the same."""
    drop(directory, 42, SLURM_JOB_GPUS="0")
    drops = _drops(directory)
    drop(directory, 42, SLURM_JOB_GPUS="1")
    drops.refresh()

    found = drops.of("42")

    assert found is not None
    assert found.facts["SLURM_JOB_GPUS"] == "1"


def test_the_sluid_leads_to_the_job(directory: Path) -> None:
    """Since Slurm 26.05 the cgroup has no other name."""
    drop(directory, 42, SLURM_JOB_SLUID="s8FXKTA79XAR00")

    drops = _drops(directory)

    assert drops.job_id("s8FXKTA79XAR00") == "42"
    assert drops.job_id("s0000000000000") is None


def test_a_directory_that_is_not_there_is_no_error(directory: Path) -> None:
    """Not every site installs our Prolog."""
    drops = DropDirectory(directory)

    assert not drops.refresh()
    assert not drops.exists

    drop(directory, 1)

    assert drops.refresh()
    assert drops.exists
    assert not drops.refresh()


@pytest.mark.parametrize("name", [".42.new", "42.tmp", "x", "12345678901", "-1"])
def test_other_files_are_not_read(directory: Path, name: str) -> None:
    """A Prolog that was killed may leave half a file under another name."""
    directory.mkdir(parents=True)
    (directory / name).write_bytes(b"SLURM_JOB_ID=42\0")

    assert _drops(directory).of(name) is None


def test_what_is_no_plain_file_is_not_read(directory: Path) -> None:
    """A link could lead anywhere, and a pipe could hang."""
    secret = drop(directory.parent / "other", 1)
    directory.mkdir(parents=True)
    (directory / "1").symlink_to(secret)
    os.mkfifo(directory / "2")
    (directory / "3").mkdir()

    drops = _drops(directory)

    assert [drops.of(name) for name in "123"] == [None, None, None]


def test_a_file_of_another_user_is_not_believed(directory: Path) -> None:
    """Root writes them: whoever could would let others pay."""
    if os.geteuid() != 0:
        pytest.skip("only root can make files of another user")
    os.chown(drop(directory, 1, SLURM_JOB_ACCOUNT="others"), 1000, 1000)

    assert _drops(directory).of("1") is None


def test_a_huge_file_is_read_in_part(directory: Path) -> None:
    """Every read has a bound."""
    directory.mkdir(parents=True)
    data = b"SLURM_JOB_ID=1\0" + b"x" * MOST_BYTES + b"\0SLURM_JOB_NAME=late\0"
    (directory / "1").write_bytes(data)

    found = _drops(directory).of("1")

    assert found is not None
    assert found.facts == {"SLURM_JOB_ID": "1"}


# --- stale files ----------------------------------------------------------------------


def test_the_file_of_a_job_that_ended_is_removed_after_a_minute(
    directory: Path,
) -> None:
    """An Epilog may not have run; the id comes back some day."""
    path = drop(directory, 42)
    clock = Clock()
    drops = _drops(directory)
    found = drops.of("42")
    assert found is not None
    found.was_seen = True
    drops.tidy({"42"}, clock())
    drops.tidy(set(), clock())
    clock.pass_s(59)
    drops.tidy(set(), clock())
    assert path.exists()

    clock.pass_s(2)
    drops.tidy(set(), clock())

    assert not path.exists()
    assert drops.of("42") is None


def test_a_requeued_job_keeps_its_file(directory: Path) -> None:
    """It was gone for a while, and runs again."""
    path = drop(directory, 42)
    drops = _drops(directory)
    found = drops.of("42")
    assert found is not None
    found.was_seen = True
    drops.tidy(set(), 0.0)
    drops.tidy({"42"}, 30.0)

    drops.tidy({"42"}, 1000.0)

    assert path.exists()
    assert drops.of("42") is not None


def test_a_job_that_has_yet_to_begin_keeps_its_file(directory: Path) -> None:
    """A Prolog may take minutes before the first cgroup is made."""
    path = drop(directory, 42)
    drops = _drops(directory)

    for now_s in (0.0, 100.0, 1000.0):
        drops.tidy(set(), now_s)

    assert path.exists()
    assert drops.of("42") is not None


def test_a_file_of_yesterday_whose_job_never_came_is_removed(directory: Path) -> None:
    """The node was rebooted, or the job was cancelled in its Prolog."""
    path = drop(directory, 42)
    _date(path, 2 * 86_400)
    drops = _drops(directory)

    drops.tidy(set(), 0.0)

    assert not path.exists()


def test_what_the_epilog_removed_is_forgotten(directory: Path) -> None:
    """Thousands of short jobs in a day: nothing of them may stay."""
    path = drop(directory, 42)
    drops = _drops(directory)
    path.unlink()
    drops.refresh()
    assert drops.of("42") is not None

    drops.tidy(set(), 0.0)
    drops.tidy(set(), 61.0)

    assert drops.of("42") is None


def test_a_stale_file_that_cannot_be_removed_is_not_read_again() -> None:
    """The directory may be root's alone; then at least it is forgotten."""
    with public_directory() as root:
        directory = root / "jobs"
        path = drop(directory, 42)
        _date(path, 2 * 86_400)
        directory.chmod(0o755)
        path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        if os.geteuid() != 0:
            directory.chmod(0o555)
        with unprivileged():
            drops = _drops(directory)
            drops.tidy(set(), 0.0)
            drops.refresh()

            assert drops.of("42") is None
        assert path.exists()
        directory.chmod(0o755)


def test_a_new_file_is_not_removed_in_place_of_the_old_one(directory: Path) -> None:
    """The job was requeued between the look and the removal."""
    _date(drop(directory, 42), 2 * 86_400)
    drops = _drops(directory)
    path = drop(directory, 42)

    drops.tidy(set(), 0.0)

    assert path.exists()
