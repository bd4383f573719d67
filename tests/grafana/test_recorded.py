import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from grafana.jouled_dashboards import cluster_series
from grafana.jouled_dashboards.queries import (
    NODES_RULES_S,
    TENANTS_RULES_S,
    kwh,
    recorded_sum,
)
from tests.deploy.stories import NODE, ramps, selector
from tests.fakes.promtool import RULES, Case, Value, assert_holds
from tests.grafana.reading import replace_variables

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool on PATH"
)


OF_ONE_SERVER = sorted(RULES.glob("record-*.yml"))
OF_SHARDS = [RULES.parent / "federation" / "sums.yml"]


def intervals_of(series: str, files: Sequence[Path]) -> set[str]:
    """Return how often rules whose names hold ``series`` are evaluated."""
    groups = [
        group
        for file in files
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    ]
    return {
        str(group["interval"])
        for group in groups
        for rule in group["rules"]
        if series in rule["record"]
    }


@pytest.mark.parametrize("files", [OF_ONE_SERVER, OF_SHARDS], ids=["one", "shards"])
def test_the_dashboards_know_how_often_rules_are_evaluated(
    files: Sequence[Path],
) -> None:
    """A sum over recorded power times another interval would be another energy.

    Also above shards, whose sums have the names of the rules of one server.
    """
    nodes = intervals_of(":jouled_node_energy_joules:", files)
    tenants = intervals_of(":jouled_tenant_energy_joules:", files)

    assert nodes == {f"{NODES_RULES_S}s"}
    assert tenants == {f"{TENANTS_RULES_S // 60}m"}


@needs_promtool
def test_energy_of_today_is_what_the_counters_grew_by(tmp_path: Path) -> None:
    """Also over a reboot, and with a node that is new: neither is a jump.

    An hour ends five minutes after everything rests, because recorded power is a mean
    of five minutes: 1 kW for an hour and another for half of it.
    """
    energy = "jouled_node_energy_joules_total"
    series = {
        selector(energy, NODE, instance="n1:9878"): (
            ramps((30_000, 60), begin=1e9) + " " + ramps((30_000, 60), (0, 80))
        ),
        selector(energy, NODE, instance="n2:9878"): (
            "_x60 " + ramps((30_000, 60), (0, 80), begin=5e8)
        ),
    }
    asked = kwh(f"sum({recorded_sum(cluster_series.ENERGY, NODES_RULES_S)})")
    plain = replace_variables(asked, {"cluster": ".*", "__range": "70m"})

    told = Value(70, f"round({plain}, 0.05)", {"{}": 1.5})
    assert_holds(Case(series, values=(told,), step_s=NODES_RULES_S), tmp_path)
