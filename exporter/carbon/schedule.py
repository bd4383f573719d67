"""When a provider is asked next: arithmetic on a clock it does not own.

A provider is asked once per slot of its data, a little after the slot begins,
and nobody at the same moment as everybody else. After a failure it is asked again
soon, then less and less often, at random ("full jitter"), but at least once in a
slot: that is never more than a healthy provider is asked, and brings live values
back within one period. Who refuses a token, or asks to be left alone, is left
alone.
"""

from exporter.carbon.errors import (
    CredentialsError,
    NotCoveredError,
    ProviderError,
    ThrottledError,
)
from exporter.carbon.provider import Traits
from exporter.core.units import Seconds

LEAST_CADENCE_S = 60.0
"""Nobody is asked more often than this, however often it has something new."""

LONGEST_BACKOFF_S = 3600.0
"""The longest pause after failures that may pass by themselves."""

LONGEST_SILENCE_S = 6 * 3600.0
"""How long a provider is left alone that refuses us, or asks for longer."""

_JITTER = 0.2
_MOST_DOUBLINGS = 16


def next_slot_s(
    unix_s: Seconds, cadence_s: Seconds, least_s: Seconds, chance: float
) -> Seconds:
    """Return when to ask next after an answer.

    Args:
        unix_s: now.
        cadence_s: length of a slot, s, > 0; slots begin at its multiples.
        least_s: not earlier than this after now, s.
        chance: 0..1, drawn at random; spreads over a fifth of the slot.
    """
    slot_s = max(cadence_s, LEAST_CADENCE_S)
    begin_s = (unix_s // slot_s + 1) * slot_s
    due_s = begin_s + _JITTER * chance * slot_s
    while due_s < unix_s + least_s:
        due_s += slot_s
    return Seconds(due_s)


def next_turn_s(unix_s: Seconds, slot_s: Seconds, chance: float) -> Seconds:
    """Return when one of many asks next: at the moment of each slot that is its own.

    Args:
        unix_s: now.
        slot_s: length of a slot, s, > 0; slots begin at its multiples.
        chance: 0..1, the same for ever; it is the part of the slot that is over.

    Returns:
        The first such moment that is at least half a slot away.
    """
    due_s = (unix_s // slot_s + chance) * slot_s
    while due_s < unix_s + slot_s / 2:
        due_s += slot_s
    return Seconds(due_s)


def backoff_s(
    failures: int, cadence_s: Seconds, least_s: Seconds, chance: float
) -> Seconds:
    """Return how long to wait after failures in a row.

    Args:
        failures: how many, >= 1.
        cadence_s: how often it is asked when it is well, s, > 0.
        least_s: not less than this, s.
        chance: 0..1, drawn at random.

    Returns:
        Between ``least_s`` and a ceiling that doubles with each failure up to
        the cadence, or an hour if that is less.
    """
    most_s = max(least_s, min(LONGEST_BACKOFF_S, max(cadence_s, LEAST_CADENCE_S)))
    doublings = min(failures, _MOST_DOUBLINGS)
    ceiling_s = min(most_s, least_s * 2.0**doublings)
    return Seconds(least_s + chance * (ceiling_s - least_s))


def pause_s(
    error: ProviderError | None,
    failures: int,
    cadence_s: Seconds,
    traits: Traits,
    chance: float,
) -> Seconds:
    """Return how long to wait after a failure.

    Args:
        error: what it was; ``None`` if it was something else altogether.
        failures: how many in a row, this one included.
        cadence_s: how often this is asked when it is well, s.
        traits: of the provider.
        chance: 0..1, drawn at random.
    """
    least_s = traits.least_interval_s
    wait_s = backoff_s(failures, cadence_s, least_s, chance)
    if isinstance(error, CredentialsError):
        return Seconds(LONGEST_SILENCE_S)
    if isinstance(error, NotCoveredError):
        return Seconds(LONGEST_BACKOFF_S)
    if isinstance(error, ThrottledError) and error.retry_after_s is not None:
        asked_s = error.retry_after_s + least_s * chance
        return Seconds(min(LONGEST_SILENCE_S, max(wait_s, asked_s)))
    return wait_s
