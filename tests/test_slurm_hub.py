"""A node asks a played hub for its jobs, over real HTTP."""

import asyncio
import json
import logging

import pytest

from exporter.carbon.secret import Secret
from exporter.carbon.streams import open_streams
from exporter.slurm_hub import PATH, SlurmHub
from exporter.workloads.slurm.hub_jobs import HubJob, HubJobs
from tests.fakes.carbon_server import Ask, CarbonServer, Play
from tests.fakes.clock import Clock

_LONG_S = 60.0
_NEVER_S = 1e6
JOB = {
    "job_id": "7",
    "name": "train",
    "user": "alice",
    "uid": 1001,
    "account": "physics",
    "partition": "batch",
    "array_job_id": "",
    "array_task_id": "",
    "het_job_id": "",
    "node_list": "n[01-02]",
    "start_unix_s": 1000.5,
    "time_limit_s": 600.0,
    "state": "RUNNING",
}


def _answer(*rows: object) -> Play:
    return Play(json.dumps({"fetched_unix_s": 1.0, "jobs": rows}).encode())


def _ask(
    jobs: HubJobs, *plays: Play, authorization: Secret | None = None
) -> tuple[list[float], list[Ask]]:
    """Ask as often as there are answers; return the pauses, and what was asked."""

    async def run() -> tuple[list[float], list[Ask]]:
        async with CarbonServer() as server, open_streams() as web:
            server.play_everywhere(*plays)
            hub = SlurmHub(
                jobs,
                server.url,
                "n01",
                authorization,
                open_streams,
                monotonic=Clock(),
                chance=lambda: 1.0,
            )
            return [await hub.ask(web) for _ in plays], server.asks

    jobs.has_jobs = True
    return asyncio.run(run())


def test_what_the_hub_tells_is_handed_on() -> None:
    """By the names that the environment of a job has for it."""
    jobs = HubJobs()

    (wait_s,), (ask,) = _ask(jobs, _answer(JOB), authorization=Secret("Basic abc"))

    assert jobs.by_id == {
        "7": HubJob(
            {
                "SLURM_JOB_NAME": "train",
                "SLURM_JOB_USER": "alice",
                "SLURM_JOB_ACCOUNT": "physics",
                "SLURM_JOB_PARTITION": "batch",
                "SLURM_JOB_NODELIST": "n[01-02]",
            },
            1001,
            1000.5,  # type: ignore[arg-type]
            600.0,  # type: ignore[arg-type]
        )
    }
    assert wait_s == 30.0
    assert (ask.path, ask.query) == (PATH, {"node": "n01"})
    assert ask.headers["authorization"] == "Basic abc"


def test_the_same_answer_leaves_the_same_objects() -> None:
    """So that the ticks see at a glance that there is nothing new."""
    jobs = HubJobs()
    first = Play(_answer(JOB).body, headers=(("ETag", 'W/"a"'),))

    _ask(jobs, first)
    before = jobs.by_id
    _ask(jobs, first)
    assert jobs.by_id is not before

    same = HubJobs()
    _, asks = _ask(same, first, Play(status=304), first)

    assert asks[1].headers["if-none-match"] == 'W/"a"'
    assert same.by_id == before


def test_a_hub_that_knows_longer_is_asked_more_rarely() -> None:
    """It says how long nothing new will come."""
    age = (("Cache-Control", "max-age=120"),)

    waits_s, _ = _ask(HubJobs(), Play(_answer().body, headers=age))

    assert waits_s == [120.0]


def test_nobody_is_asked_while_no_job_runs() -> None:
    """Ten thousand idle nodes cost the hub nothing."""

    async def run() -> float:
        async with open_streams() as web:
            hub = SlurmHub(HubJobs(), "http://127.0.0.1:9", "n01", None, open_streams)
            return await hub.ask(web)

    assert asyncio.run(run()) == 30.0


@pytest.mark.parametrize(
    "row",
    [
        "text",
        {},
        JOB | {"job_id": 7},
        JOB | {"start_unix_s": None},
        JOB | {"start_unix_s": "1"},
        JOB | {"time_limit_s": "10"},
        JOB | {"uid": "root"},
    ],
)
def test_a_job_that_cannot_be_read_is_left_out(row: object) -> None:
    """The others are not to blame."""
    jobs = HubJobs()

    _ask(jobs, _answer(row, JOB | {"job_id": "8", "name": 5, "time_limit_s": None}))

    assert list(jobs.by_id) == ["8"]
    assert "SLURM_JOB_NAME" not in jobs.by_id["8"].facts
    assert jobs.by_id["8"].limit_s is None


@pytest.mark.parametrize(
    ("play", "waits_s"),
    [
        (Play(status=404), [600.0, 600.0]),
        (Play(status=401), [600.0, 600.0]),
        (Play(status=503), [60.0, 120.0]),
        (Play(b"t0ken"), [60.0, 120.0]),
        (Play(b'{"jobs": 1}'), [60.0, 120.0]),
        (Play(behaviour="reset"), [60.0, 120.0]),
        (Play(behaviour="endless"), [60.0, 120.0]),
    ],
)
def test_a_hub_that_fails_changes_nothing_and_is_told_once(
    caplog: pytest.LogCaptureFixture, play: Play, waits_s: list[float]
) -> None:
    """What it told before stays as it was."""
    caplog.set_level(logging.INFO)
    jobs = HubJobs()

    found, _ = _ask(jobs, _answer(JOB), play, play, _answer(JOB))

    assert found == [30.0, *waits_s, 30.0]
    assert list(jobs.by_id) == ["7"]
    assert len(caplog.records) == 2
    assert "t0ken" not in caplog.text


def test_a_job_without_a_name_lets_the_hub_be_asked_soon() -> None:
    """Its labels are fixed within seconds."""
    jobs = HubJobs()
    jobs.has_jobs = True

    async def run() -> None:
        stop, asked = asyncio.Event(), asyncio.Event()

        def told(_: Ask) -> Play:
            asked.set()
            return _answer(JOB)

        async with CarbonServer() as server, asyncio.timeout(_LONG_S):
            server.play_everywhere(told)
            hub = SlurmHub(
                jobs,
                server.url,
                "n01",
                None,
                open_streams,
                every_s=_NEVER_S,
                chance=lambda: 0.5,
            )
            running = asyncio.ensure_future(hub.run(stop))
            await asyncio.sleep(0)
            # As the thread of the ticks does.
            await asyncio.to_thread(jobs.wish)
            await asked.wait()
            while not jobs.by_id:  # noqa: ASYNC110 - nobody tells that it is there
                await asyncio.sleep(0.01)
            stop.set()
            await running

    asyncio.run(run())

    assert list(jobs.by_id) == ["7"]
    # Nobody listens any more, and nobody minds.
    jobs.wish()


def test_a_wish_from_before_anybody_listened_is_not_forgotten() -> None:
    """The ticks may begin before the loop does."""
    jobs = HubJobs()
    wishes: list[int] = []

    jobs.wish()
    jobs.on_wish(lambda: wishes.append(1))

    assert wishes == [1]
