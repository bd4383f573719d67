"""A real HTTP server that plays Prometheus, well or badly."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs

Behaviour = Literal["answer", "silence", "endless", "drip", "truncate"]

_SPACES = b" " * 65536


def vector(*rows: tuple[dict[str, str], str], **more: object) -> bytes:
    """Write an answer that is a vector."""
    result = [{"metric": labels, "value": [1.0, value]} for labels, value in rows]
    return _success("vector", result, more)


def matrix(*rows: tuple[dict[str, str], list[list[object]]]) -> bytes:
    """Write an answer that is a matrix."""
    result = [{"metric": labels, "values": values} for labels, values in rows]
    return _success("matrix", result, {})


def failure(kind: str) -> bytes:
    """Write an error as Prometheus does."""
    return json.dumps({"status": "error", "errorType": kind, "error": "…"}).encode()


def _success(kind: str, result: object, more: dict[str, object]) -> bytes:
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data, **more}).encode()


@dataclass(frozen=True)
class Play:
    """One answer.

    ``encoded`` is what the body is, whatever ``encoding`` says of it; else it is made
    so. ``silence`` never answers; ``endless`` sends a body without end, ``drip`` a byte
    now and then; ``truncate`` ends in the midst of the body.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    encoding: str = ""
    encoded: bool = False
    location: str = ""
    behaviour: Behaviour = "answer"


@dataclass(frozen=True)
class Ask:
    """One request that came in."""

    path: str
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class PrometheusServer:
    """What is answered, and what was asked.

    Attributes:
        url: its address.
        play: the answer to everything.
        answers: what to answer to each question, in place of ``play``.
        asks: all requests, in order.
        sent_bytes: of bodies without end.
    """

    url: str
    play: Play = field(default_factory=Play)
    answers: Callable[[Ask], Play] | None = None
    asks: list[Ask] = field(default_factory=list)
    sent_bytes: int = 0
    stop: threading.Event = field(default_factory=threading.Event)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    played: PrometheusServer

    def handle_error(self, *_: object) -> None:
        """Say nothing of who goes away in the midst of an answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Or the body waits until the client has acknowledged the head: 40 ms.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a question."""
        assert isinstance(self.server, _Server)
        played = self.server.played
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        ask = Ask(self.path, form, dict(self.headers.items()))
        played.asks.append(ask)
        play = played.play if played.answers is None else played.answers(ask)
        try:
            self._answer(played, play)
        except OSError:
            # Who asked has gone away.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, played: PrometheusServer, play: Play) -> None:
        if play.behaviour == "silence":
            played.stop.wait()
            return
        self.send_response(play.status)
        self.send_header("Content-Type", play.content_type)
        if play.encoding:
            self.send_header("Content-Encoding", play.encoding)
        if play.location:
            self.send_header("Location", play.location)
        if play.behaviour in {"endless", "drip"}:
            self.end_headers()
            self._go_on(played, _SPACES if play.behaviour == "endless" else b" ")
            return
        body = play.body
        if play.encoding == "gzip" and not play.encoded:
            body = gzip.compress(body)
        cut = play.behaviour == "truncate"
        self.send_header("Content-Length", str(len(body) + cut))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = cut

    def _go_on(self, played: PrometheusServer, part: bytes) -> None:
        while not played.stop.wait(0.0 if len(part) > 1 else 0.05):
            self.wfile.write(part)
            played.sent_bytes += len(part)


@contextmanager
def playing_prometheus() -> Iterator[PrometheusServer]:
    """Play it on a free port of 127.0.0.1."""
    httpd = _Server(("127.0.0.1", 0), _Handler)
    httpd.played = PrometheusServer(f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield httpd.played
    finally:
        httpd.played.stop.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()
