"""What the core charges jobs for, from what a played Slurm node's source reads."""

from exporter.core.interval import UsageTracker
from exporter.core.model import Intensity, Sample
from exporter.core.units import GramsPerKwh, Seconds
from exporter.core.usage_step import UsageStep
from exporter.core.workload import WorkloadsReading
from tests.fakes.slurm_node import SlurmNode

_INTENSITY = Intensity("WORLD", "test", GramsPerKwh(480.0))


class Charges:
    """CPU seconds that each job has been charged for.

    Args:
        node: whose clock counts.
        interval_s: of ticks; usually as long as a look takes to come, so that no time
            between two is too long.

    Attributes:
        cpu_s: by job id.
        unknown_s: CPU seconds of jobs that nobody could tell.
    """

    def __init__(self, node: SlurmNode, interval_s: float = 31.0) -> None:
        self.cpu_s: dict[str, float] = {}
        self.unknown_s = 0.0
        self._node = node
        self._interval_s = Seconds(interval_s)
        self._tracker = UsageTracker()

    def take(self, reading: WorkloadsReading) -> UsageStep:
        """Let the core advance by a reading."""
        now_s = Seconds(self._node.clock())
        unix_s = Seconds(self._node.unix_time())
        step = self._tracker.advance(
            Sample(
                now_s, unix_s, self._interval_s, (), None, (reading,), _INTENSITY, 1.0
            )
        )
        for workload, cpu_s in step.cpu_s.items():
            self.cpu_s[workload.key] = self.cpu_s.get(workload.key, 0.0) + cpu_s
        self.unknown_s += sum(step.unknown_cpu_s.values())
        return step
