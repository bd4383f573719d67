import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.jobs import Job, write_script
from tests.e2e.node import ZONES, Node, playing
from tests.e2e.waiting import until
from tests.fakes.command_line import jouled
from tests.fakes.machine_procfs import BOOT_ID

pytestmark = pytest.mark.e2e

ENERGY = "jouled_job_energy_joules_total"
ZONES_W = dict.fromkeys(ZONES, 150.0)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """Return a node that draws power, with a daemon that is told of jobs."""
    node = Node(tmp_path, 1, flags=("--sampling.interval", "200ms"), scripted=True)
    write_script(node.script, ())
    with playing(node):
        node.set_power(ZONES_W, {0: 300.0})
        node.daemon.start()
        yield node


def start_job(node: Node, job_id: str) -> Job:
    """Start a job with a GPU, and wait until it has used something."""
    job = Job(job_id, "ada", "physics", time.monotonic(), gpus=node.gpus)
    write_script(node.script, (job,))
    node.daemon.wait_for(
        lambda scrape: (scrape.get(ENERGY, job_id=job_id, component="gpu") or 0) > 50,
        "some energy of the job",
    )
    return job


def end_job(node: Node, job: Job) -> dict[str, Any]:
    """End a job, and return what the API tells of it when all is counted.

    If a source is late in the tick that finds the end, its energy comes in one later.
    """
    write_script(
        node.script,
        (Job(job.job_id, job.user, job.account, job.begin_s, time.monotonic()),),
    )

    def ask() -> dict[str, Any]:
        told: dict[str, Any] = node.daemon.get(f"/api/v1/jobs/{job.job_id}").json()
        return told

    until(lambda: not ask()["running"], "the end of the job")
    for source in node.sources:
        node.daemon.wait_for_source(source, up=True)
    return ask()


def listed(node: Node) -> dict[str, dict[str, Any]]:
    """Return what ``jouled jobs`` lists, by number of the job."""
    done = jouled("jobs", "--json", *node.daemon.state_flags)
    if done.returncode != 0:
        return {}
    return {job["job_id"]: job for job in json.loads(done.stdout)["jobs"]}


def test_an_ended_job_is_in_the_archive_with_its_last_figures(node: Node) -> None:
    """The same that the last scrape saw, while the daemon runs and afterwards."""
    told = end_job(node, start_job(node, "42"))
    until(lambda: "42" in listed(node), "the job in the archive")
    (asked,) = node.daemon.get("/api/v1/jobs?user=ada&since=1h").json()["jobs"]

    assert node.daemon.stop() == 0
    afterwards = listed(node)["42"]

    for job in (asked, afterwards):
        assert job["state"] == "ended"
        for figure in ("cpu_s", "end_unix_s", "gpu_held_s"):
            assert job[figure] == told[figure], figure
    for figure in ("energy_j", "emissions_g"):
        assert afterwards[figure] == told[figure], figure
        # What comes late is written once a minute.
        assert 0 < asked[figure] <= told[figure], figure
    assert afterwards["components_j"].keys() == {"cpu", "dram", "gpu"}
    assert afterwards["peak_power_w"] > 300.0
    assert afterwards["measured_ratio"] == 1.0


def test_a_job_that_ended_just_before_a_crash_is_not_missing(node: Node) -> None:
    """What could not be written any more is in the checkpoint."""
    archive = node.daemon.run_dir.with_name("lib") / "archive.db"
    until(archive.exists, "an archive")
    job = start_job(node, "42")
    in_the_way = [archive, *archive.parent.glob("archive.db-*")]
    for part in in_the_way:
        part.unlink()
    archive.mkdir()
    told = end_job(node, job)
    node.daemon.wait_for_source("archive", up=False)
    node.daemon.kill()
    archive.rmdir()

    node.daemon.start()
    until(lambda: "42" in listed(node), "the job in the archive")

    found = listed(node)["42"]
    assert found["state"] == "ended"
    assert found["energy_j"] == told["energy_j"]
    assert found["end_unix_s"] == told["end_unix_s"]


def test_a_job_that_ran_when_the_node_went_down_has_no_end(node: Node) -> None:
    """It is known up to the daemon's last word, and does not run any more."""
    start_job(node, "42")
    assert node.daemon.stop() == 0
    runs = listed(node)["42"]
    boot_id = node.machine.procfs / "sys/kernel/random/boot_id"
    boot_id.write_text(BOOT_ID[::-1] + "\n")
    write_script(node.script, ())

    node.daemon.start()

    def look() -> dict[str, Any] | None:
        # While a daemon begins, others may have to wait for the archive.
        job = listed(node).get("42")
        return None if job is None or job["state"] == "running" else job

    lost = until(look, "the job to be lost")

    assert runs["state"] == "running"
    assert (lost["state"], lost["end_unix_s"]) == ("lost", None)
    assert lost["last_seen_unix_s"] == runs["last_seen_unix_s"]
    assert lost["energy_j"] == runs["energy_j"]


def test_an_archive_that_fails_costs_the_metrics_nothing(node: Node) -> None:
    """It is told once in the log, and by a series."""
    archive = node.daemon.run_dir.with_name("lib") / "archive.db"
    node.daemon.wait_for_source("archive", up=True)
    node.daemon.kill()
    archive.write_bytes(b"garbage" * 1000)
    for part in archive.parent.glob("archive.db-*"):
        part.unlink()

    node.daemon.start()
    node.daemon.wait_for_log("the archive cannot be used, a new one is begun")
    end_job(node, start_job(node, "43"))
    until(lambda: "43" in listed(node), "the job in the new archive")

    (aside,) = archive.parent.glob("archive.db.unusable-*")
    assert aside.read_bytes() == b"garbage" * 1000
    node.daemon.wait_for_source("archive", up=True)


def test_without_an_archive_nothing_is_kept(tmp_path: Path) -> None:
    """Who ran what is not everybody's to keep."""
    flags = ("--sampling.interval", "200ms", "--no-archive.enabled")
    node = Node(tmp_path, 1, flags=flags, scripted=True)
    write_script(node.script, ())
    with playing(node):
        node.set_power(ZONES_W, {0: 300.0})
        node.daemon.start()
        end_job(node, start_job(node, "42"))
        scrape = node.daemon.scrape()
        assert node.daemon.stop() == 0

    assert scrape.get("jouled_source_up", source="archive") is None
    assert not list((tmp_path / "lib").glob("archive*"))
