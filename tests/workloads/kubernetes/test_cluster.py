"""How a server of the cluster is asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.workloads.kubernetes.cluster import ClusterServer, ServerAddress
from exporter.workloads.kubernetes.errors import ClusterError, RefusedError
from tests.fakes.cluster_server import PlayedCluster, played_cluster, pod_object

_LONGEST_S = 60.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[PlayedCluster]:
    """Play an API server."""
    with played_cluster(tmp_path / "cluster") as cluster:
        yield cluster


def _read(server: ClusterServer, total_s: float = _LONGEST_S) -> bytes:
    query = {"fieldSelector": "spec.nodeName=node-1"}
    with server.get("/api/v1/pods", query, _LONGEST_S, total_s) as answer:
        return b"".join(answer.chunks())


def test_an_answer_is_read_in_pieces(cluster: PlayedCluster) -> None:
    """With our token and name."""
    cluster.put(pod_object("one", "u1"))

    body = _read(cluster.client())

    assert b'"name":"one"' in body
    (asked,) = cluster.asks
    assert asked.token == cluster.token
    assert asked.query == {"fieldSelector": "spec.nodeName=node-1"}


def test_an_answer_that_takes_too_long_is_given_up(cluster: PlayedCluster) -> None:
    """Even if something comes now and then."""
    with pytest.raises(ClusterError, match="too long"):
        _read(cluster.client(), total_s=-1.0)


def test_a_line_of_a_watch_that_takes_too_long_is_given_up(
    cluster: PlayedCluster,
) -> None:
    """A watch ends by itself before that."""
    cluster.put(pod_object("one", "u1"))
    query = {"watch": "1", "resourceVersion": "0"}
    server = cluster.client()
    lines: list[bytes] = []

    with (
        pytest.raises(ClusterError, match="too long"),
        server.get("/api/v1/pods", query, _LONGEST_S, -1.0) as answer,
    ):
        lines.extend(answer.lines(1 << 20))

    assert len(lines) == 1


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
