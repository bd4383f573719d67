"""Scrapes one exporter as Prometheus does, and measures both ends."""

import gzip
import http.client
import socket
import statistics
import time
from dataclasses import dataclass

from bench.processes import Cost, cpu_seconds

_TIMEOUT_S = 10.0
_READY_WITHIN_S = 30.0

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
        bytes: length of one body on the wire.
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
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = _get(connection, headers)
    latencies: list[float] = []
    begin_s, cpu_s = time.monotonic(), cpu_seconds(pid)
    count = max(3, int(seconds))
    for number in range(count):
        time.sleep(max(0.0, begin_s + number - time.monotonic()))
        asked_s = time.monotonic()
        body = _get(connection, headers)
        latencies.append(time.monotonic() - asked_s)
    time.sleep(max(0.0, begin_s + count - time.monotonic()))
    elapsed_s = time.monotonic() - begin_s
    used_s = cpu_seconds(pid) - cpu_s
    connection.close()
    own_s = used_s - idle.cpu_s / idle.seconds * elapsed_s
    return Scrapes(
        series=_count_series(body),
        bytes=len(body),
        median_s=statistics.median(latencies),
        cpu_s=max(0.0, own_s) / count,
    )


def _get(connection: http.client.HTTPConnection, headers: dict[str, str]) -> bytes:
    connection.request("GET", "/metrics", headers=headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != http.HTTPStatus.OK:
        msg = f"a scrape was answered with {response.status}"
        raise RuntimeError(msg)
    return body


def _count_series(body: bytes) -> int:
    text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    return sum(1 for line in text.splitlines() if line and not line.startswith(b"#"))
