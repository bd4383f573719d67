"""Basic authentication with bcrypt, in front of an application.

Every path is protected, health included, as Prometheus' own exporters do. A
bcrypt check costs tens of milliseconds of CPU by design, so it runs on one
thread of its own, and its result is remembered: a scrape every few seconds pays
for it once.
"""

import asyncio
import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.exposition.web_config import WebConfig

# More people than this do not guess at once by accident.
_MOST_WAITING = 16
_MOST_REMEMBERED = 64
# bcrypt reads no further, and some versions refuse more.
_LONGEST_PASSWORD_BYTES = 72


class Passwords:
    """Checks user and password against bcrypt hashes, and remembers."""

    def __init__(self) -> None:
        # The passwords themselves are not kept, and no digest outlives us.
        self._salt = os.urandom(16)
        self._right: dict[bytes, None] = {}
        self._wrong: dict[bytes, None] = {}
        self._waiting = 0
        self._executor: ThreadPoolExecutor | None = None

    async def check(
        self, users: Mapping[str, str], user: str, password: bytes
    ) -> bool | None:
        """Tell whether a user's password is right.

        Args:
            users: name to bcrypt hash; not empty.
            user: who the client says it is; an unknown user takes as long.
            password: what the client says.

        Returns:
            ``None`` if too many others wait for an answer.
        """
        known = users.get(user)
        stored = known if known is not None else unknown_hash(users)
        key = self._key(user, stored, password)
        if key in self._right:
            return True
        if key in self._wrong:
            return False
        if self._waiting >= _MOST_WAITING:
            return None
        self._waiting += 1
        try:
            right = await self._compute(stored, password) and known is not None
        finally:
            self._waiting -= 1
        # Apart, so that no flood of guesses can push out who is right.
        _remember(self._right if right else self._wrong, key)
        return right

    def close(self) -> None:
        """Let go of the thread; a check that runs is not waited for."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    async def _compute(self, stored: str, password: bytes) -> bool:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, _matches, stored, password
        )

    def _key(self, user: str, stored: str, password: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._salt)
        for part in (user.encode("utf-8", "surrogatepass"), stored.encode(), password):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()


def unknown_hash(users: Mapping[str, str]) -> str:
    """Make up the hash of nobody, as costly as the costliest user's.

    The time of an answer must not tell which names exist.

    Args:
        users: name to bcrypt hash; not empty.
    """
    cost = max(stored[4:6] for stored in users.values())
    return f"$2b${cost}${'.' * 53}"


class WebGuard:
    """An application behind a web configuration: who may ask, and more headers."""

    def __init__(self, app: ASGIApp, config: WebConfig) -> None:
        self._app = app
        self._config = config
        self._passwords = Passwords()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        settings = self._config.settings
        if settings.headers:
            send = _with_headers(settings.headers, send)
        if settings.users:
            allowed = await self._allowed(settings.users, scope)
            if allowed is None:
                headers = [(b"retry-after", b"1")]
                await _refuse(send, 503, b"too many logins at once\n", headers)
                return
            if not allowed:
                challenge = b'Basic realm="jouled", charset="UTF-8"'
                headers = [(b"www-authenticate", challenge)]
                await _refuse(send, 401, b"user or password is wrong\n", headers)
                return
        await self._app(scope, receive, send)

    def close(self) -> None:
        """Let go of the thread that checks passwords."""
        self._passwords.close()

    async def _allowed(self, users: Mapping[str, str], scope: Scope) -> bool | None:
        said = _credentials(scope)
        if said is None:
            return False
        return await self._passwords.check(users, *said)


def _credentials(scope: Scope) -> tuple[str, bytes] | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, encoded = value.partition(b" ")
            if scheme.lower() != b"basic":
                return None
            try:
                decoded = base64.b64decode(encoded.strip(), validate=True)
            except binascii.Error:
                return None
            user, colon, password = decoded.partition(b":")
            return (user.decode("utf-8", "replace"), password) if colon else None
    return None


def _matches(stored: str, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:_LONGEST_PASSWORD_BYTES], stored.encode())
    except ValueError:
        # A NUL byte in it, which no bcrypt hash was ever made of.
        return False


def _remember(keys: dict[bytes, None], key: bytes) -> None:
    if len(keys) >= _MOST_REMEMBERED:
        del keys[next(iter(keys))]
    keys[key] = None


def _with_headers(headers: Mapping[str, str], send: Send) -> Send:
    ours = {name.lower().encode(): value.encode() for name, value in headers.items()}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0] not in ours]
            message["headers"] = [*kept, *ours.items()]
        await send(message)

    return send_with_headers


async def _refuse(
    send: Send, code: int, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": code,
            "headers": [
                *headers,
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"%d" % len(body)),
                (b"x-content-type-options", b"nosniff"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
