import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.peers import Prometheus, started
from tests.e2e.waiting import until
from tests.fakes.alerting import quickened
from tests.fakes.command_line import REPOSITORY
from tests.fakes.played_metrics import played_metrics
from tests.fakes.promtool import RULES

FEDERATION = REPOSITORY / "deploy" / "prometheus" / "federation"
JOB = 'scheduler="slurm",job_id="7",user="ada",account="physics"'
TENANT = 'scheduler="slurm",tenant="physics",user="ada"'

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="needs prometheus on PATH"
    ),
]


def node(power_w: float) -> str:
    """Return what a node tells that has a part of one job."""
    energy_j = power_w * (time.monotonic() + 1e6)
    return "\n".join(
        [
            f"jouled_node_power_watts {power_w}",
            'jouled_devices_missing{component="gpu"} 1',
            f"jouled_node_energy_joules_total {energy_j}",
            f'jouled_job_power_watts{{{JOB},component="gpu"}} {power_w}',
            f"jouled_job_emissions_grams_total{{{JOB}}} 5",
            f"jouled_job_gpus{{{JOB}}} 4",
            f"jouled_job_gpu_utilization_ratio{{{JOB}}} {power_w / 1000}",
            f"jouled_tenant_energy_joules_total{{{TENANT}}} {energy_j}",
            f"jouled_tenant_energy_joules_created{{{TENANT}}} 1000",
            'jouled_carbon_intensity_fallback_level{zone="DE"} 1',
            "",
        ]
    )


def hurried(
    config: dict[str, Any], folder: Path, targets: Mapping[str, Sequence[str]]
) -> str:
    """Return a configuration with other times, addresses and places of rules."""
    config["global"] |= {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    folder.mkdir()
    for place in config["rule_files"]:
        for file in (FEDERATION / place, RULES / Path(place).name):
            if file.exists():
                text = quickened(file.read_text(encoding="utf-8"))
                (folder / file.name).write_text(text, encoding="utf-8")
    config["rule_files"] = [f"{folder}/*.yml"]
    config.pop("alerting", None)
    config["scrape_configs"] = [
        {**job, "static_configs": [{"targets": list(targets[job["job_name"]])}]}
        for job in config["scrape_configs"]
        if job["job_name"] in targets
    ]
    return yaml.safe_dump(config)


def shard(number: int, port: int, folder: Path) -> Prometheus:
    """Return a Prometheus with one node and the rules of a shard."""
    config: dict[str, Any] = {
        "global": {"external_labels": {"shard": str(number)}},
        "rule_files": [
            "record-nodes.yml",
            "record-tenants.yml",
            "record-jobs.yml",
            "alert-nodes.yml",
        ],
        "scrape_configs": [{"job_name": "jouled"}],
    }
    text = hurried(config, folder / f"rules{number}", {"jouled": [f"127.0.0.1:{port}"]})
    return Prometheus(folder / f"shard{number}", text)


@pytest.fixture(scope="module")
def above(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Return the Prometheus above two shards, with a node each."""
    folder = tmp_path_factory.mktemp("federation")
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(played_metrics(lambda: node(300))),
            stack.enter_context(played_metrics(lambda: node(500))),
        ]
        shards = [
            stack.enter_context(started(shard(number, port, folder)))
            for number, port in enumerate(nodes)
        ]
        config = yaml.safe_load((FEDERATION / "prometheus.yml").read_text())
        addresses = [server.url.removeprefix("http://") for server in shards]
        text = hurried(config, folder / "rules", {"jouled-shards": addresses})
        server = Prometheus(folder / "above", text)
        yield stack.enter_context(started(server))


def one(server: Prometheus, expression: str) -> float | None:
    """Return the only value of an expression, ``None`` if there is none yet."""
    found = server.query_now(expression)
    assert len(found) <= 1, found
    return found[0][1] if found else None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cluster:jouled_up:sum", 2),
        ("cluster:jouled_node_power_watts:sum", 800),
        ("cluster_component:jouled_devices_missing:sum", 2),
        ("cluster_zone:jouled_carbon_intensity_fallback_level:max", 1),
        ("cluster_job:jouled_job_nodes:count", 2),
        ("cluster_job:jouled_job_power_watts:sum", 800),
        ("cluster_job:jouled_job_gpu_utilization:ratio", 0.4),
        # The job is on both shards.
        ("cluster_scheduler:jouled_jobs:count", 1),
    ],
)
def test_sums_of_shards_are_those_of_one_server(
    name: str, expected: float, above: Prometheus
) -> None:
    """Under the same names, and with nothing left of where they came from."""
    until(lambda: one(above, name) == pytest.approx(expected), f"{name}, {expected}")

    (labels, _) = above.query_now(name)[0]
    assert not {"shard", "job", "instance"} & set(labels)


def test_rates_are_summed_from_both_shards(above: Prometheus) -> None:
    """They grow until their window is full, so only their parts are compared."""
    name = "cluster_tenant_user:jouled_tenant_energy_joules:rate5m"
    more = f"{name} > 1.5 * max without (shard) (shard_{name})"

    until(lambda: one(above, more), "more than the larger shard has")


def test_counters_of_tenants_come_along_with_their_nodes(above: Prometheus) -> None:
    """The hub adds budgets up from them, node by node."""
    count = "count(jouled_tenant_energy_joules_total)"
    until(lambda: one(above, count) == 2, "the counters")

    found = above.query_now("jouled_tenant_energy_joules_total")
    assert {labels["job"] for labels, _ in found} == {"jouled"}
    assert len({labels["instance"] for labels, _ in found}) == 2
    assert one(above, "count(jouled_tenant_energy_joules_created)") == 2
    assert one(above, "count(jouled_node_power_watts)") is None
