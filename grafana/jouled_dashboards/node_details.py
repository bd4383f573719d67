"""The rows of *Node* on its devices, on carbon and on where its numbers come from."""

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from grafana.jouled_dashboards import look
from grafana.jouled_dashboards.frame import Panel
from grafana.jouled_dashboards.panels import About, bars, graph, stat
from grafana.jouled_dashboards.queries import NODE, current, graphed, tabled
from grafana.jouled_dashboards.tables import Label, Value, table

_GPU = f"on (cluster, instance, device) group_left (index) jouled_gpu_info{{{NODE}}}"


def devices() -> list[Panel]:
    """Return the row on devices."""
    no_gpu = "no GPU, or its driver does not answer"
    return [
        graph(
            About(
                "Power of each GPU",
                "As its driver tells. The mean over the last sampling interval.",
                look.WATTS,
                no_gpu,
            ),
            [
                graphed(
                    f'jouled_device_power_watts{{{NODE}, component="gpu"}} * {_GPU}',
                    "GPU {{index}}",
                )
            ],
            width=8,
        ),
        graph(
            About(
                "Use of each GPU",
                "Part of the time a kernel ran on the GPU. It says nothing about how "
                "much of the GPU the kernel used.",
                look.RATIO,
                no_gpu,
            ),
            [
                graphed(
                    f"jouled_gpu_utilization_ratio{{{NODE}}} * {_GPU}", "GPU {{index}}"
                )
            ],
            width=8,
            highest=1,
        ),
        graph(
            About(
                "CPU and memory devices",
                "Packages and memory as RAPL or a model tells them, and the node's own "
                "meter less all other devices as *platform*.",
                look.WATTS,
            ),
            [
                graphed(
                    "rate(jouled_device_energy_joules_total"
                    f'{{{NODE}, component!="gpu"}}[$__rate_interval])',
                    "{{component}} {{device}}",
                )
            ],
            width=8,
        ),
        table(
            About(
                "GPUs",
                "What each GPU is and does now. The power limit is the one in force.",
                look.PLAIN,
                no_gpu,
            ),
            [
                Label("index", "GPU", width=70),
                Label("model", "Model"),
                Label("device", "Device"),
                Label("driver", "Driver", width=120),
            ],
            [
                Value(
                    tabled(_of_gpu('jouled_device_power_watts{@, component="gpu"}')),
                    "Power",
                    look.WATTS,
                    bar=True,
                    color=look.COMPONENTS["gpu"],
                ),
                Value(
                    tabled(_of_gpu("jouled_gpu_power_limit_watts{@}")),
                    "Limit",
                    look.WATTS,
                    width=90,
                ),
                Value(
                    tabled(_of_gpu("jouled_gpu_utilization_ratio{@}")),
                    "Use",
                    look.RATIO,
                    bar=True,
                    color=look.BLUE,
                    highest=1,
                ),
                Value(
                    tabled(
                        _of_gpu(
                            "jouled_gpu_memory_used_bytes{@}"
                            " / jouled_gpu_memory_total_bytes{@}"
                        )
                    ),
                    "Memory",
                    look.RATIO,
                    bar=True,
                    color=look.TEAL,
                    highest=1,
                ),
                Value(
                    tabled(_of_gpu("jouled_gpu_temperature_celsius{@}")),
                    "Temperature",
                    look.CELSIUS,
                    width=110,
                    color=look.GREEN,
                    steps=((75, look.YELLOW), (85, look.RED)),
                ),
            ],
            height=8,
            pages=False,
            clusters=False,
        ),
    ]


def _of_gpu(expression: str) -> str:
    """Write what is known of GPUs with their names; ``@`` stands for the node."""
    told = expression.replace("@", NODE)
    return (
        f"sum by (device, index, model, driver) (({told})"
        " * on (cluster, instance, device) group_left (index, model, driver)"
        f" jouled_gpu_info{{{NODE}}})"
    )


def carbon() -> list[Panel]:
    """Return the row on carbon."""
    return [
        graph(
            About(
                "Carbon intensity in force",
                "What a kilowatt-hour emits, as the node reckons now: averages of the "
                "grid, with the zone and who tells it.",
                look.INTENSITY,
            ),
            [
                graphed(
                    "avg by (zone, provider) (jouled_carbon_intensity_grams_per_kwh"
                    f'{{{NODE}, signal="average"}})',
                    "{{zone}} ({{provider}})",
                )
            ],
        ),
        graph(
            About(
                "CO2e",
                "Grams an hour: power times intensity times PUE. *on fallback data* is "
                "the part for which no live intensity was known.",
                look.GRAMS_PER_HOUR,
            ),
            [
                graphed(
                    "sum(rate(jouled_node_emissions_grams_total"
                    f"{{{NODE}}}[$__rate_interval])) * 3600",
                    "all",
                ),
                graphed(
                    "sum(rate(jouled_node_emissions_fallback_grams_total"
                    f"{{{NODE}}}[$__rate_interval])) * 3600",
                    "on fallback data",
                ),
            ],
            series={
                "all": [look.fixed(look.GREEN)],
                "on fallback data": [look.fixed(look.ORANGE)],
            },
        ),
    ]


