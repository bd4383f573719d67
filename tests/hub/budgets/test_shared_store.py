from exporter.hub.budgets.shared_store import SharedStore
from tests.fakes.series_store import SeriesStore


def test_the_same_question_is_asked_once() -> None:
    """Two tallies look at the same nodes."""
    store = SeriesStore()
    store.write("nodes_total", "n1", 10.0, 5.0)
    shared = SharedStore(store, ("nodes_total",))

    for _ in range(2):
        assert shared.last("nodes_total", 0, 60).by_key == {"n1": 5.0}
        assert shared.fallen("nodes_total", 0, 60).by_key == {}
        assert shared.changed("nodes_total", 0, 60).by_key == {}
        assert shared.samples("nodes_total", 0, 60, None).by_key == {
            "n1": [(10.0, 5.0)]
        }
    assert store.asked == 4

    shared.last("nodes_total", 0, 120)
    assert store.asked == 5


def test_large_answers_are_not_kept() -> None:
    """Those of tenants would take the memory of two."""
    store = SeriesStore()
    shared = SharedStore(store, ("nodes_total",))

    for _ in range(2):
        shared.last("tenants_total", 0, 60)

    assert store.asked == 2


def test_no_more_answers_are_kept_than_are_of_use() -> None:
    """A long way through the past asks thousands of questions."""
    store = SeriesStore()
    shared = SharedStore(store, ("nodes_total",))
    for end_s in range(1000):
        shared.last("nodes_total", 0, end_s)

    shared.last("nodes_total", 0, 0)

    assert store.asked == 1001
