"""One list, then a watch: whatever the API server does."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.workloads.doubts import Doubts
from exporter.workloads.kubernetes.api_names import ApiNames
from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.kubernetes.names import PodNames
from tests.fakes.certificates import authority, signed
from tests.fakes.cluster_server import PlayedCluster, played_cluster
from tests.fakes.cluster_talk import pod_object
from tests.fakes.waiting import wait_until

_LONGEST_S = 60.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[PlayedCluster]:
    """Play an API server."""
    with played_cluster(tmp_path / "cluster") as cluster:
        yield cluster


class _Clock:
    """Stands still, but for what a test adds: then a watch has lasted."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        self.now_s += 10.0
        return self.now_s


def _names(
    cluster: PlayedCluster, node: str = "node-1", silence_s: float = _LONGEST_S
) -> ApiNames:
    return ApiNames(
        cluster.client(),
        node,
        {"team": "label_team"},
        chance=lambda: 0.5,
        monotonic=_Clock(),
        silence_s=silence_s,
    )


@contextmanager
def _watching(names: ApiNames, cluster: PlayedCluster) -> Iterator[list[float]]:
    """Take a step in a thread; in the end let the server end the watch.

    Yields:
        A list that will hold what the step returned.
    """
    pauses: list[float] = []
    thread = threading.Thread(target=lambda: pauses.append(names.step()))
    before = len(cluster.watches)
    thread.start()
    try:
        wait_until(lambda: len(cluster.watches) > before, "it watches", _LONGEST_S)
        yield pauses
    finally:
        end_s = time.monotonic() + _LONGEST_S
        while thread.is_alive():
            assert time.monotonic() < end_s
            cluster.end_watches()
            thread.join(0.02)


def _wait(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, what, _LONGEST_S)


def _has_thread() -> bool:
    threads = threading.enumerate()
    return any(thread.name == "pods of the API server" for thread in threads)


def _known(names: ApiNames, uid: str) -> str:
    facts = names.store.find(uid)
    return "" if facts is None else facts.name


# --- what is told ---------------------------------------------------------------------


def test_the_pods_of_this_node_are_listed_once_and_then_watched(
    cluster: PlayedCluster,
) -> None:
    """Never is anything listed on a timer."""
    cluster.put(pod_object("one", "u1", labels={"team": "x", "other": "y"}))
    cluster.put(pod_object("elsewhere", "u9", node="node-2"))
    names = _names(cluster)

    with _watching(names, cluster):
        _wait(lambda: _known(names, "u1") == "one", "the list is known")
        cluster.put(pod_object("two", "u2", owner=("Job", "train")))
        _wait(lambda: _known(names, "u2") == "two", "the new pod is known")
    for _ in range(3):
        with _watching(names, cluster):
            pass

    assert len(cluster.lists) == 1
    assert len(cluster.watches) == 4
    assert names.store.find("u9") is None
    facts = names.store.find("u2")
    assert isinstance(facts, PodFacts)
    assert (facts.workload_kind, facts.workload_name) == ("Job", "train")
    one = names.store.find("u1")
    assert one is not None
    assert one.labels == {"label_team": "x"}
    assert names.trouble == ""


def test_the_list_is_asked_of_the_server_s_memory(cluster: PlayedCluster) -> None:
    """Not of etcd, which all nodes of a cluster share."""
    names = _names(cluster)

    with _watching(names, cluster):
        pass

    (asked,) = cluster.lists
    assert asked.query == {
        "fieldSelector": "spec.nodeName=node-1",
        "resourceVersion": "0",
    }
    (watched,) = cluster.watches
    assert watched.query["allowWatchBookmarks"] == "true"
    assert 300 <= int(watched.query["timeoutSeconds"]) <= 600


def test_a_pod_that_was_deleted_is_known_for_a_while(cluster: PlayedCluster) -> None:
    """Its cgroup may be there for longer than the pod."""
    cluster.put(pod_object("one", "u1"))
    names = _names(cluster)

    with _watching(names, cluster):
        _wait(lambda: _known(names, "u1") == "one", "the list is known")
        cluster.delete("u1")
        cluster.put(pod_object("two", "u2"))
        _wait(lambda: _known(names, "u2") == "two", "the event after that is known")

    assert _known(names, "u1") == "one"


def test_a_watch_goes_on_from_the_last_bookmark(cluster: PlayedCluster) -> None:
    """On a node where nothing changes, versions grow old all the same."""
    names = _names(cluster)
    with _watching(names, cluster):
        cluster.bookmark()
        cluster.put(pod_object("one", "u1"))
        _wait(lambda: _known(names, "u1") == "one", "the event is known")
        version = cluster.version
    cluster.compact()

    with _watching(names, cluster):
        pass

    assert cluster.watches[-1].query["resourceVersion"] == str(version)
    assert len(cluster.lists) == 1


