"""The way to a hub, where it differs from the way to the internet."""

import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.carbon.client_tls import ClientTls, TlsFiles
from exporter.carbon.errors import NonsenseError, ProviderError, UnavailableError
from exporter.carbon.provider import Call
from exporter.carbon.secret import Secret
from exporter.carbon.streams import open_streams
from exporter.core.errors import ConfigError
from tests.fakes.carbon_server import Ask, CarbonServer, Play, redirect
from tests.fakes.certificates import Pair, authority, encrypted_key, signed

_GOOD = Play(b'{"a": 1}')


def _server_tls(pair: Pair, clients_of: Pair | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients_of is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients_of.certificate)
    return context


def _ask(
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    server_tls: ssl.SSLContext | None = None,
    *plays: Play,
    call: Callable[[str], Call] = lambda url: Call(f"{url}/"),
) -> tuple[object, list[Ask]]:
    async def run() -> tuple[object, list[Ask]]:
        async with CarbonServer(server_tls) as server, open_streams(tls) as web:
            server.play_everywhere(*(plays or (_GOOD,)))
            return await web.json(call(server.url)), server.asks

    return asyncio.run(run())


def test_each_request_has_a_connection_of_its_own() -> None:
    """A hub has few places, and ten thousand nodes ask it."""
    _, asks = _ask()

    assert asks[0].headers["connection"] == "close"
    assert asks[0].headers["host"].startswith("127.0.0.1:")


def test_path_query_and_secrets_arrive_as_they_are() -> None:
    """Whatever characters they have."""
    _, asks = _ask(
        call=lambda url: Call(
            f"{url}/api/v1/intensity",
            (("zone", "DE & FR"),),
            secret_params=(("key", Secret("a+b/c=")),),
            secret_headers={"Authorization": Secret("Basic YTpi")},
        )
    )

    assert asks[0].path == "/api/v1/intensity"
    assert asks[0].query == {"zone": "DE & FR", "key": "a+b/c="}
    assert asks[0].headers["authorization"] == "Basic YTpi"


def test_a_redirect_is_not_followed() -> None:
    """The password would go with it; where the hub is can be written down."""
    with pytest.raises(NonsenseError, match="redirects elsewhere") as refusal:
        _ask(ssl.create_default_context, None, redirect("http://evil.invalid/"), _GOOD)

    assert "evil" not in str(refusal.value)


def test_how_long_an_answer_is_good_for_is_remembered() -> None:
    """Also if it is told with 304 only."""

    async def run() -> list[float | None]:
        async with CarbonServer() as server, open_streams() as web:
            server.play_everywhere(
                Play(b"{}", headers=(("ETag", '"a"'), ("Cache-Control", "max-age=60"))),
                Play(status=304, headers=(("Cache-Control", "private, max-age=90"),)),
                Play(status=304),
                Play(b"{}", headers=(("Cache-Control", "no-store, s-maxage=5"),)),
                Play(b"{}", headers=(("Cache-Control", "max-age=120"),)),
            )
            call = Call(f"{server.url}/")
            ages: list[float | None] = [web.max_age_s(call)]
            for _ in range(5):
                await web.json(call)
                ages.append(web.max_age_s(call))
            return ages

    assert asyncio.run(run()) == [None, 60.0, 90.0, 90.0, None, 120.0]


def test_a_hub_with_a_certificate_of_the_site_is_believed(tmp_path: Path) -> None:
    """Its authority is configured, and no other counts."""
    ca = authority(tmp_path)
    hub = signed(ca, tmp_path, "hub", "IP:127.0.0.1")
    tls = ClientTls(TlsFiles(ca.certificate))

    answer, _ = _ask(tls.current, _server_tls(hub))

    assert answer == {"a": 1}


def test_a_certificate_of_another_authority_is_not_believed(tmp_path: Path) -> None:
    """And the message says that it is the certificate."""
    hub = signed(authority(tmp_path), tmp_path, "hub", "IP:127.0.0.1")
    other = authority(tmp_path / "other")
    tls = ClientTls(TlsFiles(other.certificate))

    with pytest.raises(UnavailableError, match="its certificate is not trusted"):
        _ask(tls.current, _server_tls(hub))
    with pytest.raises(UnavailableError, match="its certificate is not trusted"):
        _ask(ssl.create_default_context, _server_tls(hub))


