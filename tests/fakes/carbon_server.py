"""A real HTTP server that plays a provider, well or badly."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

_ENDLESS_CHUNK = b" " * 65536

Behaviour = Literal["answer", "silence", "reset", "truncate", "endless", "drip"]


@dataclass(frozen=True)
class Play:
    """One answer.

    ``silence`` never answers; ``reset`` breaks the connection; ``truncate`` ends
    in the middle of the body; ``endless`` sends a body without end; ``drip``
    sends a byte now and then, for ever.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    behaviour: Behaviour = "answer"


@dataclass(frozen=True)
class Ask:
    """One request that came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


Answer = Play | Callable[[Ask], Play]
"""What is answered: always the same, or made for each request."""


@dataclass
class CarbonServer:
    """Answers on a free port of 127.0.0.1, in the loop of the test.

    Attributes:
        tls: what it shows of itself; ``None`` for plain HTTP.
        asks: all requests, in order.
        sent_bytes: of bodies without end.
    """

    tls: ssl.SSLContext | None = None
    asks: list[Ask] = field(default_factory=list)
    sent_bytes: int = 0
    _plays: dict[str, list[Answer]] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def play(self, path: str, *plays: Answer) -> None:
        """Answer requests for a path; the last answer is given again and again."""
        self._plays[path] = list(plays)

    def play_everywhere(self, *plays: Answer) -> None:
        """Answer requests for any path that has no answers of its own."""
        self.play("*", *plays)

    @property
    def url(self) -> str:
        """Address without a slash at its end."""
        assert self._server is not None
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self.tls
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            # The end of the test; a streams server logs a task that is cancelled.
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        ask = _ask(head)
        self.asks.append(ask)
        answer = self._next(ask.path)
        play = answer if isinstance(answer, Play) else answer(ask)
        if play.behaviour == "silence":
            await asyncio.Event().wait()
        if play.behaviour == "reset":
            _reset(writer)
            return False
        writer.write(_head(play))
        if play.behaviour == "endless":
            while True:
                writer.write(_ENDLESS_CHUNK)
                self.sent_bytes += len(_ENDLESS_CHUNK)
                await writer.drain()
        if play.behaviour == "drip":
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        if play.behaviour == "truncate":
            writer.write(play.body[: len(play.body) // 2])
            await writer.drain()
            return False
        writer.write(play.body)
        await writer.drain()
        return True

    def _next(self, path: str) -> Answer:
        plays = self._plays.get(path) or self._plays.get("*")
        if not plays:
            return Play(b'{"error": "no such page"}', status=404)
        return plays.pop(0) if len(plays) > 1 else plays[0]


def _ask(head: str) -> Ask:
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    parts = urlsplit(target)
    headers = (line.split(": ", 1) for line in lines if line)
    return Ask(
        method,
        parts.path,
        {name: values[0] for name, values in parse_qs(parts.query).items()},
        {name.lower(): value for name, value in headers},
    )


def _head(play: Play) -> bytes:
    lines = [f"HTTP/1.1 {play.status} Something", f"Content-Type: {play.content_type}"]
    if play.behaviour in {"answer", "truncate"}:
        lines.append(f"Content-Length: {len(play.body)}")
    lines += [f"{name}: {value}" for name, value in play.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection as a crashed server does, with RST instead of FIN."""
    plug: socket.socket = writer.get_extra_info("socket")
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def redirect(target: str, status: int = 302) -> Play:
    """Return an answer that sends elsewhere."""
    return Play(status=status, headers=(("Location", target),))


def queries(asks: Iterable[Ask]) -> list[dict[str, str]]:
    """Return the queries of requests."""
    return [ask.query for ask in asks]
