import contextlib
import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from exporter.core.errors import ConfigError
from exporter.exposition.connection import Limits
from exporter.exposition.http import create_app
from exporter.exposition.server import bind, listen_on
from tests.fakes.raw_http import LONG_S, connect, is_refused, read_all
from tests.fakes.serving import serving
from tests.fakes.snapshots import FakeReader, rich_snapshot

IDLE_SERVER = """
import asyncio, sys
from exporter.exposition.http import create_app
from exporter.exposition.server import WebServer, bind
from tests.fakes.snapshots import FakeReader, rich_snapshot

async def main():
    sockets = bind("127.0.0.1:0")
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3")
    print(sockets[0].getsockname()[1], flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    await WebServer(app, sockets).serve(stop)

asyncio.run(main())
"""


SHORT_OF_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
"""


@pytest.fixture
def port() -> Iterator[int]:
    """Return the port of a node that serves."""
    with serving(create_app(FakeReader(rich_snapshot()), version="1.2.3")) as port:
        yield port


def write_until_refused(client: socket.socket) -> None:
    """Notice that the other side is gone without reading anything."""
    deadline = time.monotonic() + LONG_S
    while time.monotonic() < deadline:
        client.sendall(b"\r\n")
        time.sleep(0.02)


def get(port: int, path: str) -> tuple[int, bytes]:
    """Ask once on a connection of its own."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, LONG_S)) as client:
        client.request("GET", path)
        answer = client.getresponse()
        return answer.status, answer.read()


async def huge_answer(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with more than any buffer of a kernel holds."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(64 * 1024 * 1024)})


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", ":0", "0.0.0.0:0"])
def test_an_address_is_listened_on(address: str) -> None:
    """Every spelling that Prometheus' own exporters take."""
    sockets = bind(address)
    try:
        reached = [opened.getsockname()[1] for opened in sockets]
        for port in set(reached):
            assert port > 0
        family = {opened.family for opened in sockets}
        assert family <= {socket.AF_INET, socket.AF_INET6}
        host = "localhost" if address.startswith("localhost") else "127.0.0.1"
        socket.create_connection((host, reached[0]), timeout=LONG_S).close()
    finally:
        for opened in sockets:
            opened.close()


def test_an_ipv6_address_is_written_in_brackets() -> None:
    """Else its colons could not be told from the one before the port."""
    try:
        (opened,) = bind("[::1]:0")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with opened:
        assert opened.family == socket.AF_INET6


@pytest.mark.parametrize(
    "address", ["", "9878", "localhost", "::1:9878", "host:", "host:http", ":65536"]
)
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    """The message shows how it is done."""
    with pytest.raises(ConfigError, match=r"write :9878"):
        bind(address)


def test_a_port_that_is_taken_is_told_so() -> None:
    """The most frequent reason why a daemon does not start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(OSError, match="another program listens there"):
            bind(f"127.0.0.1:{port}")


def test_an_address_of_another_machine_is_told_so() -> None:
    """It is not the port that is wrong then."""
    with pytest.raises(OSError, match="assign requested address"):
        bind("192.0.2.1:0")


def test_a_name_that_also_stands_for_an_ipv6_address_not_here_is_listened_on() -> None:
    """Nodes without IPv6 often keep "::1 localhost" in /etc/hosts."""
    not_here = (socket.AF_INET6, ("2001:db8::1", 0))

    (opened,) = listen_on([not_here, (socket.AF_INET, ("127.0.0.1", 0))])

    with opened:
        assert opened.family == socket.AF_INET


def test_a_name_that_stands_for_no_address_of_this_machine_is_told_so() -> None:
    """A daemon that listens nowhere must not seem to have started."""
    with pytest.raises(OSError, match=r"requested address|Address family"):
        listen_on([(socket.AF_INET6, ("2001:db8::1", 0))])


def test_one_connection_serves_many_requests(port: int) -> None:
    """Prometheus keeps it between scrapes."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, LONG_S)) as client:
        client.connect()
        first = client.sock
        for path in ("/metrics", "/api/v1/node", "/metrics", "/"):
            client.request("GET", path)
            answer = client.getresponse()
            answer.read()

            assert answer.status == 200
            assert client.sock is first


def test_head_has_the_length_and_no_body(port: int) -> None:
    """Whoever asks so wants the headers alone."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, LONG_S)) as client:
        client.request("HEAD", "/metrics")
        answer = client.getresponse()

        assert answer.status == 200
        assert int(answer.headers["content-length"]) > 1000
        assert answer.read() == b""


def test_the_server_does_not_tell_what_it_is_made_of(port: int) -> None:
    """Nobody but an attacker wants to know."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, LONG_S)) as client:
        client.request("GET", "/metrics")

        assert client.getresponse().headers["server"] is None


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /" + b"a" * 70_000,
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 70_000,
    ],
    ids=["tls", "no host", "two hosts", "no text", "long path", "long header"],
)
def test_nonsense_is_refused_and_the_connection_ended(
    port: int, nonsense: bytes
) -> None:
    """Port scanners talk all kinds of languages."""
    with connect(port) as client:
        client.sendall(nonsense)
        refusal = read_all(client)

    # What was not read of a long request can make the kernel drop the answer.
    dropped = len(nonsense) > 10_000 and refusal == b""
    assert dropped or refusal.startswith(b"HTTP/1.1 400 ")

    assert get(port, "/metrics")[0] == 200


def test_a_head_that_comes_in_pieces_may_not_be_longer(port: int) -> None:
    """Each header of it is held in memory until the last one."""
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n")
        with contextlib.suppress(OSError):
            for number in range(10_000):
                client.sendall(b"x-%d: %s\r\n" % (number, b"a" * 100))
        refusal = read_all(client)

    assert is_refused(refusal)


