"""Asks once whoever tells the carbon intensity, for a command that ends then."""

import asyncio
from typing import NamedTuple

from exporter.carbon.chain import Chain
from exporter.carbon.configured import LiveSource, live_source
from exporter.carbon.feed import FeedStatus
from exporter.config import Carbon
from exporter.core.ports import IntensitySource


class Asked(NamedTuple):
    """What came of it.

    Attributes:
        chain: what is in force after that, and what is expected.
        status: how the call for the value went.
    """

    chain: Chain
    status: FeedStatus


def ask_once(carbon: Carbon, kept: IntensitySource | None = None) -> Asked:
    """Ask what is configured once; nothing is written down.

    Args:
        carbon: settings with a live source.
        kept: what a daemon has kept here, if anything.

    Raises:
        ConfigError: the settings cannot be used.
    """
    source = live_source(carbon, None, before=kept)
    asyncio.run(_ask(source))
    status = next(one for one in source.poller.statuses if not one.is_forecast)
    return Asked(source.chain, status)


async def _ask(source: LiveSource) -> None:
    async with source.open_web() as web:
        await source.poller.ask_who_is_due(web)