def test_a_server_that_sends_bookmarks_no_longer_is_asked_anew(
    cluster: PlayedCluster,
) -> None:
    """Its connection is open still, and nobody is at the other end."""
    names = _names(cluster, silence_s=0.2)
    with _watching(names, cluster) as pauses:
        cluster.bookmark()
        version = cluster.version
        _wait(lambda: bool(pauses), "the watch is given up")

    with _watching(names, cluster):
        pass

    assert cluster.watches[-1].query["resourceVersion"] == str(version)
    assert len(cluster.lists) == 1
    assert names.trouble == ""


def test_what_changes_of_a_pod_is_news(cluster: PlayedCluster) -> None:
    """Requests can be changed while it runs."""
    cluster.put(pod_object("one", "u1", requests={"cpu": "1"}))
    names = _names(cluster)
    with _watching(names, cluster):
        _wait(lambda: _known(names, "u1") == "one", "the list is known")
        names.store.take_news()
        cluster.put(pod_object("one", "u1", requests={"cpu": "2500m"}))
        _wait(lambda: "u1" in names.store.take_news(), "it is news")

    facts = names.store.find("u1")
    assert facts is not None
    assert facts.cpus == 2.5


def test_a_server_that_knows_no_pod_of_this_node_has_another_name_for_it(
    cluster: PlayedCluster,
) -> None:
    """Nobody would find out why all pods are nameless."""
    cluster.put(pod_object("one", "u1"))
    names = _names(cluster, node="localhost")
    names.want(frozenset({"u1"}))

    with _watching(names, cluster):
        _wait(lambda: bool(names.trouble), "it is told")

    assert "NODE_NAME" in names.trouble
    assert "localhost" in names.trouble


# --- what goes wrong ------------------------------------------------------------------


def test_a_version_that_is_too_old_is_listed_again(cluster: PlayedCluster) -> None:
    """410 Gone: once, and then the watch goes on."""
    names = _names(cluster)
    with _watching(names, cluster):
        pass
    cluster.put(pod_object("one", "u1"))
    cluster.compact()

    pause_s = names.step()
    with _watching(names, cluster):
        _wait(lambda: _known(names, "u1") == "one", "the list is known")

    assert 0 < pause_s <= 1.0
    assert len(cluster.lists) == 2
    assert names.trouble == ""


def test_a_watch_that_tells_410_is_listed_again(cluster: PlayedCluster) -> None:
    """The other way in which servers say so."""
    names = _names(cluster)
    with _watching(names, cluster) as pauses:
        cluster.fail_watches(410)
        _wait(lambda: bool(pauses), "the step has ended")
    with _watching(names, cluster):
        pass

    assert len(cluster.lists) == 2


def test_a_memory_that_is_always_too_old_is_not_asked_again(
    cluster: PlayedCluster,
) -> None:
    """A server behind the others would go on for ever; then etcd is asked."""
    names = _names(cluster)
    cluster.oldest = 10**9

    for _ in range(3):
        names.step()

    assert ["resourceVersion" in ask.query for ask in cluster.lists] == [
        True,
        True,
        False,
    ]


def test_pauses_grow_while_the_server_is_away(cluster: PlayedCluster) -> None:
    """Up to a minute; and nobody waits exactly as long as everybody else."""
    names = _names(cluster)
    cluster.stop()

    pauses = [names.step() for _ in range(10)]

    assert pauses == sorted(pauses)
    assert pauses[0] < 1.0
    assert 30.0 <= pauses[-1] <= 60.0
    assert "new pods may lack a name" in names.trouble
    cluster.start()
    with _watching(names, cluster):
        _wait(lambda: not names.trouble, "the trouble is over")


def test_a_server_that_is_restarted_is_no_trouble(cluster: PlayedCluster) -> None:
    """Every server is, now and then; only one that stays away is told of."""
    names = _names(cluster)
    with _watching(names, cluster):
        pass
    cluster.stop()

    troubles = []
    for _ in range(2):
        names.step()
        troubles.append(bool(names.trouble))

    assert troubles == [False, True]


def test_a_refusal_is_told_once_and_asked_about_rarely(cluster: PlayedCluster) -> None:
    """RBAC: an operator has to act, and that takes a while."""
    names = _names(cluster)
    cluster.faults.status = 403

    pauses = [names.step() for _ in range(10)]
    first = names.trouble

    assert "needs list and watch of pods" in first
    assert "403" in first
    assert pauses == sorted(pauses)
    assert 150.0 <= pauses[-1] <= 300.0
    cluster.faults.status = 0
    with _watching(names, cluster):
        _wait(lambda: not names.trouble, "the trouble is over")


def test_a_token_that_was_replaced_is_read_again(cluster: PlayedCluster) -> None:
    """Kubernetes does so every hour."""
    names = _names(cluster)
    with _watching(names, cluster):
        pass
    cluster.rotate_token("second-token")

    with _watching(names, cluster):
        pass

    assert cluster.watches[-1].token == "second-token"  # noqa: S105 - made up
    assert len(cluster.lists) == 1


