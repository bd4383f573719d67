"""Reads protobuf's wire format, as much of it as the kubelet's answers take.

Source: protobuf's page on encoding. A message is a sequence of fields, each a number
and a type, then a value: a varint, 8 or 4 bytes, or a length and so many bytes. A
field that nobody knows is passed over, so newer kubelets can say more.
"""

from collections.abc import Iterator

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10


class WireError(ValueError):
    """These bytes are no message."""


def byte_fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Read the fields of a message that are texts, bytes or messages.

    Yields:
        Number and value of each, in order; others are passed over.

    Raises:
        WireError: it is cut short, or no message at all.
    """
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind == _BYTES:
            length, begin = _varint(data, at)
            at = begin + length
            if at <= end:
                yield key >> 3, data[begin:at]
        elif kind == _EIGHT_BYTES:
            at += 8
        elif kind == _FOUR_BYTES:
            at += 4
        else:
            msg = f"no such type of a field: {kind}"
            raise WireError(msg)
    if at != end:
        msg = "cut short"
        raise WireError(msg)


def text(data: memoryview) -> str:
    """Read a text; what is not UTF-8 is replaced."""
    return bytes(data).decode("utf-8", "replace")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return a number, and where the next thing begins."""
    value = shift = 0
    for byte in data[at : at + _MOST_VARINT_BYTES]:
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the highest bit tells that there is more
            return value, at
        shift += 7
    msg = "cut short"
    raise WireError(msg)
