import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.chart import (
    CHART,
    HUB,
    Chart,
    Rendered,
    merged,
    of_path,
    pod_of,
    read_manifests,
)
from tests.fakes.command_line import REPOSITORY

RULES = sorted((REPOSITORY / "deploy" / "prometheus" / "rules").glob("*.yml"))
DASHBOARDS = [
    path
    for path in sorted((REPOSITORY / "grafana").rglob("*.json"))
    if "panels" in json.loads(path.read_text())
]
SCRAPES = yaml.safe_load(
    (REPOSITORY / "deploy" / "prometheus" / "scrape" / "kubernetes.yml")
    .read_text()
    # The operator writes some names in another way.
    .replace("source_labels", "sourceLabels")
)["scrape_configs"]
BY_HAND = {each["job_name"]: each for each in SCRAPES}
ALL_ON = merged(
    HUB,
    of_path("monitoring.labels", {"release": "prometheus"}),
    of_path("monitoring.rules.enabled", value=True),
    of_path("monitoring.dashboards.enabled", value=True),
)
SECRET = {"name": "jouled-prometheus", "key": "user"}


def monitors(chart: Chart, kind: str, **more: object) -> Rendered:
    """Render with one kind of monitors."""
    return chart.objects(merged(ALL_ON, {"monitoring": {"kind": kind, **more}}))


