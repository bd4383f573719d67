"""*Carbon*: how dirty a kilowatt-hour is, who says so, and when it is cleanest."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.jouled_dashboards import carbon_details, links, look, variables
from grafana.jouled_dashboards.alerts import alert_events
from grafana.jouled_dashboards.frame import Panel, board, row
from grafana.jouled_dashboards.panels import About, graph, stat
from grafana.jouled_dashboards.queries import CLUSTER, current, graphed, tabled
from grafana.jouled_dashboards.tables import Label, Value, table

ZONE = f'{CLUSTER}, zone=~"$zone"'

NEEDS_ZONE = "no data: does Prometheus scrape jouled, with deploy/prometheus/rules?"
NEEDS_HUB = "no hub: nodes ask by themselves, or use a fixed or yearly figure"
_ALERTS = 'alertname=~"JouledIntensity.*|JouledProviderRefuses"'

_INTENSITY = f"cluster_zone:jouled_carbon_intensity_grams_per_kwh:avg{{{ZONE}}}"
_LEVEL = f"cluster_zone:jouled_carbon_intensity_fallback_level:max{{{ZONE}}}"
_GRAMS = f"cluster:jouled_node_emissions_grams:rate5m{{{CLUSTER}}}"
_FALLBACK = f"cluster:jouled_node_emissions_fallback_grams:rate5m{{{CLUSTER}}}"


def dashboard() -> Dashboard:
    """Return the dashboard."""
    made = board(
        links.CARBON,
        "Carbon",
        "The carbon intensity of each grid zone, who tells it, how much of the CO2e "
        "rests on fallback data, and the hours that are expected to be cleanest. For "
        "whoever plans work, and for operators of the hub. Needs record-nodes.yml.",
        [variables.datasource(), variables.cluster(), variables.zone()],
        events=[alert_events("Alerts on carbon", f"{CLUSTER}, {_ALERTS}")],
        begin="now-24h",
    ).refresh("1m")
    row(made, "Now", _now())
    row(made, "Carbon intensity", _intensities())
    row(made, "The hours to come", carbon_details.forecasts(ZONE))
    row(made, "Where the figures come from", carbon_details.provenance(_LEVEL, ZONE))
    row(made, "CO2e and fallback data", carbon_details.emissions(CLUSTER))
    row(made, "Providers and the hub", carbon_details.fetches(CLUSTER))
    return made


def _now() -> list[Panel]:
    return [
        stat(
            About(
                "Carbon intensity",
                "What the nodes multiply their energy by: the average intensity of the "
                "grid, mean over the chosen zones. It is not the marginal one.",
                look.INTENSITY,
                NEEDS_ZONE,
                decimals=0,
            ),
            current(f"avg({_INTENSITY})"),
            color=look.GREEN,
            steps=look.INTENSITY_STEPS,
        ),
        stat(
            About(
                "Worst source of a figure",
                "How far from live the worst zone is. **Last good**: the provider has "
                "been silent, for up to 6 hours. **Yearly**: the mean of the zone, or "
                "of the world if no zone is configured.\n\n**When it is not live**: "
                "see whether the hub reaches its providers (last row), and the nodes "
                "the hub. Grams are counted on, as estimates.",
                look.PLAIN,
                NEEDS_ZONE,
            ),
            current(f"max({_LEVEL})"),
            color=look.GREEN,
            steps=carbon_details.LEVEL_STEPS,
            mappings=look.words(carbon_details.LEVELS),
        ),
        stat(
            About(
                "CO2e on fallback data",
                "Part of the CO2e of the last five minutes that was computed on "
                "anything but live or fixed intensity.\n\n**When it is red**: the "
                "numbers may be off by as much as the grid swings, up to three times.",
                look.RATIO,
                NEEDS_ZONE,
                decimals=0,
            ),
            current(f"sum({_FALLBACK}) / sum({_GRAMS})"),
            color=look.GREEN,
            steps=look.FALLBACK_STEPS,
        ),
        stat(
            About(
                "CO2e now",
                "All nodes of the chosen clusters, as over the last five minutes, with "
                "the PUE.",
                look.GRAMS_PER_HOUR,
                NEEDS_ZONE,
            ),
            current(f"sum({_GRAMS}) * 3600"),
            color=look.BLUE,
        ),
        stat(
            About(
                "Age of the oldest figure",
                "Time since the moment of which the figure in force speaks. Most "
                "providers have a new one each 5 minutes to an hour, and some are an "
                "hour or two behind. A constant has none.",
                look.SECONDS,
                "fixed or yearly figures have no age",
            ),
            current(
                "time() - min(max by (cluster, zone) "
                f"(jouled_carbon_intensity_observed_timestamp_seconds{{{ZONE}}}))"
            ),
            color=look.GREEN,
            steps=((3 * 3600, look.YELLOW), (6 * 3600, look.RED)),
        ),
        stat(
            About(
                "PUE",
                "What the energy of nodes is multiplied by for cooling and supply: the "
                "mean over nodes. It is configured, by hour of the day if need be.",
                look.PLAIN,
                decimals=2,
            ),
            current(f"avg(jouled_pue_ratio{{{CLUSTER}}})"),
            color=look.BLUE,
        ),
    ]


def _intensities() -> list[Panel]:
    on_nodes = (
        "jouled_carbon_intensity_grams_per_kwh"
        f'{{{ZONE}, signal="average", job="jouled"}}'
    )
    return [
        graph(
            About(
                "In force on the nodes, by grid zone",
                "Average intensity, mean over the nodes of a zone. This is what grams "
                "are computed with, second by second.",
                look.INTENSITY,
                NEEDS_ZONE,
            ),
            [graphed(f"topk(10, {_INTENSITY})", "{{zone}}")],
            every="1m",
        ),
        graph(
            About(
                "By provider and signal, as the hub has it",
                "*average* is what one kilowatt-hour emits, *marginal* what one more "
                "would. Marginal intensity is advice on when to compute: it enters no "
                "counter. *lifecycle* counts plants and fuel from cradle to grave, "
                "*direct* the chimney alone: do not compare one with the other.",
                look.INTENSITY,
                NEEDS_HUB,
            ),
            [
                graphed(
                    "topk(20, max by (zone, provider, signal, factors) ("
                    "jouled_carbon_intensity_grams_per_kwh"
                    f'{{{ZONE}, job="jouled-hub"}}))',
                    "{{zone}} {{provider}} {{signal}} {{factors}}",
                )
            ],
        ),
        table(
            About(
                "In this time, by grid zone",
                "The least, mean and greatest intensity of the time range. The larger "
                "the swing, the more there is to gain by choosing the hour.",
                look.INTENSITY,
                NEEDS_ZONE,
            ),
            [Label("zone", "Grid zone")],
            [
                Value(tabled(_zones(_INTENSITY)), "Now", look.INTENSITY, decimals=0),
                *(
                    Value(
                        tabled(_zones(f"{over}_over_time({_INTENSITY}[$__range])")),
                        title,
                        look.INTENSITY,
                        decimals=0,
                    )
                    for over, title in (
                        ("min", "Least"),
                        ("avg", "Mean"),
                        ("max", "Greatest"),
                    )
                ),
            ],
            sort_by="Mean",
            width=12,
            height=8,
            clusters=False,
        ),
        table(
            About(
                "Who tells the nodes",
                "Provider and kind of the figure in force, and how many nodes use it. "
                "Two rows for one zone mean that its nodes do not agree: some do not "
                "reach the hub, or are configured in another way.",
                look.COUNT,
            ),
            [
                Label("zone", "Grid zone"),
                Label("provider", "Provider"),
                Label("factors", "Factors", width=100),
            ],
            [
                Value(
                    tabled(f"count by (zone, provider, factors) ({on_nodes})"),
                    "Nodes",
                    look.COUNT,
                    90,
                ),
                Value(
                    tabled(f"avg by (zone, provider, factors) ({on_nodes})"),
                    "Intensity",
                    look.INTENSITY,
                    decimals=0,
                ),
            ],
            sort_by="Nodes",
            width=12,
            height=8,
            clusters=False,
        ),
    ]


def _zones(expression: str) -> str:
    return f"avg by (zone) ({expression})"
