"""What is told of one job: by drop file, environment of a process, and hub.

They come one after the other, or some of them never. What the drop file says is
believed first: root wrote it. A user can put any name into the environment of a
process, but can have no process of another user. The hub fills in what is left.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from exporter.core.units import Seconds
from exporter.core.workload import NO_LABELS
from exporter.workloads.labels import shorten
from exporter.workloads.slurm import facts
from exporter.workloads.slurm.drops import Drop
from exporter.workloads.users import UserNames

if TYPE_CHECKING:
    from exporter.workloads.slurm.hub_jobs import HubJob

ValueT = TypeVar("ValueT")


class Told:
    """The witnesses of a job, and what they say together.

    Attributes:
        drop: its drop file.
        environment: that of one of its processes; ``None`` until one was read.
        hub: what the hub tells; ``None`` as long as it tells nothing.
    """

    __slots__ = ("drop", "environment", "hub")

    def __init__(self) -> None:
        self.drop: Drop | None = None
        self.environment: facts.Environment | None = None
        self.hub: HubJob | None = None

    def witnesses(self) -> tuple[facts.Environment, ...]:
        """Environments that tell of it, the most trustworthy first."""
        told = []
        if self.drop is not None:
            told.append(self.drop.facts)
        if self.environment is not None:
            told.append(self.environment)
        if self.hub is not None:
            told.append(self.hub.facts)
        return tuple(told)

    @property
    def may_learn(self) -> bool:
        """A process' environment may tell what is not known yet."""
        if self.environment is not None:
            return False
        # The drop file of a newer Slurm has it all.
        return self.drop is None or not facts.text_of(self.drop.facts, "SLURM_JOB_NAME")

    def text(self, *names: str) -> str:
        """Return the first of these variables that any witness tells; "" if none."""
        for each in self.witnesses():
            text = facts.text_of(each, *names)
            if text:
                return text
        return ""

    def cpus(self) -> int | None:
        """CPUs the job has on this node."""
        return _first(facts.cpus_of(each) for each in self.witnesses())

    def memory_bytes(self, cpus: float, gpus: float) -> float | None:
        """Memory the job has on this node, bytes."""
        told = self.witnesses()
        return _first(facts.memory_bytes_of(each, cpus, gpus) for each in told)

    def times(
        self, unix_s: float, began_unix_s: Seconds
    ) -> tuple[Seconds, Seconds | None]:
        """Start on the wall clock, and how long the job may run, s.

        Args:
            unix_s: now.
            began_unix_s: when its first cgroup was made.
        """
        for each in self.witnesses():
            start_s, limit_s = facts.times_of(each, unix_s)
            if start_s is not None:
                return start_s, limit_s or self._limit_s(start_s)
        # The Prolog ran just before the job; else it is as old as its cgroup.
        drop = self.drop
        start_s = began_unix_s if drop is None else drop.written_unix_s
        return start_s, self._limit_s(start_s)

    def user(self, users: UserNames, uid: int | None) -> tuple[str | None, int | None]:
        """Name of the user, ``None`` while it is being looked for; and the uid.

        Args:
            users: knows names of users.
            uid: whose job it is, as far as the kernel tells.
        """
        drop_facts = {} if self.drop is None else self.drop.facts
        hub_facts = {} if self.hub is None else self.hub.facts
        name = facts.text_of(drop_facts, "SLURM_JOB_USER") or facts.text_of(
            hub_facts, "SLURM_JOB_USER"
        )
        if name:
            return name, uid
        told = facts.number_of(drop_facts, "SLURM_JOB_UID")
        uid = uid if told is None else told
        if uid is None:
            return None, None
        name = users.name(uid) or ""
        if name or not users.is_unknown(uid):
            return name or None, uid
        return self.text("SLURM_JOB_USER") or str(uid), uid

    def info(self) -> Mapping[str, str]:
        """What only describes the job."""
        info = {
            "name": self.text("SLURM_JOB_NAME"),
            "array_job_id": self.text("SLURM_ARRAY_JOB_ID"),
            "array_task_id": self.text("SLURM_ARRAY_TASK_ID"),
            "het_job_id": self.text("SLURM_HET_JOB_ID"),
            "node_list": self.text("SLURM_JOB_NODELIST", "SLURM_NODELIST"),
        }
        return {key: shorten(text) for key, text in info.items() if text} or NO_LABELS

    def _limit_s(self, start_s: Seconds) -> Seconds | None:
        """How long the job may run from a start on by the word of the hub, s."""
        hub = self.hub
        if hub is None or hub.limit_s is None:
            return None
        left_s = hub.start_unix_s + hub.limit_s - start_s
        return Seconds(left_s) if left_s > 0 else None


def _first(values: Iterable[ValueT | None]) -> ValueT | None:
    """Return the first one that tells something."""
    return next((value for value in values if value), None)
