"""Each value of the table, toggled: it changes something, and stays valid."""

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from scripts.chart import README
from tests.fakes.chart import (
    HUB,
    NEWEST,
    OLDEST,
    Chart,
    Rendered,
    merged,
    of_path,
    read_manifests,
)
from tests.fakes.kubernetes_schemas import assert_valid

ENV = [{"name": "A", "value": "b"}]
SECRET = {"name": "s", "key": "k"}
BASIC_AUTH = {"username": SECRET, "password": SECRET}
AFFINITY: dict[str, Any] = {
    "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}
}
VOLUMES = [{"name": "more", "emptyDir": {}}]
RESOURCES = {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
PEER = {"podSelector": {"matchLabels": {"a": "b"}}}
DIGEST = "sha256:" + "0" * 64

# What both components have, and another value for each.
OF_BOTH: dict[str, Any] = {
    "existingConfigMap": "mine",
    "extraArgs": ["--log.level=debug"],
    "extraEnv": ENV,
    "secretMounts": [{"name": "a", "secretName": "b"}],
    "extraVolumes": VOLUMES,
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "web.secretName": "other",
    "web.file": "other.yml",
    "web.tls": True,
    "web.authentication": True,
    "resources": RESOURCES,
    "priorityClassName": "high",
    "nodeSelector": {"a": "b"},
    "affinity": AFFINITY,
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "terminationGracePeriodSeconds": 60,
    "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"},
    "serviceAccount.create": False,
    "serviceAccount.name": "mine",
    "serviceAccount.annotations": {"a": "b"},
    "service.annotations": {"a": "b"},
}
OTHERS: dict[str, Any] = {
    **{f"node.{name}": other for name, other in OF_BOTH.items()},
    **{f"hub.{name}": other for name, other in OF_BOTH.items()},
    "fullnameOverride": "power",
    "commonLabels": {"a": "b"},
    "image.repository": "registry.example.org/jouled",
    "image.tag": "2",
    "image.digest": DIGEST,
    "image.pullPolicy": "Always",
    "imagePullSecrets": [{"name": "mine"}],
    "listenHost": "[::]",
    "node.enabled": False,
    "node.config": {"pue": 1.2},
    "node.nvidia.enabled": False,
    "node.nvidia.runtimeClassName": "nvidia",
    "node.kubeletDir": "/var/lib/k0s/kubelet",
    "node.hostPID": True,
    "node.readEnvironments": True,
    "node.capabilities": ["DAC_READ_SEARCH"],
    "node.seLinuxType": "spc_t",
    "node.maxUnavailable": 1,
    "rbac.create": False,
    "rbac.pods": False,
    "rbac.resourceSlices": True,
    "hub.enabled": False,
    "hub.config": {"zones": {"FR": {}}},
    "hub.replicas": 2,
    "hub.persistence.enabled": True,
    "hub.persistence.existingClaim": "mine",
    "hub.persistence.storageClassName": "fast",
    "hub.persistence.size": "1Gi",
    "hub.service.type": "NodePort",
    "hub.service.port": 80,
    "hub.podDisruptionBudget.enabled": False,
    "monitoring.kind": "annotations",
    "monitoring.cluster": "berlin",
    "monitoring.labels": {"release": "prometheus"},
    "monitoring.namespace": "monitoring-of-others",
    "monitoring.interval": "30s",
    "monitoring.scrapeTimeout": "5s",
    "monitoring.nodeTlsConfig": {"ca": {"secret": SECRET}},
    "monitoring.nodeBasicAuth": BASIC_AUTH,
    "monitoring.hubTlsConfig": {"ca": {"secret": SECRET}},
    "monitoring.hubBasicAuth": BASIC_AUTH,
    "monitoring.rules.enabled": True,
    "monitoring.rules.exclude": ["alert-budgets"],
    "monitoring.dashboards.enabled": True,
    "monitoring.dashboards.namespace": "grafana",
    "monitoring.dashboards.label": "board",
    "monitoring.dashboards.labelValue": "yes",
    "monitoring.dashboards.annotations": {"grafana_folder": "Energy"},
    "monitoring.datasource.url": "http://prometheus:9090",
    "monitoring.datasource.namespace": "grafana",
    "monitoring.datasource.label": "source",
    "monitoring.datasource.labelValue": "yes",
    "networkPolicy.enabled": False,
    "networkPolicy.ingressFrom": [PEER],
    "networkPolicy.node.egressPorts": [443],
    "networkPolicy.hub.egressPorts": [443],
    "tests.enabled": False,
}

# A chart in which nearly everything is on, so that each value has something to change.
ALL_ON = merged(
    HUB,
    of_path("monitoring.kind", "podMonitor"),
    of_path("networkPolicy.enabled", value=True),
)
WITH_WEB = {
    "node": {"web": {"secretName": "web"}, "extraVolumes": VOLUMES},
    "hub": {"web": {"secretName": "web"}, "extraVolumes": VOLUMES},
}
# What else has to be said for a value to matter.
BESIDE: dict[str, dict[str, Any]] = {
    **{
        f"{component}.{name}": WITH_WEB
        for component in ("node", "hub")
        for name in ("web.file", "web.tls", "web.authentication", "extraVolumeMounts")
    },
    **{
        f"hub.persistence.{name}": of_path("hub.persistence.enabled", value=True)
        for name in ("existingClaim", "storageClassName", "size")
    },
    "hub.podDisruptionBudget.enabled": of_path("hub.replicas", 2),
    "monitoring.rules.exclude": of_path("monitoring.rules.enabled", value=True),
    **{
        f"monitoring.dashboards.{name}": of_path(
            "monitoring.dashboards.enabled", value=True
        )
        for name in ("namespace", "label", "labelValue", "annotations")
    },
    **{
        f"monitoring.datasource.{name}": of_path(
            "monitoring.datasource.url", "http://prometheus:9090"
        )
        for name in ("namespace", "label", "labelValue")
    },
}


@pytest.fixture(scope="module")
def render(chart: Chart) -> Callable[[dict[str, Any], str], str]:
    """Return what lets helm write, once for each set of values."""

    @cache
    def write(values: str, kubernetes: str) -> str:
        done = chart.template(json.loads(values), kubernetes)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return lambda values, kubernetes: write(json.dumps(values), kubernetes)


def test_every_value_of_the_table_is_toggled_here() -> None:
    """One that is new has to be tried too."""
    table = re.findall(r"^\| `([\w.]+)` \|", README.read_text(), re.MULTILINE)

    assert set(OTHERS) == set(table)


@pytest.mark.parametrize("name", OTHERS)
def test_a_value_changes_something_and_each_kubernetes_takes_it(
    render: Callable[[dict[str, Any], str], str], name: str
) -> None:
    """A value that nothing reads is a promise that is not kept."""
    before = merged(ALL_ON, BESIDE.get(name, {}))
    after = merged(before, of_path(name, OTHERS[name]))

    for kubernetes in (OLDEST, NEWEST):
        text = render(after, kubernetes)

        assert text != render(before, kubernetes)
        assert_valid(Rendered(read_manifests(text)), kubernetes)
