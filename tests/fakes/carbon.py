"""Samples of what providers answer, and a provider that a test makes up."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from exporter.carbon.errors import ProviderError, UnavailableError
from exporter.carbon.observation import Observation, Report, Signal
from exporter.carbon.provider import Traits, Web
from exporter.core.forecast import Forecast
from exporter.core.units import GramsPerKwh, Seconds

_SAMPLES = Path(__file__).parents[1] / "fixtures" / "carbon"

NOW = Seconds(1_795_344_000.0)
"""Sunday 2026-11-22 10:40:00 UTC, of which the samples speak."""


def sample(name: str) -> bytes:
    """Return a frozen answer."""
    return (_SAMPLES / name).read_bytes()


def observation(
    value: float = 300.0,
    observed_unix_s: float = NOW,
    *,
    zone: str = "DE",
    provider: str = "one",
    slot_s: float = 300.0,
    signal: Signal = "average",
    estimated: bool = False,
    live_for_s: float | None = None,
) -> Observation:
    """Return a value that a provider may have told."""
    return Observation(
        zone=zone,
        provider=provider,
        value=GramsPerKwh(value),
        observed_unix_s=Seconds(observed_unix_s),
        slot_s=Seconds(slot_s),
        signal=signal,
        factors="lifecycle",
        estimated=estimated,
        live_for_s=None if live_for_s is None else Seconds(live_for_s),
    )


@dataclass
class FakeProvider:
    """Tells a value of the slot of now, or raises what it is told to.

    Attributes:
        value: what it tells, g/kWh.
        failure: what it raises instead; ``None``: nothing.
        asked: zones and time of each call.
        outlook: the forecast that comes with the value.
    """

    traits: Traits = field(
        default_factory=lambda: Traits("one", Seconds(300.0), Seconds(900.0))
    )
    value: float = 300.0
    failure: Exception | None = None
    lag_s: float = 0.0
    outlook: Forecast = ()
    silent_about: frozenset[str] = frozenset()
    before: Callable[[], None] = lambda: None
    asked: list[tuple[tuple[str, ...], float]] = field(default_factory=list)

    def covers(self, zone: str) -> bool:
        """Whatever a test asks for."""
        return bool(zone)

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Tell, or raise."""
        del web
        self.asked.append((zones, unix_s))
        self.before()
        if self.failure is not None:
            raise self.failure
        begin_s = (unix_s - self.lag_s) // self.traits.cadence_s * self.traits.cadence_s
        problems: dict[str, ProviderError] = {
            zone: UnavailableError(f"nothing of {zone}") for zone in self.silent_about
        }
        return Report(
            {
                zone: observation(
                    self.value,
                    begin_s,
                    zone=zone,
                    provider=self.traits.name,
                    slot_s=self.traits.cadence_s,
                    signal=self.traits.signal,
                )
                for zone in zones
                if zone not in problems
            },
            dict.fromkeys(zones, self.outlook) if self.outlook else {},
            problems,
        )
