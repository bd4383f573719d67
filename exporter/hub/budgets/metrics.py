"""Every metric of the budgets, once: what alerts and dashboards are written on.

Ratios are there for budgets of every kind, so that one alert serves them all and
names none of them; amounts are in the unit of the budget, which stands in the
name of the metric.
"""

from exporter.exposition.metric import Metric, counter, gauge, info

_BUDGET = ("budget",)
_COST = ("budget", "currency")

# --- every budget -----------------------------------------------------------

SPENT_RATIO = gauge(
    "jouled_carbon_budget_spent_ratio",
    _BUDGET,
    "Part of a budget that is spent in its period; 1 is all of it.",
)
PROJECTED_RATIO = gauge(
    "jouled_carbon_budget_projected_ratio",
    _BUDGET,
    "Part of a budget that will be spent at the end of its period, if work goes on "
    "as it did lately.",
)
BURN_RATE = gauge(
    "jouled_carbon_budget_burn_rate",
    (*_BUDGET, "window"),
    "How fast a budget was spent in a recent window; 1 spends exactly all of it in a "
    "period.",
)
PERIOD_START = gauge(
    "jouled_carbon_budget_period_start_timestamp_seconds",
    _BUDGET,
    "Unix time at which the period of a budget began.",
)
PERIOD_END = gauge(
    "jouled_carbon_budget_period_end_timestamp_seconds",
    _BUDGET,
    "Unix time at which the period of a budget ends; of a rolling one, the time of "
    "the last refresh.",
)
DATA_QUALITY = gauge(
    "jouled_carbon_budget_data_quality",
    _BUDGET,
    "How far the numbers of a budget can be trusted, from 0 to 1: the part computed "
    "on live intensity times the part of the period with complete data.",
)
OBSERVED = gauge(
    "jouled_carbon_budget_observed_timestamp_seconds",
    _BUDGET,
    "Unix time of which the numbers of a budget speak: its last refresh that "
    "succeeded.",
)
INFO = info(
    "jouled_carbon_budget_info",
    (*_BUDGET, "unit", "team", "period"),
    "What a budget is counted in, whose it is and its period; its value is always 1.",
)

# --- budgets of grams -------------------------------------------------------

CARBON = gauge(
    "jouled_carbon_budget_grams",
    _BUDGET,
    "CO2e that a budget allows in its period.",
)
CARBON_SPENT = gauge(
    "jouled_carbon_budget_spent_grams",
    _BUDGET,
    "CO2e, location-based, that counts against a budget in its period.",
)
CARBON_PROJECTED = gauge(
    "jouled_carbon_budget_projected_grams",
    _BUDGET,
    "CO2e that will count against a budget at the end of its period.",
)

# --- budgets of energy ------------------------------------------------------

ENERGY = gauge(
    "jouled_energy_budget_joules",
    _BUDGET,
    "Energy that a budget allows in its period.",
)
ENERGY_SPENT = gauge(
    "jouled_energy_budget_spent_joules",
    _BUDGET,
    "Energy that counts against a budget in its period.",
)
ENERGY_PROJECTED = gauge(
    "jouled_energy_budget_projected_joules",
    _BUDGET,
    "Energy that will count against a budget at the end of its period.",
)

# --- budgets of money -------------------------------------------------------

COST = gauge(
    "jouled_cost_budget",
    _COST,
    "Money that a budget allows for energy in its period, in units of its currency.",
)
COST_SPENT = gauge(
    "jouled_cost_budget_spent",
    _COST,
    "Money for energy that counts against a budget in its period.",
)
COST_PROJECTED = gauge(
    "jouled_cost_budget_projected",
    _COST,
    "Money for energy that will count against a budget at the end of its period.",
)

# --- how they are counted ---------------------------------------------------

REFRESHES = counter(
    "jouled_carbon_budget_refreshes_total",
    ("outcome",),
    "Refreshes of all budgets from Prometheus, by what they came to (ok, unavailable, "
    "overload, denied, nonsense, failed).",
)
REFRESH_DURATION = gauge(
    "jouled_carbon_budget_refresh_duration_seconds",
    (),
    "How long the last refresh of all budgets took.",
)

# In the order of a scrape.
BUDGET_METRICS: tuple[Metric, ...] = (
    SPENT_RATIO,
    PROJECTED_RATIO,
    BURN_RATE,
    PERIOD_START,
    PERIOD_END,
    DATA_QUALITY,
    OBSERVED,
    INFO,
    CARBON,
    CARBON_SPENT,
    CARBON_PROJECTED,
    ENERGY,
    ENERGY_SPENT,
    ENERGY_PROJECTED,
    COST,
    COST_SPENT,
    COST_PROJECTED,
    REFRESHES,
    REFRESH_DURATION,
)
