"""The values of one zone that providers told, and which of them is in force.

Providers are in order of preference. The first one whose value is live is in
force. If none is, it is the newest value that is not too old, as "last good".
A value is live as long as one cannot expect a newer one: so a provider that is
dead and one that repeats itself for ever are found out in the same way.

One thread offers values, any other may ask which is in force: what is held is
exchanged in one step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from exporter.carbon.errors import ImplausibleError
from exporter.carbon.observation import CLOCK_TOLERANCE_S, Observation
from exporter.carbon.provider import Traits
from exporter.carbon.standing import Kept, Standing, standing_of
from exporter.core.forecast import Forecast
from exporter.core.units import Seconds

USUAL_MAX_AGE_S = Seconds(6 * 3600.0)
"""Grids swing with sun and demand: after a quarter of a day a value says less
about now than the mean of the year does."""


_NEVER = Seconds(float("inf"))


@dataclass(frozen=True, slots=True)
class _Held:
    kept: Kept
    from_unix_s: Seconds
    live: Standing
    good: Standing

    @property
    def begin_unix_s(self) -> Seconds:
        return self.kept.observation.observed_unix_s


@dataclass(frozen=True, slots=True)
class _Shown:
    """The forecast that was shown last: it is asked for in every tick."""

    forecasts: Mapping[str, Forecast]
    told_by: str | None
    from_unix_s: Seconds
    until_unix_s: Seconds
    points: Forecast


class LiveIntensity:
    """What is known of one signal of one zone.

    Args:
        zone: the grid zone, as it is configured.
        providers: those that are asked, in order of preference, of one signal.
        max_age_s: a value older than this is not used at all, s, > 0.

    Raises:
        ValueError: the providers tell different signals, or there is none.
    """

    def __init__(
        self,
        zone: str,
        providers: tuple[Traits, ...],
        max_age_s: Seconds = USUAL_MAX_AGE_S,
    ) -> None:
        signals = {traits.signal for traits in providers}
        if len(signals) != 1:
            msg = f"one signal of {zone} is needed, not {len(signals)}"
            raise ValueError(msg)
        self._zone = zone
        self._signal = signals.pop()
        self._providers = {traits.name: traits for traits in providers}
        self._max_age_s = max_age_s
        self._held: Mapping[str, _Held] = MappingProxyType({})
        self._forecasts: Mapping[str, Forecast] = MappingProxyType({})
        self._shown = _Shown(self._forecasts, None, _NEVER, _NEVER, ())

    @property
    def zone(self) -> str:
        """The grid zone, as it is configured."""
        return self._zone

    @property
    def signal(self) -> Literal["average", "marginal"]:
        """What its values are."""
        return self._signal

    def offer(self, told_by: str, observation: Observation, unix_s: Seconds) -> bool:
        """Take a value that was told just now.

        Args:
            told_by: name of the provider that was asked.
            observation: of this zone and signal.
            unix_s: now.

        Returns:
            Whether it is live.

        Raises:
            ImplausibleError: it speaks of the future, or of a time before that
                of the last one from the same provider.
            ValueError: it is not of this zone, signal or providers.
        """
        self._check_mine(told_by, observation)
        if observation.is_future(unix_s):
            msg = "the value is from the future"
            raise ImplausibleError(msg)
        held = self._held.get(told_by)
        if held is not None and _is_before(observation, held.kept.observation, unix_s):
            msg = "the value is older than the last one"
            raise ImplausibleError(msg)
        held = self._hold(Kept(told_by, observation, unix_s))
        return held.live.until_unix_s > unix_s

    def restore(self, kept: Kept) -> bool:
        """Take back what was kept, unless it is of no use here or not the newest.

        Returns:
            Whether it was taken.
        """
        observation = kept.observation
        if (
            observation.zone != self._zone
            or observation.signal != self._signal
            or kept.told_by not in self._providers
        ):
            return False
        held = self._held.get(kept.told_by)
        if held is not None and held.kept.fetched_unix_s > kept.fetched_unix_s:
            return False
        self._hold(kept)
        return True

    def take_over(self, before: "LiveIntensity") -> None:
        """Go on with what another one knows, as far as it is of use here."""
        for kept in before.kept():
            self.restore(kept)
        if before.zone == self._zone and before.signal == self._signal:
            for name, forecast in before._forecasts.items():  # noqa: SLF001 - our own
                if name in self._providers:
                    self.offer_forecast(name, forecast)

    def kept(self) -> tuple[Kept, ...]:
        """Return the last value of each provider, to be kept."""
        return tuple(held.kept for held in self._held.values())

    def fetched_unix_s(self, provider: str) -> Seconds | None:
        """When a provider last told a value; ``None`` if it never did."""
        held = self._held.get(provider)
        return None if held is None else held.kept.fetched_unix_s

    def standing(self, unix_s: Seconds) -> Standing | None:
        """Return the value in force; ``None`` if none is recent enough.

        It answers at once, from any thread.

        Args:
            unix_s: the moment, on the wall clock.
        """
        held = self._held
        newest: _Held | None = None
        for name in self._providers:
            one = held.get(name)
            if one is None or unix_s < one.from_unix_s:
                continue
            if unix_s < one.live.until_unix_s:
                return one.live
            if unix_s < one.good.until_unix_s and (
                newest is None or one.begin_unix_s > newest.begin_unix_s
            ):
                newest = one
        return None if newest is None else newest.good

    def offer_forecast(self, provider: str, forecast: Forecast) -> None:
        """Take what a provider expects; it replaces what it expected before."""
        self._forecasts = MappingProxyType({**self._forecasts, provider: forecast})

    def forecast(self, unix_s: Seconds) -> Forecast:
        """Return what is expected from now on, in order of time; maybe nothing.

        All of it is from one provider: the one whose value is in force if it
        has a forecast, else the first that has.
        """
        standing = self.standing(unix_s)
        told_by = None if standing is None else standing.told_by
        shown = self._shown
        is_same = shown.forecasts is self._forecasts and shown.told_by == told_by
        if not (is_same and shown.from_unix_s <= unix_s < shown.until_unix_s):
            self._shown = shown = self._show(told_by, unix_s)
        return shown.points

    def _show(self, told_by: str | None, unix_s: Seconds) -> "_Shown":
        names = list(self._providers)
        if told_by is not None:
            names.insert(0, told_by)
        forecasts = self._forecasts
        for name in names:
            points = tuple(
                point for point in forecasts.get(name, ()) if point.end_unix_s > unix_s
            )
            if points:
                until_s = min(point.end_unix_s for point in points)
                return _Shown(forecasts, told_by, unix_s, until_s, points)
        return _Shown(forecasts, told_by, unix_s, _NEVER, ())

    def _check_mine(self, told_by: str, observation: Observation) -> None:
        told = (observation.zone, observation.signal)
        if told != (self._zone, self._signal) or told_by not in self._providers:
            msg = f"{told} of {told_by} is not {self._signal} {self._zone}"
            raise ValueError(msg)

    def _hold(self, kept: Kept) -> _Held:
        observation = kept.observation
        begin_s = observation.observed_unix_s
        live_for_s = observation.live_for_s or max(
            observation.slot_s, self._providers[kept.told_by].live_for_s
        )
        live_until_s = Seconds(begin_s + live_for_s)
        good_until_s = Seconds(begin_s + max(self._max_age_s, live_for_s))
        held = _Held(
            kept,
            Seconds(begin_s - observation.slot_s - CLOCK_TOLERANCE_S),
            standing_of(kept, 0, live_until_s),
            standing_of(kept, 1, good_until_s),
        )
        self._held = MappingProxyType({**self._held, kept.told_by: held})
        return held


def _is_before(one: Observation, last: Observation, unix_s: Seconds) -> bool:
    """Whether a value goes back behind the last one.

    Another provider behind the one that is asked may lag more. And what was accepted
    under a clock that ran ahead must not shut out all that comes after the clock was
    set right.
    """
    return (
        one.provider == last.provider
        and one.observed_unix_s < last.observed_unix_s
        and not last.is_future(unix_s)
    )
