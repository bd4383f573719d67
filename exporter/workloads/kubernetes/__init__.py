"""Pods of Kubernetes on this node."""

from exporter.core.model import SourceInfo

SCHEDULER = "kubernetes"
INFO = SourceInfo(
    name=SCHEDULER,
    component="workloads",
    method="none",
    quality="none",
    scope="node",
)
