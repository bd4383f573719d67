import contextlib
import http.client
import logging
import shutil
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.core.errors import ConfigError
from exporter.exposition.connection import Limits
from exporter.exposition.http import create_app
from exporter.exposition.web_config import WebConfig, load_web_config
from tests.fakes.certificates import Pair, authority, encrypted_key, signed
from tests.fakes.serving import serving
from tests.fakes.snapshots import FakeReader, rich_snapshot

LONG_S = 30.0
NODE_NAMES = "DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True)
class Certificates:
    """Everything that is needed, made once for all tests of this file."""

    authority: Pair
    node: Pair
    renewed: Pair
    prometheus: Pair
    stranger: Pair


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    ours = authority(folder / "ours")
    theirs = authority(folder / "theirs")
    return Certificates(
        authority=ours,
        node=signed(ours, folder, "node", NODE_NAMES),
        renewed=signed(ours, folder, "renewed", NODE_NAMES),
        prometheus=signed(
            ours, folder, "prometheus", "DNS:prometheus.example.org,IP:::1"
        ),
        stranger=signed(theirs, folder, "stranger", "DNS:prometheus.example.org"),
    )


def install(pair: Pair, folder: Path) -> None:
    """Put a certificate and its key where the configuration looks for them."""
    shutil.copy(pair.key, folder / "node.key")
    shutil.copy(pair.certificate, folder / "node.crt")


def configured(folder: Path, made: Certificates, *lines: str) -> WebConfig:
    """Write and read a web configuration with TLS and further lines."""
    install(made.node, folder)
    shutil.copy(made.authority.certificate, folder / "ca.crt")
    path = folder / "web.yml"
    tls = ["tls_server_config:", "cert_file: node.crt", "key_file: node.key", *lines]
    path.write_text("\n  ".join(tls) + "\n", encoding="utf-8")
    return load_web_config(path)


@contextlib.contextmanager
def node(config: WebConfig, limits: Limits | None = None) -> Iterator[int]:
    """Serve a node with this configuration."""
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3")
    with serving(app, config, limits) as port:
        yield port


def client_context(made: Certificates, pair: Pair | None = None) -> ssl.SSLContext:
    """Return what a careful client trusts, with its own certificate if it has one."""
    context = ssl.create_default_context(cafile=made.authority.certificate)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def get(port: int, context: ssl.SSLContext, host: str = "localhost") -> int:
    """Ask for metrics on a connection of its own."""
    client = http.client.HTTPSConnection(host, port, context=context, timeout=LONG_S)
    with contextlib.closing(client):
        client.request("GET", "/metrics")
        answer = client.getresponse()
        assert answer.read()
        return answer.status


