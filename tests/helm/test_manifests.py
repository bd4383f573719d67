import json
from typing import Any

import pytest

from tests.fakes.chart import (
    EVERYTHING,
    HUB,
    NAMESPACE,
    NEWEST,
    OLDEST,
    Chart,
    Manifest,
    Rendered,
    merged,
    of_path,
    pod_of,
)
from tests.fakes.kubernetes_schemas import assert_valid


def test_helm_has_nothing_to_say_about_the_chart(chart: Chart) -> None:
    """Its linter knows mistakes that render without an error."""
    values = chart.home / "everything.json"
    values.write_text(json.dumps(EVERYTHING))

    for more in ((), ("--values", values)):
        done = chart.run("lint", "--strict", chart.path, *more)

        assert done.returncode == 0, done.stdout + done.stderr
        assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("kubernetes", [OLDEST, "1.30", "1.31", NEWEST])
def test_each_version_of_kubernetes_takes_all_that_the_chart_can_say(
    chart: Chart, kubernetes: str
) -> None:
    """A field that a version does not know is an error there, or silently dropped."""
    assert_valid(chart.objects({}, kubernetes), kubernetes)
    assert_valid(chart.objects(EVERYTHING, kubernetes), kubernetes)


def test_an_older_kubernetes_is_refused(chart: Chart) -> None:
    """Nobody has tried."""
    done = chart.template({}, "1.27")

    assert done.returncode != 0
    assert "kubeVersion" in done.stderr


def test_two_objects_never_have_the_same_name(chart: Chart) -> None:
    """The second would silently replace the first."""
    found = [
        (each["kind"], each["metadata"]["name"]) for each in chart.objects(EVERYTHING)
    ]

    assert len(found) == len(set(found))


def test_everything_of_a_namespace_says_which(chart: Chart) -> None:
    """Those who apply the output of helm template would spread it else."""
    for manifest in chart.objects(EVERYTHING):
        if not manifest["kind"].startswith("ClusterRole"):
            assert manifest["metadata"]["namespace"] == NAMESPACE


def test_selectors_find_their_own_pods_and_no_others(chart: Chart) -> None:
    """A hub is not asked for the metrics of nodes, nor the other way round."""
    rendered = chart.objects(EVERYTHING)
    labels = {
        name: pod_of(each)["metadata"]["labels"].items()
        for kind in ("DaemonSet", "Deployment")
        for name, each in rendered.of_kind(kind).items()
    }
    selectors = {
        f"{each['kind']} {name}": wanted
        for each in rendered
        for name in [each["metadata"]["name"]]
        for wanted in [_selector_of(each)]
        if wanted
    }

    assert len(selectors) == 9
    for owner, wanted in selectors.items():
        found = {name for name, own in labels.items() if wanted.items() <= own}
        assert found == {owner.split()[1]}, owner


def _selector_of(manifest: Manifest) -> dict[str, str]:
    spec = manifest.get("spec", {})
    selector = spec.get("selector", spec.get("podSelector", {}))
    return dict(selector.get("matchLabels", selector))


def test_a_long_name_of_a_release_leaves_room_for_what_follows(chart: Chart) -> None:
    """Kubernetes takes names of up to 63 characters."""
    values = merged(EVERYTHING, of_path("fullnameOverride", "x" * 42))

    names = [each["metadata"]["name"] for each in chart.objects(values)]

    assert max(map(len, names)) <= 63


def test_by_default_there_is_a_daemon_on_every_node_and_nothing_else(
    default: Rendered,
) -> None:
    """The hub wants to be told its zones first; Prometheus is the site's own."""
    kinds = {each["kind"] for each in default}

    assert kinds == {
        *("DaemonSet", "ConfigMap", "Service", "ServiceAccount"),
        *("ClusterRole", "ClusterRoleBinding", "Pod"),
    }
    assert default.pod("node")["tolerations"] == [{"operator": "Exists"}]
    assert default.one("Pod")["metadata"]["annotations"]["helm.sh/hook"] == "test"


def test_extra_volumes_and_secrets_reach_the_container(chart: Chart) -> None:
    """What a setting names as a file has to be there."""
    part = {
        "extraVolumes": [{"name": "site", "hostPath": {"path": "/run/gpustat"}}],
        "extraVolumeMounts": [{"name": "site", "mountPath": "/run/gpustat"}],
        "secretMounts": [{"name": "key", "secretName": "jouled-key"}],
    }

    rendered = chart.objects(merged(HUB, {"node": part, "hub": part}))

    for component in ("node", "hub"):
        volumes = {each["name"]: each for each in rendered.pod(component)["volumes"]}
        mounts = {
            each["mountPath"]: each["name"]
            for each in rendered.container(component)["volumeMounts"]
        }
        assert mounts["/run/gpustat"] == "site"
        assert mounts["/etc/jouled-secrets/key"] == "secret-key"
        assert volumes["secret-key"]["secret"] == {
            "secretName": "jouled-key",
            "defaultMode": 0o440,
        }
        assert set(mounts.values()) == set(volumes)


def test_new_settings_restart_the_pods(chart: Chart) -> None:
    """A daemon that runs on with the old ones looks as if they had no effect."""

    def checksums(**zones: str) -> list[Any]:
        rendered = chart.objects(
            merged(
                of_path("node.config.carbon.zone", zones["node"]),
                of_path("hub", {"enabled": True}),
                of_path("hub.config.zones", {zones["hub"]: {}}),
            )
        )
        return [
            pod_of(rendered.one(kind))["metadata"]["annotations"]["checksum/config"]
            for kind in ("DaemonSet", "Deployment")
        ]

    before = checksums(node="DE", hub="DE")
    after = checksums(node="FR", hub="DE")

    assert before[0] != after[0]
    assert before[1] == after[1]


@pytest.mark.parametrize("component", ["node", "hub"])
def test_probes_ask_over_tls_and_only_connect_where_a_password_is_wanted(
    chart: Chart, component: str
) -> None:
    """The kubelet has no password: health behind one would restart the pod for ever."""

    def probes(**web: object) -> list[Any]:
        values = merged(HUB, of_path(f"{component}.web", {"secretName": "web", **web}))
        container = chart.objects(values).container(component)
        return [
            container[f"{each}Probe"] for each in ("startup", "liveness", "readiness")
        ]

    plain, tls, closed = probes(), probes(tls=True), probes(authentication=True)

    paths = [each["httpGet"]["path"] for each in plain]
    assert paths == ["/healthz", "/healthz", "/readyz"]
    assert {each["httpGet"]["scheme"] for each in plain} == {"HTTP"}
    assert {each["httpGet"]["scheme"] for each in tls} == {"HTTPS"}
    assert [each["tcpSocket"] for each in closed] == [{"port": "http"}] * 3
