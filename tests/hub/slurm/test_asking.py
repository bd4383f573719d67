from pathlib import Path

import pytest

from exporter.hub.slurm.jobs import parse_jobs
from exporter.hub.slurm.keeper import SlurmStanding
from exporter.hub.slurm.table import JobTable
from tests.e2e.exposition import Scrape
from tests.fakes.carbon import NOW
from tests.fakes.hub import HubWorld
from tests.fakes.slurm_rest import START_S, answer, old_row

PATH = "/api/v1/slurm/jobs"


def _world(folder: Path, *rows: object, told_unix_s: float = NOW) -> HubWorld:
    world = HubWorld(folder, DE=())
    table = JobTable(parse_jobs(answer(*rows)), told_unix_s)
    world.slurm = SlurmStanding(table, {"ok": 4, "denied": 1}, NOW + 20.0)
    return world


def test_a_node_gets_its_own_jobs_and_no_others(tmp_path: Path) -> None:
    """An answer is as small as that."""
    world = _world(tmp_path, old_row(), old_row(job_id=3, nodes="n[02-09]"))

    told = world.asker.get(f"{PATH}?node=n01").json()
    both = world.asker.get(f"{PATH}?node=n02").json()

    assert told == {
        "fetched_unix_s": NOW,
        "jobs": [
            {
                "job_id": "2",
                "name": "train",
                "user": "alice",
                "uid": 1001,
                "account": "physics",
                "partition": "batch",
                "array_job_id": "",
                "array_task_id": "",
                "het_job_id": "",
                "node_list": "n[01-02]",
                "start_unix_s": START_S,
                "time_limit_s": 300.0,
                "state": "RUNNING",
            }
        ],
    }
    assert [job["job_id"] for job in both["jobs"]] == ["2", "3"]


def test_the_name_of_the_host_is_enough(tmp_path: Path) -> None:
    """Slurm leaves the domain out, unless the site does not."""
    world = _world(tmp_path, old_row(nodes="n01,n02.example.org"))

    def jobs(node: str) -> int:
        return len(world.asker.get(f"{PATH}?node={node}").json()["jobs"])

    assert jobs("N01.cluster.example.org") == 1
    assert jobs("n02.example.org") == 1
    assert jobs("n03") == 0


def test_who_has_the_answer_already_is_told_so(tmp_path: Path) -> None:
    """Another poll that brought the same jobs is no news."""
    world = _world(tmp_path, old_row())
    first = world.asker.get(f"{PATH}?node=n01")
    table = JobTable(parse_jobs(answer(old_row())), NOW + 30.0)
    world.slurm = SlurmStanding(table)

    etag = {"If-None-Match": first.headers["etag"]}
    second = world.asker.get(f"{PATH}?node=n01", etag)
    other = JobTable(parse_jobs(answer(old_row(time_limit=9))), NOW + 60.0)
    world.slurm = SlurmStanding(other)
    third = world.asker.get(f"{PATH}?node=n01", etag)

    assert first.headers["cache-control"] == "max-age=22"
    assert (second.status_code, second.content) == (304, b"")
    assert third.status_code == 200


@pytest.mark.parametrize(
    ("path", "code"), [(PATH, 400), (f"{PATH}?node=n01", 503), ("?node=", 404)]
)
def test_what_cannot_be_answered_says_why(tmp_path: Path, path: str, code: int) -> None:
    """No node, no jobs yet, or nobody who is asked."""
    world = HubWorld(tmp_path, DE=())
    if code != 404:
        world.slurm = SlurmStanding()

    told = world.asker.get(path if code != 404 else f"{PATH}?node=n01")

    assert told.status_code == code
    assert told.json()["detail"]


def test_nothing_can_be_changed_there(tmp_path: Path) -> None:
    """It is asked, and no more."""
    assert _world(tmp_path).asker.ask("POST", PATH).status_code == 405


def test_the_description_tells_what_a_node_is_answered(tmp_path: Path) -> None:
    """The route goes round the framework that writes it."""
    described = _world(tmp_path).asker.get("/openapi.json").json()["paths"]

    assert PATH in described


def test_a_scrape_tells_whether_slurm_answers(tmp_path: Path) -> None:
    """And nothing at all where nobody is asked."""
    world = _world(tmp_path, old_row(), told_unix_s=NOW - 60.0)

    found = Scrape(world.asker.get("/metrics").text)
    world.slurm = None
    without = world.asker.get("/metrics").text

    assert found.value("jouled_slurm_fetches_total", outcome="ok") == 4
    assert found.value("jouled_slurm_last_success_timestamp_seconds") == NOW - 60.0
    assert found.value("jouled_slurm_jobs") == 1
    assert "jouled_slurm_fetches_total{" not in without
    assert "\njouled_slurm_jobs " not in without