@pytest.mark.parametrize("fault", ["empty", "garbage", "gone"])
def test_a_token_that_cannot_be_read_is_told_of_without_it(
    cluster: PlayedCluster, fault: str
) -> None:
    """Tokens never reach a log."""
    token = cluster.folder / "token"
    if fault == "gone":
        token.unlink()
    else:
        token.write_text("" if fault == "empty" else "secret\nsecond line")
    names = _names(cluster)

    names.step()

    assert "token" in names.trouble or "401" in names.trouble
    assert "secret" not in names.trouble


def test_a_certificate_of_somebody_else_is_not_trusted(
    cluster: PlayedCluster, tmp_path: Path
) -> None:
    """And the token is not shown to them."""
    other = authority(tmp_path / "other")
    (cluster.folder / "ca.crt").write_bytes(other.certificate.read_bytes())
    names = _names(cluster)

    names.step()

    assert "certificate not trusted" in names.trouble
    assert cluster.asks == []


def test_a_certificate_for_another_host_is_not_trusted(tmp_path: Path) -> None:
    """Even if the right authority signed it."""
    with played_cluster(tmp_path / "cluster") as cluster:
        cluster.stop()
        issuer = authority(tmp_path / "issuer")
        cluster.certificate = signed(issuer, tmp_path, "else", "IP:10.0.0.1")
        (cluster.folder / "ca.crt").write_bytes(issuer.certificate.read_bytes())
        cluster.start()
        names = _names(cluster)

        names.step()

        assert "certificate not trusted" in names.trouble


def test_certificates_that_cannot_be_read_are_told_of(cluster: PlayedCluster) -> None:
    """A volume that is not mounted."""
    (cluster.folder / "ca.crt").unlink()
    names = _names(cluster)

    names.step()

    assert "ca.crt" in names.trouble


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"items": {}}',
        b'{"items": [',
        b'{"items": [{"metadata": ',
        b'{"metadata": {}, "items": []}',
        b'{"items": [' + b"[" * 100_000,
        b'{"items": [' + b"1" * 10_000 + b" ,",
        b'{"items": ["' + b"x" * (5 << 20),
    ],
)
def test_an_answer_that_is_no_list_is_trouble_and_nothing_else(
    cluster: PlayedCluster, body: bytes
) -> None:
    """A proxy may answer whatever it likes."""
    cluster.faults.body = body
    names = _names(cluster)

    pause_s = names.step()

    assert pause_s > 0
    assert names.trouble


def test_a_list_that_breaks_off_changes_nothing(cluster: PlayedCluster) -> None:
    """Half of it would make the other half's pods disappear."""
    for number in range(50):
        cluster.put(pod_object(f"pod-{number}", f"u{number}"))
    names = _names(cluster)
    cluster.faults.cut_lists = True

    names.step()

    assert names.store.find("u1") is None
    assert names.trouble


@pytest.mark.parametrize(
    "line", [b"garbage", b"[]", b"{}", b'{"type": "ADDED", "object": 5}']
)
def test_a_watch_that_tells_nonsense_is_begun_again(
    cluster: PlayedCluster, line: bytes
) -> None:
    """From the version before it."""
    names = _names(cluster)
    with _watching(names, cluster) as pauses:
        cluster.send(line)
        _wait(lambda: bool(pauses), "the step has ended")

    assert pauses[0] > 0
    with _watching(names, cluster):
        pass
    assert len(cluster.lists) == 1


def test_a_line_that_is_far_too_long_is_left_out(cluster: PlayedCluster) -> None:
    """It takes no memory, and what follows is heard."""
    names = _names(cluster)
    with _watching(names, cluster):
        cluster.send(b"x" * (5 << 20))
        cluster.put(pod_object("one", "u1"))
        _wait(lambda: _known(names, "u1") == "one", "the event after it is known")


def test_what_is_no_pod_is_left_out(cluster: PlayedCluster) -> None:
    """The others are known all the same."""
    cluster.put(pod_object("one", "u1"))
    nameless = pod_object("", "u2")
    cluster.put(nameless)
    names = _names(cluster)

    with _watching(names, cluster):
        _wait(lambda: _known(names, "u1") == "one", "the list is known")

    assert names.store.find("u2") is None


def test_a_thread_that_waits_for_a_server_ends_when_it_is_told_to(
    cluster: PlayedCluster,
) -> None:
    """A daemon that is told to stop does not wait for the network."""
    names = PodNames((_names(cluster),), Doubts("test"))
    names.start()
    _wait(lambda: bool(cluster.watches), "it watches")

    names.close()

    _wait(lambda: not _has_thread(), "the thread has ended")


def test_a_server_that_is_silent_is_given_up_when_told_to_stop(
    cluster: PlayedCluster,
) -> None:
    """It accepted the connection, and says nothing."""
    cluster.faults.silence = True
    names = PodNames((_names(cluster),), Doubts("test"))
    names.start()
    _wait(lambda: bool(cluster.asks), "it was asked")

    names.close()

    _wait(lambda: not _has_thread(), "the thread has ended")