def test_many_requests_of_one_client_have_a_head_each(port: int) -> None:
    """What is counted against the longest head begins anew with each request."""
    request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nx: %s\r\n" % (b"a" * 9000)
    with closing(http.client.HTTPConnection("127.0.0.1", port, LONG_S)) as client:
        client.connect()
        for _ in range(5):
            client.sock.sendall(request[:5000])
            client.sock.sendall(request[5000:] + b"\r\n")
            answer = http.client.HTTPResponse(client.sock)
            answer.begin()

            assert answer.status == 200
            assert answer.read()


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\nhost"])
def test_a_client_that_does_not_go_on_is_ended(said: bytes) -> None:
    """It would hold one place of few for ever."""
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3")
    with serving(app, limits=Limits(exchange_s=0.2)) as port, connect(port) as client:
        client.sendall(said)

        assert read_all(client) == b""


def test_a_client_that_does_not_read_its_answer_is_ended() -> None:
    """The answer waits in our memory meanwhile."""
    limits = Limits(exchange_s=0.2, keep_alive_s=0)
    with serving(huge_answer, limits=limits) as port, connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")

        with pytest.raises(OSError, match=r"reset|pipe"):
            write_until_refused(client)


def test_a_connection_that_nobody_uses_is_ended() -> None:
    """Clients vanish without saying so."""
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3")
    with serving(app, limits=Limits(keep_alive_s=0)) as port, connect(port) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")

        assert read_all(client).startswith(b"HTTP/1.1 ")


def test_too_many_clients_are_told_to_come_back() -> None:
    """Those that are served already go on undisturbed."""
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3")
    with serving(app, limits=Limits(served=2)) as port:
        with closing(http.client.HTTPConnection("127.0.0.1", port, LONG_S)) as early:
            early.request("GET", "/readyz")
            assert early.getresponse().read()

            assert get(port, "/readyz")[0] == 503

        deadline = time.monotonic() + LONG_S
        while get(port, "/readyz")[0] != 200:
            assert time.monotonic() < deadline


def test_far_too_many_clients_are_not_even_answered() -> None:
    """Each costs memory, whatever it says."""
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3")
    with serving(app, limits=Limits(connections=1)) as port, connect(port) as early:
        early.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert early.recv(4096).startswith(b"HTTP/1.1 200")

        with connect(port) as late:
            assert read_all(late) == b""


def test_an_error_within_is_an_answer_and_not_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One broken answer must not take the metrics with it."""
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3")

    async def half_broken(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/broken":
            raise RuntimeError
        await app(scope, receive, send)

    with serving(half_broken) as port:
        assert get(port, "/broken")[0] == 500
        assert get(port, "/metrics")[0] == 200

    assert "Exception in ASGI application" in caplog.text


def test_it_stops_although_clients_are_there() -> None:
    """Idle ones, silent ones and slow ones: none may hold up a restart."""
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3")
    with (
        closing(http.client.HTTPConnection("127.0.0.1", timeout=LONG_S)) as idle,
        socket.socket() as silent,
        socket.socket() as slow,
    ):
        with serving(app) as port:
            idle.port = port
            idle.request("GET", "/metrics")
            idle.getresponse().read()
            silent.settimeout(LONG_S)
            silent.connect(("127.0.0.1", port))
            slow.settimeout(LONG_S)
            slow.connect(("127.0.0.1", port))
            slow.sendall(b"GET /metrics HTTP/1.1\r\n")
            idle.request("GET", "/metrics")
            idle.getresponse().read()

        assert read_all(idle.sock) == b""
        assert read_all(silent) == b""
        assert read_all(slow) == b""


def test_it_stops_although_an_answer_never_ends() -> None:
    """What is under way gets a moment, and no more."""

    async def endless(_scope: Scope, receive: Receive, _send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with socket.socket() as client:
        with serving(endless) as port:
            client.settimeout(LONG_S)
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")

        assert read_all(client) == b""


def test_a_server_that_nobody_asks_sleeps() -> None:
    """A tick a second is the daemon's whole life; the server must not add wake-ups."""
    with subprocess.Popen(
        [sys.executable, "-c", IDLE_SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with closing(http.client.HTTPConnection("127.0.0.1", port, LONG_S)) as client:
            client.request("GET", "/api/v1/jobs")
            assert len(json.loads(client.getresponse().read())["jobs"]) == 5
            asleep = _waits_until_quiet(process.pid)

            # The connection stays open, as Prometheus leaves it.
            time.sleep(1.5)

            assert _switches(process.pid) - asleep <= 1
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(LONG_S) == 0


def test_a_server_out_of_files_recovers_when_clients_leave() -> None:
    """Somebody else's leak of connections must not need a restart of ours."""
    with subprocess.Popen(
        [sys.executable, "-c", SHORT_OF_FILES + IDLE_SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        crowd = [connect(port) for _ in range(60)]
        # Nobody in the queue is served until files are free again.
        with connect(port) as late:
            late.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
            for client in crowd:
                client.close()

            assert late.recv(65536).startswith(b"HTTP/1.1 200 ")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(LONG_S) == 0


def _waits_until_quiet(pid: int) -> int:
    """Return the count of context switches once it does not grow any more."""
    deadline = time.monotonic() + LONG_S
    while time.monotonic() < deadline:
        before = _switches(pid)
        # For so long no machine keeps a process waiting that has work to do.
        time.sleep(1.5)
        if _switches(pid) == before:
            return before
    pytest.fail("never asleep")


def _switches(pid: int) -> int:
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total
