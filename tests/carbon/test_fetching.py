"""The rules of fetching, met by a real server on both ways there are."""

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from exporter.carbon.errors import (
    NonsenseError,
    ThrottledError,
    UnavailableError,
)
from exporter.carbon.fetching import open_web
from exporter.carbon.provider import Call, Web
from exporter.carbon.secret import Secret
from exporter.carbon.streams import open_streams
from exporter.version import version
from tests.fakes.carbon import NOW
from tests.fakes.carbon_server import Ask, CarbonServer, Play, queries, redirect

_Story = Callable[[CarbonServer, Web], Awaitable[object]]
_Opener = Callable[[], AbstractAsyncContextManager[Web]]


def _by_httpx() -> AbstractAsyncContextManager[Web]:
    return open_web(unix=lambda: NOW)


def _by_streams() -> AbstractAsyncContextManager[Web]:
    return open_streams(unix=lambda: NOW)


either_way = pytest.mark.parametrize(
    "opener", [_by_httpx, _by_streams], ids=["httpx", "streams"]
)


def _played(story: _Story, opener: _Opener) -> tuple[object, list[Ask]]:
    """Play a story; return what it returned, and what the server was asked."""

    async def run() -> tuple[object, list[Ask]]:
        async with CarbonServer() as server, opener() as web:
            return await story(server, web), server.asks

    return asyncio.run(run())


def _get(opener: _Opener, *plays: Play) -> tuple[object, list[Ask]]:
    """Ask once for what a server plays."""

    async def story(server: CarbonServer, web: Web) -> object:
        server.play("/", *plays)
        return await web.json(Call(f"{server.url}/"))

    return _played(story, opener)


@either_way
def test_a_request_says_who_asks_and_what_for(opener: _Opener) -> None:
    """Whoever runs the service can tell us apart, and write to us."""
    answer, asks = _get(opener, Play(b'{"a": 1}'))

    assert answer == {"a": 1}
    assert asks[0].method == "GET"
    assert asks[0].headers["user-agent"] == f"jouled/{version()}"
    assert asks[0].headers["accept"] == "application/json"
    assert asks[0].headers["accept-encoding"] == "identity"


@either_way
def test_what_has_not_changed_is_not_sent_again(opener: _Opener) -> None:
    """The service says so with 304, and the kept answer is read again."""

    async def story(server: CarbonServer, web: Web) -> object:
        server.play(
            "/",
            Play(b'{"a": 1}', headers=(("ETag", '"first"'),)),
            Play(status=304),
            Play(b'{"a": 2}', headers=(("ETag", '"second"'),)),
        )
        call = Call(f"{server.url}/", (("zone", "DE"),))
        return [await web.json(call) for _ in range(3)]

    answers, asks = _played(story, opener)

    assert answers == [{"a": 1}, {"a": 1}, {"a": 2}]
    assert [ask.headers.get("if-none-match") for ask in asks] == [
        None,
        '"first"',
        '"first"',
    ]


@either_way
def test_an_etag_belongs_to_one_address_and_query(opener: _Opener) -> None:
    """Another zone has another answer."""

    async def story(server: CarbonServer, web: Web) -> object:
        server.play("/", Play(b"{}", headers=(("ETag", '"a"'),)))
        await web.json(Call(f"{server.url}/", (("zone", "DE"),)))
        return await web.json(Call(f"{server.url}/", (("zone", "FR"),)))

    _, asks = _played(story, opener)

    assert "if-none-match" not in asks[1].headers


@either_way
def test_an_etag_belongs_to_who_asked(opener: _Opener) -> None:
    """What is told for one token is not what is told for another."""

    async def story(server: CarbonServer, web: Web) -> object:
        server.play("/", Play(b"{}", headers=(("ETag", '"a"'),)))
        for key in ("one", "two"):
            secret = (("key", Secret(key)),)
            await web.json(Call(f"{server.url}/", secret_params=secret))
        return None

    _, asks = _played(story, opener)

    assert queries(asks) == [{"key": "one"}, {"key": "two"}]
    assert "if-none-match" not in asks[1].headers


