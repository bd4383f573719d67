"""A real HTTP server whose metrics are a text that a test gives it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


@contextmanager
def played_metrics(text: Callable[[], str], content_type: str = TEXT) -> Iterator[int]:
    """Answer every request with a text for a while, and yield the port.

    Args:
        text: called for each request, in a thread of its own.
        content_type: what it is called.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.text, server.content_type = text, content_type
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    text: Callable[[], str]
    content_type: str


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast("_Server", self.server)
        body = server.text().encode()
        self.send_response(200)
        self.send_header("Content-Type", server.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overrides
        """Say nothing on standard error."""
