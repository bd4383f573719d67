"""The kubelet is asked when a pod appears, and rarely otherwise."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.workloads.doubts import Doubts
from exporter.workloads.kubernetes.kubelet_names import KubeletNames
from exporter.workloads.kubernetes.names import PodNames
from tests.fakes.certificates import authority
from tests.fakes.clock import Clock
from tests.fakes.cluster_server import PlayedCluster, played_cluster
from tests.fakes.cluster_talk import pod_object
from tests.fakes.waiting import wait_until

_LONGEST_S = 60.0


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[PlayedCluster]:
    """Play a kubelet."""
    with played_cluster(tmp_path / "kubelet") as kubelet:
        yield kubelet


def _names(kubelet: PlayedCluster, clock: Clock) -> KubeletNames:
    return KubeletNames(kubelet.client(), {}, chance=lambda: 1.0, monotonic=clock)


def test_all_pods_are_asked_for_at_the_beginning(kubelet: PlayedCluster) -> None:
    """Static ones under the UID that their cgroups have."""
    kubelet.put(pod_object("one", "u1"))
    names = _names(kubelet, Clock())

    wait_s = names.step()

    facts = names.store.find("u1")
    assert facts is not None
    assert facts.name == "one"
    assert set(names.store.take_news()) == {"u1"}
    assert wait_s == 600.0


def test_a_pod_that_is_new_is_asked_for_soon(kubelet: PlayedCluster) -> None:
    """Not at once: whoever watches usually knows it first."""
    clock = Clock()
    names = _names(kubelet, clock)
    names.step()
    clock.pass_s(100.0)
    kubelet.put(pod_object("two", "u2"))
    names.want(frozenset({"u2"}))

    waits = [names.step()]
    clock.pass_s(waits[0])
    waits.append(names.step())

    assert waits[0] == 1.0
    assert names.store.find("u2") is not None
    assert len(kubelet.asks) == 2


def test_a_pod_that_it_does_not_know_is_asked_for_ever_more_rarely(
    kubelet: PlayedCluster,
) -> None:
    """Making the answer costs the kubelet something each time."""
    clock = Clock()
    names = _names(kubelet, clock)
    names.want(frozenset({"unknown"}))
    clock.pass_s(names.step())

    waits = []
    for _ in range(10):
        waits.append(names.step())
        clock.pass_s(waits[-1])

    assert waits == sorted(waits)
    assert waits[0] >= 2.0
    assert waits[-1] == 120.0


def test_many_new_pods_do_not_make_many_questions(kubelet: PlayedCluster) -> None:
    """A node that starts a hundred pods within a second."""
    clock = Clock()
    names = _names(kubelet, clock)
    names.step()
    clock.pass_s(100.0)

    for number in range(100):
        names.want(frozenset(f"u{each}" for each in range(number + 1)))
        names.step()
        clock.pass_s(0.01)

    assert len(kubelet.asks) <= 2


def test_a_refusal_names_the_right_that_is_missing(kubelet: PlayedCluster) -> None:
    """The kubelet asks the API server whether we may."""
    names = _names(kubelet, Clock())
    kubelet.faults.status = 403

    wait_s = names.step()

    assert "nodes/pods" in names.trouble
    assert 0 < wait_s < 10.0


def test_a_kubelet_with_a_certificate_of_its_own_is_not_trusted(
    kubelet: PlayedCluster, tmp_path: Path
) -> None:
    """Most sign one themselves; whoever is on the node's network could do that too."""
    other = authority(tmp_path / "other")
    (kubelet.folder / "ca.crt").write_bytes(other.certificate.read_bytes())
    names = _names(kubelet, Clock())

    names.step()

    assert "certificate not trusted" in names.trouble
    assert kubelet.asks == []


def test_a_kubelet_that_is_away_and_comes_back_is_heard_again(
    kubelet: PlayedCluster,
) -> None:
    """What it had told stays known meanwhile."""
    clock = Clock()
    kubelet.put(pod_object("one", "u1"))
    names = _names(kubelet, clock)
    names.step()
    kubelet.stop()
    waited_s = 0.0
    clock.pass_s(600.0)
    while waited_s < 600.0:
        wait_s = names.step()
        clock.pass_s(wait_s)
        waited_s += wait_s
    during = (names.trouble, names.store.find("u1"))
    kubelet.put(pod_object("two", "u2"))
    kubelet.start()

    names.step()

    assert "new pods may lack a name" in during[0]
    assert during[1] is not None
    assert names.trouble == ""
    assert names.store.find("u2") is not None


def test_its_thread_asks_and_ends(kubelet: PlayedCluster) -> None:
    """By itself, and when told to."""
    kubelet.put(pod_object("one", "u1"))
    names = PodNames((KubeletNames(kubelet.client(), {}),), Doubts("test"))
    names.start()
    wait_until(lambda: names.find("u1") is not None, "it is known", _LONGEST_S)

    names.close()

    wait_until(
        lambda: not any(t.name == "pods of the kubelet" for t in threading.enumerate()),
        "the thread has ended",
        _LONGEST_S,
    )
