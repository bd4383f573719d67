"""One list, then a watch: what the API server tells."""

from collections.abc import Callable

from exporter.workloads.kubernetes.facts import PodFacts
from tests.fakes.api_watch import LONGEST_S, api_names, known, watching
from tests.fakes.cluster_server import PlayedCluster
from tests.fakes.cluster_talk import pod_object
from tests.fakes.waiting import wait_until


def _wait(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, what, LONGEST_S)


def test_the_pods_of_this_node_are_listed_once_and_then_watched(
    cluster: PlayedCluster,
) -> None:
    """Never is anything listed on a timer."""
    cluster.put(pod_object("one", "u1", labels={"team": "x", "other": "y"}))
    cluster.put(pod_object("elsewhere", "u9", node="node-2"))
    names = api_names(cluster)

    with watching(names, cluster):
        _wait(lambda: known(names, "u1") == "one", "the list is known")
        cluster.put(pod_object("two", "u2", owner=("Job", "train")))
        _wait(lambda: known(names, "u2") == "two", "the new pod is known")
    for _ in range(3):
        with watching(names, cluster):
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
    names = api_names(cluster)

    with watching(names, cluster):
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
    names = api_names(cluster)

    with watching(names, cluster):
        _wait(lambda: known(names, "u1") == "one", "the list is known")
        cluster.delete("u1")
        cluster.put(pod_object("two", "u2"))
        _wait(lambda: known(names, "u2") == "two", "the event after that is known")

    assert known(names, "u1") == "one"


def test_a_watch_goes_on_from_the_last_bookmark(cluster: PlayedCluster) -> None:
    """On a node where nothing changes, versions grow old all the same."""
    names = api_names(cluster)
    with watching(names, cluster):
        cluster.bookmark()
        cluster.put(pod_object("one", "u1"))
        _wait(lambda: known(names, "u1") == "one", "the event is known")
        version = cluster.version
    cluster.compact()

    with watching(names, cluster):
        pass

    assert cluster.watches[-1].query["resourceVersion"] == str(version)
    assert len(cluster.lists) == 1


def test_a_server_that_sends_bookmarks_no_longer_is_asked_anew(
    cluster: PlayedCluster,
) -> None:
    """Its connection is open still, and nobody is at the other end."""
    names = api_names(cluster, silence_s=0.2)
    with watching(names, cluster) as pauses:
        cluster.bookmark()
        version = cluster.version
        _wait(lambda: bool(pauses), "the watch is given up")

    with watching(names, cluster):
        pass

    assert cluster.watches[-1].query["resourceVersion"] == str(version)
    assert len(cluster.lists) == 1
    assert names.trouble == ""


def test_what_changes_of_a_pod_is_news(cluster: PlayedCluster) -> None:
    """Requests can be changed while it runs."""
    cluster.put(pod_object("one", "u1", requests={"cpu": "1"}))
    names = api_names(cluster)
    with watching(names, cluster):
        _wait(lambda: known(names, "u1") == "one", "the list is known")
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
    names = api_names(cluster, node="localhost")
    names.want(frozenset({"u1"}))

    with watching(names, cluster):
        _wait(lambda: bool(names.trouble), "it is told")

    assert "NODE_NAME" in names.trouble
    assert "localhost" in names.trouble
