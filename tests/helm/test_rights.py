import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.workloads.doubts import Doubts
from exporter.workloads.kubernetes.api_names import ApiNames
from exporter.workloads.kubernetes.names import PodNames
from exporter.workloads.kubernetes.pod_devices import ClaimedDevice
from exporter.workloads.kubernetes.resource_slices import ResourceSlices
from tests.e2e.daemon import Daemon, running
from tests.e2e.processes import WITHOUT_CAPABILITIES
from tests.fakes.chart import (
    EVERYTHING,
    HUB,
    Chart,
    Manifest,
    Rendered,
    merged,
    of_path,
    pod_of,
    variables,
)
from tests.fakes.cluster_server import played_cluster
from tests.fakes.command_line import REPOSITORY
from tests.fakes.machine import PlayedMachine
from tests.fakes.waiting import wait_until

PAGE = REPOSITORY / "docs" / "kubernetes-security.md"
ALWAYS = "always"
LONG_S = 60.0
# What the table leaves out, because it lies in the pod alone.
OF_THE_POD = {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}

# A right, as in the first two columns of the tables.
Right = tuple[str, str]


def rows(component: str) -> dict[tuple[Right, str], str]:
    """Return the reasons in the table of ``node`` or ``hub``, by right and when."""
    title = {"node": "### Node daemon", "hub": "### Hub"}[component]
    table = PAGE.read_text().partition(title)[2].partition("\n#")[0]
    found = re.findall(
        r"^\| ([^|`]+) \| `([^|]+)` \| `?([^|`]+)`? \| (.+) \|$", table, re.MULTILINE
    )
    return {((kind, what), when): reason for kind, what, when, reason in found}


def values_of(when: str) -> dict[str, object]:
    """Return the values that a table's column ``when`` speaks of."""
    path, _, text = when.partition("=")
    if text.startswith("{"):
        return of_path(path, text.strip("{}").split(","))
    return of_path(path, text == "true" or text)


def rights(rendered: Rendered, component: str) -> set[Right]:
    """Return every right that the pods of a component get."""
    pod = rendered.pod(component)
    return {
        *_rights_of_pod(pod),
        *_rights_of_container(rendered.container(component)),
        *_mounts(pod, rendered.container(component)),
        *_api_rights(rendered, pod),
    }


def _rights_of_pod(pod: Manifest) -> Iterator[Right]:
    for name in ("hostNetwork", "hostIPC", "hostPID", "shareProcessNamespace"):
        if pod.get(name):
            yield "host", name.removeprefix("host")
    if pod["automountServiceAccountToken"]:
        yield "service account token", "API server"
    context = pod["securityContext"]
    yield "user", str(context["runAsUser"])
    if "seLinuxOptions" in context:
        yield "SELinux", context["seLinuxOptions"]["type"]
    if context["seccompProfile"]["type"] != "RuntimeDefault":
        yield "seccomp", context["seccompProfile"]["type"]
    if pod.get("initContainers"):
        yield "container", "another one"


def _rights_of_container(container: Manifest) -> Iterator[Right]:
    context = container["securityContext"]
    capabilities = context["capabilities"]
    if context["privileged"] or context["allowPrivilegeEscalation"]:
        yield "privileged", "true"
    if not context["readOnlyRootFilesystem"]:
        yield "mount, read-write", "/"
    if capabilities["drop"] != ["ALL"]:
        yield "capability", "all of the runtime"
    for name in capabilities.get("add", ()):
        yield "capability", name
    if "appArmorProfile" in context:
        yield "AppArmor", context["appArmorProfile"]["type"]
    if variables(container).get("NVIDIA_VISIBLE_DEVICES") == "all":
        yield "devices", "NVIDIA GPUs"
    for port in container["ports"]:
        if "hostPort" in port:
            yield "host", f"port {port['hostPort']}"


def _mounts(pod: Manifest, container: Manifest) -> Iterator[Right]:
    volumes = {each["name"]: each for each in pod["volumes"]}
    for mount in container["volumeMounts"]:
        volume = dict(volumes[mount["name"]])
        del volume["name"]
        [kind] = volume
        if kind not in OF_THE_POD:
            how = "only" if mount.get("readOnly") else "write"
            where = volume[kind]["path"] if kind == "hostPath" else kind
            yield f"mount, read-{how}", where


def _api_rights(rendered: Rendered, pod: Manifest) -> Iterator[Right]:
    account = pod["serviceAccountName"]
    for kind in ("ClusterRole", "Role"):
        for binding in rendered.of_kind(f"{kind}Binding").values():
            if account not in {each["name"] for each in binding["subjects"]}:
                continue
            for rule in rendered.one(kind, binding["roleRef"]["name"])["rules"]:
                for verb in rule["verbs"]:
                    for resource in rule["resources"]:
                        yield "API", f"{verb} {resource}"


def test_the_daemon_asks_the_api_server_for_all_that_it_is_allowed_and_no_more(
    chart: Chart, tmp_path: Path
) -> None:
    """A right that nobody uses is one for whoever takes over the daemon."""
    rendered = chart.objects(of_path("rbac.resourceSlices", value=True))
    allowed = set(_api_rights(rendered, rendered.pod("node")))

    with played_cluster(tmp_path) as cluster:
        claim = ClaimedDevice("gpu.nvidia.com", "node-1", "gpu-0")
        slices = ResourceSlices(cluster.client(), "node-1")
        slices.find({claim}, lambda _: True)
        api = ApiNames(cluster.client(), "node-1", {})
        with closing(PodNames((api,), Doubts("test"))) as names:
            names.start()
            wait_until(lambda: bool(cluster.watches), "it watches", LONG_S)

    # A GET of a whole collection is a list, or a watch of it.
    used = {
        ("API", f"{'watch' if 'watch' in ask.query else 'list'} {kind}")
        for ask in cluster.asks
        for kind in [ask.path.rpartition("/")[2]]
    }
    assert used == allowed


