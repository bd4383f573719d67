import contextlib
import socket
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from exporter.exposition.connection import Limits
from tests.fakes.raw_http import connect, is_refused, read_all, read_until
from tests.fakes.serving import serving

HEAD = b"POST /it HTTP/1.1\r\nhost: x\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


async def tell_headers(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the names of the headers and the length of the body."""
    body_bytes, more = 0, True
    while more:
        message = await receive()
        body_bytes += len(message.get("body", b""))
        more = message.get("more_body", False)
    names = b" ".join(name for name, _ in scope["headers"])
    body = b"<%s> %d" % (names, body_bytes)
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def client() -> Iterator[socket.socket]:
    """Return a connection to a server that takes little at once."""
    with (
        serving(tell_headers, limits=Limits(head_bytes=1000, waiting=2)) as port,
        connect(port) as client,
    ):
        yield client


@pytest.mark.parametrize("field", [b"x", b"x: "])
def test_a_trailer_that_never_ends_is_refused(
    client: socket.socket, field: bytes
) -> None:
    """All of it would be held in memory, as long as the client may take."""
    client.sendall(CHUNKED + b"0\r\n" + field)

    with contextlib.suppress(OSError):
        for _ in range(10_000):
            client.sendall(b"a" * 1000)

    assert is_refused(read_all(client))


def test_a_trailer_is_no_part_of_the_head(client: socket.socket) -> None:
    """Whoever checks heads in front of us has not seen it."""
    client.sendall(CHUNKED + b"2\r\nab\r\n0\r\nauthorization: me\r\n\r\n")

    answer = read_until(client, b"> 2")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"<host transfer-encoding> 2")


def test_a_body_in_chunks_may_be_longer_than_a_head(client: socket.socket) -> None:
    """What is counted against the longest trailer is not the body before it."""
    chunk = b"ea6\r\n" + b"a" * 3750 + b"\r\n"
    client.sendall(CHUNKED)
    for _ in range(20):
        # Each piece ends in the head of the chunk after it.
        client.sendall(chunk[:2000])
        client.sendall(chunk[2000:])
    client.sendall(b"0\r\n\r\n")

    assert read_until(client, b"> 75000").startswith(b"HTTP/1.1 200 ")


def test_a_few_requests_may_be_sent_at_once(client: socket.socket) -> None:
    """They are answered one after the other, as HTTP/1.1 has it."""
    client.sendall((HEAD + b"\r\n") * 3)

    answers = b""
    while answers.count(b"<host> 0") < 3:
        answers += read_until(client, b"<host> 0")

    assert answers.count(b"HTTP/1.1 200 ") == 3


def test_a_client_that_asks_without_end_is_refused(client: socket.socket) -> None:
    """What waits is held in memory, a hundred times its length."""
    client.sendall((HEAD + b"\r\n") * 30)

    answer = read_all(client)

    assert is_refused(answer) or answer.count(b"<host> 0") < 30


@pytest.mark.parametrize("version", [b"", b" HTTP/0.9", b" HTTP/2.0"])
def test_another_version_of_http_is_refused(
    client: socket.socket, version: bytes
) -> None:
    """What it means by its bytes is not what we read in them."""
    client.sendall(b"GET /it%b\r\nhost: x\r\n\r\n" % version)

    assert is_refused(read_all(client))


def test_an_offer_of_another_protocol_is_answered_and_the_connection_ends(
    client: socket.socket,
) -> None:
    """Of what is sent behind it nobody knows whether it is HTTP."""
    offer = b"connection: upgrade\r\nupgrade: h2c\r\n\r\n"
    client.sendall(HEAD + offer + HEAD + b"\r\n")

    answer = read_all(client)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1