def seen(port: int, context: ssl.SSLContext) -> str:
    """Return the common name of the certificate that the node shows."""
    with (
        socket.create_connection(("127.0.0.1", port), LONG_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        certificate = client.getpeercert()
    assert certificate is not None
    subject = certificate["subject"]
    assert isinstance(subject, tuple)
    return str(subject[0][0][1])


# With TLS 1.3 a client learns only on reading that it was refused.
refused = pytest.raises((ssl.SSLError, OSError, http.client.HTTPException))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_client_that_trusts_the_authority_is_served(
    tmp_path: Path, made: Certificates, host: str
) -> None:
    """By name and by address: Prometheus often knows only the address."""
    with node(configured(tmp_path, made)) as port:
        assert get(port, client_context(made), host) == 200


def test_plain_http_is_not_spoken_on_a_tls_port(
    tmp_path: Path, made: Certificates
) -> None:
    """Nor does it disturb anybody."""
    with node(configured(tmp_path, made)) as port:
        plain = http.client.HTTPConnection("127.0.0.1", port, LONG_S)
        with contextlib.closing(plain), refused:
            plain.request("GET", "/metrics")
            plain.getresponse()

        assert get(port, client_context(made)) == 200


def test_a_handshake_that_does_not_go_on_is_ended(
    tmp_path: Path, made: Certificates
) -> None:
    """It would hold one place of few for ever."""
    config = configured(tmp_path, made)
    with (
        node(config, Limits(handshake_s=0.2)) as port,
        socket.create_connection(("127.0.0.1", port), LONG_S) as silent,
    ):
        assert silent.recv(1) == b""


def test_a_server_stops_in_the_middle_of_a_handshake(
    tmp_path: Path, made: Certificates
) -> None:
    """A silent client must not hold up a restart."""
    with socket.socket() as silent:
        with node(configured(tmp_path, made)) as port:
            silent.settimeout(LONG_S)
            silent.connect(("127.0.0.1", port))
            assert get(port, client_context(made)) == 200

        assert silent.recv(1) == b""


def test_only_clients_with_a_certificate_of_the_authority_come_in(
    tmp_path: Path, made: Certificates
) -> None:
    """Mutual TLS is the one way that needs no passwords."""
    config = configured(
        tmp_path,
        made,
        "client_auth_type: RequireAndVerifyClientCert",
        "client_ca_file: ca.crt",
    )
    with node(config) as port:
        assert get(port, client_context(made, made.prometheus)) == 200
        for pair in (None, made.stranger):
            with refused:
                get(port, client_context(made, pair))


def test_a_certificate_may_be_left_out_but_not_be_a_wrong_one(
    tmp_path: Path, made: Certificates
) -> None:
    """That is what VerifyClientCertIfGiven says."""
    config = configured(
        tmp_path,
        made,
        "client_auth_type: VerifyClientCertIfGiven",
        "client_ca_file: ca.crt",
    )
    with node(config) as port:
        assert get(port, client_context(made, made.prometheus)) == 200
        assert get(port, client_context(made)) == 200
        with refused:
            get(port, client_context(made, made.stranger))


@pytest.mark.parametrize(
    ("allowed", "welcome"),
    [
        ("prometheus.example.org", True),
        ("'0:0:0:0:0:0:0:1'", True),
        ("[other.example.org, prometheus.example.org]", True),
        ("other.example.org", False),
        ("example.org", False),
    ],
)
def test_of_known_clients_only_those_with_an_allowed_name_come_in(
    tmp_path: Path, made: Certificates, allowed: str, *, welcome: bool
) -> None:
    """One authority often signs for the whole company."""
    names = allowed if allowed.startswith("[") else f"[{allowed}]"
    config = configured(
        tmp_path,
        made,
        "client_auth_type: RequireAndVerifyClientCert",
        "client_ca_file: ca.crt",
        f"client_allowed_sans: {names}",
    )
    with node(config) as port:
        context = client_context(made, made.prometheus)
        if welcome:
            assert get(port, context) == 200
        else:
            with refused:
                get(port, context)


def test_an_old_client_is_refused_if_only_new_tls_is_allowed(
    tmp_path: Path, made: Certificates
) -> None:
    """The setting has to reach OpenSSL."""
    with node(configured(tmp_path, made, "min_version: TLS13")) as port:
        old = client_context(made)
        old.maximum_version = ssl.TLSVersion.TLSv1_2

        assert get(port, client_context(made)) == 200
        with refused:
            get(port, old)


@pytest.mark.parametrize("curve", ["X25519", "CurveP256", "CurveP384", "CurveP521"])
def test_ciphers_and_curves_reach_openssl(
    tmp_path: Path, made: Certificates, curve: str
) -> None:
    """Go's names are not OpenSSL's."""
    config = configured(
        tmp_path,
        made,
        "max_version: TLS12",
        "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]",
        f"curve_preferences: [{curve}]",
        "prefer_server_cipher_suites: false",
    )
    with (
        node(config) as port,
        socket.create_connection(("127.0.0.1", port), LONG_S) as plain,
        client_context(made).wrap_socket(plain, server_hostname="localhost") as client,
    ):
        cipher = client.cipher()

    assert cipher is not None
    assert cipher[:2] == ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2")


def test_a_renewed_certificate_is_shown_to_the_next_client(
    tmp_path: Path, made: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    """cert-manager and the like replace files and tell nobody."""
    caplog.set_level(logging.INFO)
    with node(configured(tmp_path, made)) as port:
        context = client_context(made)
        assert seen(port, context) == "node"

        install(made.renewed, tmp_path)

        assert seen(port, context) == "renewed"
    assert "certificates read again" in caplog.text


def test_half_renewed_files_leave_the_old_certificate_in_force(
    tmp_path: Path, made: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    """The key comes a moment after the certificate, or not at all."""
    with node(configured(tmp_path, made)) as port:
        context = client_context(made)
        for _ in range(3):
            shutil.copy(made.renewed.certificate, tmp_path / "node.crt")
            assert seen(port, context) == "node"
            (tmp_path / "node.key").unlink(missing_ok=True)
            assert seen(port, context) == "node"

        install(made.renewed, tmp_path)
        assert seen(port, context) == "renewed"

    assert "certificates not taken over" in caplog.text


def test_broken_files_are_told_once_and_not_to_each_client(
    tmp_path: Path, made: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    """A log is for changes; a scrape comes every few seconds."""
    with node(configured(tmp_path, made)) as port:
        (tmp_path / "node.key").unlink()
        for _ in range(4):
            assert seen(port, client_context(made)) == "node"

    assert caplog.text.count("certificates not taken over") == 1


def test_a_reload_takes_over_other_settings_of_tls(
    tmp_path: Path, made: Certificates
) -> None:
    """New clients meet the new settings."""
    config = configured(tmp_path, made)
    with node(config) as port:
        assert get(port, client_context(made)) == 200

        configured(
            tmp_path,
            made,
            "client_auth_type: RequireAndVerifyClientCert",
            "client_ca_file: ca.crt",
        )
        config.reload()

        with refused:
            get(port, client_context(made))
        assert get(port, client_context(made, made.prometheus)) == 200


def test_tls_is_not_switched_off_by_a_reload(
    tmp_path: Path, made: Certificates
) -> None:
    """An emptied file would send passwords in the clear from then on."""
    config = configured(tmp_path, made)
    (tmp_path / "web.yml").write_text("", encoding="utf-8")

    with pytest.raises(ConfigError, match="restart"):
        config.reload()

    assert config.tls is not None


def test_certificates_that_cannot_be_used_are_refused_at_the_start(
    tmp_path: Path, made: Certificates
) -> None:
    """With the file and the reason, before the port is opened."""
    config_path = tmp_path / "web.yml"
    configured(tmp_path, made)
    shutil.copy(made.renewed.key, tmp_path / "node.key")
    with pytest.raises(ConfigError, match=r"node\.crt with key .*belong"):
        load_web_config(config_path)

    shutil.copy(encrypted_key(made.node, tmp_path), tmp_path / "node.key")
    with pytest.raises(ConfigError, match="must not be encrypted"):
        load_web_config(config_path)

    (tmp_path / "node.key").unlink()
    with pytest.raises(ConfigError, match="No such file"):
        load_web_config(config_path)


def test_an_authority_that_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, made: Certificates
) -> None:
    """Without it nobody could come in, or anybody."""
    lines = ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: ca.crt")
    configured(tmp_path, made, *lines)
    (tmp_path / "ca.crt").write_text("no certificate", encoding="utf-8")

    with pytest.raises(ConfigError, match="client_ca_file"):
        load_web_config(tmp_path / "web.yml")
