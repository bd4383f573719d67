"""Providers that are played by one server, in a thread, with values of now."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from tests.fakes.carbon_server import Ask, CarbonServer, Play

_LONG_S = 30.0
_QUARTER_S = 900.0
_HOUR_S = 3600.0
_LOGIN_TOKEN = "t0ken-of-the-login"  # noqa: S105 - it opens nothing


class PlayedProviders:
    """Energy-Charts, Electricity Maps, WattTime and a feed of a site.

    Attributes:
        server: what answers; ``server.asks`` has all requests.
        value: what they tell of now, g/kWh; the forecast is 10 more for each hour.
        is_dead: whether they answer 500.
        repeats: whether they repeat all that they are sent, as bad servers do.
    """

    def __init__(self, server: CarbonServer, unix: Callable[[], float]) -> None:
        self.server = server
        self.value = 321.0
        self.is_dead = False
        self.repeats = False
        self._unix = unix
        for path, tell in (
            ("/co2eq", self._energy_charts),
            ("/v3/carbon-intensity/latest", self._electricity_maps),
            ("/login", self._login),
            ("/v3/forecast", self._watttime),
            ("/feed", self._feed),
        ):
            server.play(path, partial(self._answer, tell))

    @property
    def url(self) -> str:
        """Address of all of them."""
        return self.server.url

    def asked(self, path: str) -> list[Ask]:
        """Return the requests for a path."""
        return [ask for ask in self.server.asks if ask.path == path]

    def _answer(self, tell: Callable[[Ask], object], ask: Ask) -> Play:
        if self.repeats:
            return Play(repr(ask).encode(), status=500, headers=(("X-Echo", "yes"),))
        if self.is_dead:
            return Play(b'{"error": "out of order"}', status=500)
        return Play(json.dumps(tell(ask)).encode())

    def _energy_charts(self, _: Ask) -> object:
        now_s = self._unix() // _QUARTER_S * _QUARTER_S
        times = [now_s + quarter * _QUARTER_S for quarter in range(-8, 97)]
        return {
            "unix_seconds": times,
            "co2eq": [self.value if unix_s <= now_s else None for unix_s in times],
            "co2eq_forecast": [
                None if unix_s <= now_s else self._expected(unix_s - now_s)
                for unix_s in times
            ],
            "deprecated": False,
        }

    def _electricity_maps(self, ask: Ask) -> object:
        return {
            "zone": ask.query["zone"],
            "carbonIntensity": self.value,
            "datetime": _written(self._unix() // _HOUR_S * _HOUR_S),
            "emissionFactorType": "lifecycle",
            "isEstimated": True,
        }

    def _login(self, _: Ask) -> object:
        return {"token": _LOGIN_TOKEN}

    def _watttime(self, ask: Ask) -> object:
        now_s = self._unix() // 300.0 * 300.0
        times = [now_s + 300.0 * slot for slot in range(12)]
        return {
            "data": [
                {"point_time": _written(unix_s), "value": 2 * self.value}
                for unix_s in times
            ],
            "meta": {
                "region": ask.query["region"],
                "signal_type": "co2_moer",
                "units": "lbs_co2_per_mwh",
                "data_point_period_seconds": 300,
            },
        }

    def _feed(self, _: Ask) -> object:
        return {"now": {"value": self.value, "at": self._unix() // 60.0 * 60.0}}

    def _expected(self, ahead_s: float) -> float:
        return self.value + 10.0 * (ahead_s // _HOUR_S)


@contextmanager
def played_providers(
    unix: Callable[[], float] = time.time,
) -> Iterator[PlayedProviders]:
    """Play providers until the end of the context.

    Args:
        unix: the clock that they go by.
    """
    found: list[tuple[PlayedProviders, asyncio.AbstractEventLoop, asyncio.Event]] = []
    started = threading.Event()

    async def serve() -> None:
        async with CarbonServer() as server:
            end = asyncio.Event()
            providers = PlayedProviders(server, unix)
            found.append((providers, asyncio.get_running_loop(), end))
            started.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="providers")
    thread.start()
    assert started.wait(_LONG_S)
    providers, loop, end = found[0]
    try:
        yield providers
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(_LONG_S)
        assert not thread.is_alive()


def _written(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()
