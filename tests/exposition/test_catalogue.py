import re
import subprocess

import pytest

from exporter.exposition.catalogue import CATALOGUE
from exporter.exposition.family import Family
from exporter.exposition.metric import LEVELS, Metric
from exporter.exposition.render import Renderer
from exporter.hub.catalogue import CATALOGUE as HUB_CATALOGUE

CATALOGUES = (CATALOGUE, HUB_CATALOGUE)
EVERY = [*dict.fromkeys((*CATALOGUE, *HUB_CATALOGUE))]

every_metric = pytest.mark.parametrize(
    "metric", EVERY, ids=[metric.name for metric in EVERY]
)
every_catalogue = pytest.mark.parametrize("catalogue", CATALOGUES, ids=["node", "hub"])


def test_no_two_metrics_share_a_name() -> None:
    """OpenMetrics forbids that two share a family; here not even two programs do."""
    assert len({metric.name for metric in EVERY}) == len(EVERY)
    assert len({metric.family for metric in EVERY}) == len(EVERY)


@every_metric
def test_a_metric_is_named_as_prometheus_expects(metric: Metric) -> None:
    """The name alone has to tell what it is and in which unit."""
    assert re.fullmatch(r"jouled_[a-z0-9]+(_[a-z0-9]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.type == "counter")
    assert metric.name.endswith("_info") == (metric.type == "info")
    assert metric.level in LEVELS


@every_metric
def test_a_metric_is_explained_in_a_sentence(metric: Metric) -> None:
    """A backslash or a line end would need escaping, and nobody needs either."""
    assert metric.help.endswith(".")
    assert metric.help[0].isupper() or metric.help[0].isdigit()
    assert not set(metric.help) & set("\\\n")


@every_metric
def test_labels_are_legal_and_unique(metric: Metric) -> None:
    """A label twice would make the whole scrape unreadable."""
    assert len(set(metric.labels)) == len(metric.labels)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in metric.labels)


@pytest.mark.parametrize(
    ("family", "unit"),
    [
        ("jouled_node_energy_joules_total", "joules"),
        ("jouled_carbon_intensity_grams_per_kwh", "grams_per_kwh"),
        ("jouled_job_gpus", ""),
        ("jouled_carbon_intensity_fallback_level", ""),
    ],
)
def test_the_unit_is_the_end_of_the_name(family: str, unit: str) -> None:
    """OpenMetrics refuses a unit that the name does not end in."""
    found = {metric.name: metric.unit for metric in CATALOGUE}

    assert found[family] == unit


@every_catalogue
def test_promtool_finds_nothing_to_complain_about(
    catalogue: tuple[Metric, ...],
) -> None:
    """Whatever a node has, its scrape is clean: here every metric has a sample."""
    full = [
        Family(metric, [(tuple("x" for _ in metric.labels), 1.0, None)])
        for metric in catalogue
    ]
    body = Renderer().render(full, "text")

    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=body,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.stdout + done.stderr, done.returncode) == ("", 0)
