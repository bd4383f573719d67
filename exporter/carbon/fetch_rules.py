"""The rules for what comes back, whatever library sends the request.

An answer has a greatest size, which is counted while it comes in: a compressed one
by what it becomes. Nothing but 200 is an answer, or what a call declares to be one.
An answer that came with an ETag is asked for again under condition. No message
repeats what a server said: servers repeat tokens.
"""

import re
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal, NamedTuple, NoReturn

from exporter.carbon.errors import (
    CredentialsError,
    NonsenseError,
    NotCoveredError,
    ThrottledError,
    UnavailableError,
)
from exporter.carbon.provider import Call
from exporter.core.units import Seconds

REDIRECTS = frozenset({301, 302, 303, 307, 308})

_MOST_KEPT = 32
_MOST_KEPT_BYTES = 64 * 2**10
_MOST_MESSAGE = 200

_DENIED = {401, 402, 403, 407}
_NOT_COVERED = {400, 404, 405, 410, 422}
_THROTTLED = {429, 503}
_TRY_AGAIN = {408, 425}
_SERVER_ERRORS = range(500, 600)

_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=\"?(\d{1,9})(?![\w.])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an answer may take, s, and how large it may be."""

    connect_s: float = 3.0
    read_s: float = 10.0
    total_s: float = 20.0
    body_bytes: int = 2**20


USUAL_LIMITS = Limits()


class Body:
    """The body of an answer, as it comes in.

    Args:
        host: whose it is, for messages.
        encoding: its ``Content-Encoding``.
        most_bytes: how large it may become.

    Raises:
        NonsenseError: nobody asked for that encoding.
    """

    def __init__(self, host: str, encoding: str, most_bytes: int) -> None:
        if encoding.lower() not in {"identity", "gzip", "x-gzip", ""}:
            msg = f"{host} answered in an encoding nobody asked for"
            raise NonsenseError(msg)
        self._host = host
        self._most_bytes = most_bytes
        is_gzip = "gzip" in encoding.lower()
        self._gzip = zlib.decompressobj(wbits=31) if is_gzip else None
        self._data = bytearray()

    def add(self, chunk: bytes) -> None:
        """Take a further part.

        Raises:
            NonsenseError: it is too large now, or broken.
        """
        gzip, data, most = self._gzip, self._data, self._most_bytes
        try:
            data += gzip.decompress(chunk, most + 1 - len(data)) if gzip else chunk
        except zlib.error:
            msg = f"{self._host} answered with broken gzip"
            raise NonsenseError(msg) from None
        if len(data) > most:
            msg = f"{self._host} answered with more than {most} bytes"
            raise NonsenseError(msg)

    def text(self, errors: Literal["strict", "replace"] = "strict") -> str:
        """Return all of it.

        Args:
            errors: what to do about bytes that are not UTF-8: some who answer pass on
                what any user wrote.

        Raises:
            NonsenseError: there is only half of it, or it is no text.
        """
        if self._gzip is not None and not self._gzip.eof:
            msg = f"{self._host} answered with half a gzip"
            raise NonsenseError(msg)
        try:
            return self._data.decode(errors=errors)
        except UnicodeDecodeError:
            msg = f"{self._host} answered with something else than text"
            raise NonsenseError(msg) from None


class _Kept(NamedTuple):
    """What is kept of an answer; ``etag`` is "" if it cannot be asked for so."""

    etag: str
    text: str
    max_age_s: Seconds | None


class Judge:
    """Takes or refuses answers, and keeps what can be asked for under condition.

    Args:
        limits: of each answer.
        unix: the wall clock, s, to which ``Retry-After`` is compared.
    """

    def __init__(
        self, limits: Limits = USUAL_LIMITS, unix: Callable[[], float] = time.time
    ) -> None:
        self._limits = limits
        self._unix = unix
        self._kept: OrderedDict[tuple[object, ...], _Kept] = OrderedDict()

    def condition(self, call: Call) -> str:
        """Return what to send as ``If-None-Match``; "" for nothing."""
        kept = self._kept.get(_key(call))
        return "" if kept is None else kept.etag

    def max_age_s(self, call: Call) -> Seconds | None:
        """Return how long the last answer was said to be good for, s."""
        kept = self._kept.get(_key(call))
        return None if kept is None else kept.max_age_s

    def judge(self, call: Call, status: int, headers: Mapping[str, str]) -> str | Body:
        """Look at the head of an answer.

        Args:
            call: what was asked.
            status: of HTTP.
            headers: by names in small letters, or whatever their letters.

        Returns:
            The text if it is known already, else what takes the body.

        Raises:
            ProviderError: it is none; the class says what to do.
        """
        key = _key(call)
        kept = self._kept.get(key)
        if status == HTTPStatus.NOT_MODIFIED and kept is not None and kept.etag:
            age_s = _max_age_s(headers)
            self._keep(key, kept if age_s is None else kept._replace(max_age_s=age_s))
            return kept.text
        if status not in call.accepted:
            self._refuse(call, status, headers.get("retry-after", ""))
        if headers.get("content-type", "").lower().startswith("text/html"):
            msg = f"{call.host} answered with a page for a browser"
            raise NonsenseError(msg)
        return Body(
            call.host,
            headers.get("content-encoding", "identity"),
            self._limits.body_bytes,
        )

    def accept(self, call: Call, headers: Mapping[str, str], body: Body) -> str:
        """Take a body that is complete, and return its text.

        Raises:
            NonsenseError: it is no text.
        """
        text = body.text()
        etag = headers.get("etag", "")
        if len(etag) > _MOST_MESSAGE or len(text) > _MOST_KEPT_BYTES:
            etag = ""
        self._keep(_key(call), _Kept(etag, text if etag else "", _max_age_s(headers)))
        return text

    def _keep(self, key: tuple[object, ...], kept: _Kept) -> None:
        self._kept.pop(key, None)
        if kept.etag or kept.max_age_s is not None:
            self._kept[key] = kept
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)

    def _refuse(self, call: Call, status: int, retry_after: str) -> NoReturn:
        said = f"{call.host} answered {status}{_phrase(status)}"
        if status in _DENIED:
            what = "the token and what its plan covers" if call.secrets else "its terms"
            msg = f"{said}: it refuses to tell; look at {what}"
            raise CredentialsError(msg)
        if status in _THROTTLED:
            raise ThrottledError(said, _retry_after_s(retry_after, self._unix()))
        if status in _NOT_COVERED:
            msg = f"{said}: it does not know this zone, or not at this address"
            raise NotCoveredError(msg)
        if status in _TRY_AGAIN or status in _SERVER_ERRORS:
            raise UnavailableError(said)
        raise NonsenseError(said)


def _key(call: Call) -> tuple[object, ...]:
    return (call.url, call.params, call.secrets)


def _max_age_s(headers: Mapping[str, str]) -> Seconds | None:
    found = _MAX_AGE.search(headers.get("cache-control", "")[:_MOST_MESSAGE].lower())
    return None if found is None else Seconds(float(found[1]))


def _retry_after_s(written: str, unix_s: float) -> Seconds | None:
    """Read ``Retry-After``: seconds or a date; ``None`` if it is neither."""
    if written.isascii() and written.isdecimal():
        return Seconds(float(written[:12]))
    try:
        when = parsedate_to_datetime(written)
    except (ValueError, IndexError, OverflowError):
        return None
    # RFC 9110: such dates are in GMT, with or without saying so.
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return Seconds(max(0.0, when.timestamp() - unix_s))


def _phrase(status: int) -> str:
    """Return the name of a status, ours and not the server's; "" if unknown."""
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
