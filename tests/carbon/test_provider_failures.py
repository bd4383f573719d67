"""Every provider meets every failure, over real HTTP."""

import asyncio
from dataclasses import replace

import pytest

from exporter.carbon.chain import Chain
from exporter.carbon.errors import (
    CredentialsError,
    ImplausibleError,
    NonsenseError,
    NotCoveredError,
    ProviderError,
    ThrottledError,
    UnavailableError,
)
from exporter.carbon.feed import Feed
from exporter.carbon.fetch_rules import Limits
from exporter.carbon.live import LiveIntensity
from exporter.carbon.observation import Report
from exporter.carbon.poller import Poller, Time
from exporter.carbon.yearly import YearlyIntensity
from exporter.core.units import Seconds
from tests.fakes.carbon import NOW
from tests.fakes.carbon_cases import CASES, Case
from tests.fakes.carbon_server import Behaviour, CarbonServer, Play

_HURRIED = Limits(connect_s=5.0, read_s=0.2, total_s=0.4)

every_provider = pytest.mark.parametrize("case", CASES, ids=str)


def _ask(case: Case, *plays: Play, limits: Limits | None = None) -> Report:
    """Ask a provider of a server that plays something."""

    async def run() -> Report:
        web_limits = Limits() if limits is None else limits
        async with CarbonServer() as server, case.open_web(web_limits) as web:
            provider = case.prepare(server, *plays)
            return await provider.fetch(web, (case.zone,), NOW)

    return asyncio.run(run())


@every_provider
def test_a_good_answer_is_a_value_of_the_zone_that_was_asked_for(case: Case) -> None:
    """What follows shows that it is the failure that makes the difference."""
    report = _ask(case, case.good())

    (told,) = report.observations.values()
    assert told.zone == case.zone
    assert case.name.startswith(told.provider)
    assert 0 < told.value <= 2000


@every_provider
@pytest.mark.parametrize("behaviour", ["silence", "drip"])
def test_who_does_not_come_to_an_end_is_given_up(
    case: Case, behaviour: Behaviour
) -> None:
    """Neither a server that says nothing nor one that never ends keeps us."""
    play = replace(case.good(), behaviour=behaviour)

    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1 did not answer in time"):
        _ask(case, play, limits=_HURRIED)


@every_provider
@pytest.mark.parametrize("behaviour", ["reset", "truncate"])
def test_a_connection_that_breaks_is_no_answer(
    case: Case, behaviour: Behaviour
) -> None:
    """Half an answer could be a whole number."""
    play = replace(case.good(), behaviour=behaviour)

    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1 cannot be reached"):
        _ask(case, play)


@every_provider
@pytest.mark.parametrize(
    "play",
    [
        Play(b" " * (2**20 + 1)),
        Play(behaviour="endless"),
    ],
    ids=["gigantic", "endless"],
)
def test_an_answer_that_is_too_large_is_not_read(case: Case, play: Play) -> None:
    """Memory of the node belongs to its jobs."""
    with pytest.raises(NonsenseError, match="more than 1048576 bytes"):
        _ask(case, play)


@every_provider
@pytest.mark.parametrize(
    ("status", "reaction"),
    [
        (401, CredentialsError),
        (403, CredentialsError),
        (404, NotCoveredError),
        (418, NonsenseError),
        (429, ThrottledError),
        (500, UnavailableError),
        (502, UnavailableError),
        (503, ThrottledError),
    ],
)
def test_each_status_has_its_reaction(
    case: Case, status: int, reaction: type[ProviderError]
) -> None:
    """Whoever asks on after 401 or 429 is shut out in the end."""
    with pytest.raises(reaction, match=f"answered {status}") as refusal:
        _ask(case, Play(b"{}", status=status))

    assert type(refusal.value) is reaction


@every_provider
def test_who_says_when_to_come_back_is_heard(case: Case) -> None:
    """Retry-After is in seconds here."""
    play = Play(b"{}", status=429, headers=(("Retry-After", "120"),))

    with pytest.raises(ThrottledError) as refusal:
        _ask(case, play)

    assert refusal.value.retry_after_s == 120.0


