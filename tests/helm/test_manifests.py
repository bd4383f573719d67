import json
from collections.abc import Callable
from functools import cache
from typing import Any

import kubernetes_validate
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
    Values,
    merged,
    of_path,
    pod_of,
    variables,
)

# Of the operator of Prometheus, not of Kubernetes; test_monitoring.py looks at these.
NOT_OF_KUBERNETES = "monitoring.coreos.com/"

SOME_PEER = {"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}
SOME_ENV = {
    "name": "HTTPS_PROXY",
    "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}},
}
SOME_AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}
            ]
        }
    }
}


@cache
def _complaint(manifest: str, kubernetes: str) -> str:
    try:
        kubernetes_validate.validate(json.loads(manifest), kubernetes, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{list(error.path)}: {error.message}"
    return ""


def assert_valid(rendered: Rendered, kubernetes: str) -> None:
    """Check all objects against the schemas of a version, unknown fields included."""
    for manifest in rendered:
        if not manifest["apiVersion"].startswith(NOT_OF_KUBERNETES):
            text = json.dumps(manifest, sort_keys=True)
            name = f"{manifest['kind']} {manifest['metadata']['name']}"
            assert (name, _complaint(text, kubernetes)) == (name, "")


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


TOGGLED: dict[str, tuple[Values, Callable[[Rendered], object], object]] = {
    "node.enabled": (
        merged(HUB, of_path("node.enabled", value=False)),
        lambda made: set(made.of_kind("DaemonSet")) | set(made.of_kind("ClusterRole")),
        set(),
    ),
    "fullnameOverride": (
        of_path("fullnameOverride", "power"),
        lambda made: set(made.of_kind("DaemonSet")),
        {"power-node"},
    ),
    "commonLabels": (
        of_path("commonLabels", {"team": "hpc"}),
        lambda made: {each["metadata"]["labels"].get("team") for each in made},
        {"hpc"},
    ),
    "image.digest": (
        of_path("image", {"repository": "r.example/j", "digest": "sha256:" + "0" * 64}),
        lambda made: made.container("node")["image"],
        "r.example/j@sha256:" + "0" * 64,
    ),
    "image.tag": (
        of_path("image", {"tag": "2", "pullPolicy": "Always"}),
        lambda made: (
            made.container("node")["image"],
            made.container("node")["imagePullPolicy"],
        ),
        ("jouled:2", "Always"),
    ),
    "imagePullSecrets": (
        merged(HUB, of_path("imagePullSecrets", [{"name": "mine"}])),
        lambda made: [
            made.pod(each)["imagePullSecrets"] for each in ("node", "hub", "test")
        ],
        [[{"name": "mine"}]] * 3,
    ),
    "listenHost": (
        merged(HUB, of_path("listenHost", "[::]")),
        lambda made: (
            variables(made.container("node"))["JOULED_WEB__LISTEN_ADDRESS"],
            variables(made.container("hub"))["JOULED_HUB__WEB__LISTEN_ADDRESS"],
        ),
        ("[::]:9878", "[::]:9879"),
    ),
    "node.existingConfigMap": (
        of_path("node.existingConfigMap", "mine"),
        lambda made: (
            set(made.of_kind("ConfigMap")),
            made.pod("node")["volumes"][0]["configMap"]["name"],
        ),
        (set(), "mine"),
    ),
    "hub.existingConfigMap": (
        of_path("hub", {"enabled": True, "existingConfigMap": "mine"}),
        lambda made: made.pod("hub")["volumes"][0]["configMap"]["name"],
        "mine",
    ),
    "node.extraArgs": (
        of_path("node.extraArgs", ["--log.level=debug"]),
        lambda made: made.container("node")["args"],
        ["run", "--log.level=debug"],
    ),
    "hub.extraArgs": (
        merged(HUB, of_path("hub.extraArgs", ["--log.level=debug"])),
        lambda made: made.container("hub")["args"],
        ["hub", "--config.file=/etc/jouled/hub.yml", "--log.level=debug"],
    ),
    "node.extraEnv": (
        of_path("node.extraEnv", [SOME_ENV]),
        lambda made: made.container("node")["env"][-1],
        SOME_ENV,
    ),
    "hub.extraEnv": (
        merged(HUB, of_path("hub.extraEnv", [SOME_ENV])),
        lambda made: made.container("hub")["env"][-1],
        SOME_ENV,
    ),
    "node.nvidia.enabled": (
        of_path("node.nvidia", {"enabled": False, "runtimeClassName": "nvidia"}),
        lambda made: (
            [name for name in variables(made.container("node")) if "NVIDIA" in name],
            made.pod("node").get("runtimeClassName"),
        ),
        ([], None),
    ),
    "node.nvidia.runtimeClassName": (
        of_path("node.nvidia.runtimeClassName", "nvidia"),
        lambda made: made.pod("node")["runtimeClassName"],
        "nvidia",
    ),
    "node.kubeletDir": (
        of_path("node.kubeletDir", "/var/lib/k0s/kubelet"),
        lambda made: [
            each["hostPath"]["path"]
            for each in made.pod("node")["volumes"]
            if each["name"] == "pod-resources"
        ],
        ["/var/lib/k0s/kubelet/pod-resources"],
    ),
    "priorityClassName": (
        merged(
            HUB,
            of_path("node.priorityClassName", "system-node-critical"),
            of_path("hub.priorityClassName", "high"),
        ),
        lambda made: [made.pod(each)["priorityClassName"] for each in ("node", "hub")],
        ["system-node-critical", "high"],
    ),
    "affinity": (
        merged(
            HUB,
            of_path("node.affinity", SOME_AFFINITY),
            of_path("hub.affinity", SOME_AFFINITY),
        ),
        lambda made: [made.pod(each)["affinity"] for each in ("node", "hub")],
        [SOME_AFFINITY] * 2,
    ),
    "node.tolerations": (
        of_path("node.tolerations", []),
        lambda made: made.pod("node").get("tolerations"),
        None,
    ),
    "node.maxUnavailable": (
        of_path("node.maxUnavailable", 1),
        lambda made: made.one("DaemonSet")["spec"]["updateStrategy"]["rollingUpdate"],
        {"maxUnavailable": 1, "maxSurge": 0},
    ),
    "node.podLabels": (
        of_path("node", {"podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}}),
        lambda made: (
            pod_of(made.one("DaemonSet"))["metadata"]["labels"]["a"],
            pod_of(made.one("DaemonSet"))["metadata"]["annotations"]["c"],
        ),
        ("b", "d"),
    ),
    "node.serviceAccount": (
        of_path("node.serviceAccount", {"create": False, "name": "mine"}),
        lambda made: (
            set(made.of_kind("ServiceAccount")),
            made.pod("node")["serviceAccountName"],
            made.one("ClusterRoleBinding")["subjects"][0]["name"],
        ),
        (set(), "mine", "mine"),
    ),
    "serviceAccount.annotations": (
        merged(HUB, of_path("hub.serviceAccount.annotations", {"a": "b"})),
        lambda made: made.one("ServiceAccount", "jouled-hub")["metadata"][
            "annotations"
        ],
        {"a": "b"},
    ),
    "rbac.create": (
        of_path("rbac.create", value=False),
        lambda made: (
            set(made.of_kind("ClusterRole")) | set(made.of_kind("ClusterRoleBinding")),
            made.pod("node")["automountServiceAccountToken"],
        ),
        (set(), True),
    ),
    "rbac.pods": (
        of_path("rbac.pods", value=False),
        lambda made: (
            set(made.of_kind("ClusterRole")),
            made.pod("node")["automountServiceAccountToken"],
        ),
        (set(), False),
    ),
    "hub.service": (
        merged(
            HUB,
            of_path("hub.service", {"type": "LoadBalancer", "port": 80}),
            of_path("hub.service.annotations", {"a": "b"}),
        ),
        lambda made: (
            made.one("Service", "jouled-hub")["spec"]["type"],
            made.one("Service", "jouled-hub")["spec"]["ports"][0]["port"],
            made.container("test")["args"][-1],
        ),
        ("LoadBalancer", 80, f"http://jouled-hub.{NAMESPACE}:80/readyz"),
    ),
    "hub.replicas": (
        merged(HUB, of_path("hub.replicas", 2)),
        lambda made: made.one("PodDisruptionBudget")["spec"]["maxUnavailable"],
        1,
    ),
    "hub.podDisruptionBudget": (
        merged(
            HUB,
            of_path("hub", {"replicas": 2, "podDisruptionBudget": {"enabled": False}}),
        ),
        lambda made: set(made.of_kind("PodDisruptionBudget")),
        set(),
    ),
    "one hub": (HUB, lambda made: set(made.of_kind("PodDisruptionBudget")), set()),
    "hub.persistence.enabled": (
        merged(
            HUB,
            of_path("hub.persistence", {"enabled": True, "storageClassName": "fast"}),
        ),
        lambda made: (
            made.one("PersistentVolumeClaim")["spec"]["storageClassName"],
            made.one("Deployment")["spec"]["strategy"],
        ),
        ("fast", {"type": "Recreate"}),
    ),
    "hub.persistence.existingClaim": (
        merged(
            HUB, of_path("hub.persistence", {"enabled": True, "existingClaim": "mine"})
        ),
        lambda made: (
            set(made.of_kind("PersistentVolumeClaim")),
            made.pod("hub")["volumes"][1]["persistentVolumeClaim"]["claimName"],
        ),
        (set(), "mine"),
    ),
    "networkPolicy.ingressFrom": (
        merged(
            HUB,
            of_path("networkPolicy", {"enabled": True, "ingressFrom": [SOME_PEER]}),
        ),
        lambda made: [
            made.one("NetworkPolicy", f"jouled-{each}")["spec"]["ingress"][0]["from"][0]
            for each in ("node", "hub")
        ],
        [SOME_PEER] * 2,
    ),
    "tests.enabled": (
        of_path("tests.enabled", value=False),
        lambda made: set(made.of_kind("Pod")),
        set(),
    ),
}


@pytest.mark.parametrize("value", TOGGLED)
def test_each_value_does_what_it_says_and_stays_valid(chart: Chart, value: str) -> None:
    """A value that nothing reads is a promise that is not kept."""
    values, look, expected = TOGGLED[value]

    rendered = chart.objects(values)

    assert look(rendered) == expected
    assert_valid(rendered, NEWEST)


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
