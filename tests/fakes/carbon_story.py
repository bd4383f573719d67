"""A provider and a server that plays it, in one loop."""

import asyncio
from collections.abc import Awaitable, Callable

from exporter.carbon.fetching import open_web
from exporter.carbon.observation import Report
from exporter.carbon.provider import Web
from tests.fakes.carbon_server import CarbonServer

Story = Callable[[CarbonServer, Web], Awaitable[Report]]


def play(story: Story) -> tuple[Report, CarbonServer]:
    """Play a story against a server; return its report and the server."""

    async def run() -> tuple[Report, CarbonServer]:
        async with CarbonServer() as server, open_web() as web:
            return await story(server, web), server

    return asyncio.run(run())
