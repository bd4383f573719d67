"""The real daemon asks the real hub, which asks providers that are played."""

import base64
import signal
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.e2e.hub import Hub
from tests.e2e.hub import running as running_hub
from tests.e2e.scripted_node import (
    FETCHES,
    INTENSITY,
    LEVEL,
    ScriptedNode,
    grew,
    scripted,
)
from tests.e2e.waiting import until
from tests.fakes import plain_http
from tests.fakes.carbon_server import Play
from tests.fakes.certificates import Pair, authority, signed
from tests.fakes.played_hub import played_hub
from tests.fakes.played_providers import PlayedProviders, played_providers
from tests.fakes.played_time import PlayedTime

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PATIENCE_S = 120.0
PASSWORD = "pl4nted passw0rd"  # noqa: S105 - it opens nothing
# What it looks like on the way, too.
FORMS = ("pl4nted", base64.b64encode(f"nodes:{PASSWORD}".encode()).decode())
PATHS = (
    *("/", "/node.js", "/metrics", "/healthz", "/readyz", "/openapi.json", "/nope"),
    *("/api/v1/node", "/api/v1/intensity", "/api/v1/jobs"),
)


# Nearly still: however long a test takes, the hub makes no further call meanwhile.
STILL = 0.001


@pytest.fixture
def clock() -> PlayedTime:
    """Return the clock of hub and providers."""
    return PlayedTime.begin(STILL)


@pytest.fixture
def providers(clock: PlayedTime) -> Iterator[PlayedProviders]:
    """Return providers that are played."""
    with played_providers(clock.unix) as played:
        yield played


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Return the certificate of the hub, signed by the authority of the site."""
    return signed(authority(tmp_path / "ca"), tmp_path, "hub", "IP:127.0.0.1")


def germany(providers: PlayedProviders) -> str:
    """Return what the hub is told."""
    return f"zones: {{DE: }}\nproviders: {{energy-charts: {{url: {providers.url}}}}}\n"


@contextmanager
def secured_hub(folder: Path, providers: PlayedProviders, pair: Pair) -> Iterator[Hub]:
    """Run a hub with TLS that wants a password."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    web = folder / "web.yml"
    web.write_text(
        f"tls_server_config: {{cert_file: {pair.certificate}, key_file: {pair.key}}}\n"
        f"basic_auth_users: {{nodes: {hashed}}}\n"
    )
    trust = ssl.create_default_context(cafile=folder / "ca" / "authority.crt")
    flags = ("--web.config.file", web)
    with (
        httpx.Client(verify=trust, auth=("nodes", PASSWORD)) as client,
        running_hub(
            Hub(folder, germany(providers), flags=flags, scheme="https", client=client)
        ) as hub,
    ):
        yield hub


def node_of(url: str, folder: Path, *flags: str | Path) -> ScriptedNode:
    """Return a node that asks a hub for Germany, and says everything it can."""
    (folder / "node").mkdir()
    return ScriptedNode(
        folder / "node",
        (
            *("--carbon.zone", "DE", "--carbon.hub-url", url, "--log.level", "debug"),
            *flags,
        ),
    )


def wait_for_fetch(node: ScriptedNode, outcome: str, least: int = 1) -> None:
    """Wait until the hub was asked so often with an outcome."""
    until(
        lambda: (
            (node.daemon.scrape().get(FETCHES, provider="hub", outcome=outcome) or 0)
            >= least
        ),
        f"a fetch that is {outcome}",
        PATIENCE_S,
    )


def test_what_a_provider_told_the_hub_is_in_force_on_a_node(
    tmp_path: Path, providers: PlayedProviders, clock: PlayedTime
) -> None:
    """One number, one provider, one time, from end to end."""
    with (
        running_hub(Hub(tmp_path, germany(providers), clock=clock)) as hub,
        scripted(node_of(hub.url, tmp_path)) as node,
    ):
        wait_for_fetch(node, "ok")
        here = node.daemon.get("/api/v1/intensity").json()
        there = hub.intensity()

    changing = {"unix_s", "age_s", "fetched_unix_s", "marginal", "forecast"}
    same = there.keys() - changing
    assert {key: here[key] for key in same} == {key: there[key] for key in same}
    assert here["forecast"][-10:] == there["forecast"][-10:]
    assert here["intensity_g_per_kwh"] == providers.value
    assert here["fallback_level"] == 0


def test_a_hub_that_is_killed_and_comes_back_changes_nothing_on_a_node(
    tmp_path: Path, providers: PlayedProviders, clock: PlayedTime
) -> None:
    """What it told is live until it said; the first answer is told once."""
    with (
        running_hub(Hub(tmp_path, germany(providers), clock=clock)) as hub,
        scripted(node_of(hub.url, tmp_path)) as node,
    ):
        wait_for_fetch(node, "ok")
        before = node.daemon.scrape()
        hub.kill()
        node.daemon.send(signal.SIGHUP)
        wait_for_fetch(node, "unavailable")
        without = node.daemon.scrape()
        hub.start()
        wait_for_fetch(node, "ok", int(before.value(FETCHES, outcome="ok")) + 1)
        after = node.daemon.scrape()
        said = node.daemon.said()

    for scrape in (before, without, after):
        assert scrape.value(INTENSITY, zone="DE") == providers.value
        assert scrape.value(LEVEL, zone="DE") == 0
    assert "carbon intensity is not told: 127.0.0.1 cannot be reached" in said
    assert "Connection refused" in said
    assert said.count("carbon intensity is told again") == 1


