import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.bootstrap import build_sources
from exporter.bootstrap_kubernetes import (
    api_address,
    build_pods,
    build_witnesses,
    kubelet_address,
    node_name,
)
from exporter.config import Config, Gpu, Kubernetes, Paths, Power, State
from exporter.config.kubernetes import NamesPolicy
from exporter.core.errors import ConfigError, SourceAbsentError
from exporter.core.ports import WorkloadSource
from exporter.core.workload import WorkloadLabels
from exporter.workloads.cgroups import FileBudget
from exporter.workloads.kubernetes.api_names import ApiNames
from exporter.workloads.kubernetes.cluster import ServerAddress
from exporter.workloads.kubernetes.kubelet_names import KubeletNames
from exporter.workloads.kubernetes.log_names import LogNames
from exporter.workloads.kubernetes.presence import PodsIfAny
from exporter.workloads.kubernetes.source import KubernetesWorkloads
from tests.fakes.cgroups import PlayedSlurm, drop
from tests.fakes.clock import Clock
from tests.fakes.cluster_server import played_cluster
from tests.fakes.inventory import FakeInventory, gpu
from tests.fakes.kubelet import Container, played_kubelet
from tests.fakes.pod_cgroups import PlayedPods
from tests.fakes.waiting import wait_until

_GENEROUS_S = 60.0


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests may themselves run in a pod."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def _config(root: Path) -> Config:
    return Config(
        path=Paths(procfs=root / "proc", sysfs=root, cgroupfs=root / "cgroup"),
        state=State(run_dir=root / "run", dir=root / "state"),
        power=Power(rapl=False, nvml=False, model="off"),
        gpu=Gpu(gpustat_dir=root / "gpustat", device_dir=root / "dev"),
        kubernetes=Kubernetes(
            log_dir=root / "pods", pod_resources_socket=root / "kubelet.sock"
        ),
    )


@contextmanager
def _schedulers(config: Config) -> Iterator[tuple[WorkloadSource, ...]]:
    sources = build_sources(config).workloads
    try:
        yield sources
    finally:
        for source in sources:
            source.close()


@pytest.mark.parametrize(
    ("enabled", "kinds"),
    [("auto", [PodsIfAny]), ("true", [KubernetesWorkloads]), ("false", [])],
)
def test_pods_are_looked_for_as_configured(
    tmp_path: Path, enabled: str, kinds: list[type]
) -> None:
    """By default where there are any."""
    settings = Kubernetes(enabled=enabled)  # type: ignore[arg-type]
    with _schedulers(replace(_config(tmp_path), kubernetes=settings)) as sources:
        assert [type(source) for source in sources[1:]] == kinds


def test_in_a_pod_of_a_cluster_pods_are_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs there and sees none has forgotten a mount."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    with _schedulers(_config(tmp_path)) as (_, pods):
        assert isinstance(pods, KubernetesWorkloads)
        with pytest.raises(SourceAbsentError, match="kubepods"):
            pods.read()


def test_a_node_of_another_scheduler_says_once_that_there_are_no_pods(
    tmp_path: Path,
) -> None:
    """Nothing is loaded for them, and nothing asked."""
    with _schedulers(_config(tmp_path)) as (_, pods):
        with pytest.raises(SourceAbsentError, match="kubepods"):
            pods.read()

        assert pods.info.name == "kubernetes"


def test_a_kubelet_that_comes_later_is_found(tmp_path: Path) -> None:
    """The daemon may be there first."""
    clock = Clock()
    played = PlayedPods(tmp_path / "cgroup", clock)
    built: list[KubernetesWorkloads] = []

    def build() -> KubernetesWorkloads:
        built.append(KubernetesWorkloads(played.cgroupfs))
        return built[-1]

    pods = PodsIfAny(played.cgroupfs, build, clock)
    with pytest.raises(SourceAbsentError):
        pods.read()
    played.start_kubelet()
    with pytest.raises(SourceAbsentError):
        pods.read()
    clock.pass_s(31.0)

    assert pods.read().usages == ()
    assert (pods.doubt, pods.doubts) == ("", ())
    assert len(built) == 1
    pods.close()


def test_both_schedulers_of_a_node_are_read_side_by_side(tmp_path: Path) -> None:
    """Some sites run both; neither takes the other's cgroups for its own."""
    clock = Clock()
    slurm = PlayedSlurm(tmp_path, "v2", clock)
    slurm.start_slurmd()
    played = PlayedPods(tmp_path / "cgroup", clock)
    played.start_kubelet()
    slurm.start_job(7, busy_cpus=1.0)
    pod = played.start_pod(1, busy_cpus=2.0)
    (tmp_path / "pods" / f"team-a_web-0_{pod.uid}").mkdir(parents=True)
    drop(tmp_path / "run" / "slurm" / "jobs", 7, SLURM_JOB_USER="alice")
    clock.pass_s(10.0)
    slurm.play()
    played.play()
    labels: dict[str, WorkloadLabels] = {}

    def is_labelled() -> bool:
        for source in sources:
            for usage in source.read().usages:
                if usage.labels is not None:
                    labels[usage.workload.scheduler] = usage.labels
        return len(labels) == 2

    with _schedulers(_config(tmp_path)) as sources:
        wait_until(is_labelled, "both have labels", _GENEROUS_S)
        readings = [source.read() for source in sources]

    assert [reading.usages[0].cpu_s for reading in readings] == [10.0, 20.0]
    assert [len(reading.usages) for reading in readings] == [1, 1]
    assert [reading.groups[0].cpu_s for reading in readings] == [
        pytest.approx(10.0),
        pytest.approx(20.0),
    ]
    assert labels["slurm"].user == "alice"
    assert (labels["kubernetes"].namespace, labels["kubernetes"].pod) == (
        "team-a",
        "web-0",
    )


