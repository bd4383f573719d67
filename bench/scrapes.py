"""Scrapes one exporter as Prometheus does, and measures both ends."""

import gzip
import http.client
import re
import socket
import statistics
import time
from dataclasses import dataclass

from bench.processes import Cost, cpu_seconds

_TIMEOUT_S = 10.0
_READY_WITHIN_S = 30.0
_PIECE_BYTES = 2**20
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")

PROMETHEUS = {
    "Accept": (
        "application/openmetrics-text;version=1.0.0,"
        "application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    ),
    "Accept-Encoding": "gzip",
}
PLAIN = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Scrapes:
    """What a row of scrapes cost.

    Attributes:
        series: samples in one body.
        bytes: length of one answer on the wire.
        median_s: median latency as the client sees it, s.
        cpu_s: CPU time of the exporter for one scrape, s.
    """

    series: int
    bytes: int
    median_s: float
    cpu_s: float

    @property
    def cpu_us_per_series(self) -> float:
        """CPU time of the exporter for one series of one scrape, µs."""
        return self.cpu_s / self.series * 1e6

    @property
    def median_ms_per_thousand(self) -> float:
        """Median latency in proportion to a body of a thousand series, ms."""
        return self.median_s * 1e3 / self.series * 1e3


def free_port() -> int:
    """Return a port of the loopback that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_ready(port: int, path: str = "/metrics") -> None:
    """Wait for an exporter to answer.

    Raises:
        RuntimeError: it does not, within half a minute.
    """
    until_s = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until_s:
        try:
            connection = http.client.HTTPConnection(
                "127.0.0.1", port, timeout=_TIMEOUT_S
            )
            connection.request("GET", path)
            if connection.getresponse().status == http.HTTPStatus.OK:
                connection.close()
                return
        except OSError:
            pass
        time.sleep(0.1)
    msg = f"nothing answers on 127.0.0.1:{port}{path}"
    raise RuntimeError(msg)


def scrape(
    pid: int, port: int, headers: dict[str, str], *, seconds: float, idle: Cost
) -> Scrapes:
    """Scrape once a second over one connection.

    Not faster: within one tick the daemon gives every scraper the same bytes,
    which would make all but the first free.

    Args:
        pid: the exporter.
        port: where it listens.
        headers: of each request.
        seconds: for how long; at least 3 scrapes are made.
        idle: its cost without scrapes, which is subtracted.
    """
    client = _Client(port, headers)
    answer = client.get()
    latencies: list[float] = []
    begin_s, cpu_s = time.monotonic(), cpu_seconds(pid)
    count = max(3, int(seconds))
    for number in range(count):
        time.sleep(max(0.0, begin_s + number - time.monotonic()))
        asked_s = time.monotonic()
        answer = client.get()
        latencies.append(time.monotonic() - asked_s)
    time.sleep(max(0.0, begin_s + count - time.monotonic()))
    elapsed_s = time.monotonic() - begin_s
    used_s = cpu_seconds(pid) - cpu_s
    client.close()
    own_s = used_s - idle.cpu_s / idle.seconds * elapsed_s
    return Scrapes(
        series=_count_series(answer),
        bytes=len(answer),
        median_s=statistics.median(latencies),
        cpu_s=max(0.0, own_s) / count,
    )


class _Client:
    """One connection, read as bytes.

    A client that parses headers into objects would add its own time to each latency.
    """

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        lines = [
            "GET /metrics HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self._request = "\r\n".join([*lines, "", ""]).encode("ascii")
        self._socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self) -> bytes:
        """Scrape once; return head and body as they came.

        Raises:
            RuntimeError: the answer is not "200 OK", or ends too early.
        """
        self._socket.sendall(self._request)
        answer = b""
        while not _is_whole(answer):
            piece = self._socket.recv(_PIECE_BYTES)
            if not piece:
                msg = "an exporter hung up in the middle of a scrape"
                raise RuntimeError(msg)
            answer += piece
        if not answer.startswith(b"HTTP/1.1 200 "):
            msg = f"a scrape was answered with {answer[:40]!r}"
            raise RuntimeError(msg)
        return answer

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    if found := _LENGTH.search(head):
        return len(body) >= int(found[1])
    return body.endswith(b"\r\n0\r\n\r\n")


def _body(answer: bytes) -> bytes:
    """Return the body of an answer, freed of its chunks and unpacked."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not _LENGTH.search(head):
        chunks, rest = [], body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            chunks.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
        body = b"".join(chunks)
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _count_series(answer: bytes) -> int:
    return sum(
        1 for line in _body(answer).splitlines() if line and not line.startswith(b"#")
    )
