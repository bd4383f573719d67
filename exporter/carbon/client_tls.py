"""TLS of who asks, with the certificates that are on disk at that moment.

Authorities and certificates of a site are replaced while programs run, without
telling anyone. So the files are looked at before each request, and read again if
they changed. What cannot be used then leaves what was in force before.
"""

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from exporter.core.errors import ConfigError

_log = logging.getLogger(__name__)

# Inode, size and time of change of each file: what differs after a change.
_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where everything is.

    Attributes:
        ca_file: authorities that are trusted; ``None``: those of the system.
        cert_file: what this side shows of itself; ``None``: nothing.
        key_file: its key.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class ClientTls:
    """A context for each new connection; the other side is always verified.

    Args:
        files: as configured.

    Raises:
        ConfigError: they cannot be used; the message names setting and file.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._tried = self._stamp()
        self._context = _build(files)

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection."""
        stamp = self._stamp()
        if stamp != self._tried:
            self._tried = stamp
            try:
                self._context = _build(self._files)
            except ConfigError as error:
                _log.error("certificates not taken over, going on as before: %s", error)
        return self._context

    def _stamp(self) -> _Stamp:
        files = self._files
        paths = (files.ca_file, files.cert_file, files.key_file)
        return tuple(_stamp_of(path) for path in paths if path is not None)


def _build(files: TlsFiles) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.ca_file)
    except OSError as error:
        msg = (
            f"carbon.hub_ca_file: cannot use {files.ca_file}: {_reason(error)}; it "
            "has to hold PEM certificates"
        )
        raise ConfigError(msg) from error
    if files.cert_file is not None:
        try:
            # An empty password, because OpenSSL would ask for one on the terminal.
            context.load_cert_chain(files.cert_file, files.key_file, password="")
        except OSError as error:
            msg = (
                f"carbon.hub_cert_file: cannot use {files.cert_file} with key "
                f"{files.key_file}: {_reason(error)}; both have to be PEM, belong "
                "together, and the key must not be encrypted"
            )
            raise ConfigError(msg) from error
    return context


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return " ".join(str(error).split())
    return error.strerror or "unreadable"
