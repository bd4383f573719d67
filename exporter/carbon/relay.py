"""The hub of the site, which asks the providers once for all nodes.

``GET {url}/api/v1/intensity?zone=DE`` tells the value in force at the hub, how far it
is from live, what it speaks of and until when, and what is expected. Who the hub has
it from stays the provider of the value: a node says "energy-charts", whichever way
it came.

What the hub calls live is live here, as long as the hub said it would be: should the
hub go away, that ends by itself. Its last good value is offered with its own time. Its
yearly figure is no live value: a node has the same table.
"""

import re

from exporter.carbon.answer import (
    flag,
    number,
    rows,
    text,
)
from exporter.carbon.errors import (
    NonsenseError,
    UnavailableError,
)
from exporter.carbon.observation import (
    Factors,
    Observation,
    Report,
    forecast_of,
)
from exporter.carbon.provider import Call, Traits, Web, base_url
from exporter.carbon.secret import Secret
from exporter.core.forecast import Forecast, ForecastPoint
from exporter.core.units import GramsPerKwh, Seconds

NAME = "hub"

USUAL_PERIOD_S = Seconds(60.0)
"""How often the hub is asked if it does not say how long its answer is good for."""

_SHORTEST_PERIOD_S = Seconds(30.0)
_LONGEST_PERIOD_S = Seconds(300.0)
_LEAST_INTERVAL_S = Seconds(10.0)
# A value that the hub itself calls old is live for no time at all here.
_NOT_LIVE_S = Seconds(1.0)
_MOST_POINTS = 2000
_LAST_GOOD = 1
_LEVELS = (0, 1, 2, 3)
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_FACTORS: dict[str, Factors] = {"lifecycle": "lifecycle", "direct": "direct", "": ""}


class Relay:
    """Asks a hub.

    Args:
        url: address of the hub.
        authorization: what is sent in the header of that name; ``None``: nothing.

    Raises:
        ConfigError: it is no address.
    """

    def __init__(self, url: str, authorization: Secret | None = None) -> None:
        self._url = f"{base_url(url, 'carbon.hub_url')}/api/v1/intensity"
        self._secrets = (
            {} if authorization is None else {"Authorization": authorization}
        )
        self.traits = Traits(
            NAME,
            cadence_s=USUAL_PERIOD_S,
            live_for_s=USUAL_PERIOD_S,
            least_interval_s=_LEAST_INTERVAL_S,
            many_ask=True,
        )
        self._last: dict[str, Observation] = {}

    def covers(self, zone: str) -> bool:
        """Whether it may have a zone: the hub knows."""
        return bool(zone)

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Ask for one zone."""
        (zone,) = zones
        call = Call(self._url, (("zone", zone),), secret_headers=self._secrets)
        data = await web.json(call)
        told = self._newest(read_observation(data, zone), unix_s)
        return Report(
            {zone: told},
            {zone: read_forecast(data)},
            fresh_for_s=_period_s(web.max_age_s(call)),
        )

    def _newest(self, told: Observation, unix_s: Seconds) -> Observation:
        """Return the last value again, should this one be of before it.

        Two hubs behind one name ask the providers at moments of their own.
        """
        last = self._last.get(told.zone)
        if (
            last is not None
            and last.provider == told.provider
            and last.observed_unix_s > told.observed_unix_s
            and not last.is_future(unix_s)
        ):
            return last
        self._last[told.zone] = told
        return told


def read_observation(data: object, zone: str) -> Observation:
    """Read the value in force at the hub.

    Raises:
        UnavailableError: the hub has nothing but yearly figures.
        NonsenseError: it is none, or of another zone or signal.
    """
    if text(data, "zone").upper() != zone.upper():
        msg = f"the hub answered for another zone than {zone}"
        raise NonsenseError(msg)
    if text(data, "signal") != "average":
        msg = "the hub told what is not the average of the grid"
        raise NonsenseError(msg)
    level = number(data, "fallback_level")
    if level not in _LEVELS:
        msg = "fallback_level is not one of 0 to 3"
        raise NonsenseError(msg)
    if level > _LAST_GOOD:
        msg = f"the hub itself has no live value of {zone}"
        raise UnavailableError(msg)
    factors = _FACTORS.get(text(data, "factors"))
    provider = text(data, "provider")
    if factors is None or not _PROVIDER.fullmatch(provider):
        msg = "the hub names factors or a provider that cannot be"
        raise NonsenseError(msg)
    observed_unix_s = Seconds(number(data, "observed_unix_s"))
    live_for_s = Seconds(number(data, "valid_until_unix_s") - observed_unix_s)
    return Observation(
        zone=zone,
        provider=provider,
        value=GramsPerKwh(number(data, "intensity_g_per_kwh")),
        observed_unix_s=observed_unix_s,
        slot_s=Seconds(number(data, "slot_s")),
        factors=factors,
        estimated=flag(data, "estimated"),
        live_for_s=_NOT_LIVE_S if level == _LAST_GOOD else live_for_s,
    )


def read_forecast(data: object) -> Forecast:
    """Read what the hub expects; it is advice, and what cannot be is left out."""
    points: list[ForecastPoint] = []
    try:
        for row in rows(data, "forecast")[:_MOST_POINTS]:
            begin_s = Seconds(number(row, "begin_unix_s"))
            value = number(row, "intensity_g_per_kwh")
            points += forecast_of([(begin_s, value)], Seconds(number(row, "slot_s")))
    except NonsenseError:
        return ()
    return tuple(sorted(points, key=lambda point: point.begin_unix_s))


def _period_s(max_age_s: Seconds | None) -> Seconds:
    if max_age_s is None:
        return USUAL_PERIOD_S
    return max(_SHORTEST_PERIOD_S, min(_LONGEST_PERIOD_S, max_age_s))