_CLUSTER = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
_KUBELET = "https://127.0.0.1:10250"


@pytest.mark.parametrize(
    ("settings", "environ", "kinds"),
    [
        (Kubernetes(), {}, [LogNames]),
        (Kubernetes(), _CLUSTER, [ApiNames, LogNames]),
        (
            Kubernetes(kubelet_url=_KUBELET),
            _CLUSTER,
            [ApiNames, KubeletNames, LogNames],
        ),
        (Kubernetes(names="kubelet", kubelet_url=_KUBELET), _CLUSTER, [KubeletNames]),
        (Kubernetes(names="api"), _CLUSTER, [ApiNames]),
        (Kubernetes(names="logs"), _CLUSTER, [LogNames]),
        (Kubernetes(names="none"), _CLUSTER, []),
    ],
)
def test_who_tells_names_is_as_configured(
    tmp_path: Path, settings: Kubernetes, environ: dict[str, str], kinds: list[type]
) -> None:
    """By default everybody who can be asked here, the best first."""
    (tmp_path / "token").touch()
    settings = replace(settings, service_account_dir=tmp_path)

    assert [type(each) for each in build_witnesses(settings, environ)] == kinds


@pytest.mark.parametrize(
    ("names", "kinds"), [("auto", [LogNames]), ("api", [ApiNames])]
)
def test_without_a_token_the_api_server_is_asked_only_if_it_is_said(
    tmp_path: Path, names: NamesPolicy, kinds: list[type]
) -> None:
    """Every pod is told its address; who shall not ask has no token."""
    settings = Kubernetes(names=names, service_account_dir=tmp_path)

    assert [type(each) for each in build_witnesses(settings, _CLUSTER)] == kinds


def test_claims_are_asked_for_whoever_tells_names(tmp_path: Path) -> None:
    """Which GPU a claim stands for is not in the names of directories."""
    with (
        played_cluster(tmp_path / "cluster") as cluster,
        played_kubelet(tmp_path / "kubelet") as kubelet,
    ):
        device = {"name": "gpu-0", "attributes": {"uuid": {"string": gpu(0).uuid}}}
        claim = ("gpu.nvidia.com", "node-1", "gpu-0")
        slices = {"driver": claim[0], "pool": {"name": claim[1]}, "devices": [device]}
        cluster.slices = [{"spec": slices}]
        kubelet.pods["team-a", "web-0"] = [Container(claims=[claim])]
        played = PlayedPods(tmp_path / "cgroup", Clock())
        played.start_kubelet()
        pod = played.start_pod(1)
        played.spend(pod, 1.0)
        (tmp_path / "pods" / f"team-a_web-0_{pod.uid}").mkdir(parents=True)
        settings = Kubernetes(
            names="logs",
            service_account_dir=cluster.folder,
            log_dir=tmp_path / "pods",
            pod_resources_socket=kubelet.socket,
        )
        environ = {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(cluster.port),
        }

        with closing(
            build_pods(
                replace(_config(tmp_path), kubernetes=settings),
                FakeInventory((gpu(0),)),
                FileBudget.of_this_process(),
                environ,
            )
        ) as pods:
            wait_until(
                lambda: any(usage.gpus for usage in pods.read().usages),
                "it holds a GPU",
                _GENEROUS_S,
            )

        assert cluster.lists == []


def test_an_api_server_that_must_be_asked_must_be_known() -> None:
    """Else all pods would silently be nameless."""
    with pytest.raises(ConfigError, match="KUBERNETES_SERVICE_HOST"):
        build_witnesses(Kubernetes(names="api"), {})


@pytest.mark.parametrize(
    ("settings", "environ", "name"),
    [
        (Kubernetes(node_name="a"), {"NODE_NAME": "b"}, "a"),
        (Kubernetes(), {"NODE_NAME": "b"}, "b"),
        (Kubernetes(), {}, socket.gethostname()),
    ],
)
def test_the_name_of_the_node_is_told_or_that_of_the_host(
    settings: Kubernetes, environ: dict[str, str], name: str
) -> None:
    """The downward API tells it to a pod, whose own host name is the pod's."""
    assert node_name(settings, environ) == name


def test_addresses_are_those_that_kubernetes_tells() -> None:
    """With the service account's files, unless others are configured."""
    account = Path("/run/account")
    settings = Kubernetes(
        service_account_dir=account,
        kubelet_url="https://[::1]",
        kubelet_ca_file=Path("/etc/kubelet.crt"),
    )

    assert api_address(settings, _CLUSTER) == ServerAddress(
        "10.0.0.1", 6443, account / "ca.crt", account / "token"
    )
    assert kubelet_address(settings) == ServerAddress(
        "::1", 443, Path("/etc/kubelet.crt"), account / "token"
    )
