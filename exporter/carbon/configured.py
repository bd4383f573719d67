"""What the settings of carbon intensity come to on a node: who is asked, and how."""

import hashlib
import random
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from exporter.carbon.chain import Chain
from exporter.carbon.client_tls import ClientTls, TlsFiles
from exporter.carbon.feed import Feed
from exporter.carbon.file import FileIntensity
from exporter.carbon.last_good import LastGood
from exporter.carbon.live import LiveIntensity
from exporter.carbon.poller import Poller
from exporter.carbon.provider import Provider, Web
from exporter.carbon.relay import Relay
from exporter.carbon.secret import Secret, basic_authorization, read_secret
from exporter.carbon.streams import open_streams
from exporter.carbon.yearly import YearlyIntensity
from exporter.config import Carbon
from exporter.core.errors import ConfigError
from exporter.core.ports import IntensitySource
from exporter.core.units import Seconds

# A cluster that boots at once is no heap of calls at its hub.
_START_WITHIN_S = 5.0

_Opener = Callable[[], AbstractAsyncContextManager[Web]]


class LiveSource(NamedTuple):
    """Where the intensity of now comes from.

    Attributes:
        chain: what is in force, live or not.
        poller: keeps it up to date while it runs.
        open_web: opens the way that the poller takes.
    """

    chain: Chain
    poller: Poller
    open_web: _Opener


def live_source(
    carbon: Carbon,
    state_dir: Path | None,
    counts: dict[tuple[str, str], int] | None = None,
    before: IntensitySource | None = None,
) -> LiveSource:
    """Build what the settings say; nobody is asked yet.

    Args:
        carbon: settings with a live source.
        state_dir: where the last good value is kept; ``None``: nowhere, and the
            first call is due at once.
        counts: fetches so far, see ``Poller``.
        before: what was in force until now, if anything was.

    Raises:
        ConfigError: a file cannot be used, or nobody tells this zone.
    """
    zone = carbon.zone or ""
    floor = YearlyIntensity(zone)
    provider, open_web = _provider(carbon, zone)
    live = LiveIntensity(zone, (provider.traits,), Seconds(carbon.max_age_s))
    host = socket.gethostname()
    is_one_of_many = provider.traits.many_ask and state_dir is not None
    poller = Poller(
        [Feed(provider, (zone,))],
        [live],
        open_web,
        store=None if state_dir is None else LastGood(state_dir),
        counts=counts,
        chance=partial(chance_of, host) if is_one_of_many else random.random,
        start_within_s=_START_WITHIN_S if is_one_of_many else 0.0,
    )
    if isinstance(before, Chain):
        live.take_over(before.live)
    return LiveSource(Chain(live, floor), poller, open_web)


def _provider(carbon: Carbon, zone: str) -> tuple[Provider, _Opener]:
    if carbon.hub_url is not None:
        return _relay(carbon, carbon.hub_url), way_to_hub(carbon, carbon.hub_url)
    if carbon.file is not None:
        # It needs no web, and this one costs nothing.
        return FileIntensity(carbon.file), open_streams
    # They bring httpx along, which few machines need.
    from exporter.carbon.auto import provider_for  # noqa: PLC0415 - see above
    from exporter.carbon.fetching import open_web  # noqa: PLC0415 - see above

    provider = provider_for(zone)
    if provider is None:
        msg = (
            f"carbon.direct: no service that needs no token tells the zone {zone}; "
            "leave it out, or ask a hub by carbon.hub_url"
        )
        raise ConfigError(msg)
    return provider, open_web


def _relay(carbon: Carbon, url: str) -> Relay:
    return Relay(url, hub_authorization(carbon))


def hub_authorization(carbon: Carbon) -> Secret | None:
    """Return what is sent to the hub in the header Authorization, if anything is.

    Raises:
        ConfigError: the password cannot be read.
    """
    user, path = carbon.hub_user, carbon.hub_password_file
    if user is None or path is None:
        return None
    password = read_secret(path, "carbon.hub_password_file")
    return basic_authorization(user, password)


def way_to_hub(carbon: Carbon, url: str) -> _Opener:
    """Return what opens the way to the hub; nothing is asked yet.

    Raises:
        ConfigError: certificates cannot be used.
    """
    if not url.lower().startswith("https:"):
        return open_streams
    files = TlsFiles(carbon.hub_ca_file, carbon.hub_cert_file, carbon.hub_key_file)
    tls = ClientTls(files)
    return lambda: open_streams(tls.current)


def chance_of(host: str) -> float:
    """Return a number 0..1 that is this host's for ever: many of them spread evenly."""
    digest = hashlib.sha256(host.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6]) / 2**48
