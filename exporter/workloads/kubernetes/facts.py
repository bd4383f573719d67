"""What is known of a pod, whoever tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.core.workload import NO_LABELS


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What one witness tells of a pod.

    Attributes:
        uid: as the pod's cgroup is named.
        namespace: its namespace.
        name: its name.
        is_whole: all below was told; else the name is all that is known.
        workload_kind: what it is a part of, such as "Job" or "Deployment"; "" if it
            is a pod by itself.
        workload_name: name of that.
        queue: the queue that it waited in.
        containers: how many it has, those of its beginning excepted.
        cpus: CPUs that it requests; ``None`` if none.
        memory_bytes: memory that it requests; ``None`` if none.
        start_unix_s: when the kubelet took it on; ``None`` until then.
        time_limit_s: how long it may run; ``None`` if that is unlimited.
        labels: those of its labels that are wanted, by the names they get.
    """

    uid: str
    namespace: str
    name: str
    is_whole: bool = True
    workload_kind: str = ""
    workload_name: str = ""
    queue: str = ""
    containers: int = 0
    cpus: float | None = None
    memory_bytes: float | None = None
    start_unix_s: float | None = None
    time_limit_s: float | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS)