@pytest.mark.parametrize("component", ["node", "hub"])
def test_the_table_of_rights_is_the_chart(chart: Chart, component: str) -> None:
    """Nobody gives a right without a reason, and no page tells of one that is not."""
    table = rows(component)
    without = merged(
        HUB,
        of_path("rbac.pods", value=False),
        of_path("node.nvidia.enabled", value=False),
    )

    for when in {ALWAYS, *(when for _, when in table)}:
        values = without if when == ALWAYS else merged(without, values_of(when))
        expected = {right for right, each in table if each in {ALWAYS, when}}
        assert (when, rights(chart.objects(values), component)) == (when, expected)
    everything = rights(chart.objects(EVERYTHING), component)
    assert everything <= {right for right, _ in table}
    assert all(len(reason) > 10 for reason in table.values())


def test_the_default_has_no_power_of_root(default: Rendered) -> None:
    """What most people install is what has to be harmless."""
    found = rights(default, "node")

    kinds = {kind for kind, _ in found}
    assert not kinds & {"capability", "host", "AppArmor", "privileged", "seccomp"}
    assert {what for kind, what in found if kind == "API"} == {
        *("list pods", "watch pods")
    }


def test_all_containers_are_locked_down_alike(chart: Chart) -> None:
    """The pod of helm test is one more way in, if it is forgotten."""
    for manifest in chart.objects(EVERYTHING):
        pod = pod_of(manifest).get("spec")
        if pod is None:
            continue
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        assert "initContainers" not in pod
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["privileged"] is False
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"]["drop"] == ["ALL"]
            assert "memory" in container["resources"]["limits"]
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}


def test_mounts_of_the_node_are_read_only_all_the_way_down(
    chart: Chart,
) -> None:
    """Below /sys the node mounts more, and user 0 owns the files there."""

    def mounts(kubernetes: str) -> dict[str, object]:
        container = chart.objects({}, kubernetes).container("node")
        return {
            each["mountPath"]: each.get("recursiveReadOnly")
            for each in container["volumeMounts"]
            if each["mountPath"].startswith("/host/")
        }

    assert mounts("1.31") == {"/host/sys": "IfPossible", "/host/proc": "IfPossible"}
    assert mounts("1.30") == {"/host/sys": None, "/host/proc": None}


def test_app_armor_is_off_for_environments_in_the_words_of_each_version(
    chart: Chart,
) -> None:
    """Before 1.30 it was an annotation."""
    values = of_path("node.readEnvironments", value=True)

    old = pod_of(chart.objects(values, "1.29").one("DaemonSet"))
    new = pod_of(chart.objects(values, "1.30").one("DaemonSet"))

    annotation = "container.apparmor.security.beta.kubernetes.io/jouled"
    assert old["metadata"]["annotations"][annotation] == "unconfined"
    assert annotation not in new["metadata"]["annotations"]
    context = new["spec"]["containers"][0]["securityContext"]
    assert context["appArmorProfile"] == {"type": "Unconfined"}


def test_no_secret_is_rendered(chart: Chart) -> None:
    """Secrets come from elsewhere, so that no release and no repository holds one."""
    assert "Secret" not in {each["kind"] for each in chart.objects(EVERYTHING)}


def test_the_energy_counters_are_not_read_where_runtimes_hide_them(
    default: Rendered,
) -> None:
    """A mount over the container's own /sys would be masked as well."""
    container = default.container("node")

    given = variables(container)
    paths = {each["mountPath"] for each in container["volumeMounts"]}
    assert given["JOULED_PATH__SYSFS"] in paths
    assert given["JOULED_PATH__PROCFS"] in paths
    assert not paths & {"/sys", "/proc"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is user 0")
def test_user_0_without_capabilities_is_enough_for_the_energy_of_the_cpu(
    tmp_path: Path, default: Rendered
) -> None:
    """The kernel shows the counters to their owner; a number is all one needs."""
    machine = PlayedMachine("two-socket-intel", tmp_path)
    for zone in machine.machine.zones:
        machine.energy_file(zone.id).chmod(0o400)
    (tmp_path / "jouled.yml").write_text(default.settings("node"))
    here = {
        "/host/sys": str(machine.sysfs),
        "/host/proc": str(machine.procfs),
        "/etc/jouled/jouled.yml": str(tmp_path / "jouled.yml"),
    }
    env = {
        name: here.get(text, text)
        for name, text in variables(default.container("node")).items()
        if isinstance(text, str)
    }

    daemon = Daemon(tmp_path, ["--no-power.nvml"], env=env, rights=WITHOUT_CAPABILITIES)
    with running(daemon):
        scrape = daemon.scrape()
        archive = tmp_path / "lib" / "archive.db"

        assert scrape.get("jouled_source_up", source="rapl") == 1
        assert json.loads(daemon.get("/readyz").text)["status"] == "ok"
        assert archive.exists()
    machine.close()
