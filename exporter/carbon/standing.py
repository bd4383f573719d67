"""A value that a provider told, as it is kept on disk and as it is in force."""

from dataclasses import dataclass
from typing import Literal

from exporter.carbon.observation import Observation
from exporter.core.model import Intensity
from exporter.core.units import Seconds


@dataclass(frozen=True, slots=True)
class Kept:
    """A value, who told it and when, as it is kept on disk."""

    told_by: str
    observation: Observation
    fetched_unix_s: Seconds


@dataclass(frozen=True, slots=True)
class Standing:
    """The value in force.

    Attributes:
        told_by: the provider that was asked.
        observation: what it told, maybe on behalf of another provider.
        fetched_unix_s: when it told it.
        level: 0 live, 1 last good.
        until_unix_s: it is of this level up to this moment.
        intensity: the same as the core takes it.
    """

    told_by: str
    observation: Observation
    fetched_unix_s: Seconds
    level: Literal[0, 1]
    until_unix_s: Seconds
    intensity: Intensity


def standing_of(kept: Kept, level: Literal[0, 1], until_unix_s: Seconds) -> Standing:
    """Return a value as it is in force.

    Args:
        kept: the value.
        level: 0 live, 1 last good.
        until_unix_s: it is of this level up to this moment.
    """
    observation = kept.observation
    intensity = Intensity(
        zone=observation.zone,
        provider=observation.provider,
        value=observation.value,
        signal=observation.signal,
        factors=observation.factors,
        fallback_level=level,
        estimated=observation.estimated,
        observed_unix_s=observation.observed_unix_s,
        slot_s=observation.slot_s,
        valid_until_unix_s=until_unix_s,
        fetched_unix_s=kept.fetched_unix_s,
    )
    return Standing(
        kept.told_by,
        observation,
        kept.fetched_unix_s,
        level,
        until_unix_s,
        intensity,
    )
