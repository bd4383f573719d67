"""Reads a list as the API server writes it, item by item while it arrives.

A list of the pods of a full node has megabytes, and its JSON takes ten times as much
memory once it is parsed. Of this one only an item at a time is in memory.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from exporter.workloads.kubernetes.errors import ClusterError

MOST_ITEM_CHARACTERS = 4 * 2**20

_SPACE = re.compile(r"[ \t\r\n]*")
_SPACE_AND_COMMAS = re.compile(r"[ \t\r\n,]*")


class ItemStream:
    """The items of one list; iterate over it once.

    Args:
        chunks: its JSON, UTF-8.

    Attributes:
        version: its ``resourceVersion``; "" if it was not told, or not yet.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.version = ""
        self._chunks = iter(chunks)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parse = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0

    def __iter__(self) -> Iterator[object]:
        """Read the items one after the other.

        Raises:
            ClusterError: this is no list.
        """
        self._take("{")
        while self._next(_SPACE_AND_COMMAS) != "}":
            key = self._value()
            self._take(":")
            if key == "items" and self._next(_SPACE) == "[":
                yield from self._items()
                continue
            value = self._value()
            if key == "metadata" and isinstance(value, dict):
                self.version = str(value.get("resourceVersion") or "")

    def _items(self) -> Iterator[object]:
        self._take("[")
        while self._next(_SPACE_AND_COMMAS) != "]":
            yield self._value()
        self._take("]")

    def _next(self, between: re.Pattern[str]) -> str:
        """Return the next character that is not passed over."""
        while True:
            match = between.match(self._text, self._at)
            self._at = self._at if match is None else match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            self._read(1)

    def _take(self, character: str) -> None:
        if self._next(_SPACE) != character:
            msg = "its answer is not a list in JSON"
            raise ClusterError(msg)
        self._at += 1

    def _value(self) -> Any:  # noqa: ANN401 - as json has it
        self._next(_SPACE)
        while True:
            try:
                value, end = self._parse(self._text, self._at)
            except json.JSONDecodeError:
                # Twice as much each time: a long item is not parsed for each chunk.
                self._read(len(self._text) - self._at)
                continue
            except (RecursionError, ValueError):
                # Nested too deeply, or a number of thousands of digits.
                msg = "its answer is not a list of pods"
                raise ClusterError(msg) from None
            # Of a number at the end there may be more.
            if end < len(self._text) or isinstance(value, dict | list | str):
                self._at = end
                return value
            self._read(1)

    def _read(self, least_characters: int) -> None:
        """Read on.

        Raises:
            ClusterError: there is no more, or far too much.
        """
        if len(self._text) - self._at > MOST_ITEM_CHARACTERS:
            msg = "its answer is not a list of pods: an item is too large"
            raise ClusterError(msg)
        parts = [self._text[self._at :]]
        self._at = 0
        missing = max(1, least_characters)
        while missing > 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(self._decoder.decode(chunk))
            missing -= len(parts[-1])
        if len(parts) == 1:
            msg = "its answer ends in the middle"
            raise ClusterError(msg)
        self._text = "".join(parts)
