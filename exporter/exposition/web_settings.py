"""What a web configuration file says, checked: pure but for the reading of it.

The format is that of Prometheus' own exporters (exporter-toolkit,
docs/web-configuration.md), so that one file serves them all. What Python's
``ssl`` cannot do is refused with the reason, rather than done by half.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from exporter.config.document import Section, read_document

ClientAuth = Literal[
    "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
]
_CLIENT_AUTH: dict[str, ClientAuth] = {
    "NoClientCert": "NoClientCert",
    "VerifyClientCertIfGiven": "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert": "RequireAndVerifyClientCert",
}
# Both take a certificate without looking at who signed it.
_UNVERIFIED_AUTH = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_INSECURE_VERSIONS = ("TLS10", "TLS11")

# Go's names of the TLS 1.2 suites that Go itself calls secure, and OpenSSL's.
_CIPHERS = {
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
}
# TLS 1.3 suites are always on, in Go as here: naming them changes nothing.
_TLS13_CIPHERS = frozenset(
    {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    }
)
_CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}

_HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}

_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_LOWEST_COST = 4
# At 16 one check takes about 5 s; each step more doubles it.
_HIGHEST_COST = 16


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How to serve TLS; the files are named, not read.

    Attributes:
        cert_file: certificate chain, PEM.
        key_file: its private key, PEM, not encrypted.
        client_auth: what is asked of clients.
        client_ca_file: who may sign client certificates, PEM.
        client_allowed_sans: of those clients, only these may come; empty: all.
        min_version: oldest TLS version.
        max_version: newest TLS version.
        ciphers: OpenSSL names for TLS 1.2, best first; empty: OpenSSL's choice.
        curve: OpenSSL name of the only curve; "": OpenSSL's choice.
        prefer_server_ciphers: our order counts, not the client's.
    """

    cert_file: Path
    key_file: Path
    client_auth: ClientAuth
    client_ca_file: Path | None
    client_allowed_sans: frozenset[str]
    min_version: ssl.TLSVersion
    max_version: ssl.TLSVersion
    ciphers: tuple[str, ...]
    curve: str
    prefer_server_ciphers: bool


@dataclass(frozen=True, slots=True)
class WebSettings:
    """A whole web configuration file.

    Attributes:
        tls: ``None`` for plain HTTP.
        headers: added to every answer, instead of ours of the same name.
        users: name to bcrypt hash; empty: nobody has to say who they are.
    """

    tls: TlsSettings | None
    headers: Mapping[str, str]
    users: Mapping[str, str]


def read_web_settings(path: Path) -> WebSettings:
    """Read and check a web configuration file.

    Args:
        path: the file; paths in it are relative to its folder.

    Raises:
        ConfigError: it cannot be read, or says something unknown or impossible;
            the message names file, line, key and remedy.
    """
    document = read_document(path, "web configuration", "tls_server_config")
    document.only("tls_server_config", "http_server_config", "basic_auth_users")
    return WebSettings(
        tls=_tls(document.section("tls_server_config"), path.parent),
        headers=_headers(document.section("http_server_config")),
        users=_users(document.section("basic_auth_users")),
    )


def _tls(section: Section, folder: Path) -> TlsSettings | None:
    for inline in ("cert", "key", "client_ca"):
        if inline in section:
            remedy = f"put it into a file and name that as {inline}_file"
            section.refuse(inline, f"inline PEM is not supported; {remedy}")
    section.only(
        "cert_file",
        "key_file",
        "client_auth_type",
        "client_ca_file",
        "client_allowed_sans",
        "min_version",
        "max_version",
        "cipher_suites",
        "curve_preferences",
        "prefer_server_cipher_suites",
    )
    if not section:
        return None
    for needed in ("cert_file", "key_file"):
        if not section.text(needed):
            section.refuse(needed, "is missing; TLS needs certificate and key")

    client_auth = _client_auth(section)
    client_ca = section.text("client_ca_file")
    allowed_sans = frozenset(section.texts("client_allowed_sans"))
    if allowed_sans and client_auth != "RequireAndVerifyClientCert":
        section.refuse(
            "client_allowed_sans", "needs client_auth_type: RequireAndVerifyClientCert"
        )
    if client_ca and client_auth == "NoClientCert":
        section.refuse(
            "client_ca_file", "needs client_auth_type: RequireAndVerifyClientCert"
        )
    if client_auth != "NoClientCert" and not client_ca:
        section.refuse(
            "client_auth_type", f"{client_auth} needs client_ca_file to verify against"
        )

    min_version = _version(section, "min_version", ssl.TLSVersion.TLSv1_2)
    max_version = _version(section, "max_version", ssl.TLSVersion.TLSv1_3)
    if min_version > max_version:
        section.refuse("min_version", "is above max_version; no version is left")
    return TlsSettings(
        cert_file=folder / section.text("cert_file"),
        key_file=folder / section.text("key_file"),
        client_auth=client_auth,
        client_ca_file=folder / client_ca if client_ca else None,
        client_allowed_sans=allowed_sans,
        min_version=min_version,
        max_version=max_version,
        ciphers=_ciphers(section),
        curve=_curve(section),
        prefer_server_ciphers=section.flag("prefer_server_cipher_suites", default=True),
    )


