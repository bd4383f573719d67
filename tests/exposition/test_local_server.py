import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from exporter.core.units import Seconds
from exporter.exposition.job_ends import JobEnds
from tests.fakes.local_serving import local_serving
from tests.fakes.snapshots import FakeReader, changed, later, rich_snapshot
from tests.fakes.unprivileged import public_directory
from tests.fakes.waiting import wait_until

LONG_S = 30.0
RUNNING = "4242"
ENDED = "4100"


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """Return a directory that every user may enter, with a short name."""
    with public_directory() as directory:
        yield directory


@pytest.fixture
def reader() -> FakeReader:
    """Return a node with jobs."""
    return FakeReader(rich_snapshot())


@pytest.fixture
def client(reader: FakeReader, run_dir: Path) -> Iterator[httpx.Client]:
    """Return a client of the server."""
    with local_serving(reader, run_dir):
        transport = httpx.HTTPTransport(uds=str(run_dir / "jouled.sock"))
        with httpx.Client(
            transport=transport, base_url="http://jouled", timeout=LONG_S
        ) as client:
            yield client


def test_the_summary_of_a_job_is_what_the_api_says_of_it(
    client: httpx.Client,
) -> None:
    """The script that reads it also reads the API of other nodes."""
    answer = client.get(f"/v1/slurm/jobs/{RUNNING}/summary")

    assert answer.status_code == 200
    assert answer.json()["job_id"] == RUNNING
    assert answer.json()["energy_j"] > 0
    assert answer.json()["running"] is True


def test_a_summary_waits_for_a_tick_that_began_after_the_job_ended(
    client: httpx.Client, reader: FakeReader
) -> None:
    """At the Epilog the last second of the job is not counted yet."""
    assert reader.snapshot is not None
    now = reader.snapshot
    client.post("/v1/slurm/job-end", json={"job_id": RUNNING}).raise_for_status()

    with ThreadPoolExecutor(1) as pool:
        path = f"/v1/slurm/jobs/{RUNNING}/summary?wait=5"
        waiting = pool.submit(client.get, path)
        asked = reader.asked
        wait_until(lambda: reader.asked > asked + 1, "it asked again", LONG_S)
        # The hint was given by the wall clock of this machine.
        reader.snapshot = changed(later(now, 7.0), unix_s=Seconds(4e9))
        answer = waiting.result(LONG_S)

    before = sum(energy for _, energy in now.jobs[0].energy_j)
    assert answer.json()["energy_j"] > before


def test_a_summary_of_an_ended_job_does_not_wait(
    client: httpx.Client, reader: FakeReader
) -> None:
    """Nothing will change any more."""
    assert reader.snapshot is not None
    ended = next(job for job in reader.snapshot.jobs if job.end_unix_s is not None)

    before = reader.asked

    answer = client.get(f"/v1/slurm/jobs/{ended.labels.job_id}/summary?wait=5")

    assert answer.json()["running"] is False
    assert reader.asked == before + 1


def test_a_job_that_runs_on_is_answered_when_the_wait_is_over(
    client: httpx.Client,
) -> None:
    """Whoever asks has a deadline too."""
    answer = client.get(f"/v1/slurm/jobs/{RUNNING}/summary?wait=0.2")

    assert answer.json()["running"] is True


def test_an_unknown_job_is_not_found(client: httpx.Client, reader: FakeReader) -> None:
    """Nor is any before the first tick."""
    unknown = client.get("/v1/slurm/jobs/99/summary?wait=0.1")
    reader.snapshot = None
    early = client.get(f"/v1/slurm/jobs/{RUNNING}/summary")

    assert unknown.status_code == 404
    assert early.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/v1/slurm/jobs/x/summary",
        "/v1/slurm/jobs/²/summary",
        "/v1/slurm/jobs/12345678901/summary",
        f"/v1/slurm/jobs/{RUNNING}/summary?wait=6",
        f"/v1/slurm/jobs/{RUNNING}/summary?wait=-1",
        f"/v1/slurm/jobs/{RUNNING}/summary?wait=nan",
        f"/v1/slurm/jobs/{RUNNING}/summary?wait=soon",
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    client: httpx.Client, path: str
) -> None:
    """A bound that can be talked away is none."""
    assert client.get(path).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"12",
        b"[]",
        b'{"job_id": 12}',
        b'{"job_id": "12; rm -rf /"}',
        b'{"job_id": "\\u0661\\u0662"}',
        b'{"job_id": "1\\n2"}',
        b"\xff\xfe",
        b"[" * 4000,
    ],
)
def test_a_job_end_that_makes_no_sense_is_refused(
    client: httpx.Client, body: bytes
) -> None:
    """Only what can be a job id gets any further."""
    assert client.post("/v1/slurm/job-end", content=body).status_code == 400


def test_a_body_that_is_too_large_is_refused(client: httpx.Client) -> None:
    """The memory of the daemon is not for others to fill."""
    answer = client.post("/v1/slurm/job-end", content=b" " * 5000)

    assert answer.status_code == 413


def test_a_stranger_is_refused_even_if_the_socket_lets_him_in(
    client: httpx.Client, run_dir: Path
) -> None:
    """File modes are set by people; who is calling is told by the kernel."""
    if os.geteuid() != 0:
        pytest.skip("only root can play another user")
    client.get("/")
    (run_dir / "jouled.sock").chmod(0o666)

    url = "http://jouled/v1/slurm/job-end"
    curl = ["curl", "-s", "-w", "%{http_code}", "-o", "/dev/null"]
    answer = subprocess.run(
        [*curl, "-d", "{}", "--unix-socket", str(run_dir / "jouled.sock"), url],
        capture_output=True,
        text=True,
        check=True,
        timeout=LONG_S,
        user="nobody",
        extra_groups=[],
    )

    assert answer.stdout == "403"


