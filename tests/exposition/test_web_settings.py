import ssl
from pathlib import Path

import pytest

from exporter.core.errors import ConfigError
from exporter.exposition.web_settings import read_web_settings

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
TLS = "tls_server_config:\n  cert_file: node.crt\n  key_file: node.key\n"


def written(folder: Path, text: str) -> Path:
    """Write a web configuration file."""
    path = folder / "web.yml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(folder: Path, text: str) -> str:
    """Return what is said of a file that cannot be used."""
    with pytest.raises(ConfigError) as caught:
        read_web_settings(written(folder, text))
    return str(caught.value)


def test_a_file_for_prometheus_own_exporters_is_understood(tmp_path: Path) -> None:
    """One file has to serve every exporter of a node."""
    text = f"""
# Managed by configuration management.
tls_server_config:
  cert_file: tls/node.crt
  key_file: /etc/ssl/private/node.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: tls/ca.crt
  client_allowed_sans: [prometheus.example.org, 10.0.0.1]
  min_version: TLS12
  max_version: TLS13
  cipher_suites:
    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    - TLS_AES_128_GCM_SHA256
  curve_preferences: [X25519]
  prefer_server_cipher_suites: false
http_server_config:
  http2: true
  headers:
    Strict-Transport-Security: max-age=31536000
    X-Frame-Options: deny
    X-XSS-Protection: ""
basic_auth_users:
  alice: {HASH}
"""
    settings = read_web_settings(written(tmp_path, text))

    tls = settings.tls
    assert tls is not None
    assert tls.cert_file == tmp_path / "tls" / "node.crt"
    assert tls.key_file == Path("/etc/ssl/private/node.key")
    assert tls.client_auth == "RequireAndVerifyClientCert"
    assert tls.client_ca_file == tmp_path / "tls" / "ca.crt"
    assert tls.client_allowed_sans == {"prometheus.example.org", "10.0.0.1"}
    assert tls.min_version is ssl.TLSVersion.TLSv1_2
    assert tls.max_version is ssl.TLSVersion.TLSv1_3
    assert tls.ciphers == ("ECDHE-RSA-AES128-GCM-SHA256",)
    assert tls.curve == "X25519"
    assert tls.prefer_server_ciphers is False
    assert settings.headers == {
        "Strict-Transport-Security": "max-age=31536000",
        "X-Frame-Options": "deny",
    }
    assert settings.users == {"alice": HASH}


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "tls_server_config:\n", "basic_auth_users: {}\n"]
)
def test_an_empty_file_changes_nothing(tmp_path: Path, text: str) -> None:
    """Configuration management often writes one before there is anything in it."""
    settings = read_web_settings(written(tmp_path, text))

    assert settings.tls is None
    assert settings.headers == {}
    assert settings.users == {}


