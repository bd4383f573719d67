"""The real daemon learns of its jobs from the real hub, and that from slurmrestd."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.daemon import running as running_daemon
from tests.e2e.hub import Hub
from tests.e2e.hub import running as running_hub
from tests.e2e.waiting import until
from tests.fakes.cgroups import PlayedSlurm
from tests.fakes.clock import Clock
from tests.fakes.slurm_rest import new_row, played_rest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PATH = "/api/v1/slurm/jobs?node=n01"
TOKEN = "pl4nted-t0ken"  # noqa: S105 - it opens nothing
NO_PROVIDER = "zones:\n  US-CAL-CISO:\n"


def test_a_job_gets_its_name_from_slurm_by_way_of_the_hub(tmp_path: Path) -> None:
    """No process of it can be read, and there is no Prolog."""
    played = PlayedSlurm(tmp_path, "v2", Clock())
    played.start_slurmd()
    (tmp_path / "token").write_text(TOKEN)
    started_s = {"set": True, "infinite": False, "number": int(time.time()) - 300}
    row = new_row(job_id=7, start_time=started_s)
    with played_rest(row) as rest:
        slurm = f"slurm: {{url: '{rest.url}', user: hub, token_file: {tmp_path}/token}}"
        hub = Hub(tmp_path, f"{NO_PROVIDER}{slurm}\n")
        with running_hub(hub):
            until(lambda: hub.ask(PATH).status_code == 200, "slurmrestd has told")
            flags = (
                *("--path.cgroupfs", played.cgroupfs),
                *("--carbon.zone", "US-CAL-CISO", "--carbon.hub-url", hub.url),
                *("--slurm.ask-hub", "--slurm.node-name", "n01"),
            )
            daemon = Daemon(tmp_path, flags)
            with running_daemon(daemon):
                played.start_job(7, uid=1001, step=None)
                until(lambda: _info(daemon).get("name") == "train", "its name is told")
                info = _info(daemon)
                said = daemon.said()
            scrape = hub.scrape()
            hub.reload(NO_PROVIDER)
            after = hub.ask(PATH).status_code
            hub_said = hub.said()

    assert (info["job_id"], info["node_list"]) == ("7", "n[01-02]")
    assert "does not tell the jobs" not in said
    assert scrape.value("jouled_slurm_jobs") == 1
    assert scrape.value("jouled_slurm_fetches_total", outcome="ok") >= 1
    assert after == 404
    assert TOKEN not in said + hub_said
    assert rest.asks[-1].headers["x-slurm-user-token"] == TOKEN


def _info(daemon: Daemon) -> Mapping[str, str]:
    """Return what is told of the job; nothing before it is told."""
    found = daemon.scrape().series("jouled_job_info", job_id="7")
    return found[0][0] if found else {}
