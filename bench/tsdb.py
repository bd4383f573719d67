"""Writes the data directory of a Prometheus, with very many series.

What takes long elsewhere is to encode each sample. Here many series share few courses,
each encoded once; every series still has chunks of its own on the disk. The formats are
those of the documents in tsdb/docs/format of Prometheus: blocks of version 1, index of
version 2, chunks with XOR encoding.
"""

import json
import struct
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

BLOCK_S = 7200
_CHUNK_SAMPLES = 120
_SEGMENT_BYTES = 400 * 2**20
_ULID_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MASK = 2**64 - 1
# The leading zeros of a difference are written in 5 bits.
_MOST_LEADING = 31

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name, ``__name__`` among them."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a series goes.

    Attributes:
        step_s: distance of its samples, s.
        values: all of them, in order; the last is one step before the end.
    """

    step_s: int
    values: Sequence[float]


class _Chunk(NamedTuple):
    """Some samples, encoded: from and to in ms, how many, and what is on the disk."""

    begin_ms: int
    end_ms: int
    samples: int
    record: bytes


def write(
    folder: Path,
    series: Mapping[Labels, int],
    courses: Sequence[Course],
    begin_s: int,
    blocks: int,
) -> int:
    """Write blocks of two hours; return how many samples they have.

    Args:
        folder: the data directory; Prometheus does not run yet.
        series: number of the course of each.
        courses: of the whole time.
        begin_s: Unix time of the first samples, a multiple of two hours.
        blocks: how many follow each other.
    """
    ordered = dict(sorted(series.items()))
    samples = 0
    for number in range(blocks):
        begin = begin_s + number * BLOCK_S
        chunks = [_chunks(course, begin, number) for course in courses]
        samples += _write_block(folder, ordered, chunks, begin)
    # Where Prometheus looks first.
    (folder / "wal").mkdir(exist_ok=True)
    return samples


def _chunks(course: Course, begin_s: int, block: int) -> list[_Chunk]:
    each = BLOCK_S // course.step_s
    values = course.values[block * each : (block + 1) * each]
    found = []
    for first in range(0, len(values), _CHUNK_SAMPLES):
        part = values[first : first + _CHUNK_SAMPLES]
        begin_ms = (begin_s + first * course.step_s) * 1000
        step_ms = course.step_s * 1000
        # Encoding 1 is XOR.
        data = b"\x01" + _encoded(begin_ms, step_ms, part)
        record = _uvarint(len(data) - 1) + data + _crc(data)
        end_ms = begin_ms + (len(part) - 1) * step_ms
        found.append(_Chunk(begin_ms, end_ms, len(part), record))
    return found


def _write_block(
    folder: Path,
    series: Mapping[Labels, int],
    chunks: Sequence[Sequence[_Chunk]],
    begin_s: int,
) -> int:
    ulid = _ulid(begin_s)
    block = folder / ulid
    (block / "chunks").mkdir(parents=True)
    with (block / "index").open("wb") as file:
        index = _Index(file)
        index.symbols({text for labels in series for pair in labels for text in pair})
        with _Segments(block / "chunks") as segments:
            for labels, course in series.items():
                there = [
                    (chunk, segments.add(chunk.record)) for chunk in chunks[course]
                ]
                index.series(labels, there)
        index.finish()
    written = [chunk for course in series.values() for chunk in chunks[course]]
    samples = sum(chunk.samples for chunk in written)
    meta = {
        "ulid": ulid,
        "minTime": begin_s * 1000,
        "maxTime": (begin_s + BLOCK_S) * 1000,
        "stats": {
            "numSamples": samples,
            "numSeries": len(series),
            "numChunks": len(written),
        },
        "compaction": {"level": 1, "sources": [ulid]},
        "version": 1,
    }
    (block / "meta.json").write_text(json.dumps(meta), encoding="ascii")
    return samples


class _Segments:
    """The files of chunks of one block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._file = self._next()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, record: bytes) -> int:
        """Write a chunk, and return by what the index knows it."""
        if self._file.tell() > _SEGMENT_BYTES:
            self._file.close()
            self._file = self._next()
        reference = ((self._number - 1) << 32) | self._file.tell()
        self._file.write(record)
        return reference

    def _next(self) -> BinaryIO:
        self._number += 1
        file = (self._folder / f"{self._number:06d}").open("wb")
        file.write(struct.pack(">IB3x", 0x85BD40DD, 1))
        return file


