import logging
import threading
from pathlib import Path

import pytest

from exporter.carbon.poller import Time
from exporter.hub.slurm.keeper import Keeper, SlurmJobs
from exporter.hub.slurm.plan import SlurmPlan
from exporter.hub.slurm.rest import open_rest
from tests.fakes.carbon_server import Play
from tests.fakes.slurm_rest import JOBS_PATH, answer, old_row, played_rest
from tests.fakes.waiting import wait_until

_LONG_S = 60.0
_REFUSED = Play(b"", status=401)


def test_each_poll_brings_all_jobs_and_is_counted() -> None:
    """One for the whole cluster."""
    with played_rest(old_row(), old_row(job_id=3)) as server:
        plan = SlurmPlan(server.url, interval_s=30.0)
        keeper = Keeper(plan, clocks=Time(unix=lambda: 5000.0))
        with open_rest(plan) as rest:
            wait_s = keeper.refresh(rest)

    standing = keeper.standing
    assert standing.table is not None
    assert (standing.table.size, standing.table.fetched_unix_s) == (2, 5000.0)
    assert standing.fetches["ok"] == 1
    assert (wait_s, standing.next_unix_s, standing.error) == (30.0, 5030.0, "")


def test_after_a_failure_the_jobs_stay_and_the_pauses_grow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is told once, and once that it is over."""
    caplog.set_level(logging.INFO)
    with played_rest(old_row()) as server:
        plan = SlurmPlan(server.url, interval_s=30.0, api_version="v0.0.38")
        keeper = Keeper(plan)
        good = Play(answer(old_row()).encode())
        server.play(JOBS_PATH, good, *[_REFUSED] * 12, good)
        with open_rest(plan) as rest:
            keeper.refresh(rest)
            waits_s = [keeper.refresh(rest) for _ in range(12)]
            table = keeper.standing.table
            error = keeper.standing.error
            end_s = keeper.refresh(rest)

    assert table is not None
    assert table.size == 1
    assert "401" in error
    assert waits_s[0] == end_s == 30.0
    assert all(30.0 <= wait_s <= 600.0 for wait_s in waits_s)
    assert max(waits_s) > 60.0
    assert keeper.standing.fetches["denied"] == 12
    told = [record.getMessage() for record in caplog.records if "Slurm" in record.msg]
    assert len(told) == 2
    assert told[1] == "jobs of Slurm are told again"


def test_another_plan_goes_on_with_what_is_known() -> None:
    """A reload is no reason to know less."""
    jobs = SlurmJobs(Time())
    before = threading.active_count()
    with played_rest(old_row()) as server:
        try:
            jobs.follow(SlurmPlan(server.url, interval_s=3600.0))
            wait_until(lambda: _size(jobs) == 1, "the job is known", _LONG_S)
            jobs.follow(SlurmPlan("http://127.0.0.1:9", interval_s=3600.0))
            wait_until(lambda: _fetches(jobs) == (1, 1), "it has failed", _LONG_S)

            assert _size(jobs) == 1
            jobs.follow(None)
            assert jobs.standing is None
        finally:
            jobs.end()
        wait_until(
            lambda: threading.active_count() <= before + 1, "threads end", _LONG_S
        )


def test_authorities_that_cannot_be_read_are_told_and_tried_again(
    tmp_path: Path,
) -> None:
    """They may be there the next time."""
    jobs = SlurmJobs(Time())
    try:
        jobs.follow(SlurmPlan("https://127.0.0.1:9", ca_file=tmp_path / "none"))
        wait_until(lambda: _error(jobs) != "", "it has failed", _LONG_S)

        assert "slurm.ca_file" in _error(jobs)
    finally:
        jobs.end()


def _size(jobs: SlurmJobs) -> int:
    table = None if jobs.standing is None else jobs.standing.table
    return 0 if table is None else table.size


def _fetches(jobs: SlurmJobs) -> tuple[int, int]:
    fetches = {} if jobs.standing is None else jobs.standing.fetches
    return fetches.get("ok", 0), fetches.get("unavailable", 0)


def _error(jobs: SlurmJobs) -> str:
    return "" if jobs.standing is None else jobs.standing.error
