"""The labels of a pod's series, made of what is known of it."""

from collections.abc import Mapping

from exporter.core.workload import NO_LABELS, WorkloadLabels
from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.labels import shorten


def labels_of(uid: str, facts: PodFacts | None) -> WorkloadLabels:
    """Return the labels of a pod.

    Args:
        uid: the name of the job where nothing else is known.
        facts: what others tell of it, if anybody does.
    """
    if facts is None:
        return WorkloadLabels(job_id=uid)
    return WorkloadLabels(
        job_id=shorten(facts.workload_name) or uid,
        namespace=shorten(facts.namespace),
        pod=shorten(facts.name),
        info=info_of(facts),
    )


def info_of(facts: PodFacts | None) -> Mapping[str, str]:
    """Return the labels that only describe a pod."""
    if facts is None:
        return NO_LABELS
    info = {
        "name": facts.name,
        "workload_kind": facts.workload_kind,
        "workload_name": facts.workload_name,
        "queue": facts.queue,
        "containers": str(facts.containers or ""),
        **facts.labels,
    }
    return {key: shorten(text) for key, text in info.items() if text} or NO_LABELS
