import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from exporter.commands.jobs_table import sums_line, table
from exporter.commands.text import harmless, width
from exporter.core.archive import JobQuery, JobRecord
from exporter.core.workload import GpuUse, WorkloadLabels
from exporter.pipeline.archive_db import ArchiveDb, kept_text
from exporter.pipeline.archive_reader import ArchiveReader
from tests.fakes.command_line import LONGEST_S, REPOSITORY, environment, jouled
from tests.fakes.node import labels
from tests.fakes.records import (
    NASTY,
    gpu_job,
    nasty,
    record,
    running,
    write_archive,
)
from tests.fakes.snapshots import changed
from tests.fakes.unprivileged import public_directory

TABLE = REPOSITORY / "tests/fixtures/commands/jobs.txt"
USE = GpuUse(7200.0, 7200.0, 1800.0, 3600.0)


def some_jobs() -> list[JobRecord]:
    """Return jobs of all kinds; their keys tell how much they used."""
    return [
        record("1", estimated_j=360.0, fallback_g=0.1),
        record("2", labels=labels("2", user="eve", account="maths")),
        gpu_job("3", USE),
        running("4", energy_j=(("cpu", 1e8),), emissions_g=4e3),
        record("5", energy_j=(), state="lost", end_unix_s=None, peak_power_w=None),
    ]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Return the state directory of a daemon that knows some jobs."""
    write_archive(tmp_path / "archive.db", some_jobs())
    return tmp_path


def jobs(state_dir: Path, *args: str, columns: str = "") -> str:
    """Return what the command prints."""
    done = jouled("jobs", "--state.dir", state_dir, *args, env={"COLUMNS": columns})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def as_json(state_dir: Path, *args: str) -> Any:  # noqa: ANN401 - JSON
    """Return what the command prints as JSON."""
    return json.loads(jobs(state_dir, "--json", *args))


def ids(state_dir: Path, *args: str) -> str:
    """Return the numbers of the jobs that are listed, in order."""
    return "".join(job["job_id"] for job in as_json(state_dir, *args)["jobs"])


# --- which jobs -------------------------------------------------------------


def test_the_newest_jobs_come_first(state_dir: Path) -> None:
    """Unless those with the most are asked for."""
    assert ids(state_dir) == "54321"
    assert ids(state_dir, "--sort", "energy") == "43215"
    assert ids(state_dir, "--sort", "emissions", "--limit", "1") == "4"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--user", "eve"], "2"),
        (["--account", "physics", "--user", "ada"], "5431"),
        (["--job", "3"], "3"),
        (["--since", "2026-03-20T12:01:41"], ""),
        (["--since", "2026-03-20T12:01:40"], "54321"),
        (["--until", "2026-03-20T12:01:40Z"], ""),
        (["--since", "1774008000", "--until", "now", "--limit", "2"], "54"),
        (["--since", "36500d"], "54321"),
    ],
)
def test_jobs_can_be_chosen(
    state_dir: Path, args: Sequence[str], expected: str
) -> None:
    """By who, which and when."""
    assert ids(state_dir, *args) == expected


def test_a_job_of_just_now_is_of_the_last_day(tmp_path: Path) -> None:
    """How long ago is counted from now."""
    now_s = time.time()
    old, new = record("1", 0.0, seen_unix_s=now_s - 90_000), record("2")
    write_archive(
        tmp_path / "archive.db", [old, changed(new, seen_unix_s=now_s - 80_000)]
    )

    assert ids(tmp_path, "--since", "1d") == "2"


# --- the table --------------------------------------------------------------


def test_the_table_is_for_a_person(state_dir: Path) -> None:
    """Each figure with the unit that suits it, and with how well it is known."""
    assert jobs(state_dir) == TABLE.read_text(encoding="utf-8")


def test_the_sums_are_those_of_all_jobs_not_only_of_the_listed(state_dir: Path) -> None:
    """And the table says that there are more."""
    text = jobs(state_dir, "--limit", "2", "--user", "ada")

    assert "\n4 jobs: 27.8 kWh" in text
    assert text.endswith("the first 2 are listed; --limit lists more\n")


def test_what_nobody_has_is_no_column() -> None:
    """A node without GPUs, or a cluster without accounts, needs no empty column."""
    lines = table([record("1", labels=WorkloadLabels("1", "ada"))], None).splitlines()

    assert lines == [
        "JOB  USER         END (UTC)  ELAPSED  ENERGY     CO2E  CPU H  PEAK W",
        "1    ada   2026-03-20 12:01    1m42s  1 Wh    0.4 g    0.025      55",
    ]


def test_sums_tell_only_what_is_known(tmp_path: Path) -> None:
    """Energy that nobody could measure is not 0 J; GPUs nobody used are 0 % used."""
    path = tmp_path / "archive.db"
    idle = GpuUse(3600.0, 3600.0, 0.0, 3600.0)
    archive = ArchiveReader(write_archive(path, [record("1", energy_j=())]), LONGEST_S)
    without = sums_line(archive.sums(JobQuery()))
    with closing(ArchiveDb(path, LONGEST_S)) as db:
        db.write([changed(gpu_job("2", idle), cpu_s=0.0)])

    assert without == "1 job: 0.025 CPU-hours\n"
    assert sums_line(archive.sums(JobQuery())) == (
        "2 jobs: 10 Wh, 0.8 g CO2e, 0.025 CPU-hours, 1 GPU-hours (0 % used)\n"
    )


def test_a_narrow_terminal_has_the_columns_that_matter(state_dir: Path) -> None:
    """Names are cut first; then the least important columns go."""
    records = [*some_jobs(), nasty()]
    heads = {}
    for columns in range(200, 0, -1):
        lines = table(records, columns).split("\n\n")[0].splitlines()
        heads[columns] = lines[0].split()
        assert max(map(width, lines)) <= max(columns, 40), columns

    assert heads[200][:4] == ["JOB", "USER", "ACCOUNT", "NAME"]
    assert "PEAK" not in heads[100]
    assert "ENERGY" in heads[21]
    assert "CO2E" in heads[45]
    narrow = jobs(state_dir, columns="60").splitlines()[0]
    assert len(narrow) <= 60


def test_a_pipe_is_as_wide_as_it_takes(tmp_path: Path) -> None:
    """Whoever greps wants all of a name."""
    labels_of_one = WorkloadLabels("1", "u" * 100, info={"name": "n" * 100})
    write_archive(tmp_path / "archive.db", [record("1", labels=labels_of_one)])

    text = jobs(tmp_path)

    assert "u" * 100 in text
    assert "n" * 100 in text


def test_no_jobs_are_told_in_words(state_dir: Path) -> None:
    """An empty table looks like a fault."""
    assert jobs(state_dir, "--user", "nobody") == (
        f"no such jobs in {state_dir}/archive.db\n"
    )


# --- names of all kinds -----------------------------------------------------


def test_nasty_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """Neither colours nor titles, line ends, or letters that run backwards."""
    write_archive(tmp_path / "archive.db", [nasty(), record("1")])

    for args in ([], ["--csv"], ["--json"]):
        text = jobs(tmp_path, *args)
        assert all(line.isprintable() for line in text.splitlines())
    lines = jobs(tmp_path).splitlines()
    assert len(lines) == 5
    assert harmless(kept_text(NASTY)) in lines[2]


def test_nasty_names_stay_whole_in_json(tmp_path: Path) -> None:
    """A program gets what the user wrote."""
    write_archive(tmp_path / "archive.db", [nasty()])

    (job,) = as_json(tmp_path)["jobs"]

    assert job["user"] == job["info"]["name"] == kept_text(NASTY)


def test_nasty_names_are_one_line_of_csv(tmp_path: Path) -> None:
    """With as many columns as all others."""
    write_archive(tmp_path / "archive.db", [record("1"), nasty()])

    text = jobs(tmp_path, "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))

    assert text.count("\n") == 3
    assert rows[0]["name"] == rows[0]["user"] == harmless(kept_text(NASTY))
    assert rows[1]["name"] == "train"
    assert None not in rows[0]


def test_a_terminal_of_few_letters_shows_the_others_as_escapes(tmp_path: Path) -> None:
    """Rather than failing on the first name with an umlaut."""
    write_archive(
        tmp_path / "archive.db", [record("1", labels=labels("1", user="zoë"))]
    )

    done = jouled(
        "jobs", "--state.dir", tmp_path, env={"PYTHONIOENCODING": "ascii:strict"}
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert r"zo\xeb" in done.stdout


# --- for programs -----------------------------------------------------------


def test_json_has_what_the_api_has_and_the_sums(state_dir: Path) -> None:
    """One description of a job is enough for all programs."""
    answer = as_json(state_dir, "--limit", "3")

    assert answer["archive"] == f"{state_dir}/archive.db"
    assert answer["sums"] == {
        "jobs": 5,
        "energy_j": pytest.approx(100_043_200.0),
        "estimated_energy_j": 360.0,
        "emissions_g": pytest.approx(4001.6),
        "fallback_emissions_g": 0.1,
        "cpu_s": 450.0,
        "gpu_held_s": 7200.0,
        "gpu_use_ratio": 0.25,
    }
    lost, runs, on_gpu = answer["jobs"]
    assert lost["energy_j"] is None
    assert (lost["state"], lost["end_unix_s"]) == ("lost", None)
    assert runs["running"] is True
    assert on_gpu["components_j"] == {"cpu": 3000.0, "gpu": 33_000.0}
    assert on_gpu["gpu_idle_s"] == 3600.0


def test_the_sums_of_no_gpus_are_not_known(state_dir: Path) -> None:
    """Null, and not 0."""
    sums = as_json(state_dir, "--user", "eve")["sums"]

    assert sums["gpu_held_s"] is sums["gpu_use_ratio"] is None


def test_csv_has_a_line_per_job_and_nothing_where_nothing_is_known(
    state_dir: Path,
) -> None:
    """Units are in the heads; an empty cell is not 0."""
    rows = list(csv.DictReader(io.StringIO(jobs(state_dir, "--csv"))))

    assert [row["job_id"] for row in rows] == list("54321")
    assert rows[0]["energy_j"] == rows[0]["end_unix_s"] == ""
    assert rows[2]["gpu_j"] == "33000.0"
    assert rows[2]["gpu_use_ratio"] == "0.25"
    assert rows[4]["estimated_energy_j"] == "360.0"


# --- where there is nothing to read -----------------------------------------


def test_no_archive_is_told_with_where_it_was_looked_for(tmp_path: Path) -> None:
    """Most often the state directory is another one."""
    done = jouled("jobs", "--state.dir", tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"jouled: error: there is no archive {tmp_path}/")
    assert "--state.dir" in done.stderr


def test_without_a_daemon_of_their_own_users_see_the_one_of_the_system(
    tmp_path: Path,
) -> None:
    """Whose state directory they cannot write, and need not name."""
    done = jouled("jobs", env={"HOME": str(tmp_path), "XDG_STATE_HOME": ""})

    # Unless this machine has an archive, which it may.
    assert done.returncode == 0 or "/var/lib/jouled/archive.db" in done.stderr


def test_a_spoilt_archive_is_told(tmp_path: Path) -> None:
    """In a line, and left as it is."""
    (tmp_path / "archive.db").write_bytes(b"garbage" * 1000)

    done = jouled("jobs", "--state.dir", tmp_path)

    assert done.returncode == 1
    assert "file is not a database" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_user_without_rights_is_told_whom_to_ask() -> None:
    """And looks at the archive of the system, not for one at home."""
    with public_directory() as directory:
        path = write_archive(directory / "archive.db", [record("1")])
        path.chmod(0o600)
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        done = subprocess.run(
            [
                *as_nobody,
                *(sys.executable, "-m", "exporter", "jobs"),
                *("--state.dir", directory),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
            cwd=REPOSITORY,
            env=environment(),
        )

    assert done.returncode == 1
    assert "may not read the archive" in done.stderr
    assert "as root" in done.stderr


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--since", "yesterday"], "--since: expected a time such as 7d"),
        (["--until", ""], "--until: expected a time"),
        (["--limit", "0"], "--limit: expected a whole number from 1 to 1000000"),
        (["--sort", "user"], "--sort"),
        (["--csv", "--json"], "not allowed with argument"),
        (["--usr", "ada"], "no such argument: --usr"),
    ],
)
def test_a_wrong_question_is_refused_in_a_line(
    tmp_path: Path, args: Sequence[str], why: str
) -> None:
    """With what would be right; exit code 2, as of every wrong command line."""
    done = jouled("jobs", "--state.dir", tmp_path, *args)

    assert done.returncode == 2
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
