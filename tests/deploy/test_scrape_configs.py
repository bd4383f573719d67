import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.peers import Prometheus, started
from tests.e2e.waiting import until
from tests.fakes.command_line import REPOSITORY
from tests.fakes.played_metrics import OPENMETRICS, played_metrics
from tests.fakes.promtool import promtool

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
SCRAPES = sorted((PROMETHEUS / "scrape").glob("*.yml"))
KUBERNETES = PROMETHEUS / "scrape" / "kubernetes.yml"
FIXTURES = REPOSITORY / "tests" / "fixtures" / "exposition"
CONFIGS = [
    PROMETHEUS / "prometheus.yml",
    PROMETHEUS / "remote-write.yml",
    PROMETHEUS / "federation" / "prometheus.yml",
    *SCRAPES,
]

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool on PATH"
)


def read(file: Path) -> Any:  # noqa: ANN401 - as YAML is
    """Parse a configuration."""
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def uncommented(file: Path) -> str:
    """Switch on the settings that are there as comments, without a space."""
    text = file.read_text(encoding="utf-8")
    return re.sub(r"^( *)#(\S|  )", r"\1\2", text, flags=re.MULTILINE)


def without_kubernetes(configuration: str) -> str:
    """Put a list of targets in the place of Kubernetes.

    Not every build of Prometheus has it, Debian's for one, and none of ours here.
    """
    document = yaml.safe_load(configuration)
    for job in document.get("scrape_configs", []):
        if job.pop("kubernetes_sd_configs", None) is not None:
            job["file_sd_configs"] = [{"files": [f"{job['job_name']}.yml"]}]
    return yaml.safe_dump(document)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_promtool_accepts_each_configuration(file: Path, tmp_path: Path) -> None:
    """They are what people begin with."""
    if file == KUBERNETES:
        file = tmp_path / file.name
        file.write_text(without_kubernetes(KUBERNETES.read_text(encoding="utf-8")))

    done = promtool("check", "config", file)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_promtool_accepts_what_is_commented_out(file: Path, tmp_path: Path) -> None:
    """Encryption and passwords, which nobody wants to find out by trial."""
    whole = tmp_path / file.name
    whole.write_text(without_kubernetes(uncommented(file)))

    done = promtool("check", "config", "--syntax-only", whole)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", SCRAPES, ids=lambda file: file.stem)
def test_jobs_have_the_names_that_the_rules_look_for(file: Path) -> None:
    """With other names no node would ever be silent, and no hub down."""
    jobs = {job["job_name"] for job in read(file)["scrape_configs"]}

    assert "jouled" in jobs
    assert jobs <= {"jouled", "jouled-hub"}


@pytest.mark.parametrize("file", SCRAPES, ids=lambda file: file.stem)
def test_when_counters_began_is_kept_of_tenants_alone(file: Path) -> None:
    """The hub reads it for budgets; a second series for each of a job's is waste."""
    (nodes, *_) = read(file)["scrape_configs"]

    (drop,) = nodes["metric_relabel_configs"]

    assert drop["action"] == "drop"
    assert re.fullmatch(drop["regex"], "jouled_job_energy_joules_created")
    assert not re.fullmatch(drop["regex"], "jouled_tenant_energy_joules_created")
    assert not re.fullmatch(drop["regex"], "jouled_job_energy_joules_total")


def pod(port: int, **labels: str) -> dict[str, Any]:
    """Return a port of a pod as Kubernetes tells of it."""
    meta = {
        "pod_phase": "Running",
        "pod_container_port_number": str(port),
        "pod_node_name": "worker1",
        "pod_name": "jouled-x7k2p",
        "namespace": "monitoring",
        **labels,
    }
    return {
        "targets": [f"10.1.2.3:{port}"],
        "labels": {f"__meta_kubernetes_{key}": value for key, value in meta.items()},
    }


@pytest.mark.timeout(300)
def test_pods_become_targets_that_are_named_after_their_node(tmp_path: Path) -> None:
    """Nothing of the daemon's own pod may be taken for whose energy it is."""
    text = without_kubernetes(KUBERNETES.read_text(encoding="utf-8"))
    server = Prometheus(tmp_path / "prometheus", text)
    nodes = [
        pod(9878),
        pod(9878, pod_node_name="worker2", pod_annotation_prometheus_io_scheme="https"),
        pod(9878, pod_node_name="worker3", pod_annotation_prometheus_io_scrape="false"),
        pod(9878, pod_node_name="worker4", pod_phase="Succeeded"),
        pod(8080, pod_node_name="worker5"),
    ]
    folder = tmp_path / "prometheus"
    (folder / "jouled.yml").write_text(yaml.safe_dump(nodes))
    (folder / "jouled-hub.yml").write_text(yaml.safe_dump([pod(9879)]))

    with started(server):
        targets = until(lambda: found(server, 3), "three targets")

    nodes_found = {"cluster": "main", "job": "jouled"}
    assert targets == {
        "http://10.1.2.3:9878/metrics": {**nodes_found, "instance": "worker1"},
        "https://10.1.2.3:9878/metrics": {**nodes_found, "instance": "worker2"},
        "http://10.1.2.3:9879/metrics": {
            "cluster": "main",
            "job": "jouled-hub",
            "instance": "jouled-x7k2p",
        },
    }


@pytest.mark.timeout(300)
def test_labels_of_jobs_and_created_timestamps_arrive_as_told(tmp_path: Path) -> None:
    """What a node tells in OpenMetrics, scraped as the configuration says."""
    told = (FIXTURES / "rich.openmetrics").read_text(encoding="utf-8")
    config = read(PROMETHEUS / "prometheus.yml")
    (nodes, _) = config["scrape_configs"]
    with played_metrics(lambda: told, OPENMETRICS) as port:
        nodes["static_configs"][0]["targets"] = [f"127.0.0.1:{port}"]
        text = yaml.safe_dump(
            {"global": {"scrape_interval": "1s"}, "scrape_configs": [nodes]}
        )
        with started(Prometheus(tmp_path / "prometheus", text)) as server:
            rows = until(
                lambda: server.query_now('jouled_job_gpus{scheduler="kubernetes"}'),
                "the job of a pod",
            )
            names = set(server.names())

    assert rows[0][0]["namespace"]
    assert rows[0][0]["pod"]
    assert "jouled_tenant_energy_joules_created" in names
    assert "jouled_job_energy_joules_total" in names
    assert "jouled_job_energy_joules_created" not in names


def found(server: Prometheus, count: int) -> dict[str, dict[str, str]] | None:
    """Return labels of all targets by address, once there are so many."""
    targets = {one["scrapeUrl"]: one["labels"] for one in server.targets()}
    return targets if len(targets) >= count else None
