"""What a provider is, and what it is given to ask with.

A provider knows addresses and shapes, and nothing else: how long to wait, how
much to read, when to ask again and what to believe is the same for all of them
(see fetching.py, schedule.py and live.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from exporter.carbon.observation import Report, Signal
from exporter.carbon.secret import Secret
from exporter.config.texts import RefusedValueError, parse_url
from exporter.core.errors import ConfigError
from exporter.core.units import Seconds


@dataclass(frozen=True, slots=True)
class Traits:
    """What everybody else has to know of a provider.

    Attributes:
        name: as in the label ``provider``.
        cadence_s: how often it has something new, s; it is asked no more often.
        live_for_s: for how long after the begin of its slot a value is the
            newest one can expect, its delay included, s.
        signal: what its values are.
        least_interval_s: time between two requests whatever happens, s.
        all_zones_at_once: one call tells all zones it covers.
        forecast_every_s: how often the forecast is asked for in a call of its
            own; ``None`` if it comes with the values or there is none.
        many_ask: thousands like us ask it, so that each does so at a moment of its
            own, anywhere in a slot.
    """

    name: str
    cadence_s: Seconds
    live_for_s: Seconds
    signal: Signal = "average"
    least_interval_s: Seconds = Seconds(30.0)
    all_zones_at_once: bool = False
    forecast_every_s: Seconds | None = None
    many_ask: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        url: address without a query.
        params: the query, in order.
        headers: beside those every request has.
        secret_params: the part of the query that nobody may see.
        secret_headers: headers that nobody may see.
        accepted: HTTP statuses whose body is an answer.
    """

    url: str
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_params: tuple[tuple[str, Secret], ...] = ()
    secret_headers: Mapping[str, Secret] = field(default_factory=dict)
    accepted: tuple[int, ...] = (200,)

    @property
    def host(self) -> str:
        """What a message may say of the address."""
        return urlsplit(self.url).hostname or ""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All that must not be in a message."""
        return (
            *(secret for _, secret in self.secret_params),
            *self.secret_headers.values(),
        )


class Web(Protocol):
    """The way to the providers; all rules of fetching are behind it."""

    async def json(self, call: Call) -> object:
        """Return a JSON answer.

        Raises:
            ProviderError: there is none; the class says what to do.
        """

    async def text(self, call: Call) -> str:
        """Return an answer that is text, such as XML.

        Raises:
            ProviderError: there is none; the class says what to do.
        """

    def max_age_s(self, call: Call) -> Seconds | None:
        """Return how long the last answer was said to be good for, s, if it was."""


class Provider(Protocol):
    """Knows how dirty a kilowatt-hour of some zones is right now."""

    @property
    def traits(self) -> Traits:
        """What everybody else has to know of it."""

    def covers(self, zone: str) -> bool:
        """Whether it may have values of a grid zone."""

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Ask for the values of now, and a forecast if it comes with them.

        Args:
            web: the way to it.
            zones: all zones that are wanted of it if it tells them at once,
                else exactly one.
            unix_s: now.

        Raises:
            ProviderError: there is no value of any zone.
        """


@runtime_checkable
class ForecastsApart(Protocol):
    """A provider whose forecast takes a call of its own."""

    async def forecast(
        self, web: Web, zones: tuple[str, ...], unix_s: Seconds
    ) -> Report:
        """Ask for the forecast; the report has no observations.

        Raises:
            ProviderError: there is no forecast of any zone.
        """


def base_url(text: str, setting: str) -> str:
    """Return the address of a service, without the slash at its end.

    Args:
        text: as configured.
        setting: what a message calls it.

    Raises:
        ConfigError: it is no such address, or has a user, a password, a query
            or a fragment in it, where they would be seen.
    """
    try:
        return parse_url(text)
    except RefusedValueError as refused:
        msg = f"{setting}: {refused}"
        raise ConfigError(msg) from None
