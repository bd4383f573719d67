"""Reads the section ``slurm`` of the hub's file.

The token is named by its file, which is read whenever it is sent: tokens of Slurm
expire, and sites replace them.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from exporter.carbon.provider import base_url
from exporter.config.document import Section
from exporter.config.loading import hint
from exporter.core.errors import ConfigError

_KEYS = ("url", "user", "token_file", "api_version", "interval", "timeout", "ca_file")
_UNIX = "unix://"
_VERSION = re.compile(r"v\d{1,3}\.\d{1,3}\.\d{1,3}", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class SlurmPlan:
    """How slurmrestd is asked.

    Attributes:
        url: its address without what begins with ``/slurm``; "" if it is a socket.
        socket: its unix socket, if it is one.
        user: in whose name; "" for nobody's, as on a socket.
        token_file: holds that user's token.
        api_version: such as ``v0.0.38``; "" for the newest one it offers.
        interval_s: how often, s.
        timeout_s: how long an answer may take, s.
        largest_bytes: how large it may be.
        ca_file: authorities to trust instead of the system's, PEM.
    """

    url: str = ""
    socket: Path | None = None
    user: str = ""
    token_file: Path | None = None
    api_version: str = ""
    interval_s: float = 30.0
    timeout_s: float = 20.0
    largest_bytes: int = 64 * 2**20
    ca_file: Path | None = None


def read_slurm(document: Section, notices: list[str]) -> SlurmPlan | None:
    """Read what a hub's file says of Slurm; ``None`` if it says nothing.

    Args:
        document: the file.
        notices: gets what the operator should know.

    Raises:
        ConfigError: something of it cannot be used.
    """
    if "slurm" not in document:
        return None
    section = document.section("slurm")
    for key in section:
        if key not in _KEYS:
            complaint = f"no such key{hint(key, _KEYS)}; known here: {', '.join(_KEYS)}"
            section.refuse(key, complaint)
    url, socket = _address(section)
    user = section.text("user")
    if bool(user) != bool(section.text("token_file")):
        section.refuse("user", "needs a token_file, and that a user")
    if user and not _USER.fullmatch(user):
        section.refuse("user", "is no name of a user")
    version = section.text("api_version")
    if version and not _VERSION.fullmatch(version):
        section.refuse("api_version", "has to be one such as v0.0.38")
    if "ca_file" in section and not url.startswith("https:"):
        section.refuse("ca_file", "needs a url that begins with https")
    parts = urlsplit(url)
    if user and parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
        notices.append(
            f"{section.place('url')}: slurm: its token travels over http, where others "
            "can read it; use https"
        )
    return SlurmPlan(
        url,
        socket,
        user,
        section.file("token_file"),
        version,
        section.duration("interval", 30.0, (5.0, 3600.0)),
        section.duration("timeout", 20.0, (1.0, 300.0)),
        ca_file=section.file("ca_file"),
    )


def _address(section: Section) -> tuple[str, Path | None]:
    said = section.text("url")
    if not said:
        section.refuse("url", "is missing, such as unix:///run/slurmrestd/socket")
    if said.startswith(_UNIX):
        path = said.removeprefix(_UNIX)
        if not path.startswith("/") or "\0" in path:
            section.refuse("url", "has to have a whole path behind unix://")
        return "", Path(path)
    try:
        return base_url(said, "url"), None
    except ConfigError as error:
        msg = f"{section.place('url')}: slurm: {error}"
        raise ConfigError(msg) from None
