"""Asks once where carbon intensity comes from, and says what came of it."""

import time
from typing import NamedTuple
from urllib.parse import urlsplit

from exporter.carbon.errors import (
    CredentialsError,
    ImplausibleError,
    NonsenseError,
    NotCoveredError,
    ThrottledError,
    UnavailableError,
)
from exporter.carbon.feed import OK, STALE, FeedStatus
from exporter.commands.carbon_once import ask_once
from exporter.commands.findings import Finding
from exporter.config import Carbon
from exporter.core.model import Intensity
from exporter.core.ports import IntensitySource
from exporter.core.units import Seconds

_OF_HUB = {
    UnavailableError.outcome: "is a hub running there, and does the network let this "
    "node to it?",
    ThrottledError.outcome: "it has more to do than it can; look at its page",
    CredentialsError.outcome: "see carbon.hub_user and carbon.hub_password_file, or "
    "carbon.hub_cert_file",
    NotCoveredError.outcome: "add the zone to the file of the hub, see carbon.zone",
    NonsenseError.outcome: "is carbon.hub_url the address of a hub?",
    ImplausibleError.outcome: "compare the clocks of this node and of the hub",
    STALE: "its providers are late; its page tells which",
}
_OF_FILE = {
    UnavailableError.outcome: "may this user read it, and has it been written?",
    NonsenseError.outcome: "it has to hold a number, g/kWh, see docs/carbon.md",
    ImplausibleError.outcome: "it has to be in g/kWh, and of now",
    STALE: "the program that writes it has stopped",
}
_OF_SERVICE = {
    UnavailableError.outcome: "does this machine reach the internet? see HTTPS_PROXY",
    ThrottledError.outcome: "for several machines ask a hub, see carbon.hub_url",
    STALE: "the service is late; look at its own page",
}


class Look(NamedTuple):
    """What was found.

    Attributes:
        finding: whether who is asked tells.
        intensity: what is in force after that.
    """

    finding: Finding
    intensity: Intensity


def look_at_live(carbon: Carbon, kept: IntensitySource) -> Look:
    """Ask what is configured once; nothing is written down.

    Args:
        carbon: settings with a live source.
        kept: what a daemon has kept here.

    Raises:
        ConfigError: the settings cannot be used.
    """
    chain, status = ask_once(carbon, kept)
    unix_s = Seconds(time.time())
    return Look(_finding(carbon, status), chain.current(unix_s))


def _finding(carbon: Carbon, status: FeedStatus) -> Finding:
    if carbon.hub_url is not None:
        parts = urlsplit(carbon.hub_url)
        subject, remedies = "carbon.hub_url", _OF_HUB
        who = f"the hub at {parts.hostname}"
    elif carbon.file is not None:
        subject, remedies, who = "carbon.file", _OF_FILE, str(carbon.file)
    else:
        subject, remedies, who = "carbon.direct", _OF_SERVICE, status.provider
    if status.outcome == OK:
        return Finding("carbon", subject, "ok", f"{who} answers")
    remedy = remedies.get(status.outcome, "see docs/carbon.md")
    if status.outcome == STALE:
        text = f"{who} tells a value that is too old to be live; {remedy}"
        return Finding("carbon", subject, "note", text)
    text = f"{who} does not tell ({status.outcome}): {status.error}; {remedy}"
    return Finding("carbon", subject, "problem", text)
