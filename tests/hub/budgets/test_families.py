import re
from pathlib import Path

import pytest

from exporter.core.units import Ratio
from exporter.exposition.render import Renderer
from exporter.hub.budgets.api_models import budgets_answer
from exporter.hub.budgets.families import budget_families
from exporter.hub.budgets.metrics import BUDGET_METRICS
from exporter.hub.budgets.period import Span
from exporter.hub.budgets.status import BudgetStatus, Standing
from tests.e2e.exposition import Scrape
from tests.fakes.budget_world import DAYS_30, MONTH_BEGIN_S, budget

DOCUMENT = Path(__file__).parents[3] / "docs" / "budgets.md"
PREFIX = "jouled_carbon_budget"


def standing(*statuses: BudgetStatus) -> Standing:
    """Say how budgets stand."""
    return Standing(statuses, refreshes={"ok": 3, "denied": 0}, duration_s=1.5)


def known(amount: str) -> BudgetStatus:
    """Say how a budget stands of which all is known."""
    return BudgetStatus(
        budget("b", amount, DAYS_30),
        MONTH_BEGIN_S,
        Span(MONTH_BEGIN_S - 30 * 86400.0, MONTH_BEGIN_S),
        spent=250.0,
        projected=500.0,
        burn_rates={"5m": 2.0, "1h": 1.5},
        live=Ratio(0.8),
        complete=Ratio(0.5),
    )


def scrape(*statuses: BudgetStatus) -> Scrape:
    """Write and read the metrics."""
    families = budget_families(standing(*statuses))
    return Scrape(Renderer().render(families, "text"))


@pytest.mark.parametrize(
    ("amount", "unit", "names", "more"),
    [
        ("1kg", "grams", (f"{PREFIX}_grams", f"{PREFIX}_spent_grams"), {}),
        (
            "1kJ",
            "joules",
            ("jouled_energy_budget_joules", "jouled_energy_budget_spent_joules"),
            {},
        ),
        (
            "1000EUR",
            "EUR",
            ("jouled_cost_budget", "jouled_cost_budget_spent"),
            {"currency": "EUR"},
        ),
    ],
)
def test_every_budget_has_ratios_and_amounts_in_its_unit(
    amount: str, unit: str, names: tuple[str, str], more: dict[str, str]
) -> None:
    """Alerts need no unit, and people get theirs."""
    found = scrape(known(amount))

    assert found.value(f"{PREFIX}_spent_ratio", budget="b") == 0.25
    assert found.value(f"{PREFIX}_projected_ratio", budget="b") == 0.5
    assert found.value(f"{PREFIX}_burn_rate", budget="b", window="1h") == 1.5
    assert found.value(f"{PREFIX}_data_quality", budget="b") == pytest.approx(0.4)
    assert found.value(f"{PREFIX}_observed_timestamp_seconds") == MONTH_BEGIN_S
    assert found.value(f"{PREFIX}_period_end_timestamp_seconds") == MONTH_BEGIN_S
    (info,) = found.series(f"{PREFIX}_info")
    assert info == (
        {"budget": "b", "unit": unit, "team": "physics", "period": "30d"},
        1.0,
    )
    assert found.value(names[0], budget="b", **more) == 1000.0
    assert found.value(names[1], budget="b", **more) == 250.0
    amounts = [name for name, _ in found.samples("jouled_") if "_ratio" not in name]
    assert len([n for n in amounts if re.search(r"grams|joules|cost", n)]) == 3


def test_what_is_not_known_is_absent() -> None:
    """A budget whose past is still being read has spent an unknown sum, not none."""
    found = scrape(BudgetStatus(budget("b")))

    assert found.series(f"{PREFIX}_grams") != []
    assert found.series(f"{PREFIX}_info") != []
    assert found.value(f"{PREFIX}_data_quality", budget="b") == 0.0
    for name in (
        "spent_ratio",
        "spent_grams",
        "projected_grams",
        "burn_rate",
        "observed_timestamp_seconds",
        "period_start_timestamp_seconds",
    ):
        assert found.series(f"{PREFIX}_{name}") == []


def test_the_api_tells_the_same() -> None:
    """With the unit beside the amounts, and null where nothing is known."""
    answer = budgets_answer(standing(known("1kg"), BudgetStatus(budget("c"))), 5.0)

    one, other = answer.budgets
    assert (one.kind, one.unit, one.amount, one.spent) == (
        "carbon",
        "grams",
        1e3,
        250.0,
    )
    assert (one.remaining, one.spent_ratio, one.emissions) == (
        750.0,
        0.25,
        "location-based",
    )
    assert one.selector == "jouled_tenant_emissions_grams_total"
    assert other.spent is other.remaining is other.observed_unix_s is None
    assert other.burn_rates == {}


def test_the_documentation_names_every_metric() -> None:
    """Alerts are written on that page."""
    text = DOCUMENT.read_text(encoding="utf-8")

    for metric in BUDGET_METRICS:
        # Some share a row, with what they have in common left out.
        end = metric.name.rpartition("budget")[2]
        assert metric.name in text or f"…{end}" in text
