"""A hub that is played, well or badly, in a thread: nodes ask it over real HTTP."""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.fakes.carbon_server import Ask, CarbonServer, Play
from tests.fakes.server_thread import server_in_thread

_SLOT_S = 900.0
_HOUR_S = 3600.0


class PlayedHub:
    """One zone, DE, with a value that a test sets.

    Attributes:
        server: what answers; ``server.asks`` has all requests.
        value: what it tells of now, g/kWh; the forecast is 10 more for each hour.
        level: its fallback level.
        observed_unix_s: the moment its value speaks of; ``None``: that of asking.
        valid_for_s: how long after that moment its value is of its level, s.
        max_age_s: how long its answer is good for, s.
        instead: what it answers in place of all that; ``None``: nothing.
    """

    def __init__(
        self, server: CarbonServer, unix: Callable[[], float] = time.time
    ) -> None:
        self.server = server
        self.value = 100.0
        self.level = 0
        self.observed_unix_s: float | None = None
        self.valid_for_s = 7200.0
        self.max_age_s = 30
        self.instead: Play | None = None
        self._unix = unix
        server.play_everywhere(self._answer)

    @property
    def url(self) -> str:
        """Its address."""
        return self.server.url

    @property
    def asks(self) -> list[Ask]:
        """All requests, in order."""
        return self.server.asks

    def tells(self) -> dict[str, object]:
        """Return what it would answer now."""
        now_s = self._unix()
        observed_s = now_s if self.observed_unix_s is None else self.observed_unix_s
        is_yearly = self.level > 1
        return {
            "unix_s": now_s,
            "zone": "DE",
            "provider": "owid-yearly" if is_yearly else "energy-charts",
            "intensity_g_per_kwh": self.value,
            "signal": "average",
            "factors": "lifecycle",
            "estimated": False,
            "fallback_level": self.level,
            "observed_unix_s": observed_s,
            "age_s": now_s - observed_s,
            "slot_s": None if is_yearly else _SLOT_S,
            "valid_until_unix_s": None if is_yearly else observed_s + self.valid_for_s,
            "fetched_unix_s": None if is_yearly else now_s,
            "forecast": [
                {
                    "begin_unix_s": now_s - _HOUR_S / 2 + hour * _HOUR_S,
                    "slot_s": _HOUR_S,
                    "intensity_g_per_kwh": self.value + 10.0 * hour,
                }
                for hour in range(30)
            ],
            "marginal": None,
        }

    def _answer(self, ask: Ask) -> Play:
        if self.instead is not None:
            return self.instead
        if ask.path != "/api/v1/intensity" or ask.query.get("zone") != "DE":
            return Play(b'{"detail": "no such zone here"}', status=404)
        age = ("Cache-Control", f"max-age={self.max_age_s}")
        return Play(json.dumps(self.tells()).encode(), headers=(age,))


@contextmanager
def played_hub(tls: ssl.SSLContext | None = None) -> Iterator[PlayedHub]:
    """Play a hub until the end of the context.

    Args:
        tls: what it shows of itself; ``None`` for plain HTTP.
    """
    with server_in_thread(tls) as server:
        yield PlayedHub(server)
