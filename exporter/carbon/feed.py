"""What is asked of whom again and again, and how it has gone so far."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exporter.carbon.errors import (
    CredentialsError,
    ImplausibleError,
    NonsenseError,
    NotCoveredError,
    ProviderError,
    ThrottledError,
    UnavailableError,
)
from exporter.carbon.observation import Report
from exporter.carbon.provider import ForecastsApart, Provider, Web
from exporter.carbon.schedule import next_slot_s, next_turn_s, pause_s
from exporter.core.units import Seconds

_log = logging.getLogger(__name__)

OK = "ok"
"""It told a value that is live."""
STALE = "stale"
"""It told a value that is too old to be live."""
FAILED = "failed"
"""A fault of our own."""

OUTCOMES: tuple[str, ...] = (
    OK,
    STALE,
    UnavailableError.outcome,
    ThrottledError.outcome,
    CredentialsError.outcome,
    NotCoveredError.outcome,
    NonsenseError.outcome,
    ImplausibleError.outcome,
    FAILED,
)
"""All that a fetch can be counted as."""

_Ask = Callable[[Web, tuple[str, ...], Seconds], Awaitable[Report]]


@dataclass(frozen=True, slots=True)
class Feed:
    """One provider and the grid zones that are wanted of it."""

    provider: Provider
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """How one thing that is asked for is doing.

    Attributes:
        provider: who is asked.
        zones: what for.
        is_forecast: whether this is the call for its forecast.
        outcome: of the last time; "" before the first.
        error: why it failed the last time; "" if it did not.
        failures: in a row.
        next_unix_s: when it is asked next.
    """

    provider: str
    zones: tuple[str, ...]
    is_forecast: bool
    outcome: str
    error: str
    failures: int
    next_unix_s: Seconds


class Line:
    """One call that is made again and again.

    When it is due is kept on the monotonic clock, so that setting the wall clock
    can neither hold it up nor hurry it.

    Args:
        provider: who is asked.
        zones: what for.
        ask: the call.
        cadence_s: how often it is made when all is well, s.
        is_forecast: whether it is the call for the forecast.
    """

    def __init__(
        self,
        provider: Provider,
        zones: tuple[str, ...],
        ask: _Ask,
        cadence_s: Seconds,
        *,
        is_forecast: bool,
    ) -> None:
        self.traits = provider.traits
        self.zones = zones
        self.ask = ask
        self.due_s = 0.0
        self._cadence_s = cadence_s
        self.is_forecast = is_forecast
        self.next_unix_s = Seconds(0.0)
        self._outcome = ""
        self._error = ""
        self._failures = 0

    @property
    def status(self) -> FeedStatus:
        """How it is doing."""
        return FeedStatus(
            self.traits.name,
            self.zones,
            self.is_forecast,
            self._outcome,
            self._error,
            self._failures,
            self.next_unix_s,
        )

    def wait(self, wait_s: float, unix_s: Seconds, monotonic_s: float) -> None:
        """Be due after some time, s."""
        self.due_s = monotonic_s + wait_s
        self.next_unix_s = Seconds(unix_s + wait_s)

    def succeeded(
        self,
        outcome: str,
        unix_s: Seconds,
        chance: float,
        fresh_for_s: Seconds | None = None,
    ) -> Seconds:
        """Take note of an answer.

        Args:
            outcome: what it is counted as.
            unix_s: now.
            chance: 0..1, drawn at random.
            fresh_for_s: how long there will be nothing new, s, if that was told.

        Returns:
            How long to wait until it is made again, s.
        """
        if self._failures:
            _log.info("%s told again", self._what, extra=self._about)
        self._outcome, self._error, self._failures = outcome, "", 0
        slot_s = self._cadence_s if fresh_for_s is None else fresh_for_s
        if self.traits.many_ask:
            due_unix_s = next_turn_s(unix_s, slot_s, chance)
        else:
            least_s = self.traits.least_interval_s
            due_unix_s = next_slot_s(unix_s, slot_s, least_s, chance)
        return Seconds(due_unix_s - unix_s)

    def failed(self, error: Exception, chance: float) -> Seconds:
        """Take note of a failure, and log it unless it is the same as before.

        Args:
            error: what happened.
            chance: 0..1, drawn at random.

        Returns:
            How long to wait until it is made again, s.
        """
        told = error if isinstance(error, ProviderError) else None
        outcome = FAILED if told is None else told.outcome
        # Of a fault of our own only the kind: its text may hold anything.
        self._error = type(error).__name__ if told is None else str(told)
        if outcome != self._outcome or not self._failures:
            about = {**self._about, "outcome": outcome}
            _log.warning("%s not told: %s", self._what, self._error, extra=about)
        self._outcome = outcome
        self._failures += 1
        return pause_s(told, self._failures, self._cadence_s, self.traits, chance)

    @property
    def _what(self) -> str:
        return "carbon forecast is" if self.is_forecast else "carbon intensity is"

    @property
    def _about(self) -> dict[str, object]:
        return {"provider": self.traits.name, "zones": ",".join(self.zones)}


def lines_of(feed: Feed) -> list[Line]:
    """Return the calls that a feed takes: one for all zones, or one for each."""
    provider, traits = feed.provider, feed.provider.traits
    parts = (
        [feed.zones] if traits.all_zones_at_once else [(zone,) for zone in feed.zones]
    )
    lines = [
        Line(provider, zones, provider.fetch, traits.cadence_s, is_forecast=False)
        for zones in parts
    ]
    if traits.forecast_every_s is not None and isinstance(provider, ForecastsApart):
        every_s, ask = traits.forecast_every_s, provider.forecast
        lines += [
            Line(provider, zones, ask, every_s, is_forecast=True) for zones in parts
        ]
    return lines