class _Index:
    """The index of one block, written from front to back."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._numbers: dict[str, int] = {}
        self._postings: defaultdict[tuple[str, str], array[int]] = defaultdict(
            lambda: array("I")
        )
        file.write(struct.pack(">IB", 0xBAAAD700, 2))
        self._symbols_at = file.tell()
        self._series_at = 0

    def symbols(self, texts: set[str]) -> None:
        """Write all texts that labels have."""
        ordered = sorted(text.encode() for text in texts | {""})
        self._numbers = {text.decode(): n for n, text in enumerate(ordered)}
        body = b"".join(_uvarint(len(text)) + text for text in ordered)
        self._section(struct.pack(">I", len(ordered)) + body)
        self._series_at = self._file.tell()

    def series(self, labels: Labels, chunks: Sequence[tuple[_Chunk, int]]) -> None:
        """Write one series; they come sorted."""
        self._pad(16)
        here = self._file.tell() // 16
        parts = [_uvarint(len(labels))]
        for name, value in labels:
            parts += (_uvarint(self._numbers[name]), _uvarint(self._numbers[value]))
            self._postings[name, value].append(here)
        self._postings["", ""].append(here)
        parts.append(_uvarint(len(chunks)))
        end_ms = at = 0
        for number, (chunk, reference) in enumerate(chunks):
            length = _uvarint(chunk.end_ms - chunk.begin_ms)
            if number == 0:
                parts += (_varint(chunk.begin_ms), length, _uvarint(reference))
            else:
                gap = _uvarint(chunk.begin_ms - end_ms)
                parts += (gap, length, _varint(reference - at))
            end_ms, at = chunk.end_ms, reference
        body = b"".join(parts)
        self._file.write(_uvarint(len(body)) + body + _crc(body))

    def finish(self) -> None:
        """Write which series have which label, and where everything is."""
        offsets = {}
        first_at = self._file.tell()
        for pair in sorted(self._postings):
            self._pad(4)
            offsets[pair] = self._file.tell()
            found = self._postings[pair]
            found.byteswap()
            self._section(struct.pack(">I", len(found)) + found.tobytes())
        table_at = self._file.tell()
        body = b"".join(
            b"\x02" + _text(name) + _text(value) + _uvarint(offset)
            for (name, value), offset in offsets.items()
        )
        self._section(struct.pack(">I", len(offsets)) + body)
        # Those of label indices are not read any more.
        places = (self._symbols_at, self._series_at, 0, first_at, 0, table_at)
        contents = struct.pack(">6Q", *places)
        self._file.write(contents + _crc(contents))

    def _section(self, body: bytes) -> None:
        self._file.write(struct.pack(">I", len(body)) + body + _crc(body))

    def _pad(self, size: int) -> None:
        self._file.write(b"\0" * (-self._file.tell() % size))


def _encoded(begin_ms: int, step_ms: int, values: Sequence[float]) -> bytes:
    """Encode samples of even distance as Prometheus does."""
    head = struct.pack(">H", len(values)) + _varint(begin_ms)
    bits = _Bits()
    before = _raw(values[0])
    bits.add(before, 64)
    window: tuple[int, int] | None = None
    for number, value in enumerate(values[1:], start=1):
        if number == 1:
            for byte in _uvarint(step_ms):
                bits.add(byte, 8)
        else:
            # The distance is what it was.
            bits.add(0, 1)
        raw = _raw(value)
        window = _add_difference(bits, before ^ raw, window)
        before = raw
    return head + bits.bytes()


def _add_difference(
    bits: "_Bits", difference: int, window: tuple[int, int] | None
) -> tuple[int, int] | None:
    if difference == 0:
        bits.add(0, 1)
        return window
    leading = min(64 - difference.bit_length(), _MOST_LEADING)
    trailing = (difference & -difference).bit_length() - 1
    if window is not None and leading >= window[0] and trailing >= window[1]:
        bits.add(0b10, 2)
        bits.add(difference >> window[1], 64 - window[0] - window[1])
        return window
    size = 64 - leading - trailing
    bits.add(0b11, 2)
    bits.add(leading, 5)
    bits.add(size % 64, 6)
    bits.add(difference >> trailing, size)
    return leading, trailing


class _Bits:
    """Bits, one behind the other."""

    def __init__(self) -> None:
        self._value = 0
        self._size = 0

    def add(self, value: int, size: int) -> None:
        """Add the lowest bits of a number."""
        self._value = (self._value << size) | value
        self._size += size

    def bytes(self) -> bytes:
        """Return all of them, filled up with zeros."""
        more = -self._size % 8
        return (self._value << more).to_bytes((self._size + more) // 8, "big")


def _raw(value: float) -> int:
    number: int = struct.unpack(">Q", struct.pack(">d", value))[0]
    return number


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _uvarint(len(encoded)) + encoded


def _varint(number: int) -> bytes:
    return _uvarint(((number << 1) ^ (number >> 63)) & _MASK)


@lru_cache(maxsize=2**16)
def _uvarint(number: int) -> bytes:
    found = bytearray()
    while number >= 2**7:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _table() -> Iterator[int]:
    for byte in range(256):
        found = byte
        for _ in range(8):
            found = (found >> 1) ^ (0x82F63B78 if found & 1 else 0)
        yield found


_CASTAGNOLI = tuple(_table())


def _crc(data: bytes) -> bytes:
    table, found = _CASTAGNOLI, 0xFFFFFFFF
    for byte in data:
        found = table[(found ^ byte) & 0xFF] ^ (found >> 8)
    return struct.pack(">I", found ^ 0xFFFFFFFF)


def _ulid(unix_s: int) -> str:
    """Return a name that says when, and is always the same."""
    number, letters = (unix_s * 1000) << 80, ""
    for _ in range(26):
        letters = _ULID_LETTERS[number & 31] + letters
        number >>= 5
    return letters