def test_a_certificate_of_another_host_is_not_believed(tmp_path: Path) -> None:
    """Whoever has any certificate of the site could else play the hub."""
    ca = authority(tmp_path)
    other = signed(ca, tmp_path, "other", "DNS:other.example.org")
    tls = ClientTls(TlsFiles(ca.certificate))

    with pytest.raises(UnavailableError, match=r"not valid for '127\.0\.0\.1'"):
        _ask(tls.current, _server_tls(other))


def test_a_node_shows_its_certificate_to_who_asks_for_one(tmp_path: Path) -> None:
    """And is not heard without it."""
    ca = authority(tmp_path)
    hub = signed(ca, tmp_path, "hub", "IP:127.0.0.1")
    node = signed(ca, tmp_path, "node", "DNS:node1")
    without = ClientTls(TlsFiles(ca.certificate))
    with_one = ClientTls(TlsFiles(ca.certificate, node.certificate, node.key))

    answer, _ = _ask(with_one.current, _server_tls(hub, clients_of=ca))

    assert answer == {"a": 1}
    with pytest.raises(UnavailableError, match="cannot be reached"):
        _ask(without.current, _server_tls(hub, clients_of=ca))


def test_certificates_that_were_replaced_are_read_again(tmp_path: Path) -> None:
    """Nobody restarts ten thousand daemons for them."""
    old = authority(tmp_path / "old")
    new = authority(tmp_path / "new")
    hub = signed(new, tmp_path, "hub", "IP:127.0.0.1")
    tls = ClientTls(TlsFiles(old.certificate))
    with pytest.raises(ProviderError):
        _ask(tls.current, _server_tls(hub))

    os.replace(new.certificate, old.certificate)  # noqa: PTH105 - as tools do it

    assert _ask(tls.current, _server_tls(hub))[0] == {"a": 1}


def test_certificates_that_are_spoilt_leave_the_last_ones_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """That is told once, not each time."""
    ca = authority(tmp_path)
    hub = signed(ca, tmp_path, "hub", "IP:127.0.0.1")
    tls = ClientTls(TlsFiles(ca.certificate))
    ca.certificate.write_text("spoilt, and of another size")

    for _ in range(3):
        assert _ask(tls.current, _server_tls(hub))[0] == {"a": 1}

    (record,) = caplog.records
    assert "certificates not taken over" in record.getMessage()


def test_files_that_are_no_certificates_are_refused_by_name(tmp_path: Path) -> None:
    """With the setting, the file and what it should hold."""
    ca = authority(tmp_path)
    node = signed(ca, tmp_path, "node", "DNS:node1")
    locked = encrypted_key(node, tmp_path)
    spoilt = tmp_path / "spoilt"
    spoilt.write_text("spoilt")

    with pytest.raises(ConfigError, match=r"carbon\.hub_ca_file: .*spoilt"):
        ClientTls(TlsFiles(spoilt))
    with pytest.raises(ConfigError, match=r"carbon\.hub_ca_file: .*gone"):
        ClientTls(TlsFiles(tmp_path / "gone"))
    with pytest.raises(ConfigError, match=r"carbon\.hub_cert_file: .*encrypted"):
        ClientTls(TlsFiles(ca.certificate, node.certificate, locked))


def test_plain_http_to_a_port_with_tls_is_no_answer(tmp_path: Path) -> None:
    """The usual mistake when a hub gets its certificate."""
    hub = signed(authority(tmp_path), tmp_path, "hub", "IP:127.0.0.1")

    with pytest.raises(UnavailableError, match="cannot be reached"):
        _ask(
            server_tls=_server_tls(hub),
            call=lambda url: Call(f"{url.replace('https', 'http')}/"),
        )


def test_a_name_that_dns_cannot_write_is_no_address() -> None:
    """It looks like one, and slips through when the configuration is read."""
    with pytest.raises(NonsenseError, match="no address"):
        _ask(call=lambda _: Call("http://a..b/"))
