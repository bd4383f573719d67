"""What one witness has told, while two threads use it."""

from exporter.workloads.kubernetes.fact_store import FactStore
from exporter.workloads.kubernetes.facts import PodFacts


def _facts(number: int, name: str = "pod") -> PodFacts:
    return PodFacts(f"u{number}", "team-a", name)


def test_what_is_told_again_is_no_news() -> None:
    """A pod's status changes many times while it starts."""
    store = FactStore()
    store.put(_facts(1))
    first = set(store.take_news())
    store.put(_facts(1))
    second = set(store.take_news())
    store.put(_facts(1, "other"))

    assert (first, second, set(store.take_news())) == ({"u1"}, set(), {"u1"})


def test_a_list_replaces_what_was_there() -> None:
    """Who is not in it is gone, and known for a while."""
    store = FactStore()
    store.put(_facts(1))
    store.put(_facts(2))

    store.put_all([_facts(2), _facts(3)])

    assert len(store) == 2
    assert store.find("u1") == _facts(1)
    assert store.find("u4") is None
    store.remove("u4")


def test_those_that_are_gone_take_no_more_room_than_there_is() -> None:
    """A node that starts a pod a second for a year."""
    store = FactStore()
    for number in range(5000):
        store.put(_facts(number))
        store.remove(f"u{number}")

    known = sum(store.find(f"u{number}") is not None for number in range(5000))

    assert known == 1024
    assert store.find("u4999") is not None
    assert len(store) == 0


def test_there_are_not_more_pods_than_a_node_can_have() -> None:
    """Whatever a server tells."""
    store = FactStore()

    store.put_all(_facts(number) for number in range(20_000))

    assert len(store) == 8192