def endpoint_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the only thing that a monitor scrapes."""
    spec = manifest["spec"]
    [endpoint] = spec.get("podMetricsEndpoints", spec.get("endpoints"))
    return dict(endpoint)


@pytest.mark.parametrize("kind", ["podMonitor", "serviceMonitor"])
def test_a_monitor_makes_the_labels_that_the_rules_look_for(
    chart: Chart, kind: str
) -> None:
    """Another name of the job, or namespace and pod of the daemon, and no rule fits."""
    made = monitors(chart, kind, cluster="berlin").of_kind(kind[0].upper() + kind[1:])

    jobs = {}
    for name, manifest in made.items():
        endpoint = endpoint_of(manifest)
        rules = endpoint["relabelings"]
        targets = {each.get("targetLabel"): each for each in rules}
        jobs[name] = targets["job"]["replacement"]
        assert targets["cluster"]["replacement"] == "berlin"
        assert rules[-1]["action"] == "labeldrop"
        assert {"namespace", "pod"} < set(rules[-1]["regex"].split("|"))
        by_hand = BY_HAND[jobs[name]]
        dropped = by_hand.get("metric_relabel_configs")
        assert endpoint.get("metricRelabelings") == dropped
        assert endpoint["port"] == "http"
        assert manifest["metadata"]["labels"]["release"] == "prometheus"
        assert set(manifest["spec"]) == {
            *("namespaceSelector", "selector"),
            "podMetricsEndpoints" if kind == "podMonitor" else "endpoints",
        }
    assert jobs == {"jouled-node": "jouled", "jouled-hub": "jouled-hub"}
    node = {
        each.get("targetLabel"): each
        for each in endpoint_of(made["jouled-node"])["relabelings"]
    }
    # A series goes on when another pod measures the same node.
    assert node["instance"]["sourceLabels"] == ["__meta_kubernetes_pod_node_name"]


def test_a_monitor_speaks_tls_and_shows_a_password_by_reference(chart: Chart) -> None:
    """Prometheus has to get through what keeps everybody else out."""
    web = {"secretName": "web", "tls": True, "authentication": True}
    values = merged(
        ALL_ON,
        of_path("node.web", web),
        of_path("monitoring.kind", "podMonitor"),
        of_path("monitoring.nodeTlsConfig", {"ca": {"secret": SECRET}}),
        of_path("monitoring.nodeBasicAuth", {"username": SECRET, "password": SECRET}),
    )

    made = chart.objects(values)

    node = endpoint_of(made.one("PodMonitor", "jouled-node"))
    hub = endpoint_of(made.one("PodMonitor", "jouled-hub"))
    assert node["scheme"] == "https"
    assert node["tlsConfig"] == {"ca": {"secret": SECRET}}
    assert node["basicAuth"] == {"username": SECRET, "password": SECRET}
    assert (hub["scheme"], "tlsConfig" in hub, "basicAuth" in hub) == (
        *("http", False, False),
    )


def test_without_an_operator_nothing_of_its_kinds_is_made(default: Rendered) -> None:
    """An API server that does not know a kind refuses the whole release."""
    assert not [each for each in default if "coreos" in each["apiVersion"]]


@pytest.mark.parametrize(("tls", "scheme"), [(True, "https"), (False, "http")])
def test_who_finds_pods_by_their_labels_finds_those_of_the_chart(
    chart: Chart, *, tls: bool, scheme: str
) -> None:
    """That is the way without an operator that deploy/prometheus has an example of."""
    values = merged(HUB, of_path("node.web", {"secretName": "web", "tls": tls}))

    rendered = chart.objects(values)

    for job, kind in (("jouled", "DaemonSet"), ("jouled-hub", "Deployment")):
        pod = pod_of(rendered.one(kind))
        [found] = BY_HAND[job]["kubernetes_sd_configs"]
        wanted = dict(
            each.split("=") for each in found["selectors"][0]["label"].split(",")
        )
        ports = [
            each["regex"]
            for each in BY_HAND[job]["relabel_configs"]
            if "port_number" in str(each.get("sourceLabels"))
        ]
        assert wanted.items() <= pod["metadata"]["labels"].items()
        [port] = pod["spec"]["containers"][0]["ports"]
        assert ports == [str(port["containerPort"])]
    annotations = pod_of(rendered.one("DaemonSet"))["metadata"]["annotations"]
    assert annotations["prometheus.io/scheme"] == scheme
    assert "prometheus.io/scrape" not in annotations


@pytest.mark.parametrize(("tls", "scheme"), [(True, "https"), (False, "http")])
def test_annotations_tell_where_the_metrics_are(
    chart: Chart, *, tls: bool, scheme: str
) -> None:
    """That is all a Prometheus without an operator goes by."""
    values = merged(
        HUB,
        of_path("monitoring.kind", "annotations"),
        of_path("node.web", {"secretName": "web", "tls": tls}),
    )

    made = chart.objects(values)

    found = [
        {
            key.removeprefix("prometheus.io/"): text
            for key, text in pod_of(made.one(kind))["metadata"]["annotations"].items()
            if key.startswith("prometheus.io/")
        }
        for kind in ("DaemonSet", "Deployment")
    ]
    assert found == [
        {"scrape": "true", "port": "9878", "path": "/metrics", "scheme": scheme},
        {"scrape": "true", "port": "9879", "path": "/metrics", "scheme": "http"},
    ]


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool: scripts/system-packages.sh"
)
def test_the_rules_of_the_chart_are_those_of_prometheus(
    chart: Chart, tmp_path: Path
) -> None:
    """Whoever alerts by the operator gets the same alerts as whoever does not."""
    made = monitors(chart, "none").of_kind("PrometheusRule")

    assert set(made) == {f"jouled-{path.stem}" for path in RULES}
    for path in RULES:
        manifest = made[f"jouled-{path.stem}"]
        assert manifest["spec"] == yaml.safe_load(path.read_text())
        assert manifest["metadata"]["labels"]["release"] == "prometheus"
        file = tmp_path / path.name
        file.write_text(yaml.safe_dump(manifest["spec"]))
        done = subprocess.run(
            ["promtool", "check", "rules", file],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_rules_can_be_left_out_by_their_files(chart: Chart) -> None:
    """A Prometheus that adds up clusters needs no alerts on nodes."""
    left_out = [path.stem for path in RULES[:1]]
    values = of_path("monitoring.rules", {"enabled": True, "exclude": left_out})

    made = chart.objects(values).of_kind("PrometheusRule")

    assert set(made) == {f"jouled-{path.stem}" for path in RULES[1:]}


def test_every_dashboard_is_there_for_grafanas_sidecar(chart: Chart) -> None:
    """It looks for a label, and takes the file as it is, braces and all."""
    values = merged(
        ALL_ON,
        of_path(
            "monitoring.dashboards",
            {"namespace": "grafana", "annotations": {"grafana_folder": "Energy"}},
        ),
    )

    made = chart.objects(values).of_kind("ConfigMap")

    files = {
        name: text
        for each in made.values()
        if each["metadata"]["labels"].get("grafana_dashboard") == "1"
        for name, text in each["data"].items()
        if each["metadata"]["namespace"] == "grafana"
        and each["metadata"]["annotations"] == {"grafana_folder": "Energy"}
    }
    assert files == {path.name: path.read_text() for path in DASHBOARDS}
    # What the API server refuses, with all else of the object around it.
    assert all(len(text) < 900_000 for text in files.values())


def test_grafana_is_told_of_prometheus_as_by_the_provisioning_file(
    chart: Chart,
) -> None:
    """With the scrape interval: rates over less than four of them have gaps."""
    file = REPOSITORY / "grafana" / "provisioning" / "datasources" / "jouled.yml"
    by_hand = yaml.safe_load(file.read_text())["datasources"][0]
    url = "http://prometheus.monitoring:9090"
    values = {"monitoring": {"datasource": {"url": url, "namespace": "grafana"}}}

    made = chart.objects(values).of_kind("ConfigMap")["jouled-datasource"]

    assert made["metadata"]["namespace"] == "grafana"
    assert made["metadata"]["labels"]["grafana_datasource"] == "1"
    [told] = yaml.safe_load(made["data"]["jouled.yaml"])["datasources"]
    assert told == {**by_hand, "url": url}
    assert "jouled-datasource" not in chart.objects({}).of_kind("ConfigMap")


def test_a_dashboard_that_comes_to_the_chart_is_found(
    chart: Chart, tmp_path: Path
) -> None:
    """Whatever is in the folder, however deep, and no other JSON."""
    copy = tmp_path / "jouled"
    shutil.copytree(CHART, copy)
    grafana = copy / "files" / "grafana"
    (grafana / "dashboards").mkdir(exist_ok=True)
    dashboard = json.dumps({"panels": [{"legendFormat": "{{instance}} $x"}]})
    (grafana / "dashboards" / "made-up.json").write_text(dashboard)
    (grafana / "made-up-provisioning.json").write_text('{"apiVersion": 1}')

    rendered = Chart(chart.helm, chart.home, copy).objects(ALL_ON)

    made = rendered.of_kind("ConfigMap")
    assert made["jouled-dashboard-made-up"]["data"] == {"made-up.json": dashboard}
    assert "jouled-dashboard-made-up-provisioning" not in made


def test_a_package_needs_nothing_of_the_repository(
    chart: Chart, packaged: Path, default: Rendered
) -> None:
    """It is handed on as one file, in which a link would lead nowhere."""
    with tarfile.open(packaged) as archive:
        names = {each.name: each.isfile() for each in archive.getmembers()}

    alone = Chart(chart.helm, chart.home, packaged)
    assert list(alone.objects()) == list(default)
    assert list(alone.objects(ALL_ON)) == list(chart.objects(ALL_ON))
    assert all(names.values())
    files = {name.removeprefix("jouled/files/") for name in names if "/files/" in name}
    assert {Path(name).suffix for name in files} <= {".yml", ".json", ".py"}
    assert "jouled/README.md" in names


def test_what_is_read_has_the_form_that_helm_writes() -> None:
    """The tests would pass on nothing at all, if nothing were found."""
    assert read_manifests("---\na: 1\n---\n") == [{"a": 1}]
