"""What a pod is a part of: a job, a deployment, a cluster within the cluster.

Those who make pods for a job label them with its name. Where nobody does, the one
that ``ownerReferences`` calls the controller is meant. A Deployment stands behind a
ReplicaSet that is named after it and the hash of its template.

Source: the labels that Kubernetes, JobSet, Kubeflow's training operator, KubeRay,
Volcano, Spark's operator, Argo, LeaderWorkerSet and Kueue document.
"""

from collections.abc import Mapping
from typing import NamedTuple

_JOB_SET = "jobset.sigs.k8s.io/jobset-name"
_NAMED_BY = (
    ("leaderworkerset.sigs.k8s.io/name", "LeaderWorkerSet"),
    ("volcano.sh/job-name", "VolcanoJob"),
    ("sparkoperator.k8s.io/app-name", "SparkApplication"),
    ("workflows.argoproj.io/workflow", "Workflow"),
    ("batch.kubernetes.io/job-name", "Job"),
)
_TRAINING_JOB = "training.kubeflow.org/job-name"
_TRAINING_OPERATOR = "training.kubeflow.org/operator-name"
_TRAINING_KINDS = {
    "jaxjob-controller": "JAXJob",
    "mpi-operator": "MPIJob",
    "mpijob-controller": "MPIJob",
    "paddlejob-controller": "PaddleJob",
    "pytorchjob-controller": "PyTorchJob",
    "tfjob-controller": "TFJob",
    "xgboostjob-controller": "XGBoostJob",
}
_RAY_CLUSTER = "ray.io/cluster"
_RAY_ORIGIN_NAME = "ray.io/originated-from-cr-name"
_RAY_ORIGIN_KIND = "ray.io/originated-from-crd"
# Whoever stands behind a ReplicaSet, by the label with the hash of its template.
_BEHIND_REPLICA_SETS = (
    ("pod-template-hash", "Deployment"),
    ("rollouts-pod-template-hash", "Rollout"),
)
_QUEUES = (
    "kueue.x-k8s.io/queue-name",
    "volcano.sh/queue-name",
    "kai.scheduler/queue",
)


class Owner(NamedTuple):
    """What a pod is a part of; "" if it is a pod by itself."""

    kind: str = ""
    name: str = ""


def owner_of(labels: Mapping[str, str], controller: Owner) -> Owner:
    """Return what a pod is a part of.

    Args:
        labels: of the pod.
        controller: who its ``ownerReferences`` say looks after it.
    """
    # The outermost first: a JobSet makes Jobs, and those make pods.
    if labels.get(_JOB_SET):
        return Owner("JobSet", labels[_JOB_SET])
    if labels.get(_TRAINING_JOB):
        operator = labels.get(_TRAINING_OPERATOR, "")
        kind = _TRAINING_KINDS.get(operator) or controller.kind or "TrainingJob"
        return Owner(kind, labels[_TRAINING_JOB])
    if labels.get(_RAY_ORIGIN_NAME) and labels.get(_RAY_ORIGIN_KIND):
        return Owner(labels[_RAY_ORIGIN_KIND], labels[_RAY_ORIGIN_NAME])
    if labels.get(_RAY_CLUSTER):
        return Owner("RayCluster", labels[_RAY_CLUSTER])
    for label, kind in _NAMED_BY:
        if labels.get(label):
            return Owner(kind, labels[label])
    return _behind(controller, labels)


def queue_of(labels: Mapping[str, str]) -> str:
    """Return the queue that a pod waited in; "" if none."""
    return next((labels[label] for label in _QUEUES if labels.get(label)), "")


def _behind(controller: Owner, labels: Mapping[str, str]) -> Owner:
    if controller.kind == "Node":
        # A static pod: its node only shows it.
        return Owner()
    if controller.kind == "ReplicaSet":
        for label, kind in _BEHIND_REPLICA_SETS:
            template_hash = labels.get(label)
            name = controller.name.removesuffix(f"-{template_hash}")
            if template_hash and name and name != controller.name:
                return Owner(kind, name)
    return controller
