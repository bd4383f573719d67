"""Composition root of what reads pods; loaded where there are any."""

from exporter.config import Config
from exporter.config.kubernetes import Kubernetes
from exporter.workloads.cgroups import FileBudget
from exporter.workloads.doubts import Doubts
from exporter.workloads.kubernetes import INFO
from exporter.workloads.kubernetes.log_names import LogNames
from exporter.workloads.kubernetes.names import Witness
from exporter.workloads.kubernetes.source import KubernetesWorkloads


def build_pods(config: Config, budget: FileBudget) -> KubernetesWorkloads:
    """Put together what reads the pods of this node.

    Args:
        config: as configured.
        budget: how many files may be kept open.
    """
    doubts = Doubts(INFO.name)
    return KubernetesWorkloads(
        config.path.cgroupfs,
        _witnesses(config.kubernetes),
        doubts,
        budget=budget,
    )


def _witnesses(settings: Kubernetes) -> tuple[Witness, ...]:
    witnesses: list[Witness] = []
    if settings.names in {"auto", "logs"}:
        witnesses.append(LogNames(settings.log_dir))
    return tuple(witnesses)
