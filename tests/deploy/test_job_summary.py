import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from exporter.core.snapshot import JobTotals
from exporter.core.units import Grams, Joules, Seconds
from exporter.core.workload import GpuUse
from exporter.exposition.http import create_app
from tests.fakes.command_line import REPOSITORY
from tests.fakes.local_serving import local_serving
from tests.fakes.serving import serving
from tests.fakes.snapshots import FakeReader, changed, rich_snapshot
from tests.fakes.unprivileged import public_directory

SCRIPTS = REPOSITORY / "deploy" / "slurm"
LONG_S = 60.0
NASTY = 'x","energy_j":1e9,"running":true,"gpus":7}\n$(reboot) `id` ☃'

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="no curl: run scripts/system-packages.sh"
)


def job(energy_j: float, emissions_g: float, gpu_s: float | None = None) -> JobTotals:
    """Return an ended job 4242 whose user chose an unpleasant name for it."""
    some = rich_snapshot().jobs[0]
    return changed(
        some,
        labels=changed(some.labels, info={"name": NASTY}),
        energy_j=(("cpu", Joules(energy_j * 0.75)), ("dram", Joules(energy_j * 0.25))),
        emissions_g=Grams(emissions_g),
        # Once it has ended it holds none.
        gpus=None,
        gpu_utilization=None,
        gpu_use=None if gpu_s is None else GpuUse(gpu_s, gpu_s, gpu_s / 2),
        end_unix_s=Seconds(some.created_unix_s + 60),
    )


@pytest.fixture
def reader() -> FakeReader:
    """Return a node with one job."""
    return FakeReader(changed(rich_snapshot(), jobs=(job(7_200.0, 0.75),)))


@pytest.fixture
def settings(reader: FakeReader, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """Return the environment of a script whose nodes are all this machine."""
    with serving(create_app(reader, version="1.2.3")) as port:
        (tmp_path / "summary.conf").write_text(f"url=http://NODE:{port}\nwait=1\n")
        yield {"JOULED_SUMMARY_DIR": str(tmp_path), "PATH": os.environ["PATH"]}


def summary(settings: Mapping[str, str], *args: str) -> str:
    """Run the script and return what it prints."""
    done = subprocess.run(
        [SCRIPTS / "jouled-summary", *args],
        env=settings,
        capture_output=True,
        text=True,
        check=True,
        timeout=LONG_S,
    )
    return done.stdout


def test_a_job_is_told_in_one_line(settings: Mapping[str, str]) -> None:
    """It goes into a comment and a mail; no name of a job gets into it."""
    assert summary(settings, "4242", "localhost") == "jouled: 2.00 Wh, 0.75 gCO2e\n"


def test_parts_of_several_nodes_are_added_up(
    settings: Mapping[str, str], reader: FakeReader
) -> None:
    """Each node knows its own part only."""
    assert reader.snapshot is not None
    part = job(5.4e6, 1_250.0, gpu_s=7_200.0)
    reader.snapshot = changed(reader.snapshot, jobs=(part,))

    line = summary(settings, "4242", "localhost,127.0.0.1")

    assert line == "jouled: 3.00 kWh, 2.50 kgCO2e, 4.00 GPU-h 50 % used\n"


def test_a_node_that_does_not_answer_is_told(settings: Mapping[str, str]) -> None:
    """Else a part would look like the whole."""
    line = summary(settings, "4242", "localhost,nowhere.invalid")

    assert line == "jouled: 2.00 Wh, 0.75 gCO2e (1 of 2 nodes answered)\n"


def test_small_jobs_are_told_in_joules(
    settings: Mapping[str, str], reader: FakeReader
) -> None:
    """A test run of a second is worth a line too."""
    assert reader.snapshot is not None
    small = job(42.5, 0.0044, gpu_s=12.0)
    reader.snapshot = changed(reader.snapshot, jobs=(small,))

    line = summary(settings, "4242", "localhost")

    assert line == "jouled: 42.5 J, 0.00 gCO2e, 12.0 GPU-s 50 % used\n"


@pytest.mark.parametrize("args", [[], ["x"], ["12", "nowhere.invalid"], ["12"]])
def test_nobody_knows_the_job(settings: Mapping[str, str], args: list[str]) -> None:
    """Nothing is printed, and whoever called goes on."""
    assert summary(settings, *args) == ""


def test_without_nodes_the_daemon_of_this_node_is_asked(reader: FakeReader) -> None:
    """Over its Unix socket, where neither certificates nor passwords are needed."""
    with public_directory() as directory, local_serving(reader, directory):
        (directory / "summary.conf").write_text(f"socket={directory}/jouled.sock")
        settings = {"JOULED_SUMMARY_DIR": str(directory)}

        line = summary(settings, "4242")

    assert line == "jouled: 2.00 Wh, 0.75 gCO2e\n"


def test_a_running_job_is_told_as_far_as_it_is(
    settings: Mapping[str, str], reader: FakeReader
) -> None:
    """The end may never be seen, for example if the node has died."""
    assert reader.snapshot is not None
    running = changed(job(36_000.0, 3.5), end_unix_s=None)
    reader.snapshot = changed(reader.snapshot, jobs=(running,))

    line = summary(settings, "4242", "localhost")

    assert line == "jouled: 10.0 Wh, 3.50 gCO2e\n"


def test_the_mail_of_an_ended_job_gets_the_line(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    """Users read their mail."""
    sent = send_mail(settings, tmp_path, SLURM_JOB_MAIL_TYPE="Ended")

    assert sent == "<-s><a 'subject'><ada>\nbody\njouled: 2.00 Wh, 0.75 gCO2e\n"


@pytest.mark.parametrize(
    "job",
    [
        {"SLURM_JOB_MAIL_TYPE": "Began"},
        {"SLURM_JOB_MAIL_TYPE": "Ended", "SLURM_JOB_NODELIST": ""},
        {"SLURM_JOB_MAIL_TYPE": "Ended", "SLURM_JOB_ID": ""},
        {"SLURM_JOB_MAIL_TYPE": "Ended", "SLURM_JOB_NODELIST": "nowhere.invalid"},
        {},
    ],
)
def test_other_mails_are_sent_as_they_are(
    settings: Mapping[str, str], tmp_path: Path, job: dict[str, str]
) -> None:
    """So is that of a job that nobody knows."""
    assert send_mail(settings, tmp_path, **job) == "<-s><a 'subject'><ada>\nbody\n"


def send_mail(settings: Mapping[str, str], directory: Path, **job: str) -> str:
    """Have a mail sent; return how the sending program was called, and the body."""
    program = directory / "mail"
    program.write_text(
        f"#!/bin/sh\n{{ printf '<%s>' \"$@\"; echo; cat; }} >{directory}/sent\n"
    )
    program.chmod(0o755)
    with (directory / "summary.conf").open("a") as file:
        file.write(f"mail={program}\n")
    about = {"SLURM_JOB_ID": "4242", "SLURM_JOB_NODELIST": "localhost"} | job
    subprocess.run(
        [SCRIPTS / "mail-with-energy", "-s", "a 'subject'", "ada"],
        env={**settings, **about},
        input="body\n",
        text=True,
        check=True,
        timeout=LONG_S,
    )
    return (directory / "sent").read_text()
