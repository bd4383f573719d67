"""Composition root of the hub: how its parts are put together."""

from collections.abc import Callable

from exporter.carbon.fetching import open_web
from exporter.carbon.last_good import LastGood
from exporter.carbon.poller import Time
from exporter.hub import service
from exporter.hub.config import HubConfig
from exporter.hub.site import Site


def run(
    config: HubConfig, reload: Callable[[], HubConfig], clocks: Time | None = None
) -> int:
    """Run the hub until it is told to stop.

    Args:
        config: the configuration to start with.
        reload: reads the configuration again; raises ``ConfigError``.
        clocks: what time it is, by default really.

    Returns:
        Its exit code.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    real = Time() if clocks is None else clocks
    # One for all sites that follow each other: they write the same file.
    store = LastGood(config.state.dir)

    def build(new: HubConfig, former: Site | None) -> Site:
        return Site(new.zones, open_web, store, real, former)

    return service.run(config, service.Plan(reload, build, real))
