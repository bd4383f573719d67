"""A short way to let a usage tracker see a sample."""

from exporter.core.interval import UsageTracker
from exporter.core.model import SourceStatus
from exporter.core.usage_step import UsageStep
from exporter.core.workload import NodeUsage, WorkloadsReading
from tests.fakes.node import sample


def tick(
    tracker: UsageTracker,
    time_s: float,
    *workloads: WorkloadsReading,
    node: NodeUsage | None = None,
    sources: tuple[SourceStatus, ...] = (),
) -> UsageStep:
    """Let a tracker see the usages of one sample."""
    return tracker.advance(
        sample(time_s, workloads=workloads, node=node, sources=sources)
    )
