import os
from pathlib import Path

import pytest

from exporter.workloads.slurm.end_records import EndRecord, EndRecords
from exporter.workloads.slurm.tree import JobPlace

V1 = """\
slurm_n1/cpuacct.usage:9000000000
slurm_n1/system/cpuacct.usage:1000000000
slurm_n1/uid_7/cpuacct.usage:5000000000
slurm_n1/uid_7/job_42/cpuacct.usage:3000000000
slurm_n1/cpuacct.usage:9200000000
"""
V2 = """\
system.slice/n1_slurmstepd.scope/cpu.stat:usage_usec 9000000
system.slice/n1_slurmstepd.scope/job_42/cpu.stat:usage_usec 3000000
system.slice/n1_slurmstepd.scope/s8FXKTA79XAR00/cpu.stat:usage_usec 2000000
system.slice/n1_slurmstepd.scope/system/cpu.stat:usage_usec 1000000
system.slice/n1_slurmstepd.scope/cpu.stat:usage_usec 9200000
"""
SCOPE = "system.slice/n1_slurmstepd.scope"


def _write(directory: Path, name: str, text: str, unix_s: float = 1000.0) -> Path:
    path = directory / name
    path.write_text(text)
    os.utime(path, (unix_s, unix_s))
    return path


def _one(directory: Path, text: str) -> EndRecord:
    _write(directory, "7.1", text)
    (record,) = EndRecords(directory).read()
    return record


def test_counters_of_version_1_are_read(tmp_path: Path) -> None:
    """Roots in the mean, without what is no job's; users above jobs do not count."""
    record = _one(tmp_path, V1)

    assert record.job_id == "7"
    assert record.end_unix_s == pytest.approx(1000.0)
    place = JobPlace("slurm_n1/uid_7/job_42", "cpuacct", "42", "", 7)
    assert record.jobs_s == {place: pytest.approx(3.0)}
    assert record.roots_s == pytest.approx(8.1)


def test_counters_of_version_2_are_read(tmp_path: Path) -> None:
    """Jobs by their ids or, since 26.05, by their SLUIDs."""
    record = _one(tmp_path, V2)

    assert record.jobs_s == {
        JobPlace(f"{SCOPE}/job_42", None, "42", "", None): pytest.approx(3.0),
        JobPlace(f"{SCOPE}/s8FXKTA79XAR00", None, "", "s8FXKTA79XAR00", None): (
            pytest.approx(2.0)
        ),
    }
    assert record.roots_s == pytest.approx(8.1)


def test_ends_come_in_the_order_in_which_they_were(tmp_path: Path) -> None:
    """Two within one tick of the file system's clock as the roots counted them."""
    for name, cpu_ns, unix_s in (("3.1", 5, 20.0), ("1.2", 9, 10.0), ("2.3", 4, 20.0)):
        _write(tmp_path, name, f"slurm/cpuacct.usage:{cpu_ns}\n" * 2, unix_s)

    ends = EndRecords(tmp_path).read()

    assert [end.job_id for end in ends] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "slurm_n1/cpuacct.usage:1\n",
        V1.rpartition("slurm_n1")[0],
        V1.replace("slurm_n1", "other"),
        "slurm_n1/cpuacct.usage:x\nslurm_n1/cpuacct.usage:1\n",
        f"slurm_n1/cpuacct.usage:{'9' * 30}\n" * 2,
    ],
)
def test_what_is_not_whole_is_nothing(tmp_path: Path, text: str) -> None:
    """The disk was full, or something else wrote there."""
    _write(tmp_path, "7.1", text)

    assert EndRecords(tmp_path).read() == ()


def test_only_what_an_epilog_names_is_read(tmp_path: Path) -> None:
    """What is being written has a dot before it."""
    for name in (".7.1", "7", "7.1.new", "x.1", "7.x"):
        _write(tmp_path, name, V1)
    (tmp_path / "8.1").mkdir()
    (tmp_path / "9.1").symlink_to(_write(tmp_path, "elsewhere", V1))

    assert EndRecords(tmp_path).read() == ()


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """No job ended unheard on most nodes."""
    records = EndRecords(tmp_path / "missing")

    assert records.read() == ()
    records.remove()


def test_what_was_read_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """Another daemon would not need it, and the directory is memory."""
    _write(tmp_path, "7.1", V1)
    _write(tmp_path, "garbage", "x")
    (tmp_path / "9.1").mkdir()
    records = EndRecords(tmp_path)
    records.read()
    later = _write(tmp_path, "8.1", V1)

    records.remove()

    assert sorted(tmp_path.iterdir()) == [later, tmp_path / "9.1"]


def test_of_too_many_the_newest_are_read(tmp_path: Path) -> None:
    """A daemon that starts has a deadline too."""
    large = V1 + "x" * 900_000 + "\n"
    for number in range(6):
        _write(tmp_path, f"{number}.1", large, 100.0 + number)

    ends = EndRecords(tmp_path).read()

    assert [end.job_id for end in ends] == ["2", "3", "4", "5"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")
def test_what_a_user_wrote_is_not_believed(tmp_path: Path) -> None:
    """Nobody but root runs Epilogs."""
    _write(tmp_path, "8.1", V1)
    os.chown(_write(tmp_path, "7.1", V1), 1234, 1234)

    ends = EndRecords(tmp_path).read()

    assert [end.job_id for end in ends] == ["8"]