def test_the_defaults_of_tls_are_those_of_the_other_exporters(tmp_path: Path) -> None:
    """TLS 1.2 or newer, and no client certificate."""
    tls = read_web_settings(written(tmp_path, TLS)).tls

    assert tls is not None
    assert tls.client_auth == "NoClientCert"
    assert tls.min_version is ssl.TLSVersion.TLSv1_2
    assert tls.max_version is ssl.TLSVersion.TLSv1_3
    assert tls.prefer_server_ciphers is True


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("tls_config:\n  cert_file: x\n", 1, ["tls_config", "tls_server_config"]),
        (TLS + "  certfile: x\n", 4, ["certfile", "cert_file"]),
        ("http_server_config:\n  http3: true\n", 2, ["http3", "http2"]),
        (
            "http_server_config:\n  headers:\n    Server: me\n",
            3,
            ["Server", "X-Frame-Options"],
        ),
        ("rate_limit:\n  burst: 3\n", 1, ["rate_limit"]),
    ],
)
def test_an_unknown_key_is_named_with_its_line_and_the_known_ones(
    tmp_path: Path, text: str, line: int, words: list[str]
) -> None:
    """A typing error in a security setting must not pass unnoticed."""
    message = complaint(tmp_path, text)

    assert message.startswith(f"{tmp_path}/web.yml:{line}: ")
    assert "unknown key" in message
    assert all(word in message for word in words)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("tls_server_config:\n  cert_file: x\n", 1, ["key_file", "missing"]),
        ("tls_server_config:\n  min_version: TLS13\n", 1, ["cert_file", "missing"]),
        (TLS + "  cert: |\n    PEM\n", 4, ["cert", "cert_file"]),
        (TLS + "  key: |\n    PEM\n", 4, ["key", "key_file"]),
        (TLS + "  client_ca: |\n    PEM\n", 4, ["client_ca", "client_ca_file"]),
        (
            TLS + "  client_auth_type: RequestClientCert\n",
            4,
            ["unverified", "RequireAndVerifyClientCert"],
        ),
        (
            TLS + "  client_auth_type: RequireAnyClientCert\n",
            4,
            ["unverified", "RequireAndVerifyClientCert"],
        ),
        (TLS + "  client_auth_type: Please\n", 4, ["'Please'", "NoClientCert"]),
        (
            TLS + "  client_auth_type: RequireAndVerifyClientCert\n",
            4,
            ["needs client_ca_file"],
        ),
        (TLS + "  client_ca_file: ca.crt\n", 4, ["needs client_auth_type"]),
        (TLS + "  client_allowed_sans: [a]\n", 4, ["RequireAndVerifyClientCert"]),
        (TLS + "  min_version: TLS10\n", 4, ["broken", "TLS12"]),
        (TLS + "  max_version: SSL3\n", 4, ["'SSL3'", "TLS13"]),
        (TLS + "  min_version: TLS13\n  max_version: TLS12\n", 4, ["max_version"]),
        (TLS + "  cipher_suites: [RC4]\n", 4, ["'RC4'", "TLS_ECDHE"]),
        (TLS + "  curve_preferences: [P256]\n", 4, ["'P256'", "CurveP256"]),
        (TLS + "  curve_preferences: [X25519, CurveP256]\n", 4, ["only the first"]),
        (TLS + "  prefer_server_cipher_suites: maybe\n", 4, ["true or false"]),
        (TLS + "  cipher_suites: RC4\n", 4, ["a list"]),
        ("tls_server_config: yes\n", 1, ["further keys"]),
        ("tls_server_config:\n  cert_file: [a]\n  key_file: b\n", 2, ["one value"]),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: allow\n",
            3,
            ["'allow'", "deny or sameorigin"],
        ),
        (
            'http_server_config:\n  headers:\n    X-XSS-Protection: "a\\nb: c"\n',
            3,
            ["no header may hold"],
        ),
        ("basic_auth_users:\n  a: secret\n", 2, ["not a bcrypt hash", "htpasswd"]),
        (f"basic_auth_users:\n  a: {HASH}\n  a: {HASH}\n", 2, ["line 3", "keep one"]),
        (f"basic_auth_users:\n  'a:b': {HASH}\n", 2, ["colon"]),
        (f"basic_auth_users:\n  a: {HASH.replace('$10', '$31')}\n", 2, ["cost 31"]),
        ("basic_auth_users:\n  ? [a]\n  : b\n", 2, ["word"]),
    ],
)
def test_what_cannot_be_done_is_refused_with_line_and_remedy(
    tmp_path: Path, text: str, line: int, words: list[str]
) -> None:
    """Half of a security setting is worse than none, because it looks like one."""
    message = complaint(tmp_path, text)

    assert message.startswith(f"{tmp_path}/web.yml:{line}: ")
    assert all(word in message for word in words)


def test_a_password_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    """The message goes to the log."""
    assert "hunter2" not in complaint(tmp_path, "basic_auth_users:\n  a: hunter2\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not valid YAML"),
        ("- a\n- b\n", "expected sections"),
        ("[" * 5000, "not valid YAML"),
        ("# " + "x" * (1 << 20), "larger than 1 MiB"),
    ],
    ids=["open bracket", "list", "deep", "large"],
)
def test_a_file_of_another_kind_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    """It is told what it is not, rather than read as empty."""
    with pytest.raises(ConfigError) as caught:
        read_web_settings(written(tmp_path, text))

    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """And so is one that is a folder, or a pipe, or not text."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("none.yml", ".", "binary"):
        with pytest.raises(ConfigError, match=str(tmp_path)):
            read_web_settings(tmp_path / name)
