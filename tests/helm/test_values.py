from collections.abc import Callable

import pytest

from tests.fakes.chart import (
    HUB,
    NAMESPACE,
    NEWEST,
    Chart,
    Rendered,
    Values,
    merged,
    of_path,
    pod_of,
    variables,
)
from tests.fakes.kubernetes_schemas import assert_valid

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
