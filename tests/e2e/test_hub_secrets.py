import base64
import os
import signal
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.e2e.hub import Hub, running
from tests.e2e.waiting import until
from tests.fakes.carbon_server import Play
from tests.fakes.certificates import authority, signed
from tests.fakes.played_providers import PlayedProviders, played_providers

pytestmark = pytest.mark.e2e

TOKENS: Mapping[str, str] = {
    "header": "pl4nted-in-a-header+/=",
    "query": "pl4nted in a query&x=1",
    "environment": "pl4nted-in-the-environment",
    "password": "pl4nted-passw0rd",
}
# What they look like on the way.
FORMS = (
    *TOKENS.values(),
    "pl4nted",
    base64.b64encode(f"ada:{TOKENS['password']}".encode()).decode(),
    "t0ken-of-the-login",
)
PATHS = (
    *("/", "/hub.js", "/metrics", "/healthz", "/readyz", "/openapi.json", "/nope"),
    *("/api/v1/hub", "/api/v1/zones", "/api/v1/nope"),
    *("/api/v1/intensity?zone=DE", "/api/v1/intensity?zone=XX", "/api/v1/intensity"),
)


@pytest.fixture
def providers() -> Iterator[PlayedProviders]:
    """Return providers that are played."""
    with played_providers() as played:
        yield played


def hub_with_secrets(folder: Path, providers: PlayedProviders) -> Hub:
    """Return a hub with a token in each place where one can be, at the finest log."""
    folder.joinpath("header").write_text(f"{TOKENS['header']}\n")
    folder.joinpath("password").write_text(TOKENS["password"])
    for name in ("header", "password"):
        folder.joinpath(name).chmod(0o600)
    url = providers.url
    text = f"""
zones:
  DE: {{providers: [electricity-maps, query, environment, watttime]}}
providers:
  electricity-maps: {{url: {url}, token_file: {folder}/header}}
  query:
    type: http-json
    url: {url}/feed?also=1
    value: now.value
    token: {TOKENS["query"]}
    token_param: key
  environment:
    type: http-json
    url: {url}/feed
    value: now.value
    token_env: FEED_TOKEN
  watttime: {{url: {url}, user: ada, password_file: {folder}/password}}
"""
    env = {"FEED_TOKEN": TOKENS["environment"]}
    return Hub(folder, text, flags=("--log.level", "debug"), env=env)


def everything(hub: Hub) -> dict[str, str]:
    """Return all that a hub gives away, by where."""
    found = {}
    for path in PATHS:
        answer = hub.ask(path)
        found[path] = f"{answer.headers} {answer.text}"
    openmetrics = {"Accept": "application/openmetrics-text"}
    found["openmetrics"] = hub.ask("/metrics", openmetrics).text
    found["arguments"] = Path(f"/proc/{hub.pid}/cmdline").read_text()
    for file in hub.state.rglob("*"):
        found[str(file)] = file.read_text(errors="replace")
    found["log"] = hub.said()
    return found


@pytest.mark.parametrize("trouble", ["none", "dead", "repeating"])
def test_no_secret_leaves_a_hub(
    tmp_path: Path, providers: PlayedProviders, trouble: str
) -> None:
    """Not when all is well, not in errors, and not from servers that repeat it."""
    providers.is_dead = trouble == "dead"
    providers.repeats = trouble == "repeating"

    with running(hub_with_secrets(tmp_path, providers)) as hub:
        until(lambda: providers.asked("/login"), "all providers to be asked")
        hub.send(signal.SIGHUP)
        until(lambda: "configuration reloaded" in hub.said(), "the reload")
        found = everything(hub)
        hub.stop()
    found["log"] = hub.said()

    sent = [f"{ask.headers} {ask.query}" for ask in providers.server.asks]
    for token in (TOKENS["header"], TOKENS["query"], TOKENS["environment"], FORMS[-2]):
        assert any(token in one for one in sent), "it has to be sent at all"
    for place, text in found.items():
        for form in FORMS:
            assert form not in text, place


def test_a_refused_token_is_told_without_it(
    tmp_path: Path, providers: PlayedProviders
) -> None:
    """The operator learns which provider, which host, and what to look at."""
    refused = Play(f'{{"error": "bad {TOKENS["header"]}"}}'.encode(), status=403)
    providers.server.play("/v3/carbon-intensity/latest", refused)

    with running(hub_with_secrets(tmp_path, providers)) as hub:
        feeds = {feed["provider"]: feed for feed in hub.hub()["feeds"]}
        said = hub.said()

    assert feeds["electricity-maps"]["outcome"] == "denied"
    assert "127.0.0.1 answered 403" in feeds["electricity-maps"]["error"]
    assert "outcome=denied" in said
    assert "pl4nted" not in said


def test_a_hub_serves_by_tls_to_who_says_who_they_are(
    tmp_path: Path, providers: PlayedProviders
) -> None:
    """With the same file as Prometheus' own exporters, and read again on SIGHUP."""
    ours = authority(tmp_path / "ca")
    pair = signed(ours, tmp_path, "hub", "DNS:localhost,IP:127.0.0.1")
    web = tmp_path / "web.yml"

    def allow(password: str) -> None:
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        web.write_text(
            f"tls_server_config: {{cert_file: {pair.certificate}, "
            f"key_file: {pair.key}}}\nbasic_auth_users: {{node: {hashed}}}\n"
        )

    allow("first")
    trust = ssl.create_default_context(cafile=ours.certificate)
    text = f"zones: {{DE: }}\nproviders: {{energy-charts: {{url: {providers.url}}}}}\n"
    with (
        httpx.Client(verify=trust, auth=("node", "first")) as first,
        httpx.Client(verify=trust, auth=("node", "second")) as second,
        httpx.Client(verify=trust) as nobody,
        running(
            Hub(
                tmp_path,
                text,
                flags=("--web.config.file", web),
                scheme="https",
                client=first,
            )
        ) as hub,
    ):
        assert hub.intensity()["intensity_g_per_kwh"] == providers.value
        for path in PATHS:
            assert nobody.get(f"{hub.url}{path}", timeout=30).status_code == 401

        allow("second")
        hub.reload(text)

        url = f"{hub.url}/api/v1/intensity?zone=DE"
        assert second.get(url, timeout=30).status_code == 200
        assert first.get(url, timeout=30).status_code == 401
        assert os.fspath(pair.key) not in hub.said()