@either_way
def test_answers_are_kept_in_a_bounded_number(opener: _Opener) -> None:
    """Some addresses have the time in them and never come back."""

    async def story(server: CarbonServer, web: Web) -> object:
        server.play("/", Play(b"{}", headers=(("ETag", '"a"'),)))
        for number in [*range(40), 0, 39]:
            await web.json(Call(f"{server.url}/", (("n", str(number)),)))
        return None

    _, asks = _played(story, opener)

    assert "if-none-match" not in asks[-2].headers
    assert asks[-1].headers["if-none-match"] == '"a"'


@either_way
def test_not_modified_without_a_condition_is_nonsense(opener: _Opener) -> None:
    """There is nothing to fall back to."""
    with pytest.raises(NonsenseError, match="304"):
        _get(opener, Play(status=304))


def test_a_redirect_on_the_same_host_is_followed() -> None:
    """Services move their pages."""

    async def story(server: CarbonServer, web: Web) -> object:
        server.play("/old", redirect("/new?zone=DE", 308))
        server.play("/new", Play(b"[1]"))
        return await web.json(Call(f"{server.url}/old"))

    answer, asks = _played(story, _by_httpx)

    assert answer == [1]
    assert queries(asks) == [{}, {"zone": "DE"}]


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/",
        "http://127.0.0.1:1/",
        "//evil.invalid/",
        "https://evil.invalid/",
        "http://ada:secret@127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
    ],
)
def test_a_redirect_to_another_host_is_not_followed(target: str) -> None:
    """The token would go with it."""

    async def story(server: CarbonServer, web: Web) -> object:
        port = server.url.rpartition(":")[2]
        server.play("/", redirect(target.format(port=port)))
        call = Call(f"{server.url}/", secret_headers={"auth-token": Secret("t0ken")})
        return await web.json(call)

    with pytest.raises(NonsenseError, match="redirects to another host"):
        _played(story, _by_httpx)


@pytest.mark.parametrize(
    ("target", "requests"),
    [("/", 4), ("", 4), ("http://[", 1), ("//", 4)],
)
def test_redirects_that_lead_nowhere_end(target: str, requests: int) -> None:
    """A ring of redirects is no reason to ask for ever."""
    asked: list[int] = []

    async def story(server: CarbonServer, web: Web) -> object:
        server.play("/", redirect(target))
        try:
            return await web.json(Call(f"{server.url}/"))
        finally:
            asked.append(len(server.asks))

    with pytest.raises(NonsenseError, match="redirects"):
        _played(story, _by_httpx)

    assert asked == [requests]


def test_what_is_no_address_is_not_asked() -> None:
    """Some such slip through when a configuration is read."""

    async def story(server: CarbonServer, web: Web) -> object:
        server.play_everywhere(redirect("http://a\tb/"))
        with pytest.raises(UnavailableError):
            await web.json(Call(f"{server.url}/"))
        return await web.json(Call("http://999.999.999.999/"))

    with pytest.raises(NonsenseError, match="no address"):
        _played(story, _by_httpx)


@either_way
def test_an_answer_in_gzip_is_read_even_if_nobody_asked_for_it(opener: _Opener) -> None:
    """Some servers in between know better."""
    body = gzip.compress(b'{"a": 1}')

    answer, _ = _get(opener, Play(body, headers=(("Content-Encoding", "gzip"),)))

    assert answer == {"a": 1}


@either_way
def test_a_small_answer_that_becomes_large_is_not_unpacked(opener: _Opener) -> None:
    """A thousandfold is easy with gzip."""
    body = gzip.compress(b" " * 2**24)

    with pytest.raises(NonsenseError, match="more than"):
        _get(opener, Play(body, headers=(("Content-Encoding", "gzip"),)))


