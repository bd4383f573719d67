"""The real daemon on a node of Kubernetes: cgroups, API server, kubelet, GPUs."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import running
from tests.e2e.exposition import Scrape
from tests.e2e.pod_machine import PodMachine, pod_machine
from tests.fakes.pod_cgroups import uid_of

pytestmark = pytest.mark.e2e

_INFO = "jouled_job_info"
_GPUS = "jouled_job_gpus"
_ENERGY = "jouled_job_energy_joules_total"
# A name that no API server would give, but a proxy in between could.
_FORGED = '"} 1\njouled_fake 2'


@pytest.fixture
def node(tmp_path: Path) -> Iterator[PodMachine]:
    """Play a node, without its daemon."""
    with pod_machine(tmp_path) as node:
        yield node


def _labelled(scrape: Scrape, **labels: str) -> bool:
    return bool(scrape.series(_INFO, **labels))


def test_pods_are_told_with_names_labels_and_gpus(node: PodMachine) -> None:
    """From a cgroup, a watch and a socket to one scrape."""
    first, second = node.gpus
    replicas = [f"{second}::{number}" for number in range(4)]
    node.kubelet.allocatable = {"nvidia.com/gpu": [first, *replicas]}
    node.kubelet.give("team-a", "train-1", "nvidia.com/gpu", first, replicas[0])
    node.start_pod(1, "train-1", team="vision")
    with running(node.daemon) as daemon:
        daemon.wait_for(
            lambda scrape: scrape.get(_GPUS, pod="train-1") == 1.25, "its GPUs"
        )
        node.kubelet.give("team-a", "train-2", "nvidia.com/gpu", replicas[1])
        node.start_pod(2, "train-2")
        scrape = daemon.wait_for(
            lambda scrape: scrape.get(_GPUS, pod="train-2") == 0.25, "the second pod"
        )

        (info, _), *_ = scrape.series(_INFO, pod="train-1")
        assert info["scheduler"] == "kubernetes"
        assert info["job_id"] == info["workload_name"] == "train"
        assert (info["namespace"], info["workload_kind"]) == ("team-a", "Job")
        assert info["label_team"] == "vision"
        # Whoever changes a label of a pod must not begin a new counter.
        lines = daemon.get("/metrics").text.splitlines()
        labelled = {line.partition("{")[0] for line in lines if "label_team=" in line}
        assert labelled == {_INFO}
        assert scrape.get("jouled_source_up", source="kubernetes") == 1.0
        assert len(node.cluster.lists) == 1


def test_the_api_server_may_go_and_come_back(node: PodMachine) -> None:
    """Energy goes on; who begins meanwhile is named by its logs."""
    node.start_pod(1, "train-1")
    with running(node.daemon) as daemon:
        daemon.wait_for(lambda scrape: _labelled(scrape, pod="train-1"), "its name")
        node.cluster.stop()
        uid = uid_of(2)
        (node.logs / f"team-a_train-2_{uid}").mkdir()
        node.start_pod(2, "train-2")
        named = daemon.wait_for(
            lambda scrape: _labelled(scrape, pod="train-2", job_id=uid), "the second"
        )
        before_j = named.value(_ENERGY, pod="train-1", component="cpu")
        daemon.wait_for(
            lambda scrape: (
                scrape.value(_ENERGY, pod="train-1", component="cpu") > before_j
            ),
            "energy to go on",
        )
        node.cluster.start()
        scrape = daemon.wait_for(
            lambda scrape: _labelled(scrape, pod="train-2", workload_name="train"),
            "what it is a part of",
        )

        assert _labelled(scrape, pod="train-2", job_id=uid)


def test_a_pod_cannot_forge_a_series(node: PodMachine) -> None:
    """Whatever its name is, the scrape stays one."""
    node.start_pod(1, _FORGED, team=_FORGED)
    with running(node.daemon) as daemon:
        scrape = daemon.wait_for(
            lambda scrape: _labelled(scrape, pod=_FORGED), "the pod"
        )

        assert scrape.series("jouled_fake") == []
        text = daemon.get("/metrics").text
        assert not [
            line for line in text.splitlines() if line.startswith("jouled_fake")
        ]
        promtool = shutil.which("promtool")
        assert promtool is not None
        done = subprocess.run(
            [promtool, "check", "metrics"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
