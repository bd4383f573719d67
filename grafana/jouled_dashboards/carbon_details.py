"""The rows of *Carbon* on forecasts, on where figures come from, and on fetches."""

from collections.abc import Mapping

from grafana.jouled_dashboards import look
from grafana.jouled_dashboards.frame import Panel
from grafana.jouled_dashboards.panels import About, bars, graph
from grafana.jouled_dashboards.queries import current, graphed, tabled
from grafana.jouled_dashboards.tables import Label, Value, table
from grafana.jouled_dashboards.timelines import timeline

LEVELS: Mapping[str, tuple[str, str]] = {
    "0": ("live", look.GREEN),
    "1": ("last good", look.YELLOW),
    "2": ("yearly, of the zone", look.ORANGE),
    "3": ("yearly, of the world", look.RED),
}
LEVEL_STEPS: look.Steps = ((1, look.YELLOW), (2, look.ORANGE), (3, look.RED))

_NO_FORECAST = "no forecast: not every provider has one, and some want a plan for it"
_NEEDS_HUB = "no hub: nodes ask by themselves, or use a fixed or yearly figure"
_MOST_ZONES = 10
# Distance of points where each node is asked: of thousands a finer graph is slow.
_SELDOM = "5m"
_AVERAGE = 'signal="average"'

_OUTCOMES = {
    "ok": look.GREEN,
    "stale": look.YELLOW,
    "unavailable": look.ORANGE,
    "throttled": "#C9A227",
    "denied": look.RED,
    "not_covered": "#A352CC",
    "nonsense": "#6B7A8F",
    "implausible": "#8E8E8E",
    "failed": "#B01030",
}
"""Colour of each outcome of a fetch; docs/carbon.md explains them."""


def forecasts(zone: str) -> list[Panel]:
    """Return the row on the hours to come; ``zone`` selects grid zones."""
    expected = (
        "avg by (zone, horizon) (cluster_zone_horizon:"
        f"jouled_carbon_intensity_forecast_grams_per_kwh:avg{{{zone}}})"
    )
    now = (
        "avg by (zone) (cluster_zone:"
        f"jouled_carbon_intensity_grams_per_kwh:avg{{{zone}}})"
    )
    cleaner = f"1 - {expected} / on (zone) group_left () {now}"
    return [
        graph(
            About(
                "Expected, seen from each moment",
                "What the intensity was or is expected to be so long after each "
                "moment, in the zones that are dirtiest. A line that lies below that "
                "of *now* says: later is cleaner.",
                look.INTENSITY,
                _NO_FORECAST,
            ),
            [
                graphed(f"topk({_MOST_ZONES}, {now})", "{{zone}} now"),
                graphed(
                    f"topk({3 * _MOST_ZONES}, {expected})", "{{zone}} in {{horizon}}"
                ),
            ],
            every="2m",
        ),
        table(
            About(
                "Greenest hours to come",
                "The moments of the forecast, cleanest first, and how much less a "
                "kilowatt-hour emits then than now. `jouled intensity --zone Z "
                "--window 3h` finds the best start for a job to the minute, and "
                "`sbatch --begin` waits for it.",
                look.PLAIN,
                _NO_FORECAST,
            ),
            [Label("zone", "Grid zone"), Label("horizon", "In")],
            [
                Value(
                    tabled(cleaner),
                    "Less than now",
                    look.RATIO,
                    color=look.ORANGE,
                    steps=((0, look.TEXT), (0.1, look.GREEN)),
                    decimals=0,
                ),
                Value(tabled(expected), "Expected", look.INTENSITY, decimals=0),
            ],
            sort_by="Less than now",
            width=12,
            height=9,
            clusters=False,
        ),
    ]


def provenance(level: str, zone: str) -> list[Panel]:
    """Return the row on where figures come from.

    Args:
        level: selector of recorded fallback levels of nodes.
        zone: selects grid zones.
    """
    observed = f"jouled_carbon_intensity_observed_timestamp_seconds{{{zone}}}"
    return [
        timeline(
            About(
                "On the nodes, by grid zone",
                "The worst level of any node of the zone. **Live**: what the provider "
                "told of now, or a fixed figure. **Last good**: for up to 6 hours "
                "after it fell silent. **Yearly**: the mean of the zone; of the world "
                "if no zone is configured.\n\n**When it is not live** although it is "
                "below: nodes do not reach the hub.",
                look.PLAIN,
                _NEEDS_HUB,
            ),
            [graphed(f"topk({_MOST_ZONES}, {level})", "{{zone}}")],
            look.words(LEVELS),
            steps=LEVEL_STEPS,
            every="1m",
        ),
        timeline(
            About(
                "On the hub, by grid zone",
                "The level of what the hub has to tell.\n\n**When it is not live**: no "
                "provider of the zone answers. The last row shows why.",
                look.PLAIN,
                _NEEDS_HUB,
            ),
            [
                graphed(
                    f"topk({_MOST_ZONES}, max by (cluster, zone) ("
                    "jouled_carbon_intensity_fallback_level"
                    f'{{{zone}, job="jouled-hub"}}))',
                    "{{zone}}",
                )
            ],
            look.words(LEVELS),
            steps=LEVEL_STEPS,
        ),
        timeline(
            About(
                "Provider in force",
                "Who told the figure that the hub had in force. More than one for a "
                "zone: the first in its list was silent, and the next took its place.",
                look.PLAIN,
                _NEEDS_HUB,
            ),
            [
                graphed(
                    "topk(20, group by (zone, provider) ("
                    "jouled_carbon_intensity_grams_per_kwh"
                    f'{{{zone}, {_AVERAGE}, job="jouled-hub"}}))',
                    "{{zone}} {{provider}}",
                )
            ],
            look.words({"1": ("in force", look.TEAL)}),
            color=look.TEAL,
        ),
        graph(
            About(
                "Age of the figure in force",
                "Time since the moment of which it speaks. It grows until a provider "
                "has something new, and falls back then: a saw.\n\n**When it only "
                "grows**: the provider tells nothing new, and after its time the level "
                "above falls to *last good*.",
                look.SECONDS,
                "fixed or yearly figures have no age",
            ),
            [
                graphed(
                    f"topk({_MOST_ZONES}, time() - max by (zone) ({observed}))",
                    "{{zone}}",
                )
            ],
            height=7,
            steps=((6 * 3600, look.RED),),
            every=_SELDOM,
        ),
    ]


