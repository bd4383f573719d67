import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.core.errors import SourceDeniedError
from exporter.workloads.environ import (
    MOST_BYTES,
    cgroup_of,
    owner_of,
    parse_environ,
    processes_below,
    read_environ,
)
from tests.fakes.unprivileged import public_directory, unprivileged

_NAMES = frozenset({"SLURM_JOB_ID", "SLURM_JOB_NAME"})
_PROC = Path("/proc")


@pytest.fixture
def process() -> Iterator[int]:
    """Start a process with an environment of its own, and return its id."""
    child = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        env={"SLURM_JOB_ID": "42", "SECRET": "token"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.communicate(b"\n", timeout=30)


# --- parsing --------------------------------------------------------------------------


def test_only_what_is_asked_for_is_kept() -> None:
    """Environments are full of passwords."""
    data = b"SLURM_JOB_ID=42\0AWS_SECRET=x\0SLURM_JOB_NAME=a=b\0"

    found = parse_environ(data, _NAMES)

    assert found == {"SLURM_JOB_ID": "42", "SLURM_JOB_NAME": "a=b"}


def test_the_first_of_two_variables_counts() -> None:
    """As for getenv: what the program itself would see."""
    data = b"SLURM_JOB_ID=1\0SLURM_JOB_ID=2\0"

    assert parse_environ(data, _NAMES) == {"SLURM_JOB_ID": "1"}


@given(
    st.dictionaries(
        st.sampled_from(sorted(_NAMES)),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    )
)
@example({"SLURM_JOB_NAME": 'we"ird\n\u2028 näme\\'})
def test_any_text_a_user_can_set_comes_through(variables: dict[str, str]) -> None:
    """Quotes, line ends and unicode are ordinary in a job's name."""
    data = b"".join(f"{k}={v}".encode() + b"\0" for k, v in variables.items())

    found = parse_environ(data, _NAMES)

    assert found == {name: text[:4096] for name, text in variables.items()}


@given(st.binary(max_size=2000))
def test_garbage_is_survived_and_becomes_printable(data: bytes) -> None:
    """A process may write what it likes over its environment."""
    found = parse_environ(b"SLURM_JOB_NAME=" + data, _NAMES)

    for text in found.values():
        assert text.encode("utf-8").decode("utf-8") == text
        assert "\0" not in text


def test_a_value_of_any_length_is_cut() -> None:
    """A label takes memory in the daemon and in Prometheus."""
    found = parse_environ(b"SLURM_JOB_NAME=" + b"x" * 100_000 + b"\0", _NAMES)

    assert len(found["SLURM_JOB_NAME"]) == 4096


# --- processes ------------------------------------------------------------------------


def test_the_environment_of_a_real_process_is_read(process: int) -> None:
    """The layout of /proc is the kernel's, not a fixture's."""
    assert read_environ(_PROC, process, _NAMES) == {"SLURM_JOB_ID": "42"}


def test_a_process_that_is_gone_is_no_error(tmp_path: Path) -> None:
    """Processes end at any time."""
    assert read_environ(tmp_path, 42, _NAMES) is None
    assert owner_of(tmp_path, 42) is None
    assert cgroup_of(tmp_path, 42) == ""


def test_an_environment_that_may_not_be_read_is_denied_with_the_remedy() -> None:
    """Only the operator can grant the capability."""
    with public_directory() as procfs:
        (procfs / "42").mkdir(mode=0o755)
        (procfs / "42" / "environ").write_bytes(b"SLURM_JOB_ID=1\0")
        (procfs / "42" / "environ").chmod(0)

        with unprivileged(), pytest.raises(SourceDeniedError, match="CAP_SYS_PTRACE"):
            read_environ(procfs, 42, _NAMES)


def test_a_huge_environment_is_read_in_part(tmp_path: Path) -> None:
    """What a user can make large is bounded."""
    (tmp_path / "42").mkdir()
    data = b"SLURM_JOB_ID=42\0" + b"x" * MOST_BYTES + b"\0SLURM_JOB_NAME=late\0"
    (tmp_path / "42" / "environ").write_bytes(data)

    assert read_environ(tmp_path, 42, _NAMES) == {"SLURM_JOB_ID": "42"}


def test_the_owner_of_a_process_is_told_by_the_kernel(process: int) -> None:
    """A user can have no process of another user."""
    assert owner_of(_PROC, process) == os.geteuid()


def test_processes_are_found_in_leaves_and_in_order(tmp_path: Path) -> None:
    """Version 2 has processes in leaves only; the oldest was started by Slurm."""
    _procs(tmp_path, "")
    _procs(tmp_path / "step_batch" / "slurm", "7\n")
    _procs(tmp_path / "step_batch" / "user" / "task_0", "42\n9\n")
    _procs(tmp_path / "step_batch" / "user" / "task_1", "11\n")

    found = list(processes_below(str(tmp_path), {"slurm"}))

    assert found == [9, 42, 11]


@pytest.mark.parametrize("text", ["0\n", "x\n", "-1\n", "12", "\0\n"])
def test_what_is_no_process_id_is_passed_over(tmp_path: Path, text: str) -> None:
    """0 is a process of another namespace; a line cut short is another process."""
    _procs(tmp_path, text)

    assert list(processes_below(str(tmp_path), ())) == []


def test_a_forest_of_cgroups_is_not_searched_whole(tmp_path: Path) -> None:
    """A job may make as many as it likes; the cost of a tick may not follow."""
    for number in range(200):
        _procs(tmp_path / f"{number:03}", f"{number + 1}\n")

    assert len(list(processes_below(str(tmp_path), ()))) < 100


def _procs(directory: Path, text: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cgroup.procs").write_text(text)
