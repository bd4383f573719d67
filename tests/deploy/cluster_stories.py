"""Stories about a cluster, its jobs, its carbon intensity and its hub."""

from tests.deploy.stories import CLUSTER, NODE, Calm, Story, ramps, selector, steps
from tests.fakes.promtool import Series, Told

_HUB = {"cluster": "main", "instance": "hub:9879", "job": "jouled-hub"}
_OTHER_HUB = {**_HUB, "instance": "hub2:9879"}
_RELOADED = selector("jouled_hub_config_last_reload_successful", _HUB)
_ZONE = {**CLUSTER, "zone": "DE"}
_LEVEL = selector("jouled_carbon_intensity_fallback_level", zone="DE")
_JOB = {
    "scheduler": "slurm",
    "job_id": "4200",
    "user": "ada",
    "account": "physics",
    "partition": "gpu",
}


def _nodes(count: int, values: str) -> Series:
    """Return whether each of some nodes is up."""
    return {
        selector("up", NODE, instance=f"n{number}:9878"): values
        for number in range(count)
    }


def _sources(instance: str, **up: str) -> Series:
    """Return the sources of a node; what is named "model" estimates."""
    series = {}
    for source, values in up.items():
        labels = {**NODE, "instance": instance, "source": source}
        quality = "estimated" if source == "model" else "measured"
        series[selector("jouled_source_up", labels)] = values
        series[selector("jouled_source_info", labels, quality=quality)] = "1+0x400"
    return series


def _gpus(instance: str, held: str, used: str) -> Series:
    """Return what a job has of the GPUs of one node, and uses of them."""
    labels = {**NODE, "instance": instance, **_JOB}
    return {
        selector("jouled_job_gpus", labels): held,
        selector("jouled_job_gpu_utilization_ratio", labels): used,
    }


def _shares(*parts: tuple[float, int]) -> Series:
    """Return a node of 600 J a minute, and what of it belongs to nobody known."""
    minutes = sum(length for _, length in parts)
    labels = {**NODE, "component": "cpu"}
    counter = "jouled_unattributed_energy_joules_total"
    return {
        selector("jouled_node_energy_joules_total"): ramps((600, minutes)),
        selector(counter, labels, reason="unknown"): ramps(*parts),
        selector(counter, labels, reason="idle"): ramps((300, minutes)),
    }


def _fetches(outcome: str, values: str) -> Series:
    """Return how often a provider answered in a certain way."""
    name = "jouled_carbon_fetches_total"
    labels = {**_HUB, "provider": "entsoe", "outcome": outcome}
    return {selector(name, labels): values}


STORIES = (
    Story(
        alert="JouledManyNodesSilent",
        series={
            **_nodes(7, steps((1, 60))),
            **{
                selector("up", NODE, instance=f"lost{number}:9878"): steps(
                    (1, 10), (0, 20), (1, 30)
                )
                for number in range(3)
            },
        },
        silent=15,
        fires=25,
        told=[Told(CLUSTER, "3 nodes of cluster main are silent")],
        resolved=32,
    ),
    Story(
        alert="JouledNodesEstimatedOnly",
        series={
            **_sources("n1:9878", model="1+0x400", rapl="1+0x400"),
            **_sources(
                "n2:9878", model="1+0x400", rapl=steps((1, 60), (0, 120), (1, 60))
            ),
        },
        silent=90,
        fires=130,
        told=[Told(CLUSTER, "Nodes of cluster main without a meter: 1")],
        resolved=185,
    ),
    Story(
        alert="JouledUnattributedShareHigh",
        series=_shares((6, 120), (270, 300), (6, 240)),
        silent=130,
        fires=330,
        told=[
            Told(
                {**CLUSTER, "reason": "unknown"},
                "45% of the energy of cluster main belongs to no job (unknown)",
            )
        ],
        resolved=600,
    ),
    Story(
        # Four GPUs on each of two nodes, busy for an hour, then left alone.
        alert="JouledGpusHeldIdle",
        series={
            **_gpus(
                "n1:9878", steps((4, 240)), steps((0.9, 60), (0.01, 120), (0.9, 60))
            ),
            **_gpus(
                "n2:9878", steps((4, 240)), steps((0.9, 60), (0.01, 120), (0.9, 60))
            ),
        },
        silent=110,
        fires=130,
        told=[
            Told(
                {**CLUSTER, **_JOB},
                "Job 4200 of ada holds 8 GPUs and has not used them for an hour",
            )
        ],
        resolved=190,
    ),
    Story(
        alert="JouledIntensityStale",
        series={_LEVEL: steps((0, 30), (1, 180), (0, 30))},
        silent=140,
        fires=170,
        told=[
            Told(
                _ZONE,
                "No live carbon intensity of DE for 2 hours; the last good one is used",
            )
        ],
        resolved=212,
    ),
    Story(
        alert="JouledIntensityLost",
        series={_LEVEL: steps((0, 30), (1, 60), (2, 60), (0, 30))},
        silent=95,
        fires=110,
        told=[
            Told(_ZONE, "Carbon intensity of DE fell back to a yearly figure (level 2)")
        ],
        resolved=152,
    ),
    Story(
        alert="JouledIntensityNotLive",
        series={
            selector("jouled_carbon_intensity_fallback_level", zone="WORLD"): steps(
                (3, 120), (0, 30)
            )
        },
        silent=50,
        fires=70,
        told=[
            Told(
                {**CLUSTER, "zone": "WORLD"},
                "Grams of cluster main rest on a yearly figure of WORLD (level 3)",
            )
        ],
        resolved=122,
    ),
    Story(
        alert="JouledProviderRefuses",
        series={
            **_fetches("ok", ramps((0.1, 60), (0, 240), (0.1, 60))),
            **_fetches("denied", steps((0, 60), (1, 300))),
        },
        silent=100,
        fires=200,
        told=[
            Told(
                {**CLUSTER, "provider": "entsoe"},
                "entsoe refuses the hub of cluster main",
            )
        ],
        resolved=310,
    ),
    Story(
        # One hub does not answer, and the other's pod is gone.
        alert="JouledHubDown",
        series={
            selector("up", _HUB): steps((1, 20), (0, 20), (1, 20)),
            selector("up", _OTHER_HUB): "1+0x10 stale",
        },
        silent=22,
        fires=30,
        told=[Told(CLUSTER, "The hub of cluster main is down")],
        resolved=42,
    ),
    Story(
        alert="JouledHubReloadRefused",
        series={_RELOADED: steps((1, 10), (0, 20), (1, 20))},
        silent=12,
        fires=20,
        told=[Told(_HUB, "hub:9879 goes on with its old configuration")],
        resolved=32,
    ),
)