@every_provider
@pytest.mark.parametrize(
    "play",
    [
        Play(b"<html><body>Maintenance</body></html>", content_type="text/html"),
        Play(b"<html><body>Sign in</body></html>"),
        Play(b"Bad day"),
        Play(b""),
        Play(b"\xff\xfe\x00"),
        Play(b"[" * 100_000),
        Play(b"null"),
        Play(b"{}"),
        Play(b"[]"),
        Play(b"12"),
        Play(b"<a/>"),
        Play(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
    ],
    ids=[
        *("html", "html-as-json", "text", "nothing", "bytes", "deep", "null"),
        *("object", "list", "number", "xml", "entities"),
    ],
)
def test_what_is_no_answer_is_nonsense(case: Case, play: Play) -> None:
    """A page of a captive portal comes with 200 like anything else."""
    with pytest.raises(NonsenseError):
        _ask(case, play)


@every_provider
@pytest.mark.parametrize(
    "written", ["NaN", "-Infinity", "1e999", '"many"', "true", "{}", "[]"]
)
def test_what_is_no_number_is_nonsense(case: Case, written: str) -> None:
    """JSON parsers of other languages write NaN where they have nothing."""
    with pytest.raises(NonsenseError):
        _ask(case, case.good(case.with_value(written)))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name != "entsoe"], ids=str
)
@pytest.mark.parametrize("written", ["0", "-5", "1e6"])
def test_what_no_grid_has_is_not_believed(case: Case, written: str) -> None:
    """A zero would make electricity free of carbon; a million is another unit."""
    with pytest.raises(ImplausibleError, match="no grid has"):
        _ask(case, case.good(case.with_value(written)))


def test_a_grid_where_nobody_generates_anything_has_no_intensity() -> None:
    """A mix of nothing is not a division by zero."""
    (case,) = (case for case in CASES if case.name == "entsoe")

    with pytest.raises(UnavailableError, match="no complete slot"):
        _ask(case, case.good(case.with_value("0")))


@every_provider
def test_null_is_no_value(case: Case) -> None:
    """It is neither zero nor a reason to crash."""
    with pytest.raises((UnavailableError, NonsenseError)):
        _ask(case, case.good(case.with_value("null")))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.zone_mark is not None], ids=str
)
def test_another_zone_is_not_taken_for_ours(case: Case) -> None:
    """A wrong zone is a wrong number that looks right."""
    assert case.zone_mark is not None
    body = case.body.replace(*case.zone_mark)

    with pytest.raises((NonsenseError, UnavailableError)):
        _ask(case, case.good(body))


@every_provider
@pytest.mark.parametrize("skew_s", [-86_400.0, -7_800.0, 86_400.0])
def test_a_value_of_another_time_is_never_live(case: Case, skew_s: float) -> None:
    """Stale data, data from the future and clocks that are wrong look the same."""
    unix_s = Seconds(NOW + skew_s)

    async def run() -> tuple[LiveIntensity, set[str]]:
        async with CarbonServer() as server, case.open_web() as web:
            provider = case.prepare(server, case.good())
            sink = LiveIntensity(case.zone, (provider.traits,))
            clocks = Time(lambda: unix_s, lambda: 0.0)
            feeds = [Feed(provider, (case.zone,))]
            poller = Poller(feeds, [sink], case.open_web, clocks=clocks)
            await poller.ask_who_is_due(web)
            values = {c.outcome for c in poller.counts if c.fetches}
            return sink, values

    sink, outcomes = asyncio.run(run())

    standing = sink.standing(unix_s)
    assert standing is None or standing.level == 1
    if sink.signal == "average":
        floor = YearlyIntensity("DE")
        assert Chain(sink, floor).current(unix_s).fallback_level >= 1
    assert outcomes & {"stale", "implausible", "unavailable"}


@every_provider
def test_a_port_nobody_listens_on_is_unavailable(case: Case) -> None:
    """The service is down; it says so at once."""

    async def run() -> None:
        async with CarbonServer() as server:
            provider = case.build(server.url)
        async with case.open_web() as web:
            await provider.fetch(web, (case.zone,), NOW)

    with pytest.raises(UnavailableError, match="cannot be reached"):
        asyncio.run(run())


@every_provider
def test_a_name_nobody_has_is_unavailable(case: Case) -> None:
    """A node without DNS goes on with what it has; .invalid never resolves."""

    async def run() -> None:
        provider = case.build("http://carbon.invalid")
        async with case.open_web() as web:
            await provider.fetch(web, (case.zone,), NOW)

    with pytest.raises(UnavailableError, match=r"carbon\.invalid"):
        asyncio.run(run())
