"""Stories about budgets, told by the gauges of a hub."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.deploy.stories import CLUSTER, Calm, Stay, Story, selector, steps
from tests.fakes.promtool import Series, Told

_DAY_S = 86400
_HUB = {"cluster": "main", "instance": "hub:9879", "job": "jouled-hub"}
_LONG = 2000
_BUDGET_G = 200_000


@dataclass(frozen=True)
class Budget:
    """A budget of 200 kg as a hub tells it; values are in promtool's notation.

    Attributes:
        days: length of the period.
        day: how far into it the story begins, days.
        spent: part of it that is spent.
        projected: part of it that will be.
        burn: pace by window, 1 for an even one.
        quality: part that rests on live data.
        observed: when it was computed, Unix time, s.
    """

    days: float = 30
    day: float = 10
    spent: Sequence[Stay] = ((0.3, _LONG),)
    projected: Sequence[Stay] = ((0.9, _LONG),)
    burn: dict[str, str] = field(default_factory=dict)
    quality: str = f"1+0x{_LONG}"
    observed: str = f"0+60x{_LONG}"
    instance: str = "hub:9879"
    team: str = "physics"

    def series(self) -> Series:
        """Return what the hub exports of it."""
        budget = {**_HUB, "instance": self.instance, "budget": "gpu-2026"}
        begin_s = -self.day * _DAY_S
        end_s = begin_s + self.days * _DAY_S
        period = "jouled_carbon_budget_period"
        told = {
            selector("jouled_carbon_budget_grams", budget): f"{_BUDGET_G}+0x{_LONG}",
            selector(f"{period}_start_timestamp_seconds", budget): (
                f"{begin_s:.0f}+0x{_LONG}"
            ),
            selector(f"{period}_end_timestamp_seconds", budget): (
                f"{end_s:.0f}+0x{_LONG}"
            ),
            selector("jouled_carbon_budget_data_quality", budget): self.quality,
            selector("jouled_carbon_budget_observed_timestamp_seconds", budget): (
                self.observed
            ),
            selector(
                "jouled_carbon_budget_info",
                budget,
                team=self.team,
                unit="grams",
                period="month",
            ): f"1+0x{_LONG}",
        }
        for what, stays in (("spent", self.spent), ("projected", self.projected)):
            name = f"jouled_carbon_budget_{what}"
            grams = [(_grams(part), minutes) for part, minutes in stays]
            told[selector(f"{name}_ratio", budget)] = steps(*stays)
            told[selector(f"{name}_grams", budget)] = steps(*grams)
        for window, values in self.burn.items():
            name = "jouled_carbon_budget_burn_rate"
            told[selector(name, budget, window=window)] = values
        return told


def _grams(part: float | None) -> float | None:
    return None if part is None else part * _BUDGET_G


def labels(data: str = "live") -> dict[str, str]:
    """Return the labels that every alert on this budget has."""
    return {
        **CLUSTER,
        "budget": "gpu-2026",
        "team": "physics",
        "unit": "grams",
        "data": data,
    }


def _numbers(spent: str, projected: str, elapsed: str) -> str:
    percent = float(spent.rstrip("k")) * 1000 / _BUDGET_G * 100
    return (
        f"{spent} of 200k grams spent ({percent:.4g}%), {projected} projected, "
        f"{elapsed} of the period over"
    )


STORIES = (
    Story(
        # 2 % of 30 days' budget in an hour is 14.4 times the even pace.
        alert="JouledBudgetBurningFast",
        series=Budget(
            burn={
                "1h": steps((1, 30), (14, 30), (15, 30), (14.5, 30)),
                "5m": steps((1, 20), (90, 70), (1, 30)),
            }
        ).series(),
        silent=59,
        fires=61,
        told=[
            Told(
                labels(),
                "Budget gpu-2026 went 15 times as fast as its even pace in the last "
                "hour",
                _numbers("60k", "90%", "33.47%"),
            )
        ],
        resolved=92,
    ),
    Story(
        # 5 % in six hours; two hubs tell the same, and it is said once.
        alert="JouledBudgetBurning",
        series={
            **Budget(
                burn={
                    "6h": steps((5.9, 30), (6.1, 60), (5.9, 30)),
                    "30m": steps((8, 120)),
                }
            ).series(),
            **Budget(
                burn={
                    "6h": steps((5.9, 30), (6.1, 60), (5.9, 30)),
                    "30m": steps((8, 120)),
                },
                instance="hub2:9879",
            ).series(),
        },
        silent=34,
        fires=60,
        told=[
            Told(
                labels(),
                "Budget gpu-2026 went 6.1 times as fast as its even pace in the last "
                "6 hours",
                _numbers("60k", "90%", "33.47%"),
            )
        ],
        resolved=92,
    ),
    Story(
        # 10 % in a day. Less than 80 % of it rests on live data, and the alert says so.
        alert="JouledBudgetBurningSteadily",
        series=Budget(
            burn={
                "1d": steps((2.9, 30), (3.5, 60), (2.9, 30)),
                "2h": steps((4, 120)),
            },
            quality=steps((0.7, 120)),
        ).series(),
        silent=40,
        fires=60,
        told=[
            Told(
                labels("estimated"),
                "Budget gpu-2026 went 3.5 times as fast as its even pace in the last "
                "day",
                _numbers("60k", "90%", "33.47%"),
            )
        ],
        resolved=92,
    ),
    Story(
        alert="JouledBudgetOverspendProjected",
        series=Budget(
            spent=((0.4, 300),), projected=((0.9, 60), (1.3, 120), (0.9, 120))
        ).series(),
        silent=85,
        fires=120,
        told=[
            Told(
                labels(),
                "Budget gpu-2026 is heading for 130% of itself",
                _numbers("80k", "130%", "33.61%"),
            )
        ],
        resolved=182,
    ),
    Story(
        # A rolling budget is never ahead of time, but may be on its way beyond.
        alert="JouledBudgetOverspendProjected",
        series=Budget(
            day=30,
            spent=((0.8, 300),),
            projected=((1, 60), (1.3, 120), (0.9, 120)),
        ).series(),
        silent=100,
        fires=150,
        told=[
            Told(
                labels(),
                "Budget gpu-2026 is heading for 130% of itself",
                _numbers("160k", "130%", "100.3%"),
            )
        ],
        resolved=182,
    ),
    Story(
        alert="JouledBudgetHalfSpent",
        series=Budget(spent=((0.49, 30), (0.55, 60), (0.1, 30))).series(),
        silent=30,
        fires=60,
        told=[
            Told(
                labels(),
                "Half of budget gpu-2026 is spent, ahead of time",
                _numbers("110k", "90%", "33.47%"),
            )
        ],
        resolved=92,
    ),
    Story(
        alert="JouledBudgetNearlySpent",
        series=Budget(spent=((0.79, 30), (0.85, 60), (0.1, 30))).series(),
        silent=30,
        fires=60,
        told=[
            Told(
                labels(),
                "80 % of budget gpu-2026 is spent, ahead of time",
                _numbers("170k", "90%", "33.47%"),
            )
        ],
        resolved=92,
    ),
    Story(
        alert="JouledBudgetSpent",
        series=Budget(
            spent=((0.999, 30), (1.25, 60), (0.1, 30)),
            projected=((1.6, 120),),
        ).series(),
        silent=30,
        fires=60,
        told=[
            Told(
                labels(),
                "Budget gpu-2026 is spent",
                _numbers("250k", "160%", "33.47%"),
            )
        ],
        resolved=92,
    ),
    Story(
        alert="JouledBudgetDataMissing",
        series=Budget(spent=((0.3, 31), (None, 60), (0.3, 30))).series(),
        silent=35,
        fires=60,
        told=[Told(labels(), "Nobody knows what is spent of budget gpu-2026")],
        resolved=95,
    ),
    Story(
        alert="JouledBudgetDataStale",
        series=Budget(observed="0+60x30 1800+0x60 5460+60x30").series(),
        silent=44,
        fires=60,
        told=[
            Told(
                labels(),
                "What is spent of budget gpu-2026 was last computed 30m 0s ago",
            )
        ],
        resolved=95,
    ),
    Story(
        alert="JouledBudgetDataEstimated",
        series=Budget(quality=steps((0.9, 30), (0.6, 120), (0.9, 30))).series(),
        silent=60,
        fires=120,
        told=[
            Told(
                labels("estimated"),
                "Only 60% of what counts against budget gpu-2026 rests on live and "
                "complete data",
            )
        ],
        resolved=152,
    ),
)

CALMS = (
    Calm(
        alert="JouledBudgetBurningFast",
        because="a burst that is over is no news, and neither is one that began now",
        series=Budget(
            burn={
                "1h": steps((20, 60), (1, 60)),
                "5m": steps((1, 60), (90, 60)),
            }
        ).series(),
        minutes=120,
    ),
    Calm(
        alert="JouledBudgetBurning",
        because="a budget for twelve hours is gone before six hours say anything",
        series=Budget(
            days=0.5,
            day=0.1,
            burn={"6h": steps((9, 240)), "30m": steps((9, 240))},
        ).series(),
        minutes=240,
    ),
    Calm(
        alert="JouledBudgetBurningSteadily",
        because="a week's budget may go up and down from day to day",
        series=Budget(
            days=7,
            day=3,
            burn={"1d": steps((1.9, 240)), "2h": steps((2.5, 240))},
        ).series(),
        minutes=240,
    ),
    Calm(
        alert="JouledBudgetOverspendProjected",
        because="a projection of the first days is a guess, and 104 % is on target",
        series={
            **Budget(day=1, spent=((0.2, 600),), projected=((3, 600),)).series(),
            **{
                series.replace("gpu-2026", "cpu-2026"): values
                for series, values in Budget(
                    spent=((0.5, 600),), projected=((1.04, 600),)
                )
                .series()
                .items()
            },
        },
        minutes=600,
    ),
    Calm(
        alert="JouledBudgetHalfSpent",
        because="half of it is to be spent when half of the time is over",
        series=Budget(day=15, spent=((0.51, 240),)).series(),
        minutes=240,
    ),
    Calm(
        alert="JouledBudgetNearlySpent",
        because="most of it is to be spent at the end",
        series=Budget(day=27, spent=((0.91, 240),)).series(),
        minutes=240,
    ),
    Calm(
        alert="JouledBudgetNearlySpent",
        because="a rolling budget that is kept is always nearly spent",
        series=Budget(day=30, spent=((0.97, 240),), projected=((1, 240),)).series(),
        minutes=240,
    ),
    Calm(
        alert="JouledBudgetSpent",
        because="it is there to be used to the last gram",
        series=Budget(day=29.8, spent=((0.999, 240),)).series(),
        minutes=240,
    ),
    Calm(
        alert="JouledBudgetDataMissing",
        because="a hub that starts reads the past for some minutes",
        series=Budget(spent=((None, 10), (0.3, 100))).series(),
        minutes=110,
    ),
    Calm(
        alert="JouledBudgetDataStale",
        because="the hub computes every few minutes",
        series=Budget(observed=steps((0, 10), (600, 10), (1200, 10))).series(),
        minutes=29,
    ),
    Calm(
        alert="JouledBudgetDataEstimated",
        because="a provider that is away for an evening makes a month no estimate",
        series=Budget(quality=steps((0.97, 240))).series(),
        minutes=240,
    ),
)
