"""Energy of pods while nobody tells what they are called: it goes on."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.core.snapshot import JobTotals, Snapshot
from exporter.core.workload import WorkloadLabels
from exporter.pipeline.decoding import decode
from exporter.pipeline.encoding import encode
from exporter.pipeline.engine import Engine
from exporter.pipeline.state import EngineSettings
from exporter.workloads.kubernetes.api_names import ApiNames
from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.kubernetes.kubelet_names import KubeletNames
from exporter.workloads.kubernetes.log_names import LogNames
from exporter.workloads.kubernetes.names import Witness
from exporter.workloads.kubernetes.source import KubernetesWorkloads
from tests.fakes.clock import Clock
from tests.fakes.cluster_server import PlayedCluster, played_cluster
from tests.fakes.cluster_talk import pod_object
from tests.fakes.node import cpu, node, reading, sample
from tests.fakes.pod_cgroups import uid_of
from tests.fakes.pod_node import (
    NoThread,
    PodNode,
    ToldNames,
    numbers,
    pod_node,
)

_WATTS = 80.0
_CPUS = 8
_LONGEST_S = 60.0


class _Life:
    """A node with one package and no idle power, folded tick by tick."""

    def __init__(self, played: PodNode) -> None:
        self.played = played
        self.engine = Engine(EngineSettings(idle_policy="none"))
        self.now_s = 0.0
        self.snapshots: list[Snapshot] = []

    def start(self, number: int) -> None:
        """Start a pod, and wait until it was noticed: ticks are quicker here."""
        pods = self.played.pods
        pods.spend(pods.start_pod(number), 0.001)
        self.played.read_until(lambda each: number in numbers(each))

    def run(self, ticks: int) -> None:
        """Let many seconds pass."""
        for _ in range(ticks):
            self.now_s += 1.0
            pods = self.played.tick()
            busy_s = self.now_s * _CPUS
            energy = reading(cpu(), self.now_s, energy_j=_WATTS * self.now_s)
            self.snapshots.append(
                self.engine.fold(
                    sample(
                        self.now_s,
                        energy,
                        node=node(self.now_s, busy_s, cpus=_CPUS),
                        workloads=(pods,),
                    )
                )
            )

    def restart(self, *witnesses: Witness) -> None:
        """Kill the daemon; another goes on from the checkpoint."""
        played = self.played
        played.source.close()
        played.source = KubernetesWorkloads(
            played.pods.cgroupfs,
            witnesses,
            node_cpus=_CPUS,
            monotonic=played.clock,
            worker=NoThread,
        )
        state = decode(json.loads(json.dumps(encode(self.engine.state))))
        self.engine = Engine(EngineSettings(idle_policy="none"), state)

    def job(self, number: int) -> JobTotals:
        """Return what is told of a pod now."""
        (job,) = (
            each
            for each in self.snapshots[-1].jobs
            if each.workload.key == uid_of(number)
        )
        return job

    def energy_j(self, number: int) -> float:
        """Energy of a pod."""
        return dict(self.job(number).energy_j)["cpu"]

    def check_labels(self) -> None:
        """Labels of counters never changed, whatever came to be known."""
        seen: dict[str, set[tuple[str, str, str]]] = {}
        for snapshot in self.snapshots:
            for job in snapshot.jobs:
                labels = (job.labels.job_id, job.labels.namespace, job.labels.pod)
                seen.setdefault(job.workload.key, set()).add(labels)
        assert all(len(labels) == 1 for labels in seen.values())


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[PlayedCluster]:
    """Play an API server."""
    with played_cluster(tmp_path / "cluster") as cluster:
        _put(cluster, 1)
        yield cluster


def _put(cluster: PlayedCluster, number: int) -> None:
    name, owner = f"train-{number}", ("Job", "train")
    cluster.put(pod_object(name, uid_of(number), owner=owner))


@contextmanager
def _living(root: Path, *witnesses: Witness) -> Iterator[_Life]:
    with pod_node(root, witnesses=witnesses) as played:
        yield _Life(played)


def _step(names: ApiNames, cluster: PlayedCluster) -> None:
    """Let the thread that watches take a step, and the server end the watch."""
    before = len(cluster.watches)
    thread = threading.Thread(target=names.step)
    thread.start()
    end_s = time.monotonic() + _LONGEST_S
    while thread.is_alive():
        assert time.monotonic() < end_s
        if len(cluster.watches) > before:
            cluster.end_watches()
        thread.join(0.01)


def _stop(cluster: PlayedCluster) -> None:
    cluster.stop()


def _start(cluster: PlayedCluster) -> None:
    cluster.start()


def _refuse(cluster: PlayedCluster) -> None:
    cluster.faults.status = 403


def _allow(cluster: PlayedCluster) -> None:
    cluster.faults.status = 0


def _start_without_memory(cluster: PlayedCluster) -> None:
    """Know what there is, and nothing of what there was: 410."""
    cluster.compact()
    cluster.start()


class _Absence(NamedTuple):
    """How a server goes and comes back, what is said of it, and the lists it takes."""

    go: Callable[[PlayedCluster], None]
    come_back: Callable[[PlayedCluster], None]
    said: str
    lists: int


@pytest.mark.parametrize(
    "absence",
    [
        _Absence(_stop, _start, "new pods may lack a name", 1),
        _Absence(_stop, _start_without_memory, "new pods may lack a name", 2),
        _Absence(_refuse, _allow, "needs list and watch of pods", 1),
    ],
    ids=["away", "away, and it forgot", "refused"],
)
def test_an_api_server_may_be_away_for_ten_minutes(
    tmp_path: Path, cluster: PlayedCluster, absence: _Absence
) -> None:
    """Known pods keep their names, new ones get theirs when it is back."""
    api = ApiNames(cluster.client(), "node-1", {})
    logs = LogNames(tmp_path / "pods")
    (tmp_path / "pods" / f"team-a_train-3_{uid_of(3)}").mkdir(parents=True)
    with _living(tmp_path / "node", api, logs) as life:
        life.start(1)
        _step(api, cluster)
        life.run(40)
        absence.go(cluster)
        for number in (2, 3):
            _put(cluster, number)
            life.start(number)
        for _ in range(60):
            api.step()
            logs.step()
            life.run(10)
        before_j = {number: life.energy_j(number) for number in (1, 2, 3)}
        during = {number: life.job(number).labels for number in (1, 2, 3)}
        trouble = life.played.source.doubt
        absence.come_back(cluster)
        for _ in range(2):
            _step(api, cluster)
        life.run(5)

        # Each keeps one CPU of eight busy, and is charged for it.
        assert before_j[2] == pytest.approx(600 * _WATTS / _CPUS, rel=0.01)
        assert before_j[3] == pytest.approx(600 * _WATTS / _CPUS, rel=0.01)
        assert life.energy_j(1) > before_j[1]
        assert during[1].job_id == "train"
        assert during[2] == WorkloadLabels(job_id=uid_of(2))
        assert (during[3].job_id, during[3].pod) == (uid_of(3), "train-3")
        assert absence.said in trouble
        assert len(cluster.lists) == absence.lists
        after = life.job(2).labels
        assert after.info["workload_name"] == "train"
        assert after.info["name"] == "train-2"
        assert life.played.source.doubt == ""
        life.check_labels()


def test_a_daemon_that_starts_while_nobody_tells_names_keeps_those_it_gave(
    tmp_path: Path,
) -> None:
    """The API server is being upgraded, and so is the node."""
    told = ToldNames()
    told.tell(PodFacts(uid_of(1), "team-a", "train-1", workload_name="train"))
    with _living(tmp_path / "node", told) as life:
        life.start(1)
        life.run(40)
        before = life.job(1)
        life.restart(ToldNames())
        life.run(600)

        after = life.job(1)
        assert after.labels == before.labels
        assert after.labels.info["workload_name"] == "train"
        more_j = dict(after.energy_j)["cpu"] - dict(before.energy_j)["cpu"]
        assert more_j == pytest.approx(600 * _WATTS / _CPUS, rel=0.01)
        life.check_labels()


def test_a_kubelet_may_be_away_for_ten_minutes(
    tmp_path: Path, cluster: PlayedCluster
) -> None:
    """Where it is the only one who tells names."""
    clock = Clock()
    names = KubeletNames(cluster.client(), {}, monotonic=clock)
    with _living(tmp_path / "other", names) as life:
        life.start(1)
        clock.pass_s(5.0)
        names.step()
        life.run(40)
        cluster.stop()
        _put(cluster, 2)
        life.start(2)
        for _ in range(60):
            life.run(10)
            clock.pass_s(10.0)
            names.step()
        before_j = life.energy_j(2)
        cluster.start()
        clock.pass_s(130.0)
        names.step()
        life.run(5)

        assert before_j == pytest.approx(600 * _WATTS / _CPUS, rel=0.01)
        assert life.job(1).labels.job_id == "train"
        assert life.job(2).labels.job_id == uid_of(2)
        assert life.job(2).labels.info["workload_name"] == "train"
        life.check_labels()


def test_a_pod_that_restarts_under_its_name_is_told_once(tmp_path: Path) -> None:
    """One of a StatefulSet has the same labels, and another UID."""
    told = ToldNames()
    for number in (1, 2):
        facts = PodFacts(uid_of(number), "team-a", "db-0", workload_name="db")
        told.tell(facts)
    with _living(tmp_path / "node", told) as life:
        life.start(1)
        pod = life.played.pods.pods[uid_of(1)]
        life.run(40)
        life.played.pods.end_pod(pod)
        life.start(2)
        life.run(40)

        ended, running = life.job(1), life.job(2)
        assert ended.labels == running.labels
        assert ended.created_unix_s < running.created_unix_s
        life.check_labels()
