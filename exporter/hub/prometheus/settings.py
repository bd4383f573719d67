"""How Prometheus is reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from exporter.hub.prometheus.matching import Matchers


@dataclass(frozen=True, slots=True)
class PrometheusSettings:
    """How to reach a Prometheus.

    Attributes:
        url: address up to where ``/api/v1`` follows, without user or query.
        timeout_s: how long an answer may take, s, > 0.
        largest_bytes: how large it may be.
        matchers: which series are ours, if not all of their names are.
        ca_file: authorities to trust instead of the system's, PEM.
        cert_file: our certificate, PEM.
        key_file: its private key, PEM.
        username: for basic authentication.
        password_file: for it.
        token_file: a bearer token.
        header_files: further headers: name, and file of the value.
    """

    url: str
    timeout_s: float = 30.0
    largest_bytes: int = 256 * 2**20
    matchers: Matchers = ()
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    username: str = ""
    password_file: Path | None = None
    token_file: Path | None = None
    header_files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Its name, for people."""
        return urlsplit(self.url).hostname or ""
