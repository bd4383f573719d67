"""The rows of *Budgets* on alerts, on amounts, and on what the numbers are worth."""

from grafana.jouled_dashboards import look
from grafana.jouled_dashboards.alerts import alert_table, alert_timeline
from grafana.jouled_dashboards.frame import Panel
from grafana.jouled_dashboards.panels import About, graph
from grafana.jouled_dashboards.queries import CLUSTER, graphed, kwh, tabled
from grafana.jouled_dashboards.tables import Label, Value, table

_MOST_BUDGETS = 10


def alerts(budget: str) -> list[Panel]:
    """Return the row on alerts; ``budget`` selects the budgets."""
    selector = f'alertname=~"JouledBudget.*", {budget}'
    return [
        alert_table(
            "Alerts on budgets",
            "What fires, and what will if it goes on. docs/alerts.md has a section on "
            "each: what it means, and what to do.",
            selector,
            [
                Label("budget", "Budget"),
                Label("team", "Team"),
                Label("data", "Data", width=90),
            ],
            14,
        ),
        alert_timeline(
            "When alerts on budgets fired",
            "One line for each alert and budget. An alert that comes and goes has a "
            "cause that comes and goes: look for a job that starts at those times.",
            selector,
            "alertname, budget",
            10,
        ),
    ]


def amounts(budget: str) -> list[Panel]:
    """Return the row on amounts; ``budget`` selects the budgets."""
    kinds = (
        ("CO2e", "jouled_carbon_budget{}_grams", look.GRAMS, ""),
        ("energy", "jouled_energy_budget{}_joules", look.KWH, ""),
        ("money", "jouled_cost_budget{}", look.PLAIN, ", currency"),
    )
    return [_amounts(budget, *kind) for kind in kinds]


def _amounts(budget: str, what: str, metric: str, unit: str, by: str) -> Panel:
    def told(part: str) -> str:
        series = f"{metric.format(part)}{{{budget}}}"
        expression = f"max by (cluster, budget{by}) ({series})"
        return kwh(expression) if unit == look.KWH else expression

    currency = [Label("currency", "Currency", width=80)] if by else []
    return table(
        About(
            f"Budgets of {what}",
            "What is allowed in the period, what is spent of it, and what will be at "
            "its end.",
            unit,
            f"no budget of {what}",
        ),
        [Label("budget", "Budget"), *currency],
        [
            Value(tabled(told("")), "Allowed", unit),
            Value(tabled(told("_spent")), "Spent", unit),
            Value(tabled(told("_projected")), "Projected", unit),
            Value(tabled(f"{told('')} - {told('_spent')}"), "Left", unit),
        ],
        sort_by="Allowed",
        width=8,
        height=8,
    )


def data(budget: str) -> list[Panel]:
    """Return the row on data; ``budget`` selects the budgets."""
    return [
        graph(
            About(
                "Data quality",
                "The worst budgets. Live carbon intensity times complete data: what "
                "was computed on fallback figures, and time in which nodes were not "
                "known, lower it.\n\n**Below 80 %**: see *Carbon* for the share on "
                "fallback data, and *Health* for nodes that are silent.",
                look.RATIO,
                "no budget",
            ),
            [
                graphed(
                    f"bottomk({_MOST_BUDGETS}, cluster_budget:"
                    f"jouled_carbon_budget_data_quality:min{{{budget}}})",
                    "{{budget}}",
                )
            ],
            width=8,
            highest=1,
            steps=((0.8, look.RED),),
            every="1m",
        ),
        graph(
            About(
                "Refreshes of the hub",
                "How often the hub added up all budgets, by what it came to. Anything "
                "but *ok*: the hub does not reach its Prometheus (*unavailable*), may "
                "not ask it (*denied*), asks for more than it answers (*overload*), or "
                "does not understand it (*nonsense*). The numbers stay as they were, "
                "and are made up for later.",
                look.PER_HOUR,
                "no hub with budgets",
            ),
            [
                graphed(
                    "sum by (outcome) (rate(jouled_carbon_budget_refreshes_total"
                    f"{{{CLUSTER}}}[$__rate_interval])) * 3600",
                    "{{outcome}}",
                )
            ],
            width=8,
            stacked=True,
            series={"ok": [look.fixed(look.GREEN)]},
        ),
        graph(
            About(
                "Time a refresh takes",
                "Mostly Prometheus reading its last minutes. If it comes near the "
                "interval of refreshes (a minute by default), make that longer.",
                look.SECONDS,
                "no hub with budgets",
            ),
            [
                graphed(
                    "max by (cluster) (jouled_carbon_budget_refresh_duration_seconds"
                    f"{{{CLUSTER}}})",
                    "{{cluster}}",
                )
            ],
            width=8,
            steps=((60, look.RED),),
        ),
    ]
