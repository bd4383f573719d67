"""How a server of the cluster is asked."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from exporter.workloads.kubernetes.cluster import ClusterServer, ServerAddress
from exporter.workloads.kubernetes.errors import ClusterError, RefusedError
from tests.fakes.cluster_server import PlayedCluster
from tests.fakes.cluster_talk import pod_object

_LONGEST_S = 60.0
# What is sent byte by byte takes much longer, on any machine.
_SOON_S = 0.5
_WATCH = {"watch": "1", "resourceVersion": "0"}


def _read(
    server: ClusterServer, total_s: float = _LONGEST_S, part_s: float = _LONGEST_S
) -> bytes:
    query = {"fieldSelector": "spec.nodeName=node-1"}
    with server.get("/api/v1/pods", query, part_s, total_s) as answer:
        return b"".join(answer.chunks())


def _lines(
    server: ClusterServer, total_s: float, part_s: float, most_bytes: int = 1 << 20
) -> Iterator[bytes]:
    with server.get("/api/v1/pods", _WATCH, part_s, total_s) as answer:
        yield from answer.lines(most_bytes)


def test_an_answer_is_read_in_pieces(cluster: PlayedCluster) -> None:
    """With our token and name."""
    cluster.put(pod_object("one", "u1"))

    body = _read(cluster.client())

    assert b'"name":"one"' in body
    (asked,) = cluster.asks
    assert asked.token == cluster.token
    assert asked.query == {"fieldSelector": "spec.nodeName=node-1"}


# --- what takes too long --------------------------------------------------------------


@pytest.mark.parametrize("drips", ["all", "body"])
def test_an_answer_that_drips_is_given_up(
    cluster: PlayedCluster, drips: Literal["all", "body"]
) -> None:
    """Each byte comes soon enough, and all of them never do."""
    cluster.put(pod_object("one", "u1"))
    cluster.faults.drips = drips

    with pytest.raises(ClusterError, match="no whole answer in time"):
        _read(cluster.client(), total_s=_SOON_S)


@pytest.mark.parametrize("limits", [(_SOON_S, _LONGEST_S), (_LONGEST_S, _SOON_S)])
def test_an_event_of_a_watch_that_drips_is_given_up(
    cluster: PlayedCluster, limits: tuple[float, float]
) -> None:
    """A line of it is thousands of reads, and must not be as many waits."""
    cluster.put(pod_object("one", "u1"))
    cluster.faults.drips = "body"

    with pytest.raises(ClusterError, match="no whole answer in time"):
        list(_lines(cluster.client(), *limits))


def test_a_line_without_an_end_is_given_up(cluster: PlayedCluster) -> None:
    """Pieces of it come quickly, and are left out; it is one part all the same."""
    cluster.faults.drips = "body"
    cluster.send(b"x" * 400)
    lines = _lines(cluster.client(), _LONGEST_S, _SOON_S, most_bytes=2)

    with pytest.raises(ClusterError, match="no whole answer in time"):
        list(lines)


def test_a_watch_without_events_is_given_up(cluster: PlayedCluster) -> None:
    """The other end may be gone, with a proxy in between that is not."""
    server = cluster.client()

    with pytest.raises(ClusterError, match="no whole answer in time"):
        list(_lines(server, _LONGEST_S, _SOON_S))


def test_a_watch_may_be_told_to_expect_more(cluster: PlayedCluster) -> None:
    """Who hears bookmarks knows how often they come."""
    cluster.put(pod_object("one", "u1"))
    server = cluster.client()
    lines = []

    def read() -> None:
        with server.get("/api/v1/pods", _WATCH, _LONGEST_S, _LONGEST_S) as answer:
            for line in answer.lines(1 << 20):
                lines.append(line)
                answer.expect_parts_within(_SOON_S)

    with pytest.raises(ClusterError, match="no whole answer in time"):
        read()

    assert len(lines) == 1


def test_a_watch_that_goes_on_for_too_long_is_given_up(cluster: PlayedCluster) -> None:
    """However much is told: the server was asked to end it before that."""
    numbers = itertools.count()

    def read() -> None:
        cluster.put(pod_object("one", f"u{next(numbers)}"))
        for _ in _lines(cluster.client(), _SOON_S, _LONGEST_S):
            cluster.put(pod_object("one", f"u{next(numbers)}"))

    with pytest.raises(ClusterError, match="no whole answer in time"):
        read()


def test_a_handshake_that_drips_is_given_up(cluster: PlayedCluster) -> None:
    """Not even TLS has begun."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_drip_a_handshake, args=(listener,))
        thread.start()
        address = replace(cluster.address, port=listener.getsockname()[1])

        with pytest.raises(ClusterError, match="no whole answer in time"):
            _read(ClusterServer(address, connect_s=_SOON_S))

        thread.join(_LONGEST_S)
        assert not thread.is_alive()


def _drip_a_handshake(listener: socket.socket) -> None:
    """Announce 16 KiB of a handshake, and send them byte by byte."""
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"\x16\x03\x03\x40\x00")
        try:
            while True:
                connection.sendall(b"\0")
                time.sleep(0.02)
        except OSError:
            # The other side has given up.
            return


# --- what else may happen -------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"), [(401, RefusedError), (403, RefusedError)]
)
def test_a_refusal_is_told_from_a_failure(
    cluster: PlayedCluster, status: int, error: type[ClusterError]
) -> None:
    """An operator has to act; to ask again soon is of no use."""
    cluster.faults.status = status

    with pytest.raises(error, match=str(status)):
        _read(cluster.client())


def test_a_server_that_fails_is_named_with_its_status(cluster: PlayedCluster) -> None:
    """Not with what it said, which could be anything."""
    cluster.faults.status = 503

    with pytest.raises(ClusterError, match=f":{cluster.port}: 503") as caught:
        _read(cluster.client())

    assert not isinstance(caught.value, RefusedError)


def test_one_that_was_interrupted_asks_nothing_more(cluster: PlayedCluster) -> None:
    """The daemon is ending."""
    server = cluster.client()
    server.interrupt()

    with pytest.raises(ClusterError, match="told to stop"):
        _read(server)

    assert cluster.asks == []


def test_a_file_that_is_no_token_is_not_sent(cluster: PlayedCluster) -> None:
    """Somebody has configured another one."""
    (cluster.folder / "token").write_bytes(b"\xff\xfe")

    with pytest.raises(ClusterError, match="cannot read the token"):
        _read(cluster.client())

    assert cluster.asks == []


def test_an_address_is_written_as_in_a_url() -> None:
    """With brackets where it needs them."""
    files = (Path("ca"), Path("token"))

    assert str(ServerAddress("10.0.0.1", 443, *files)) == "https://10.0.0.1:443"
    assert str(ServerAddress("fd00::1", 6443, *files)) == "https://[fd00::1]:6443"
