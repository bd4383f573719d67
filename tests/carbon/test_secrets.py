"""A token is in the request it opens, and nowhere else."""

import asyncio
import base64
import copy
import logging
import pickle
import traceback
from urllib.parse import quote

import pytest

from exporter.carbon.errors import ProviderError
from exporter.carbon.feed import Feed
from exporter.carbon.fetch_rules import Limits
from exporter.carbon.live import LiveIntensity
from exporter.carbon.poller import Poller, Time
from exporter.carbon.secret import Secret
from exporter.core.errors import ConfigError
from exporter.logs import JsonFormatter, LogfmtFormatter
from tests.fakes.carbon import NOW
from tests.fakes.carbon_cases import CASES, PASSWORD, TOKEN, Case
from tests.fakes.carbon_server import CarbonServer, Play, redirect

_LOGIN = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
_PLANTED = (TOKEN, quote(TOKEN, safe=""), PASSWORD, _LOGIN, "c2FtcGxl")
_ECHO = (
    f'{{"error": "no right for {TOKEN} nor {PASSWORD}", "zone": "{TOKEN}", '
    f'"carbonIntensity": "{TOKEN}", "token": 7}}'
).encode()

_HURRIED = Limits(connect_s=5.0, read_s=0.2, total_s=0.4)


@pytest.mark.parametrize(
    "play",
    [
        Play(_ECHO),
        Play(_ECHO, status=400),
        Play(_ECHO, status=401),
        Play(_ECHO, status=403),
        Play(_ECHO, status=404),
        Play(_ECHO, status=429, headers=(("Retry-After", TOKEN),)),
        Play(_ECHO, status=500),
        Play(_ECHO, content_type="text/html"),
        Play(f"<a>{TOKEN}</a>".encode(), content_type="text/xml"),
        Play(behaviour="silence"),
        Play(behaviour="reset"),
        Play(_ECHO, behaviour="truncate"),
        Play(b"{}", headers=((f"Bad\x01{TOKEN}", TOKEN),)),
        redirect(f"https://evil.invalid/?token={quote(TOKEN)}"),
    ],
    ids=[
        *("echo", "400", "401", "403", "404", "429", "500", "html", "xml"),
        *("silence", "reset", "truncate", "header", "redirect"),
    ],
)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_planted_tokens_are_in_no_log_error_or_repr(
    case: Case, play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a server does with the token it was given."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "exporter"):
        caplog.set_level(logging.DEBUG, logger=name)
    seen: list[str] = []

    async def run() -> None:
        async with CarbonServer() as server, case.open_web(_HURRIED) as web:
            provider = case.prepare(server, play)
            sink = LiveIntensity(case.zone, (provider.traits,))
            clocks = Time(lambda: NOW, lambda: 0.0)
            poller = Poller(
                [Feed(provider, (case.zone,))], [sink], case.open_web, clocks=clocks
            )
            await poller.ask_who_is_due(web)
            seen.extend((repr(poller.statuses), repr(poller.counts), repr(provider)))
            seen.extend((str(vars(provider)), repr(web), repr(vars(web))))
            try:
                await provider.fetch(web, (case.zone,), NOW)
            except ProviderError as error:
                seen.extend(
                    (str(error), repr(error), *traceback.format_exception(error))
                )

    asyncio.run(run())

    for record in caplog.records:
        seen.extend((LogfmtFormatter().format(record), JsonFormatter().format(record)))
    assert seen
    text = "\n".join(seen)
    assert [planted for planted in _PLANTED if planted in text] == []


def test_a_secret_shows_itself_only_on_demand() -> None:
    """Neither in a dataclass nor in an f-string."""
    secret = Secret(" t0ken\n")

    shown = f"{secret} {secret!r} {[secret]}"

    assert secret.reveal() == "t0ken"
    assert "t0ken" not in shown
    assert not hasattr(secret, "__dict__")


def test_a_secret_is_neither_pickled_nor_copied() -> None:
    """It would be written down."""
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(Secret("t0ken"))
    with pytest.raises(TypeError, match="not written"):
        copy.deepcopy(Secret("t0ken"))


@pytest.mark.parametrize("text", ["", "  \n", "a\nb", "a\rb", "a\x00b", "x" * 10_000])
def test_what_cannot_be_a_token_is_refused_unquoted(text: str) -> None:
    """A line end in a header would be another header."""
    with pytest.raises(ConfigError) as refusal:
        Secret(text)

    assert text.strip() == "" or text not in str(refusal.value)
