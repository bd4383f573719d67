"""What is read of a pod as Kubernetes writes it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.workloads.kubernetes.owner import Owner, owner_of, queue_of
from exporter.workloads.kubernetes.pod_object import read_pod
from exporter.workloads.kubernetes.quantities import quantity, requested
from tests.fakes.cluster_talk import pod_object

_NOBODY = Owner()
_HASH = "586a56e04739cd852be8086aa8e9ac42"
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "metadata",
                    "spec",
                    "status",
                    "labels",
                    "containers",
                    "initContainers",
                    "resources",
                    "requests",
                    "cpu",
                    "ownerReferences",
                    "uid",
                    "name",
                    "namespace",
                    "startTime",
                    "annotations",
                    "activeDeadlineSeconds",
                    "overhead",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


# --- what it is a part of -------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "controller", "owner"),
    [
        ({}, _NOBODY, _NOBODY),
        (
            {"batch.kubernetes.io/job-name": "train", "job-name": "train"},
            Owner("Job", "train"),
            Owner("Job", "train"),
        ),
        ({"job-name": "train"}, Owner("Job", "train"), Owner("Job", "train")),
        (
            {
                "jobset.sigs.k8s.io/jobset-name": "big",
                "batch.kubernetes.io/job-name": "big-workers-0",
            },
            Owner("Job", "big-workers-0"),
            Owner("JobSet", "big"),
        ),
        (
            {
                "training.kubeflow.org/job-name": "bert",
                "training.kubeflow.org/operator-name": "pytorchjob-controller",
            },
            Owner("PyTorchJob", "bert"),
            Owner("PyTorchJob", "bert"),
        ),
        (
            {
                "training.kubeflow.org/job-name": "mpi",
                "training.kubeflow.org/operator-name": "mpi-operator",
                "batch.kubernetes.io/job-name": "mpi-launcher",
            },
            Owner("Job", "mpi-launcher"),
            Owner("MPIJob", "mpi"),
        ),
        (
            {"training.kubeflow.org/job-name": "x"},
            Owner("NewJob", "x"),
            Owner("NewJob", "x"),
        ),
        (
            {"training.kubeflow.org/job-name": "x"},
            _NOBODY,
            Owner("TrainingJob", "x"),
        ),
        (
            {"ray.io/cluster": "ray-a"},
            Owner("RayCluster", "ray-a"),
            Owner("RayCluster", "ray-a"),
        ),
        (
            {
                "ray.io/cluster": "job-a-raycluster-x7z",
                "ray.io/originated-from-cr-name": "job-a",
                "ray.io/originated-from-crd": "RayJob",
            },
            Owner("RayCluster", "job-a-raycluster-x7z"),
            Owner("RayJob", "job-a"),
        ),
        (
            {"volcano.sh/job-name": "v"},
            Owner("Job", "v"),
            Owner("VolcanoJob", "v"),
        ),
        (
            {"pod-template-hash": "7d4b9c6f5"},
            Owner("ReplicaSet", "web-server-7d4b9c6f5"),
            Owner("Deployment", "web-server"),
        ),
        (
            {"rollouts-pod-template-hash": "abc"},
            Owner("ReplicaSet", "web-abc"),
            Owner("Rollout", "web"),
        ),
        ({}, Owner("ReplicaSet", "web-abc"), Owner("ReplicaSet", "web-abc")),
        (
            {"pod-template-hash": "abc"},
            Owner("ReplicaSet", "-abc"),
            Owner("ReplicaSet", "-abc"),
        ),
        (
            {"pod-template-hash": ""},
            Owner("ReplicaSet", "web-"),
            Owner("ReplicaSet", "web-"),
        ),
        ({}, Owner("StatefulSet", "db"), Owner("StatefulSet", "db")),
        ({}, Owner("DaemonSet", "exporter"), Owner("DaemonSet", "exporter")),
        ({}, Owner("Node", "node-1"), _NOBODY),
    ],
)
def test_a_pod_is_a_part_of_what_people_started(
    labels: dict[str, str], controller: Owner, owner: Owner
) -> None:
    """Nobody knows the ReplicaSets and inner Jobs that were made for them."""
    assert owner_of(labels, controller) == owner


def test_the_queue_is_told_by_who_queues() -> None:
    """Of several the first that tells."""
    assert queue_of({"kueue.x-k8s.io/queue-name": "gpu"}) == "gpu"
    assert queue_of({"volcano.sh/queue-name": "default"}) == "default"
    assert queue_of({}) == ""


# --- quantities -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100m", 0.1),
        ("2", 2.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("64Mi", 64 * 2**20),
        ("1Gi", 2**30),
        ("2Ei", 2 * 2**60),
        ("1k", 1e3),
        ("1M", 1e6),
        ("3G", 3e9),
        ("1E", 1e18),
        ("1e3", 1e3),
        ("12E2", 1200.0),
        ("250u", 250e-6),
        ("128974848", 128974848.0),
    ],
)
def test_a_quantity_is_read_with_its_suffix(text: str, value: float) -> None:
    """As people and programs write them."""
    assert quantity(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "garbage", ["", "m", "1 Gi", "-1", "1KiB", "1x", "nan", "1e999", None, 5, "9" * 40]
)
def test_what_is_no_quantity_is_not_known(garbage: object) -> None:
    """Missing is not zero."""
    assert quantity(garbage) is None


def _container(cpu: str, restart: str | None = None) -> dict[str, Any]:
    container: dict[str, Any] = {"resources": {"requests": {"cpu": cpu}}}
    return container if restart is None else container | {"restartPolicy": restart}


@pytest.mark.parametrize(
    ("spec", "cpus"),
    [
        ({"containers": [_container("1"), _container("500m")]}, 1.5),
        (
            {"containers": [_container("1")], "initContainers": [_container("3")]},
            3.0,
        ),
        (
            {
                "containers": [_container("1")],
                "initContainers": [_container("250m", "Always"), _container("500m")],
            },
            1.25,
        ),
        (
            {
                "containers": [_container("1")],
                "initContainers": [_container("500m", "Always"), _container("2")],
            },
            2.5,
        ),
        (
            {"containers": [_container("1")], "overhead": {"cpu": "250m"}},
            1.25,
        ),
        (
            {
                "containers": [_container("1")],
                "resources": {"requests": {"cpu": "4"}},
            },
            4.0,
        ),
        ({"containers": [{}]}, None),
        ({}, None),
    ],
)
def test_requests_add_up_as_the_scheduler_adds_them(
    spec: dict[str, Any], cpus: float | None
) -> None:
    """Containers of the beginning run before the others, sidecars beside them."""
    total = requested(spec, "cpu")

    assert total == (None if cpus is None else pytest.approx(cpus))


# --- the whole ------------------------------------------------------------------------


def test_a_pod_is_read_as_kubernetes_writes_it() -> None:
    """With all that is of interest."""
    item = pod_object(
        "train-0",
        "u1",
        labels={"kueue.x-k8s.io/queue-name": "gpu", "team": "vision", "other": "x"},
        owner=("Job", "train"),
        requests={"cpu": "1500m", "memory": "2Gi"},
    )
    item["spec"]["activeDeadlineSeconds"] = 3600

    (facts,) = read_pod(item, {"team": "label_team", "absent": "label_absent"})

    assert (facts.uid, facts.namespace, facts.name) == ("u1", "team-a", "train-0")
    assert (facts.workload_kind, facts.workload_name) == ("Job", "train")
    assert (facts.queue, facts.containers) == ("gpu", 1)
    assert (facts.cpus, facts.memory_bytes) == (1.5, 2.0**31)
    assert facts.start_unix_s == 1795334290.0
    assert facts.time_limit_s == 3600.0
    assert facts.labels == {"label_team": "vision"}
    assert facts.is_whole


def test_a_static_pod_is_known_by_both_its_uids() -> None:
    """The API server shows it under one of its own, its cgroup has the hash."""
    item = pod_object(
        "etcd-node-1",
        "c0ffee00-0000-4000-8000-000000000000",
        owner=("Node", "node-1"),
        annotations={"kubernetes.io/config.hash": _HASH},
    )

    facts = read_pod(item, {})

    assert [each.uid for each in facts] == [item["metadata"]["uid"], _HASH]
    assert {(each.name, each.workload_name) for each in facts} == {("etcd-node-1", "")}


@pytest.mark.parametrize(
    ("owner", "claimed"),
    [
        (None, _HASH),
        (("Node", "node-1"), "586a56e0-4739-cd85-2be8-086aa8e9ac42"),
        (("Node", "node-1"), f"{_HASH}\n"),
    ],
)
def test_nobody_can_claim_the_uid_of_another_pod(
    owner: tuple[str, str] | None, claimed: str
) -> None:
    """Any user can write annotations; joules of others stay theirs."""
    annotations = {"kubernetes.io/config.hash": claimed}
    item = pod_object("mine", "u1", owner=owner, annotations=annotations)

    assert [each.uid for each in read_pod(item, {})] == ["u1"]


def test_names_are_bounded_and_can_be_written_out() -> None:
    """Whatever the other side sends."""
    item = pod_object("x" * 5000, "u1", labels={"team": "\ud800half"})

    (facts,) = read_pod(item, {"team": "label_team"})

    assert len(facts.name) == 1024
    assert facts.labels["label_team"].encode()


@pytest.mark.parametrize(
    "start", [None, "", "yesterday", "2026-11-22T07:58:10", "0001-01-01T00:00:00+23:59"]
)
def test_a_start_that_is_no_moment_is_not_known(start: object) -> None:
    """A pod that has not started yet has none."""
    item = pod_object("one", "u1")
    item["status"]["startTime"] = start

    (facts,) = read_pod(item, {})

    assert facts.start_unix_s is None


@given(_JSON)
def test_whatever_is_sent_is_a_pod_or_is_not(item: object) -> None:
    """No answer of a server can end the thread that reads it."""
    for facts in read_pod(item, {"name": "label_name"}):
        assert facts.uid
        assert facts.name
