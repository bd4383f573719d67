from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.commands.findings import Finding, look
from exporter.config import Carbon, Config, Kubernetes, Paths, Power, State, Web
from tests.fakes.clock import Clock
from tests.fakes.cluster_server import PlayedCluster, played_cluster
from tests.fakes.cluster_talk import pod_object
from tests.fakes.kubelet import played_kubelet
from tests.fakes.machine import PlayedMachine
from tests.fakes.pod_cgroups import PlayedPods


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests may themselves run in a pod."""
    for name in ("KUBERNETES_SERVICE_HOST", "NODE_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedCluster]:
    """Play an API server that this machine's environment names."""
    with played_cluster(tmp_path / "cluster") as cluster:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(cluster.port))
        monkeypatch.setenv("NODE_NAME", "node-1")
        yield cluster


def _config(root: Path, played: PlayedMachine, **settings: object) -> Config:
    pods = PlayedPods(root / "cgroup", Clock())
    pods.start_kubelet()
    pods.start_pod(1)
    return Config(
        web=Web(listen_address="127.0.0.1:0"),
        path=Paths(procfs=played.procfs, sysfs=played.sysfs, cgroupfs=pods.cgroupfs),
        state=State(root / "run", root / "lib"),
        power=Power(nvml=False),
        carbon=Carbon(zone="DE"),
        kubernetes=replace(
            Kubernetes(
                log_dir=root / "pods",
                service_account_dir=root / "cluster",
                pod_resources_socket=root / "kubelet.sock",
            ),
            **settings,  # type: ignore[arg-type]
        ),
    )


def _look(root: Path, **settings: object) -> Mapping[str, Finding]:
    """Look at a node with a pod, and return what was found of pods."""
    played = PlayedMachine("vm", root / "machine")
    with played.playing():
        found = look(_config(root, played, **settings))
    played.close()
    return {each.subject: each for each in found if each.area == "pods"}


def test_whoever_tells_names_is_asked_once(
    tmp_path: Path, cluster: PlayedCluster
) -> None:
    """And it is said whom the daemon believes."""
    cluster.put(pod_object("one", "u1"))
    cluster.put(pod_object("two", "u2"))
    (tmp_path / "pods" / "team-a_one_u1").mkdir(parents=True)
    url = f"https://127.0.0.1:{cluster.port}"

    with played_kubelet(tmp_path) as kubelet:
        kubelet.give("team-a", "one", "nvidia.com/gpu", "GPU-1")
        found = _look(tmp_path, kubelet_url=url)

    assert {each.verdict for each in found.values()} == {"ok"}
    assert found["GPUs"].text.endswith("tells of 1 pods that hold GPUs")
    assert found["API server"].text == f"{url} tells of 2 pods of node node-1"
    assert found["kubelet"].text == f"{url} tells of 2 pods"
    assert found["directories of logs"].text.endswith("tells of 1 pods")
    assert found["names"].text == "by the API server"
    assert [ask.path for ask in cluster.asks] == ["/api/v1/pods", "/pods"]


def test_rights_that_are_missing_are_named(
    tmp_path: Path, cluster: PlayedCluster
) -> None:
    """By those who have to grant them."""
    cluster.faults.status = 403

    found = _look(tmp_path, kubelet_url=f"https://127.0.0.1:{cluster.port}")

    assert found["API server"].verdict == "problem"
    assert "list and watch of pods" in found["API server"].text
    assert "nodes/pods" in found["kubelet"].text
    assert found["names"].verdict == "problem"


def test_a_server_that_shall_not_be_asked_is_not(
    tmp_path: Path, cluster: PlayedCluster
) -> None:
    """Whoever gives no token wants that."""
    (cluster.folder / "token").unlink()
    (tmp_path / "pods").mkdir()

    found = _look(tmp_path)

    assert found["API server"].verdict == "note"
    assert "token" in found["API server"].text
    assert found["names"].verdict == "ok"
    assert cluster.asks == []


def test_a_wrong_name_of_the_node_is_noticed(
    tmp_path: Path, cluster: PlayedCluster
) -> None:
    """The server answers, and knows none of its pods."""
    cluster.put(pod_object("one", "u1", node="node-2"))

    found = _look(tmp_path)

    assert found["API server"].verdict == "problem"
    assert "NODE_NAME" in found["API server"].text


def test_a_server_that_is_away_is_a_problem(
    tmp_path: Path, cluster: PlayedCluster
) -> None:
    """Logs tell names meanwhile."""
    (tmp_path / "pods").mkdir()
    cluster.stop()

    found = _look(tmp_path)

    assert found["API server"].verdict == "problem"
    assert found["names"].text == "by the directories of logs"


def test_outside_of_a_cluster_only_logs_tell(tmp_path: Path) -> None:
    """As in a daemon that systemd runs."""
    (tmp_path / "pods").mkdir()

    found = _look(tmp_path)

    assert found["API server"].verdict == "note"
    assert "KUBERNETES_SERVICE_HOST" in found["API server"].text
    assert found["kubelet"].verdict == "note"
    assert found["names"].verdict == "ok"


def test_names_that_nobody_tells_are_a_problem(tmp_path: Path) -> None:
    """Pods would be told by UID, and their tenants not at all."""
    found = _look(tmp_path, names="logs")

    assert found["GPUs"].verdict == "note"
    assert found["directories of logs"].verdict == "note"
    assert found["names"].verdict == "problem"


def test_names_that_nobody_wants_are_none(tmp_path: Path) -> None:
    """A site may not want them known."""
    found = _look(tmp_path, names="none")

    assert set(found) == {"names"}
    assert found["names"].verdict == "note"


def test_of_a_node_without_pods_nothing_is_said(tmp_path: Path) -> None:
    """But that its source is absent."""
    played = PlayedMachine("vm", tmp_path / "machine")
    with played.playing():
        config = _config(tmp_path, played)
        empty = replace(config.path, cgroupfs=tmp_path / "none")
        found = look(replace(config, path=empty))
    played.close()

    assert not [each for each in found if each.area == "pods"]
    (source,) = (each for each in found if each.subject == "kubernetes")
    assert (source.area, source.verdict) == ("source", "note")