def emissions(cluster: str) -> list[Panel]:
    """Return the row on grams; ``cluster`` selects clusters."""
    grams = f"cluster:jouled_node_emissions_grams:rate5m{{{cluster}}}"
    fallback = f"cluster:jouled_node_emissions_fallback_grams:rate5m{{{cluster}}}"
    return [
        graph(
            About(
                "CO2e, by what it rests on",
                "Grams of all nodes, with the PUE. *fallback*: computed on the last "
                "good or on a yearly figure; such grams are counted apart and never "
                "left out.",
                look.GRAMS_PER_HOUR,
            ),
            [
                graphed(f"(sum({grams}) - sum({fallback})) * 3600", "live or fixed"),
                graphed(f"sum({fallback}) * 3600", "fallback"),
            ],
            width=8,
            stacked=True,
            series={
                "live or fixed": [look.fixed(look.GREEN)],
                "fallback": [look.fixed(look.ORANGE)],
            },
            every="1m",
        ),
        graph(
            About(
                "Part that rests on fallback data",
                "Of the CO2e of the last five minutes.\n\n**When it is above the "
                "line**: budgets are marked as estimated. Repair the way to the hub or "
                "its provider.",
                look.RATIO,
            ),
            [
                graphed(
                    "topk(10, cluster:jouled_node_emissions_fallback:ratio_rate5m"
                    f"{{{cluster}}})",
                    "cluster {{cluster}}",
                )
            ],
            width=8,
            highest=1,
            steps=((0.2, look.RED),),
            every="1m",
        ),
        graph(
            About(
                "PUE",
                "What the energy of nodes is multiplied by: least, mean and greatest "
                "of all nodes. Where they differ, nodes are configured in different "
                "ways.",
                look.PLAIN,
            ),
            [
                graphed(f"{over}(jouled_pue_ratio{{{cluster}}})", title)
                for over, title in (("min", "least"), ("avg", "mean"), ("max", "most"))
            ],
            width=8,
            legend="list",
            lowest=1,
            every=_SELDOM,
        ),
    ]


def fetches(cluster: str) -> list[Panel]:
    """Return the row on providers and the hub; ``cluster`` selects clusters."""
    total = f"jouled_carbon_fetches_total{{{cluster}, "
    colors = {name: [look.fixed(color)] for name, color in _OUTCOMES.items()}
    return [
        bars(
            About(
                "Calls of the hub to providers, in this time",
                "By provider and outcome. **denied**: the token or the plan. "
                "**throttled**: it wants to be asked less. **stale**: it answered with "
                "something old. docs/carbon.md says what to do about each.",
                look.COUNT,
                _NEEDS_HUB,
            ),
            [
                current(
                    "topk(20, sum by (provider, outcome) "
                    f'(increase({total}job="jouled-hub"}}[$__range])) > 0)',
                    "{{provider}} {{outcome}}",
                )
            ],
        ),
        graph(
            About(
                "Calls of nodes to the hub",
                "By outcome, all nodes together. Each asks a few times an "
                "hour.\n\n**When much of it is not ok**: the hub is down, or "
                "unreachable from nodes.",
                look.PER_HOUR,
                "no node asks a hub",
            ),
            [
                graphed(
                    "sum by (outcome) "
                    f'(rate({total}job="jouled", provider="hub"}}[$__rate_interval]))'
                    " * 3600",
                    "{{outcome}}",
                )
            ],
            width=8,
            stacked=True,
            series=colors,
            every=_SELDOM,
        ),
        graph(
            About(
                "Answers of the hub",
                "By HTTP status. **304**: the node has it already, which is the most "
                "frequent. **404**: a zone that is not in the hub's configuration. "
                "**401**: a node without the password.",
                look.PER_HOUR,
                _NEEDS_HUB,
            ),
            [
                graphed(
                    "sum by (code) (rate(jouled_hub_intensity_requests_total"
                    f"{{{cluster}}}[$__rate_interval])) * 3600",
                    "{{code}}",
                )
            ],
            width=8,
            stacked=True,
        ),
    ]
