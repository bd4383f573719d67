"""What a hub tells of a budget while work follows its plan, or does not.

The pace is that of the grid and of the work: 1 spends exactly the budget in the period.
All gauges follow from it as from a real meter. The projection is deliberately simple,
"as in the last hour until the end", so that it swings with the grid as far as one can.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import pi, sin

from tests.deploy.stories import selector
from tests.fakes.promtool import Series

DAY_S = 86400.0
HOUR_S = 3600.0
BUDGET_G = 200_000.0
WINDOWS_S = {
    "5m": 300.0,
    "30m": 1800.0,
    "1h": HOUR_S,
    "2h": 2 * HOUR_S,
    "6h": 6 * HOUR_S,
    "1d": DAY_S,
    "3d": 3 * DAY_S,
}
_HUB = {"cluster": "main", "instance": "hub:9879", "job": "jouled-hub"}

Pace = Callable[[float], float]
"""Pace of spending at a time in s after the begin of the first period."""


def swinging(phase_days: float) -> Pace:
    """Return even work on a grid that swings by 1:3 each day: from 0.5 to 1.5."""
    return lambda time_s: 1 + 0.5 * sin(2 * pi * (time_s / DAY_S - phase_days))


def peaking(hours: float) -> Pace:
    """Return even work on a grid that is three times as dirty for some hours a day."""
    low = 24 / (24 + 2 * hours)
    return lambda time_s: low * (3 if time_s % DAY_S < hours * HOUR_S else 1)


def with_a_runaway(pace: Pace, begin_s: float, end_s: float, times: float) -> Pace:
    """Add a job that alone spends so many times the even pace."""
    return lambda time_s: pace(time_s) + (times if begin_s <= time_s < end_s else 0)


@dataclass(frozen=True)
class Plan:
    """A budget and how it is spent.

    Attributes:
        period_s: length of a period; one follows another.
        pace: how fast it is spent.
        until_s: how long to look.
        step_s: time between two values.
    """

    period_s: float
    pace: Pace
    until_s: float
    step_s: int

    def series(self) -> Series:
        """Return every gauge of the hub, a value each step."""
        even_g_per_s = BUDGET_G / self.period_s
        before = round(3 * DAY_S / self.step_s)
        steps = round(self.until_s / self.step_s)
        # Grams since three days before the first period, at every step.
        total_g = [0.0]
        for step in range(-before, steps):
            middle_s = (step + 0.5) * self.step_s
            total_g.append(
                total_g[-1] + self.pace(middle_s) * even_g_per_s * self.step_s
            )

        def at(step: int) -> float:
            return total_g[step + before]

        starts = [
            step * self.step_s // self.period_s * self.period_s
            for step in range(steps + 1)
        ]
        spent = [
            at(step) - at(round(start_s / self.step_s))
            for step, start_s in enumerate(starts)
        ]
        burn = {
            window: [
                _mean(at, step, round(window_s / self.step_s) or 1)
                / (even_g_per_s * self.step_s)
                for step in range(steps + 1)
            ]
            for window, window_s in WINDOWS_S.items()
        }
        projected = [
            spent_g
            + pace * even_g_per_s * (start_s + self.period_s - step * self.step_s)
            for step, (spent_g, pace, start_s) in enumerate(
                zip(spent, burn["1h"], starts, strict=True)
            )
        ]
        times = [step * self.step_s for step in range(steps + 1)]
        gauges: dict[str, Sequence[float]] = {
            "grams": [BUDGET_G] * len(times),
            "spent_grams": spent,
            "spent_ratio": [grams / BUDGET_G for grams in spent],
            "projected_grams": projected,
            "projected_ratio": [grams / BUDGET_G for grams in projected],
            "period_start_timestamp_seconds": starts,
            "period_end_timestamp_seconds": [s + self.period_s for s in starts],
            "data_quality": [1.0] * len(times),
            "observed_timestamp_seconds": times,
        }
        return _told(gauges, burn)


def _mean(at: Callable[[int], float], step: int, length: int) -> float:
    """Return what a step of a window spends on average, g."""
    return (at(step) - at(step - length)) / length


def _told(
    gauges: Mapping[str, Sequence[float]], burn: Mapping[str, Sequence[float]]
) -> Series:
    budget = {**_HUB, "budget": "plan"}
    prefix = "jouled_carbon_budget"
    about = selector(
        f"{prefix}_info", budget, team="physics", unit="grams", period="plan"
    )
    values = {
        **{selector(f"{prefix}_{name}", budget): told for name, told in gauges.items()},
        **{
            selector(f"{prefix}_burn_rate", budget, window=window): paces
            for window, paces in burn.items()
        },
        about: [1.0] * len(gauges["grams"]),
    }
    return {
        series: " ".join(f"{value:.9g}" for value in told)
        for series, told in values.items()
    }