def sources() -> list[Panel]:
    """Return the row on sources and the daemon."""
    named = (
        "on (cluster, instance, source) "
        "group_left (component, method, quality, scope) jouled_source_info"
    )
    by = "source, component, method, quality, scope"
    quality = look.words(
        {
            "measured": ("measured", look.GREEN),
            "estimated": ("estimated", look.ORANGE),
            "simulated": ("simulated", look.RED),
            "none": ("nothing measured", look.TEXT),
        }
    )
    answers = look.words({"1": ("up", look.GREEN), "0": ("down", look.RED)})

    def told(expression: str) -> str:
        return f"sum by ({by}) ({expression} * {named}{{{NODE}}})"

    errors = f"increase(jouled_source_errors_total{{{NODE}}}[$__range])"
    return [
        table(
            About(
                "Sources",
                "Where every number comes from. *measured*: a meter tells it. "
                "*estimated*: it is computed from something else, such as the use of "
                "the CPUs in a virtual machine; take it as a hint. *simulated*: made "
                "up by `jouled simulate`. A source that is down has no numbers at "
                "all: missing is not zero.",
                look.PLAIN,
            ),
            [
                Label("source", "Source"),
                Label("component", "Component", width=110),
                Label("method", "Method", width=110),
                Label("quality", "Quality", width=110, mappings=quality),
                Label("scope", "Scope", width=90),
            ],
            [
                Value(
                    tabled(told(f"jouled_source_up{{{NODE}}}")),
                    "Answers",
                    look.PLAIN,
                    width=90,
                    mappings=answers,
                    color=look.RED,
                    steps=((1, look.GREEN),),
                ),
                Value(
                    tabled(told(f"sum by (cluster, instance, source) ({errors})")),
                    "Failed in this time",
                    look.COUNT,
                    width=150,
                    color=look.TEXT,
                    steps=((1, look.ORANGE),),
                    decimals=0,
                ),
                Value(
                    tabled(told(f"jouled_source_read_duration_seconds{{{NODE}}}")),
                    "Last read took",
                    look.SECONDS,
                    width=130,
                ),
            ],
            width=16,
            clusters=False,
        ),
        bars(
            About(
                "Idle power",
                "What a component would draw with nothing to do. *learned*: from the "
                "lowest power seen at each load. *modelled*: what the model of a CPU "
                "without a meter takes for it. *assumed*: nothing is known yet, and "
                "all energy counts as caused by work.",
                look.WATTS,
            ),
            [
                current(
                    f"sum by (component, method) (jouled_idle_power_watts{{{NODE}}})",
                    "{{component}} ({{method}})",
                )
            ],
            color=look.REASONS["idle"],
            height=10,
        ),
        stat(
            About(
                "Time not measured",
                "Time in this range whose energy could not be measured and is in no "
                "counter, of the component with the most of it.",
                look.SECONDS,
            ),
            current(
                f"max(increase(jouled_unmeasured_seconds_total{{{NODE}}}[$__range]))"
            ),
            width=6,
            height=9,
            color=look.GREEN,
            steps=((1, look.YELLOW), (60, look.RED)),
        ),
        graph(
            About(
                "The daemon itself",
                "How long it took to read all sources, and how old its last sample is.",
                look.SECONDS,
            ),
            [
                graphed(f"max(jouled_sample_duration_seconds{{{NODE}}})", "reading"),
                graphed(
                    f"time() - min(jouled_sample_timestamp_seconds{{{NODE}}})",
                    "age of the sample",
                ),
            ],
            width=10,
            series={
                "age of the sample": [
                    DynamicConfigValue("custom.axisPlacement", "right")
                ]
            },
        ),
        graph(
            About(
                "What the daemon costs",
                "CPU time of jouled on this node, as a part of one CPU.",
                look.RATIO,
                decimals=2,
            ),
            [
                graphed(
                    "sum(rate(process_cpu_seconds_total"
                    f'{{{NODE}, job="jouled"}}[$__rate_interval]))',
                    "CPU",
                )
            ],
            width=8,
            legend="list",
        ),
    ]
