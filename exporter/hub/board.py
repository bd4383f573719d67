"""What is known of one grid zone, and its answer, written once per change."""

import hashlib
import math
from collections.abc import Callable
from typing import NamedTuple

from exporter.carbon.live import LiveIntensity
from exporter.carbon.standing import Standing
from exporter.core.forecast import Forecast, greenest_window
from exporter.core.model import Intensity
from exporter.core.ports import IntensitySource
from exporter.core.units import Seconds
from exporter.exposition.intensity_models import ForecastPointAnswer
from exporter.hub.api_models import (
    GreenestAnswer,
    HubIntensityAnswer,
    HubZoneAnswer,
    MarginalAnswer,
)

LEAST_MAX_AGE_S = 15
"""Nobody needs to ask more often, whatever is about to happen."""

MOST_MAX_AGE_S = 300
"""A hub that was changed or replaced is noticed by then."""

_GREENEST_S = Seconds(4 * 3600.0)
_AHEAD_S = 24 * 3600.0

# What a provider takes to answer after it was asked.
_ANSWER_S = 5.0

# Changes when a field changes its meaning: what a client keeps is then old.
_FORM = b"1"


class View(NamedTuple):
    """What is in force in a zone at some moment.

    Attributes:
        intensity: the average; from a provider, or yearly.
        standing: more of it; ``None`` if it is yearly.
        forecast: what is expected of the average from that moment on.
        marginal: the marginal one, only while it is live.
    """

    intensity: Intensity
    standing: Standing | None
    forecast: Forecast
    marginal: Standing | None


class Prepared(NamedTuple):
    """An answer but for the fields that change with every second.

    Attributes:
        etag: changes when anything does that matters to who asks.
        rest: JSON from the first field that keeps, closing brace included.
        observed_unix_s: the moment the value speaks of.
    """

    etag: bytes
    rest: bytes
    observed_unix_s: Seconds | None

    def body(self, unix_s: float) -> bytes:
        """Return the whole answer at a moment."""
        observed_s = self.observed_unix_s
        age = b"null" if observed_s is None else b"%.3f" % (unix_s - observed_s)
        return b'{"unix_s":%.3f,"age_s":%b,%b' % (unix_s, age, self.rest)


class Board:
    """What is known of one grid zone.

    Args:
        zone: the grid zone, as it is configured.
        floor: its yearly figure.
        average: what providers told; ``None`` if none is asked.
        marginal: the same of the marginal intensity.
        next_unix_s: when something new may be told; ``None``: never.
    """

    def __init__(
        self,
        zone: str,
        floor: IntensitySource,
        average: LiveIntensity | None,
        marginal: LiveIntensity | None,
        next_unix_s: Callable[[], Seconds | None],
    ) -> None:
        self.zone = zone
        self._floor = floor
        self._average = average
        self._marginal = marginal
        self._next_unix_s = next_unix_s
        self._seen: View | None = None
        self._prepared: Prepared | None = None

    @property
    def sinks(self) -> tuple[LiveIntensity, ...]:
        """Where the values of providers go."""
        both = (self._average, self._marginal)
        return tuple(sink for sink in both if sink is not None)

    def view(self, unix_s: Seconds) -> View:
        """Return what is in force; the same objects as long as nothing changes."""
        average, marginal = self._average, self._marginal
        standing = None if average is None else average.standing(unix_s)
        also = None if marginal is None else marginal.standing(unix_s)
        return View(
            self._floor.current(unix_s) if standing is None else standing.intensity,
            standing,
            () if average is None else average.forecast(unix_s),
            None if also is None or also.level > 0 else also,
        )

    def answer(self, unix_s: Seconds) -> tuple[Prepared, int]:
        """Return the answer, written anew only if something changed.

        Returns:
            It, and for how long nothing new is to be expected, s, 15..300.
        """
        view = self.view(unix_s)
        if self._prepared is None or not _is_same(view, self._seen):
            self._seen = view
            self._prepared = _prepare(intensity_answer(view, unix_s))
        return self._prepared, self._max_age_s(view, unix_s)

    def _max_age_s(self, view: View, unix_s: Seconds) -> int:
        end_s = unix_s + MOST_MAX_AGE_S
        next_s = self._next_unix_s()
        if next_s is not None:
            end_s = min(end_s, next_s + _ANSWER_S)
        if view.standing is not None:
            end_s = min(end_s, view.standing.until_unix_s)
        return max(LEAST_MAX_AGE_S, math.ceil(end_s - unix_s))


def intensity_answer(view: View, unix_s: Seconds) -> HubIntensityAnswer:
    """Describe what is in force in a zone."""
    intensity, standing, marginal = view.intensity, view.standing, view.marginal
    observed_s = intensity.observed_unix_s
    return HubIntensityAnswer(
        unix_s=unix_s,
        zone=intensity.zone,
        provider=intensity.provider,
        intensity_g_per_kwh=intensity.value,
        signal=intensity.signal,
        factors=intensity.factors,
        estimated=intensity.estimated,
        fallback_level=intensity.fallback_level,
        observed_unix_s=observed_s,
        age_s=None if observed_s is None else unix_s - observed_s,
        slot_s=None if standing is None else standing.observation.slot_s,
        valid_until_unix_s=None if standing is None else standing.until_unix_s,
        fetched_unix_s=None if standing is None else standing.fetched_unix_s,
        forecast=tuple(
            ForecastPointAnswer(
                begin_unix_s=point.begin_unix_s,
                slot_s=point.slot_s,
                intensity_g_per_kwh=point.value,
            )
            for point in view.forecast
        ),
        marginal=None if marginal is None else _marginal(marginal),
    )


def zone_answer(view: View, unix_s: Seconds) -> HubZoneAnswer:
    """Describe a zone, and when it will be cleanest within a day."""
    known = intensity_answer(view, unix_s)
    end_s = unix_s + _AHEAD_S
    ahead = tuple(point for point in view.forecast if point.end_unix_s <= end_s)
    window = greenest_window(ahead, _GREENEST_S, unix_s)
    return HubZoneAnswer(
        **{name: getattr(known, name) for name in HubIntensityAnswer.model_fields},
        greenest=None
        if window is None
        else GreenestAnswer(
            begin_unix_s=window.begin_unix_s,
            end_unix_s=window.end_unix_s,
            intensity_g_per_kwh=window.mean,
        ),
    )


def _marginal(standing: Standing) -> MarginalAnswer:
    observation = standing.observation
    return MarginalAnswer(
        provider=observation.provider,
        intensity_g_per_kwh=observation.value,
        factors=observation.factors,
        estimated=observation.estimated,
        observed_unix_s=observation.observed_unix_s,
    )


def _is_same(view: View, other: View | None) -> bool:
    """Whether two views are made of the same objects."""
    return other is not None and all(
        one is another for one, another in zip(view, other, strict=True)
    )


def _prepare(answer: HubIntensityAnswer) -> Prepared:
    moving = {"unix_s", "age_s"}
    # That it was told once more is no news for who has it already.
    lasting = answer.model_dump_json(exclude={*moving, "fetched_unix_s"})
    digest = hashlib.blake2b(_FORM + lasting.encode(), digest_size=12).hexdigest()
    observed_s = answer.observed_unix_s
    return Prepared(
        # Weak, because two answers of one tag may differ in those fields.
        b'W/"%b"' % digest.encode(),
        answer.model_dump_json(exclude=moving).encode().removeprefix(b"{"),
        None if observed_s is None else Seconds(observed_s),
    )