def _client_auth(section: Section) -> ClientAuth:
    said = section.text("client_auth_type") or "NoClientCert"
    if said in _UNVERIFIED_AUTH:
        section.refuse(
            "client_auth_type",
            f"{said} takes any certificate unverified, which Python's ssl cannot do; "
            "use RequireAndVerifyClientCert with client_ca_file",
        )
    known = _CLIENT_AUTH.get(said)
    if known is None:
        section.refuse(
            "client_auth_type",
            f"{said!r} is unknown; use one of {', '.join(_CLIENT_AUTH)}",
        )
    return known


def _version(section: Section, key: str, default: ssl.TLSVersion) -> ssl.TLSVersion:
    said = section.text(key)
    if not said:
        return default
    if said in _INSECURE_VERSIONS:
        section.refuse(key, f"{said} is broken; use TLS12 or TLS13")
    if said not in _VERSIONS:
        section.refuse(key, f"{said!r} is unknown; use TLS12 or TLS13")
    return _VERSIONS[said]


def _ciphers(section: Section) -> tuple[str, ...]:
    said = section.texts("cipher_suites")
    for name in said:
        if name not in _CIPHERS and name not in _TLS13_CIPHERS:
            known = ", ".join(_CIPHERS)
            section.refuse("cipher_suites", f"{name!r} is unknown; use {known}")
    return tuple(_CIPHERS[name] for name in said if name in _CIPHERS)


def _curve(section: Section) -> str:
    said = section.texts("curve_preferences")
    for name in said:
        if name not in _CURVES:
            known = ", ".join(_CURVES)
            section.refuse("curve_preferences", f"{name!r} is unknown; use {known}")
    if len(said) > 1:
        section.refuse(
            "curve_preferences",
            "Python's ssl can set one curve, not an order; leave only the first",
        )
    return _CURVES[said[0]] if said else ""


def _headers(section: Section) -> Mapping[str, str]:
    section.only("http2", "headers")
    # HTTP/2 is offered in the handshake or not; a client falls back by itself.
    section.flag("http2", default=True)
    headers = section.section("headers")
    headers.only(*_HEADERS)
    values = {}
    for name, allowed in _HEADERS.items():
        value = headers.text(name)
        if value and allowed and value not in allowed:
            headers.refuse(name, f"{value!r}; use {' or '.join(allowed)}")
        if value and not (value.isascii() and value.isprintable()):
            headers.refuse(name, "holds a character that no header may hold")
        if value:
            values[name] = value
    return MappingProxyType(values)


def _users(section: Section) -> Mapping[str, str]:
    users = {}
    for name in section:
        value = section.text(name)
        match = _BCRYPT.fullmatch(value)
        if match is None:
            remedy = "make one with: htpasswd -nBC 10 '' | tr -d ':\\n'"
            # Not the value itself: it may be the password.
            section.refuse(name, f"is not a bcrypt hash; {remedy}")
        if not _LOWEST_COST <= int(match[1]) <= _HIGHEST_COST:
            section.refuse(
                name, f"cost {match[1]} is not in {_LOWEST_COST}..{_HIGHEST_COST}"
            )
        if ":" in name:
            section.refuse(name, "a user name cannot hold a colon")
        users[name] = value
    return MappingProxyType(users)