def test_a_node_trusts_the_authority_of_its_site_and_shows_its_password(
    tmp_path: Path, providers: PlayedProviders, pair: Pair
) -> None:
    """Neither the system's authorities nor any other host are trusted."""
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    flags: tuple[str | Path, ...] = (
        *("--carbon.hub-ca-file", tmp_path / "ca" / "authority.crt"),
        *("--carbon.hub-user", "nodes", "--carbon.hub-password-file", password),
    )
    with (
        secured_hub(tmp_path, providers, pair) as hub,
        scripted(node_of(hub.url, tmp_path, *flags)) as node,
    ):
        wait_for_fetch(node, "ok")
        scrape = node.daemon.scrape()

    assert scrape.value(LEVEL, zone="DE") == 0
    assert scrape.value(INTENSITY, zone="DE") == providers.value


def test_a_wrong_authority_is_told_and_nothing_is_sent(
    tmp_path: Path, providers: PlayedProviders, pair: Pair
) -> None:
    """Whoever plays the hub must not get the password."""
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    other = authority(tmp_path / "other")
    flags: tuple[str | Path, ...] = (
        *("--carbon.hub-ca-file", other.certificate),
        *("--carbon.hub-user", "nodes", "--carbon.hub-password-file", password),
    )
    with (
        secured_hub(tmp_path, providers, pair) as hub,
        scripted(node_of(hub.url, tmp_path, *flags)) as node,
    ):
        wait_for_fetch(node, "unavailable")
        scrape = node.daemon.scrape()
        said = node.daemon.said()
        asked = hub.scrape().total("jouled_hub_intensity_requests_total")

    assert "its certificate is not trusted" in said
    assert scrape.value(LEVEL, zone="DE") == 2
    assert asked == 0


def test_a_wrong_password_is_told_once_and_tried_again_after_a_reload(
    tmp_path: Path, providers: PlayedProviders, pair: Pair
) -> None:
    """A node that hammers with it would be shut out, with all its siblings."""
    password = tmp_path / "password"
    password.write_text("wrong")
    flags: tuple[str | Path, ...] = (
        *("--carbon.hub-ca-file", tmp_path / "ca" / "authority.crt"),
        *("--carbon.hub-user", "nodes", "--carbon.hub-password-file", password),
    )
    with (
        secured_hub(tmp_path, providers, pair) as hub,
        scripted(node_of(hub.url, tmp_path, *flags)) as node,
    ):
        wait_for_fetch(node, "denied")
        begin, end = node.work(20.0)
        refused = node.daemon.said()
        password.write_text(PASSWORD)
        node.daemon.send(signal.SIGHUP)
        wait_for_fetch(node, "ok")
        last = node.daemon.scrape()

    assert end.value(LEVEL, zone="DE") == 2
    assert grew("jouled_node_emissions_fallback_grams_total", begin, end) > 0
    assert refused.count("carbon intensity is not told") == 1
    assert "outcome=denied" in refused
    assert last.value(FETCHES, provider="hub", outcome="denied") == 1
    assert last.value(LEVEL, zone="DE") == 0


@pytest.mark.parametrize("trouble", ["none", "refusing", "repeating", "broken"])
def test_the_password_of_the_hub_leaves_a_node_by_no_other_way(
    tmp_path: Path, trouble: str
) -> None:
    """Not when all is well, not in errors, and not from a hub that repeats it."""
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    echo = f'{{"zone": "{FORMS[1]}", "provider": "{PASSWORD}"}}'.encode()
    headers = (("X-Echo", FORMS[1]),)
    with ExitStack() as stack:
        hub = stack.enter_context(played_hub())
        hub.instead = {
            "none": None,
            "refusing": Play(echo, status=401, headers=headers),
            "repeating": Play(echo, headers=headers),
            "broken": Play(echo, headers=((f"Bad\x01{PASSWORD}", FORMS[1]),)),
        }[trouble]
        flags: tuple[str | Path, ...] = (
            *("--carbon.hub-user", "nodes", "--carbon.hub-password-file", password),
        )
        node = stack.enter_context(scripted(node_of(hub.url, tmp_path, *flags)))
        until(lambda: hub.asks, "the hub to be asked", PATIENCE_S)
        node.daemon.send(signal.SIGHUP)
        node.daemon.wait_for_log("configuration reloaded")
        until(lambda: node.daemon.scrape().total(FETCHES) > 0, "an outcome", PATIENCE_S)
        found = _everything(node, tmp_path / "node")
        sent = [ask.headers.get("authorization", "") for ask in hub.asks]

    assert all(one == f"Basic {FORMS[1]}" for one in sent), "it has to be sent at all"
    for place, text in found.items():
        for form in FORMS:
            assert form not in text, place


def _everything(node: ScriptedNode, folder: Path) -> dict[str, str]:
    """Return all that a node gives away, by where."""
    daemon = node.daemon
    url = f"http://127.0.0.1:{daemon.port}"
    found = {}
    for path in PATHS:
        answer = plain_http.get(f"{url}{path}", timeout=30.0)
        found[path] = f"{answer.headers} {answer.text}"
    found["arguments"] = Path(f"/proc/{daemon.pid}/cmdline").read_text()
    found["environment"] = Path(f"/proc/{daemon.pid}/environ").read_text()
    assert daemon.stop() == 0
    for file in folder.rglob("*"):
        if file.is_file() and "machine" not in file.parts:
            found[str(file)] = file.read_text(errors="replace")
    return found
