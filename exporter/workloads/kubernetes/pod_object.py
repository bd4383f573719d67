"""A pod as the API server and the kubelet write it: what of it is of interest.

Source: Kubernetes' API reference, Pod in version v1. The API server shows a static
pod under another UID than its cgroup has, and tells the latter in an annotation. Any
user can write that annotation. So it only adds a UID, of the form that no other pod
has, to the one that the API server gave.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from exporter.workloads.kubernetes.facts import PodFacts
from exporter.workloads.kubernetes.owner import Owner, owner_of, queue_of
from exporter.workloads.kubernetes.quantities import requested

_STATIC_UID = "kubernetes.io/config.hash"
_HASH = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MOST_CHARACTERS = 1024
_LONGEST_JOB_S = 100 * 365 * 86_400.0


def read_pod(item: object, info_labels: Mapping[str, str]) -> tuple[PodFacts, ...]:
    """Read a pod.

    Args:
        item: as parsed from JSON.
        info_labels: the labels of pods that are wanted, and how they are called here.

    Returns:
        One for each UID that its cgroup may have; none if it is no pod: it lacks
        UID, namespace or name.
    """
    pod = _mapping(item)
    metadata = _mapping(pod.get("metadata"))
    uid = _text(metadata.get("uid"))
    namespace = _text(metadata.get("namespace"))
    name = _text(metadata.get("name"))
    if not (uid and namespace and name):
        return ()
    spec = _mapping(pod.get("spec"))
    labels = {
        key: _text(value) for key, value in _mapping(metadata.get("labels")).items()
    }
    controller = _controller(metadata.get("ownerReferences"))
    owner = owner_of(labels, controller)
    containers = spec.get("containers")
    facts = PodFacts(
        uid=uid,
        namespace=namespace,
        name=name,
        workload_kind=owner.kind,
        workload_name=owner.name,
        queue=queue_of(labels),
        containers=len(containers) if isinstance(containers, list) else 0,
        cpus=requested(spec, "cpu"),
        memory_bytes=requested(spec, "memory"),
        start_unix_s=_moment(_mapping(pod.get("status")).get("startTime")),
        time_limit_s=_seconds(spec.get("activeDeadlineSeconds")),
        labels={
            called: labels[key] for key, called in info_labels.items() if key in labels
        },
    )
    static = _text(_mapping(metadata.get("annotations")).get(_STATIC_UID))
    if controller.kind == "Node" and static != uid and _HASH.fullmatch(static):
        return facts, replace(facts, uid=static)
    return (facts,)


def _controller(references: object) -> Owner:
    for each in references if isinstance(references, list) else ():
        reference = _mapping(each)
        if reference.get("controller") is True:
            return Owner(_text(reference.get("kind")), _text(reference.get("name")))
    return Owner()


def _moment(text: object) -> float | None:
    try:
        when = datetime.fromisoformat(_text(text))
        unix_s = when.timestamp() if when.tzinfo is not None else 0.0
    except (ValueError, OverflowError):
        return None
    return unix_s if unix_s > 0 else None


def _seconds(value: object) -> float | None:
    if not isinstance(value, int) or not 0 < value < _LONGEST_JOB_S:
        return None
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    text = value[:_MOST_CHARACTERS]
    # JSON can spell half a character, which nobody could write out again.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
