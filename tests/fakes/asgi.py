"""Asks an application without a server, one question at a time."""

import asyncio
from collections.abc import Mapping

import httpx
from starlette.types import ASGIApp

Headers = Mapping[str, str] | list[tuple[str, str]]


class Asker:
    """A client of an application; an error within is an answer, as on a server."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def ask(
        self, method: str, path: str, headers: Headers | None = None
    ) -> httpx.Response:
        """Ask once, without following redirects."""
        return asyncio.run(self._ask(method, path, headers))

    def get(self, path: str, headers: Headers | None = None) -> httpx.Response:
        """Ask with GET."""
        return self.ask("GET", path, headers)

    def raw(self, path: str, headers: Headers) -> bytes:
        """Return the body as it was sent, packed or not."""
        return asyncio.run(self._raw(path, headers))

    async def _ask(
        self, method: str, path: str, headers: Headers | None
    ) -> httpx.Response:
        async with self._client() as client:
            return await client.request(method, path, headers=headers)

    async def _raw(self, path: str, headers: Headers) -> bytes:
        async with (
            self._client() as client,
            client.stream("GET", path, headers=headers) as answer,
        ):
            return b"".join([part async for part in answer.aiter_raw()])

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self._transport, base_url="http://node17")
