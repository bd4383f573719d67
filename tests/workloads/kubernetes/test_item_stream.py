"""A list that is read while it arrives."""

import json
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.workloads.kubernetes.errors import ClusterError
from exporter.workloads.kubernetes.item_stream import ItemStream

_ITEMS = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.floats(0, 9)),
    max_size=6,
)


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


@given(_ITEMS, st.integers(1, 200), st.booleans(), st.booleans())
def test_a_list_is_read_however_it_is_cut(
    items: list[object],
    size: int,
    is_indented: bool,  # noqa: FBT001 - as hypothesis gives it
    is_sorted: bool,  # noqa: FBT001 - as hypothesis gives it
) -> None:
    """Pieces end anywhere, in the middle of a character too."""
    document = {
        "kind": "PodList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "42", "continue": ""},
        "items": items,
    }
    text = json.dumps(
        document,
        indent=4 if is_indented else None,
        sort_keys=is_sorted,
        ensure_ascii=False,
    )
    stream = ItemStream(_cut(text.encode("utf-8", "replace"), size))

    read = list(stream)

    assert read == json.loads(text.encode("utf-8", "replace").decode())["items"]
    assert stream.version == "42"


def test_a_list_of_nothing_may_be_null() -> None:
    """Go writes an empty slice that way."""
    stream = ItemStream([b'{"items":null,"metadata":{"resourceVersion":"7"}}'])

    assert list(stream) == []
    assert stream.version == "7"


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b""],
        [b"   "],
        [b"[1]"],
        [b'{"items"'],
        [b'{"items": [1, 2'],
        [b'{"items": [1, 2]'],
        [b'{"items": [tru'],
        [b'{"items" 5}'],
        [b"{items: 5}"],
    ],
)
def test_what_is_no_list_is_refused(chunks: list[bytes]) -> None:
    """And nothing of it is believed."""
    with pytest.raises(ClusterError):
        list(ItemStream(chunks))


def test_a_list_that_never_ends_takes_no_memory() -> None:
    """The time that it may take ends it; until then it must not fill the node."""
    item = json.dumps({"metadata": {"name": "x" * 1000}}).encode()

    def endless(count: int) -> Iterable[bytes]:
        yield b'{"items":['
        for _ in range(count):
            yield item + b","
        for _ in range(count):
            yield b" " * 1024

    tracemalloc.start()
    try:
        with pytest.raises(ClusterError):
            for _ in ItemStream(endless(5000)):
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1 << 20