@either_way
@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"not gzip", "gzip"),
        (gzip.compress(b'{"a": 1}', mtime=0)[:-4], "gzip"),
        (b"{}", "br"),
        (b"{}", "deflate, gzip"),
    ],
)
def test_an_encoding_that_is_broken_or_unknown_is_nonsense(
    opener: _Opener, body: bytes, encoding: str
) -> None:
    """Nothing of it is guessed."""
    with pytest.raises(NonsenseError):
        _get(opener, Play(body, headers=(("Content-Encoding", encoding),)))


@either_way
def test_an_endless_answer_is_left_early(opener: _Opener) -> None:
    """What was sent until then is little more than what is read."""
    sent: list[int] = []

    async def story(server: CarbonServer, web: Web) -> object:
        server.play("/", Play(behaviour="endless"))
        try:
            return await web.json(Call(f"{server.url}/"))
        finally:
            sent.append(server.sent_bytes)

    with pytest.raises(NonsenseError, match="more than"):
        _played(story, opener)

    assert sent[0] < 2**26


@either_way
@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("999999999999999999999", 999999999999.0),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90.0),
        (format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True), 0.0),
        ("Sun, 22 Nov 2026 10:41:00 -0000", 60.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    opener: _Opener, written: str, seconds: float | None
) -> None:
    """And anything else is as if it were not there."""
    with pytest.raises(ThrottledError) as refusal:
        _get(opener, Play(status=503, headers=(("Retry-After", written),)))

    assert refusal.value.retry_after_s == seconds


@either_way
def test_a_status_nobody_knows_is_nonsense(opener: _Opener) -> None:
    """It is named by its number; what the server calls it is not repeated."""
    with pytest.raises(NonsenseError, match=r"answered 299$"):
        _get(opener, Play(b"{}", status=299))


@either_way
def test_an_answer_that_is_no_text_is_nonsense(opener: _Opener) -> None:
    """Whatever its type says."""
    with pytest.raises(NonsenseError, match="something else than text"):
        _get(opener, Play(b'"\xff"'))


@either_way
def test_cookies_are_not_kept(opener: _Opener) -> None:
    """Nobody who is asked for a number needs to recognise us."""

    async def story(server: CarbonServer, web: Web) -> object:
        server.play("/", Play(b"{}", headers=(("Set-Cookie", "who=we; Path=/"),)))
        await web.json(Call(f"{server.url}/"))
        return await web.json(Call(f"{server.url}/"))

    _, asks = _played(story, opener)

    assert all("cookie" not in ask.headers for ask in asks)


@either_way
def test_a_header_without_end_is_no_answer(opener: _Opener) -> None:
    """The bound of a body does not bound what is before it."""
    with pytest.raises(UnavailableError, match="cannot be reached"):
        _get(opener, Play(b"{}", headers=(("X-Long", "x" * 2**20),)))


@either_way
def test_a_request_is_not_logged(
    opener: _Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """Its address has the token in it, and its line would come every minute."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx")

    async def story(server: CarbonServer, web: Web) -> object:
        server.play("/", Play(b"{}"))
        call = Call(f"{server.url}/", secret_params=(("token", Secret("t0ken")),))
        return await web.json(call)

    _, asks = _played(story, opener)

    assert asks[0].query == {"token": "t0ken"}
    assert "t0ken" not in caplog.text
    assert not [record for record in caplog.records if record.name == "httpx"]


@either_way
def test_what_breaks_a_connection_is_named_and_not_quoted(opener: _Opener) -> None:
    """The library quotes what a server sent, and that can be our token."""

    async def story(server: CarbonServer, web: Web) -> object:
        server.play("/", Play(b"{}", headers=(("Bad\x01 t0ken/+", "t0ken/+" * 500),)))
        return await web.json(Call(f"{server.url}/"))

    with pytest.raises(UnavailableError) as failure:
        _played(story, opener)

    said = str(failure.value)
    assert said.startswith("127.0.0.1 cannot be reached: ")
    assert "Bad" not in said
    assert "t0ken" not in said
    assert failure.value.__cause__ is None
