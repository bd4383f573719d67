import shutil
from pathlib import Path

import pytest

from tests.deploy.budget_plans import (
    DAY_S,
    HOUR_S,
    Pace,
    Plan,
    peaking,
    swinging,
    with_a_runaway,
)
from tests.deploy.budget_stories import labels
from tests.fakes.promtool import Case, Value, assert_holds, rule_files

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool on PATH"
)

# Only these have a say; the others would be worked out a thousand times for nothing.
FILES = [file for file in rule_files() if "budgets" in file.name]
FIRING = 'ALERTS{alertstate="firing"}'
RUNAWAY_S = 12 * HOUR_S


@pytest.mark.parametrize(
    ("period_days", "step_s", "pace"),
    [
        (1, 120, swinging(0)),
        (1, 120, swinging(0.25)),
        (1, 120, swinging(0.75)),
        (1, 120, peaking(3)),
        # Nothing that swings by 1:3 gets further ahead of an even pace.
        (1, 120, peaking(9)),
        (7, 600, peaking(9)),
        (30, 3600, peaking(9)),
    ],
    ids=["rises", "begins low", "begins high", "3 h", "9 h", "week", "month"],
)
def test_work_that_follows_its_plan_is_never_told(
    period_days: float, step_s: int, pace: Pace, tmp_path: Path
) -> None:
    """Not on a grid that swings by 1:3, nor when one period follows another."""
    # Into a second period, so that its begin is seen too.
    until_s = period_days * DAY_S + max(12 * HOUR_S, 0.2 * period_days * DAY_S)
    plan = Plan(period_days * DAY_S, pace, until_s, step_s)
    minutes = round(until_s / 60)
    never = Value(minutes, f"count_over_time({FIRING}[{minutes}m])", {})

    assert_holds(Case(plan.series(), values=[never], step_s=step_s), tmp_path, FILES)


@pytest.mark.parametrize(
    ("period_days", "times"), [(1, 20), (7, 25), (30, 100), (365, 300)]
)
def test_a_runaway_job_is_told_within_ten_minutes(
    period_days: float, times: float, tmp_path: Path
) -> None:
    """While it still can be stopped; and not for long after it was."""
    pace = with_a_runaway(swinging(0), RUNAWAY_S, RUNAWAY_S + HOUR_S, times)
    plan = Plan(period_days * DAY_S, pace, RUNAWAY_S + 2 * HOUR_S, 60)
    fast = 'ALERTS{alertname="JouledBudgetBurningFast", alertstate="firing"}'
    told = {
        "alertname": "JouledBudgetBurningFast",
        "alertstate": "firing",
        "severity": "critical",
        **labels(),
        "budget": "plan",
    }
    written = "ALERTS{" + ", ".join(f'{k}="{v}"' for k, v in told.items()) + "}"
    begin = RUNAWAY_S / 60

    assert_holds(
        Case(
            plan.series(),
            values=[
                Value(begin - 1, FIRING, {}),
                Value(begin + 10, fast, {written: 1}),
                Value(begin + 60 + 10, fast, {}),
            ],
        ),
        tmp_path,
        FILES,
    )
