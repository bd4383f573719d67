"""*Budgets*: what is spent, what was planned, and where it is heading."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from grafana.jouled_dashboards import budget_details, links, look, variables
from grafana.jouled_dashboards.alerts import alert_events
from grafana.jouled_dashboards.frame import Panel, board, row
from grafana.jouled_dashboards.panels import About, graph, stat
from grafana.jouled_dashboards.queries import CLUSTER, current, graphed, tabled
from grafana.jouled_dashboards.tables import Label, Value, table

NO_BUDGET = "no budget: see docs/budgets.md, and load deploy/prometheus/rules"

_BUDGET = f'{CLUSTER}, budget=~"$budget"'
_MOST_BUDGETS = 10

_SPENT = f"cluster_budget:jouled_carbon_budget_spent:ratio{{{_BUDGET}}}"
_ELAPSED = f"cluster_budget:jouled_carbon_budget_elapsed:ratio{{{_BUDGET}}}"
_PROJECTED = f"cluster_budget:jouled_carbon_budget_projected:ratio{{{_BUDGET}}}"
_AHEAD = f"cluster_budget:jouled_carbon_budget_ahead_seconds:max{{{_BUDGET}}}"
_QUALITY = f"cluster_budget:jouled_carbon_budget_data_quality:min{{{_BUDGET}}}"
_PACE = "cluster_budget_window:jouled_carbon_budget_burn_rate:max"
_ALARM = "cluster_budget_window:jouled_carbon_budget_burn_rate:threshold"
_END = f"jouled_carbon_budget_period_end_timestamp_seconds{{{_BUDGET}}}"

_ALERTS = f'alertname=~"JouledBudget.*", {_BUDGET}'

_OF_SPENT: look.Steps = ((0.8, look.YELLOW), (1, look.RED))
_DASHED = [
    DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [6, 6]}),
    DynamicConfigValue("custom.fillOpacity", 0),
]

_ON_RED = (
    "\n\n**When it is red**: see in *Tenant and user* who spends most, ask whether it "
    "is meant to, and move work to hours of a cleaner grid (*Carbon*), put some off, "
    "or give the budget what it needs in the hub's configuration. jouled stops no job."
)


def dashboard() -> Dashboard:
    """Return the dashboard."""
    made = board(
        links.BUDGETS,
        "Budgets",
        "What is spent of each budget of CO2e, energy or money, how fast, and where it "
        "is heading. For operators and for the teams whose budgets they are. Needs a "
        "hub with budgets and record-budgets.yml.",
        [variables.datasource(), variables.cluster(), variables.budget()],
        events=[alert_events("Alerts on budgets", _ALERTS)],
        begin="now-7d",
    ).refresh("1m")
    row(made, "Now", _now())
    row(made, "All budgets", [_overview()])
    row(made, "Spent and projected", _courses())
    row(made, "Pace", _paces())
    row(made, "Alerts", budget_details.alerts(_BUDGET))
    row(made, "In their own units", budget_details.amounts(_BUDGET))
    row(made, "How far the numbers can be trusted", budget_details.data(_BUDGET))
    return made


def _now() -> list[Panel]:
    return [
        stat(
            About("Budgets", "Budgets that the hub keeps.", look.COUNT, NO_BUDGET),
            current(f"count({_SPENT})"),
            color=look.BLUE,
        ),
        stat(
            About(
                "Spent",
                "Budgets of which nothing is left in a period that is not over."
                + _ON_RED,
                look.COUNT,
                NO_BUDGET,
            ),
            current(f"sum({_SPENT} >= bool 1)"),
            color=look.GREEN,
            steps=((1, look.RED),),
        ),
        stat(
            About(
                "Heading for too much",
                "Budgets of which more than 105 % will be spent at the end of their "
                "period, if work goes on as it did lately. Early in a period that "
                "means little: the alert also wants a tenth of the period to be over."
                + _ON_RED,
                look.COUNT,
                NO_BUDGET,
            ),
            current(f"sum({_PROJECTED} > bool 1.05)"),
            color=look.GREEN,
            steps=((1, look.ORANGE),),
        ),
        stat(
            About(
                "Alerts that fire",
                "On the chosen budgets, of any severity. The table below names them.",
                look.COUNT,
                NO_BUDGET,
            ),
            current(
                f"""
                count(ALERTS{{alertstate="firing", {_ALERTS}}})
                  or
                0 * count({_SPENT})
                """
            ),
            color=look.GREEN,
            steps=((1, look.RED),),
        ),
        stat(
            About(
                "Worst data quality",
                "Of the budget whose numbers can be trusted least: the part computed "
                "on live carbon intensity, times the part of the period of which every "
                "node is known. Below 80 % alerts carry `data=estimated`.\n\n**When it "
                "is red**: see the row on data below, then *Carbon* and *Health*.",
                look.RATIO,
                NO_BUDGET,
                decimals=0,
            ),
            current(f"min({_QUALITY})"),
            color=look.RED,
            steps=((0.8, look.YELLOW), (0.95, look.GREEN)),
        ),
        stat(
            About(
                "Age of the numbers",
                "Time since the hub last added up the budget it is most behind with. "
                "\n\n**When it is red**: the hub does not reach its Prometheus, or is "
                "not answered in time; its log says which.",
                look.SECONDS,
                NO_BUDGET,
            ),
            current(
                "time() - min(max by (cluster, budget) "
                f"(jouled_carbon_budget_observed_timestamp_seconds{{{_BUDGET}}}))"
            ),
            color=look.GREEN,
            steps=((300, look.YELLOW), (900, look.RED)),
        ),
    ]


def _overview() -> Panel:
    def told(expression: str) -> str:
        return f"""
            ({expression})
              * on (cluster, budget) group_left (team, unit, period)
            cluster_budget:jouled_carbon_budget_info:data{{{_BUDGET}}}
        """

    nearest = (
        f'max by (cluster, budget) ({_PACE}{{window=~"1h|6h|1d", {_BUDGET}}}'
        f" / on (cluster, budget, window) {_ALARM}{{{_BUDGET}}})"
    )
    to_budget = links.to(
        links.BUDGETS, "Show this budget alone", budget=links.field("budget")
    )
    to_tenant = links.to(
        links.TENANT,
        "Show the tenant that is called as the team",
        tenant=links.field("team"),
    )
    return table(
        About(
            "How each budget stands",
            "**Spent**: part of the budget that is gone. **Even pace**: part of the "
            "period that is over; spending more than that is running ahead. "
            "**Projected**: part that will be gone at its end. **Ahead**: "
            "how much time ahead of an even pace. **Nearest alarm**: the pace of the "
            "last hour, six hours or day as a part of the pace that alarms; 100 % "
            "alarms. A rolling budget, of the last so many days, has no end and is "
            "never ahead." + _ON_RED,
            look.PLAIN,
            NO_BUDGET,
        ),
        [
            Label("budget", "Budget", to_budget),
            Label("team", "Team", to_tenant),
            Label("unit", "Counts", width=90),
            Label("period", "Period", width=90),
        ],
        [
            Value(
                tabled(told(_SPENT)),
                "Spent",
                look.RATIO,
                bar=True,
                color=look.GREEN,
                steps=_OF_SPENT,
                highest=1,
                decimals=1,
            ),
            Value(tabled(told(_ELAPSED)), "Even pace", look.RATIO, 110, decimals=1),
            Value(
                tabled(told(_PROJECTED)),
                "Projected",
                look.RATIO,
                110,
                color=look.GREEN,
                steps=((1, look.YELLOW), (1.05, look.RED)),
                decimals=1,
            ),
            Value(tabled(told(_AHEAD)), "Ahead", look.SECONDS, 110, decimals=1),
            Value(
                tabled(told(nearest)),
                "Nearest alarm",
                look.RATIO,
                130,
                color=look.GREEN,
                steps=((0.5, look.YELLOW), (1, look.RED)),
                decimals=0,
            ),
            Value(
                tabled(told(_QUALITY)),
                "Data quality",
                look.RATIO,
                120,
                color=look.RED,
                steps=((0.8, look.YELLOW), (0.95, look.GREEN)),
                decimals=0,
            ),
            Value(
                tabled(told(f"max by (cluster, budget) ({_END} - time() > 300)")),
                "Time left",
                look.SECONDS,
                110,
                decimals=1,
            ),
        ],
        sort_by="Spent",
        height=9,
    )


def _courses() -> list[Panel]:
    planned = {"planned .*": _DASHED}
    spent = graph(
        About(
            "Spent, and what an even pace would have spent",
            f"The {_MOST_BUDGETS} budgets of which most is spent. Below its dashed "
            "line a budget lasts until the end of its period. When a period begins "
            "both start anew." + _ON_RED,
            look.RATIO,
            NO_BUDGET,
        ),
        [
            graphed(f"topk({_MOST_BUDGETS}, {_SPENT})", "{{budget}}"),
            graphed(
                f"""
                {_ELAPSED}
                  and
                topk({_MOST_BUDGETS}, {_SPENT})
                """,
                "planned {{budget}}",
            ),
        ],
        patterns=planned,
        steps=((1, look.RED),),
        every="1m",
    )
    projected = graph(
        About(
            "Projected for the end of the period",
            "What will be spent if work goes on as it did lately: as in the last week "
            "for periods of a month and longer, as in the last day for a week. Where "
            "the hub has a forecast of the grid, it is followed. Unknown for half an "
            "hour after the first data.",
            look.RATIO,
            "nothing is projected yet",
        ),
        [graphed(f"topk({_MOST_BUDGETS}, {_PROJECTED})", "{{budget}}")],
        steps=((1.05, look.RED),),
        every="1m",
    )
    return [spent, projected]


def _paces() -> list[Panel]:
    return [
        _pace(long, short, alert)
        for long, short, alert in (
            ("1h", "5m", "JouledBudgetBurningFast"),
            ("6h", "30m", "JouledBudgetBurning"),
            ("1d", "2h", "JouledBudgetBurningSteadily"),
        )
    ]


def _pace(long: str, short: str, alert: str) -> Panel:
    most = f'topk(5, {_PACE}{{window="{long}", {_BUDGET}}})'
    return graph(
        About(
            f"Pace of the last {long} and {short}",
            "1 spends exactly the budget in its period. The five that were fastest in "
            f"the last {long}. `{alert}` fires while both windows are above the dashed "
            "line, which follows the length of the period; a period that is too short "
            f"for {long} has none.\n\n**When it is above**: something runs that the "
            "budget was not made for. *Tenant and user* shows whose it is.",
            look.PACE,
            NO_BUDGET,
        ),
        [
            graphed(most, f"{{{{budget}}}} {long}"),
            graphed(
                f"""
                {_PACE}{{window="{short}", {_BUDGET}}}
                  and on (cluster, budget)
                {most}
                """,
                f"{{{{budget}}}} {short}",
            ),
            graphed(
                f"""
                {_ALARM}{{window="{long}", {_BUDGET}}}
                  and on (cluster, budget)
                {most}
                """,
                "alarm {{budget}}",
            ),
        ],
        width=8,
        patterns={"alarm .*": [look.fixed(look.RED), *_DASHED]},
        every="1m",
    )
