"""Where alerts arrive: a real HTTP server and a real, very simple mail server."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, ClassVar, cast

_LOOPBACK = ("127.0.0.1", 0)


@dataclass(frozen=True)
class Post:
    """One request that came in by HTTP."""

    path: str
    authorization: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Mail:
    """One mail that came in."""

    to: str
    subject: str
    text: str


@dataclass
class Inbox:
    """What has arrived so far, oldest first; servers add to it from their threads."""

    posts: list[Post] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    http_port: int = 0
    smtp_port: int = 0

    @property
    def url(self) -> str:
        """Address of the HTTP server; what is behind it is free."""
        return f"http://127.0.0.1:{self.http_port}"

    def alerts(self, path: str) -> list[dict[str, Any]]:
        """Return all alerts that came to a path as Alertmanager's own JSON."""
        return [
            alert
            for post in list(self.posts)
            if post.path == path
            for alert in post.body["alerts"]
        ]


@contextmanager
def inbox() -> Iterator[Inbox]:
    """Be reachable for a while."""
    arrived = Inbox()
    web = _WebServer(_LOOPBACK, _PostHandler)
    post = _MailServer(_LOOPBACK, _MailHandler)
    web.inbox = post.inbox = arrived
    arrived.http_port, arrived.smtp_port = web.server_port, post.server_address[1]
    threads = [threading.Thread(target=server.serve_forever) for server in (web, post)]
    for thread in threads:
        thread.start()
    try:
        yield arrived
    finally:
        for server in (web, post):
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


class _WebServer(ThreadingHTTPServer):
    inbox: Inbox


class _MailServer(ThreadingTCPServer):
    inbox: Inbox
    daemon_threads = True


class _PostHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        post = Post(self.path, self.headers.get("Authorization", ""), json.loads(body))
        cast("_WebServer", self.server).inbox.posts.append(post)
        self.send_response(200)
        self.end_headers()
        # Slack's own answer.
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overrides
        """Say nothing on standard error."""


class _MailHandler(StreamRequestHandler):
    """As much of RFC 5321 as a client needs to hand over a mail."""

    _ANSWERS: ClassVar = {b"DATA": b"354 go on", b"QUIT": b"221 bye"}

    def handle(self) -> None:
        """Talk until the client leaves."""
        self._say(b"220 inbox")
        to = ""
        for line in self.rfile:
            verb = line.split(maxsplit=1)[0].upper().rstrip(b":")
            if verb == b"RCPT":
                to = line.decode().partition("<")[2].partition(">")[0]
            self._say(self._ANSWERS.get(verb, b"250 fine"))
            if verb == b"DATA":
                self._take(to)
            elif verb == b"QUIT":
                return

    def _take(self, to: str) -> None:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b"."))
        mail = message_from_bytes(b"".join(lines), policy=default)
        told = Mail(to, str(mail["Subject"]), _text(mail))
        cast("_MailServer", self.server).inbox.mails.append(told)
        self._say(b"250 fine")

    def _say(self, answer: bytes) -> None:
        self.wfile.write(answer + b"\r\n")


def _text(mail: Message) -> str:
    parts = [part for part in mail.walk() if part.get_content_type() == "text/plain"]
    payload = cast("bytes", parts[0].get_payload(decode=True))
    return payload.decode()