CALMS = (
    Calm(
        alert="JouledManyNodesSilent",
        because="two nodes of three are no cluster that fell over",
        series={
            **_nodes(1, steps((1, 60))),
            selector("up", NODE, instance="lost1:9878"): steps((0, 60)),
            selector("up", NODE, instance="lost2:9878"): steps((0, 60)),
        },
        minutes=60,
    ),
    Calm(
        alert="JouledNodesEstimatedOnly",
        because="a model beside a meter fills a gap only",
        series=_sources("n1:9878", model="1+0x400", rapl="1+0x400"),
        minutes=240,
    ),
    Calm(
        alert="JouledUnattributedShareHigh",
        because="an idle cluster is no mystery, and a burst of unknown work passes",
        series=_shares((6, 120), (270, 30), (6, 240)),
        minutes=390,
    ),
    Calm(
        alert="JouledGpusHeldIdle",
        because="a job that has just begun loads its data, and one that waits goes on",
        series={
            **_gpus("n1:9878", steps((4, 55)) + " stale", steps((0, 55)) + " stale"),
            **{
                series.replace("4200", "4201"): values
                for series, values in _gpus(
                    "n1:9878", steps((4, 240)), steps((0.9, 60), (0, 50), (0.9, 130))
                ).items()
            },
        },
        minutes=240,
    ),
    Calm(
        alert="JouledIntensityStale",
        because="a provider may be away for an hour",
        series={_LEVEL: steps((0, 30), (1, 90), (0, 60))},
        minutes=180,
    ),
    Calm(
        alert="JouledIntensityLost",
        because="where nobody asks a provider nothing is lost",
        series={_LEVEL: steps((2, 600))},
        minutes=600,
    ),
    Calm(
        alert="JouledIntensityNotLive",
        because="the last good value is told elsewhere",
        series={_LEVEL: steps((0, 60), (1, 300))},
        minutes=360,
    ),
    Calm(
        alert="JouledProviderRefuses",
        because="a token that was renewed is accepted",
        series={
            **_fetches("ok", ramps((0, 3), (0.1, 400))),
            **_fetches("denied", steps((1, 400))),
        },
        minutes=400,
    ),
    Calm(
        alert="JouledHubDown",
        because="one of two hubs is enough",
        series={
            selector("up", _HUB): steps((1, 120)),
            selector("up", _OTHER_HUB): steps((1, 20), (0, 100)),
        },
        minutes=120,
    ),
    Calm(
        alert="JouledHubReloadRefused",
        because="a typing error that is repaired at once needs no word",
        series={_RELOADED: steps((1, 10), (0, 3), (1, 20))},
        minutes=33,
    ),
)
