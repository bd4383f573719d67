"""One list, then a watch: whatever goes wrong with the API server."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.workloads.doubts import Doubts
from exporter.workloads.kubernetes.names import PodNames
from tests.fakes.api_watch import LONGEST_S, api_names, known, watching
from tests.fakes.certificates import authority, signed
from tests.fakes.cluster_server import PlayedCluster, played_cluster
from tests.fakes.cluster_talk import pod_object
from tests.fakes.waiting import wait_until


def _wait(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, what, LONGEST_S)


def _has_thread() -> bool:
    threads = threading.enumerate()
    return any(thread.name == "pods of the API server" for thread in threads)


def test_a_version_that_is_too_old_is_listed_again(cluster: PlayedCluster) -> None:
    """410 Gone: once, and then the watch goes on."""
    names = api_names(cluster)
    with watching(names, cluster):
        pass
    cluster.put(pod_object("one", "u1"))
    cluster.compact()

    pause_s = names.step()
    with watching(names, cluster):
        _wait(lambda: known(names, "u1") == "one", "the list is known")

    assert 0 < pause_s <= 1.0
    assert len(cluster.lists) == 2
    assert names.trouble == ""


def test_a_watch_that_tells_410_is_listed_again(cluster: PlayedCluster) -> None:
    """The other way in which servers say so."""
    names = api_names(cluster)
    with watching(names, cluster) as pauses:
        cluster.fail_watches(410)
        _wait(lambda: bool(pauses), "the step has ended")
    with watching(names, cluster):
        pass

    assert len(cluster.lists) == 2


def test_a_memory_that_is_always_too_old_is_not_asked_again(
    cluster: PlayedCluster,
) -> None:
    """A server behind the others would go on for ever; then etcd is asked."""
    names = api_names(cluster)
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
    names = api_names(cluster)
    cluster.stop()

    pauses = [names.step() for _ in range(10)]

    assert pauses == sorted(pauses)
    assert pauses[0] < 1.0
    assert 30.0 <= pauses[-1] <= 60.0
    assert "new pods may lack a name" in names.trouble
    cluster.start()
    with watching(names, cluster):
        _wait(lambda: not names.trouble, "the trouble is over")


def test_a_server_that_is_restarted_is_no_trouble(cluster: PlayedCluster) -> None:
    """Every server is, now and then; only one that stays away is told of."""
    names = api_names(cluster)
    with watching(names, cluster):
        pass
    cluster.stop()

    troubles = []
    for _ in range(2):
        names.step()
        troubles.append(bool(names.trouble))

    assert troubles == [False, True]


def test_a_refusal_is_told_once_and_asked_about_rarely(cluster: PlayedCluster) -> None:
    """RBAC: an operator has to act, and that takes a while."""
    names = api_names(cluster)
    cluster.faults.status = 403

    pauses = [names.step() for _ in range(10)]
    first = names.trouble

    assert "needs list and watch of pods" in first
    assert "403" in first
    assert pauses == sorted(pauses)
    assert 150.0 <= pauses[-1] <= 300.0
    cluster.faults.status = 0
    with watching(names, cluster):
        _wait(lambda: not names.trouble, "the trouble is over")


def test_a_token_that_was_replaced_is_read_again(cluster: PlayedCluster) -> None:
    """Kubernetes does so every hour."""
    names = api_names(cluster)
    with watching(names, cluster):
        pass
    cluster.rotate_token("second-token")

    with watching(names, cluster):
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
    names = api_names(cluster)

    names.step()

    assert "token" in names.trouble or "401" in names.trouble
    assert "secret" not in names.trouble


def test_a_certificate_of_somebody_else_is_not_trusted(
    cluster: PlayedCluster, tmp_path: Path
) -> None:
    """And the token is not shown to them."""
    other = authority(tmp_path / "other")
    (cluster.folder / "ca.crt").write_bytes(other.certificate.read_bytes())
    names = api_names(cluster)

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
        names = api_names(cluster)

        names.step()

        assert "certificate not trusted" in names.trouble


def test_certificates_that_cannot_be_read_are_told_of(cluster: PlayedCluster) -> None:
    """A volume that is not mounted."""
    (cluster.folder / "ca.crt").unlink()
    names = api_names(cluster)

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
    names = api_names(cluster)

    pause_s = names.step()

    assert pause_s > 0
    assert names.trouble


def test_a_list_that_breaks_off_changes_nothing(cluster: PlayedCluster) -> None:
    """Half of it would make the other half's pods disappear."""
    for number in range(50):
        cluster.put(pod_object(f"pod-{number}", f"u{number}"))
    names = api_names(cluster)
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
    names = api_names(cluster)
    with watching(names, cluster) as pauses:
        cluster.send(line)
        _wait(lambda: bool(pauses), "the step has ended")

    assert pauses[0] > 0
    with watching(names, cluster):
        pass
    assert len(cluster.lists) == 1


def test_a_line_that_is_far_too_long_is_left_out(cluster: PlayedCluster) -> None:
    """It takes no memory, and what follows is heard."""
    names = api_names(cluster)
    with watching(names, cluster):
        cluster.send(b"x" * (5 << 20))
        cluster.put(pod_object("one", "u1"))
        _wait(lambda: known(names, "u1") == "one", "the event after it is known")


def test_what_is_no_pod_is_left_out(cluster: PlayedCluster) -> None:
    """The others are known all the same."""
    cluster.put(pod_object("one", "u1"))
    nameless = pod_object("", "u2")
    cluster.put(nameless)
    names = api_names(cluster)

    with watching(names, cluster):
        _wait(lambda: known(names, "u1") == "one", "the list is known")

    assert names.store.find("u2") is None


def test_a_thread_that_waits_for_a_server_ends_when_it_is_told_to(
    cluster: PlayedCluster,
) -> None:
    """A daemon that is told to stop does not wait for the network."""
    names = PodNames((api_names(cluster),), Doubts("test"))
    names.start()
    _wait(lambda: bool(cluster.watches), "it watches")

    names.close()

    _wait(lambda: not _has_thread(), "the thread has ended")


def test_a_server_that_is_silent_is_given_up_when_told_to_stop(
    cluster: PlayedCluster,
) -> None:
    """It accepted the connection, and says nothing."""
    cluster.faults.silence = True
    names = PodNames((api_names(cluster),), Doubts("test"))
    names.start()
    _wait(lambda: bool(cluster.asks), "it was asked")

    names.close()

    _wait(lambda: not _has_thread(), "the thread has ended")
