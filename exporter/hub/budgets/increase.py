"""How much a counter rose along its samples, to the last digit. Pure.

``increase()`` of PromQL drops the first value of a series and guesses what was
beyond its first and last sample. Here nothing is guessed: a rise is a difference
of two samples, a counter that fell had started again from 0, and what it stood at
before is known or said to be unknown.
"""

from collections.abc import Sequence
from typing import NamedTuple

from exporter.hub.prometheus.series import Samples

# A store that keeps numbers as decimals may give the same one back a hair smaller.
_HAIR = 1e-9


class Rise(NamedTuple):
    """What became of a counter.

    Attributes:
        amount: how much it rose in all, >= 0.
        value: what it stands at now.
        restarts_s: when it started from 0: first samples after that.
        since_s: since when it stands at that, Unix time, s; ``None`` if at the end
            of the look it was there and stood at that.
        first: the part of ``amount`` up to the first sample.
        first_s: time of that sample; ``None`` if there was none, or nobody asked.
        before_s: the sample before its last fall; ``None`` if that is not known.
    """

    amount: float
    value: float
    restarts_s: tuple[float, ...] = ()
    since_s: float | None = None
    first: float = 0.0
    first_s: float | None = None
    before_s: float | None = None


def fell(before: float, value: float) -> bool:
    """Whether a counter fell, which it does only by starting from 0 again."""
    return value < before * (1 - _HAIR)


def rise(
    samples: Samples,
    before: float | None,
    since_s: float,
    restarts_s: Sequence[float] = (),
) -> Rise:
    """Add up how much a counter rose.

    Args:
        samples: as they came; those up to ``since_s`` are known.
        before: what it stood at before them; ``None`` if nobody knows, then the
            first sample is where counting begins.
        since_s: when it stood at that, Unix time, s.
        restarts_s: when it started from 0, as others tell: a small counter may
            be above its old value again before anybody looks, or not be there
            yet.
    """
    amount, first, found = 0.0, 0.0, []
    known_s: float | None = since_s
    first_s: float | None = None
    before_s: float | None = None
    last_s: float | None = None
    for time_s, value in samples:
        if time_s <= since_s:
            last_s = time_s
            continue
        if before is not None:
            hidden = any(since_s < restart_s <= time_s for restart_s in restarts_s)
            if hidden or fell(before, value):
                found.append(time_s)
                # One that nobody can see in the samples is none for the store.
                before_s = last_s if fell(before, value) else None
                before = 0.0
            amount += max(0.0, value - before)
        if first_s is None:
            first, first_s = amount, time_s
        before, since_s, last_s, known_s = value, time_s, time_s, None
    later_s = [restart_s for restart_s in restarts_s if restart_s > since_s]
    if later_s:
        # What is still in the window of the next look is older than that.
        found += later_s
        before, known_s = 0.0, max(later_s)
    value = before or 0.0
    return Rise(amount, value, tuple(found), known_s, first, first_s, before_s)
