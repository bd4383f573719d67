"""The web configuration in force: users, headers, certificates.

The file itself is read again on ``reload()``. Certificates are looked at when a
client connects and read again if they changed, as cert-manager and the like
replace them without telling anyone. A change that cannot be used leaves what was
in force before.
"""

import ipaddress
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path

from exporter.core.errors import ConfigError
from exporter.exposition.web_settings import (
    TlsSettings,
    WebSettings,
    read_web_settings,
)

_log = logging.getLogger(__name__)

_VERIFY = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}

# Inode, size and time of change of each file: what differs after a change.
_Stamp = tuple[tuple[int, int, int], ...]


class TlsContext:
    """TLS as configured, with the certificates that are on disk now."""

    def __init__(self, settings: TlsSettings) -> None:
        """Read the certificates.

        Raises:
            ConfigError: they cannot be used.
        """
        self.settings = settings
        self._tried = self._stamp()
        self._context = build_context(settings)

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection.

        Three calls of ``stat`` when nothing changed. Half-replaced files (a new
        certificate, the old key) leave the last good context in force, and are
        tried again when they change again.
        """
        stamp = self._stamp()
        if stamp != self._tried:
            self._tried = stamp
            try:
                self._context = build_context(self.settings)
            except ConfigError as error:
                _log.error("certificates not taken over, going on as before: %s", error)
            else:
                _log.info("certificates read again")
        return self._context

    def allows(self, certificate: Mapping[str, object] | None) -> bool:
        """Tell whether a verified client is one of ``client_allowed_sans``.

        Args:
            certificate: the client's, as ``ssl`` describes it.
        """
        allowed = self.settings.client_allowed_sans
        return not allowed or bool(_names(certificate or {}) & _normal(allowed))

    def _stamp(self) -> _Stamp:
        settings = self.settings
        paths = (settings.cert_file, settings.key_file, settings.client_ca_file)
        return tuple(_stamp_of(path) for path in paths if path is not None)


class WebConfig:
    """A web configuration file and what it says now.

    Attributes:
        settings: what the file said when it was last read with success.
        tls: ``None`` for plain HTTP; does not appear or go on reload.
    """

    def __init__(self, path: Path) -> None:
        """Read the file and the certificates it names.

        Raises:
            ConfigError: one of them cannot be used.
        """
        self._path = path
        self.settings: WebSettings = read_web_settings(path)
        self.tls = _tls_context(self.settings)

    def reload(self) -> None:
        """Read the file again.

        Raises:
            ConfigError: it cannot be used; what was in force stays in force.
        """
        settings = read_web_settings(self._path)
        if (settings.tls is None) != (self.tls is None):
            msg = f"{self._path}: TLS cannot be switched on or off; restart for that"
            raise ConfigError(msg)
        self.tls = _tls_context(settings)
        self.settings = settings


def load_web_config(path: Path) -> WebConfig:
    """Read a web configuration file and the certificates it names.

    Raises:
        ConfigError: one of them cannot be used; the message names file, line,
            key and remedy.
    """
    return WebConfig(path)


def build_context(settings: TlsSettings) -> ssl.SSLContext:
    """Build a server's context from the files as they are now.

    Raises:
        ConfigError: a file cannot be read or does not fit the others.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = settings.min_version
    context.maximum_version = settings.max_version
    context.set_alpn_protocols(["http/1.1"])
    # A resumed session would bypass a change of the client CA.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    if settings.prefer_server_ciphers:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        if settings.ciphers:
            context.set_ciphers(":".join(settings.ciphers))
        if settings.curve:
            context.set_ecdh_curve(settings.curve)
        # An empty password, because OpenSSL would ask for one on the terminal.
        context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    except (OSError, ValueError) as error:
        msg = (
            f"cannot use certificate {settings.cert_file} with key "
            f"{settings.key_file}: {_reason(error)}; both have to be PEM, belong "
            "together, and the key must not be encrypted"
        )
        raise ConfigError(msg) from error
    if settings.client_ca_file is not None:
        try:
            context.load_verify_locations(settings.client_ca_file)
        except OSError as error:
            msg = (
                f"cannot use client_ca_file {settings.client_ca_file}: "
                f"{_reason(error)}; it has to hold PEM certificates"
            )
            raise ConfigError(msg) from error
    context.verify_mode = _VERIFY[settings.client_auth]
    return context


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _tls_context(settings: WebSettings) -> TlsContext | None:
    return None if settings.tls is None else TlsContext(settings.tls)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return error.strerror or "unreadable"
    return " ".join(str(error).split())


def _names(certificate: Mapping[str, object]) -> set[str]:
    names = certificate.get("subjectAltName", ())
    pairs = names if isinstance(names, tuple) else ()
    return _normal({str(value) for _, value in pairs})


def _normal(names: frozenset[str] | set[str]) -> set[str]:
    """Write IP addresses one way: OpenSSL has its own spelling of IPv6."""
    normal = set()
    for name in names:
        try:
            normal.add(str(ipaddress.ip_address(name)))
        except ValueError:
            normal.add(name)
    return normal