def test_the_sockets_are_for_owner_and_group(
    client: httpx.Client, run_dir: Path
) -> None:
    """Other users of the node have no business there."""
    client.get("/")

    modes = {path.name: path.stat().st_mode & 0o777 for path in run_dir.iterdir()}

    assert modes == {"jouled.sock": 0o660, "hooks.sock": 0o660}


def test_logger_can_tell_that_a_job_has_ended(
    client: httpx.Client, reader: FakeReader, run_dir: Path
) -> None:
    """It is what the Epilog uses."""
    assert reader.snapshot is not None
    # Any tick is later than what was told, once it was.
    reader.snapshot = changed(reader.snapshot, unix_s=Seconds(4e9))

    subprocess.run(
        ["logger", "-u", run_dir / "hooks.sock", "-t", "slurm", f"job-end {RUNNING}"],
        check=True,
        timeout=LONG_S,
    )

    asked = reader.asked
    client.get(f"/v1/slurm/jobs/{RUNNING}/summary?wait=5").raise_for_status()
    assert reader.asked == asked + 1


def test_hooks_are_not_heard_before_the_first_tick(run_dir: Path) -> None:
    """The end of a job would be forgotten; an Epilog that is not heard notes it."""
    reader = FakeReader()
    with local_serving(reader, run_dir):
        early = {path.name for path in run_dir.iterdir()}
        reader.snapshot = rich_snapshot()
        wait_until((run_dir / "hooks.sock").exists, "hooks are heard", LONG_S)

    assert early == {"jouled.sock"}


def test_a_daemon_that_never_ticks_ends_all_the_same(run_dir: Path) -> None:
    """Its first tick may hang for ever."""
    with local_serving(FakeReader(), run_dir):
        pass

    assert list(run_dir.iterdir()) == []


def test_a_stranger_cannot_tell_that_a_job_has_ended(
    client: httpx.Client, reader: FakeReader, run_dir: Path
) -> None:
    """Else every user could make others' summaries come too early."""
    if os.geteuid() != 0:
        pytest.skip("only root can play another user")
    assert reader.snapshot is not None
    reader.snapshot = changed(reader.snapshot, unix_s=Seconds(4e9))
    (run_dir / "hooks.sock").chmod(0o666)

    subprocess.run(
        ["logger", "-u", run_dir / "hooks.sock", f"job-end {RUNNING}"],
        check=True,
        timeout=LONG_S,
        user="nobody",
        extra_groups=[],
    )

    asked = reader.asked
    client.get(f"/v1/slurm/jobs/{RUNNING}/summary?wait=0.5").raise_for_status()
    assert reader.asked > asked + 1


@pytest.mark.parametrize(
    "message",
    [b"", b"job-end", b"job-end x", b"job-end 4242 4243", b"a" * 9000, b"\xff\0"],
)
def test_nonsense_in_the_inbox_is_passed_over(
    client: httpx.Client, run_dir: Path, message: bytes
) -> None:
    """What comes after it is heard."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, str(run_dir / "hooks.sock"))

    assert client.get(f"/v1/slurm/jobs/{RUNNING}/summary").status_code == 200


def test_a_socket_that_a_killed_daemon_left_is_replaced(
    reader: FakeReader, run_dir: Path
) -> None:
    """After kill -9 it must come up without anybody's help."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(run_dir / "jouled.sock"))

    with local_serving(reader, run_dir):
        transport = httpx.HTTPTransport(uds=str(run_dir / "jouled.sock"))
        with httpx.Client(transport=transport, timeout=LONG_S) as client:
            answer = client.get(f"http://jouled/v1/slurm/jobs/{RUNNING}/summary")

    assert answer.status_code == 200
    assert list(run_dir.iterdir()) == []


@pytest.mark.parametrize("name", ["jouled.sock", "hooks.sock"])
def test_a_file_in_the_place_of_a_socket_is_left_alone_and_told(
    reader: FakeReader, run_dir: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is somebody's; and the daemon measures without sockets just as well."""
    (run_dir / name).write_text("mine")

    with local_serving(reader, run_dir):
        wait_until(lambda: bool(caplog.text), "it is told", LONG_S)

    assert (run_dir / name).read_text() == "mine"
    assert [path.name for path in run_dir.iterdir()] == [name]
    assert "exists and is no socket; remove it" in caplog.text


def test_a_directory_with_too_long_a_name_is_told(
    reader: FakeReader, run_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The kernel allows 107 bytes for the path of a socket."""
    deep = run_dir / ("x" * 110)
    deep.mkdir()

    with local_serving(reader, deep) as thread:
        thread.join(LONG_S)

    assert "AF_UNIX path too long" in caplog.text


def test_only_the_last_thousand_ends_are_remembered() -> None:
    """A node that runs for years must not remember every job."""
    ends = JobEnds(unix_time=lambda: 5.0)

    for number in range(1500):
        ends.note(str(number))
    ends.note("600")
    ends.note("2000")

    assert ends.told_unix_s("499") is None
    assert ends.told_unix_s("500") is None
    assert ends.told_unix_s("501") == 5.0
    assert ends.told_unix_s("600") == 5.0
