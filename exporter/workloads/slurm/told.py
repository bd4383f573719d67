"""What is told of one job: by its drop file, and by the environment of a process.

They come one after the other, or one of them never. What the drop file says is
believed first: root wrote it. A user can put any name into the environment of a
process, but can have no process of another user.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from exporter.core.model import NO_LABELS
from exporter.core.units import Seconds
from exporter.workloads.labels import shorten
from exporter.workloads.slurm import facts
from exporter.workloads.slurm.drops import Drop
from exporter.workloads.users import UserNames

ValueT = TypeVar("ValueT")


class Told:
    """The witnesses of a job, and what they say together.

    Attributes:
        drop: its drop file.
        environment: that of one of its processes; ``None`` until one was read.
    """

    __slots__ = ("drop", "environment")

    def __init__(self) -> None:
        self.drop: Drop | None = None
        self.environment: facts.Environment | None = None

    def witnesses(self) -> tuple[facts.Environment, ...]:
        """Environments that tell of it, the most trustworthy first."""
        told = []
        if self.drop is not None:
            told.append(self.drop.facts)
        if self.environment is not None:
            told.append(self.environment)
        return tuple(told)

    @property
    def may_learn(self) -> bool:
        """A process' environment may tell what is not known yet."""
        if self.environment is not None:
            return False
        # The drop file of a newer Slurm has it all.
        return self.drop is None or not self.text("SLURM_JOB_NAME")

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
                return start_s, limit_s
        # The Prolog ran just before the job; else it is as old as its cgroup.
        drop = self.drop
        return began_unix_s if drop is None else drop.written_unix_s, None

    def user(self, users: UserNames, uid: int | None) -> tuple[str | None, int | None]:
        """Name of the user, ``None`` while it is being looked for; and the uid.

        Args:
            users: knows names of users.
            uid: whose job it is, as far as the kernel tells.
        """
        drop_facts = {} if self.drop is None else self.drop.facts
        name = facts.text_of(drop_facts, "SLURM_JOB_USER")
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


def _first(values: Iterable[ValueT | None]) -> ValueT | None:
    """Return the first one that tells something."""
    return next((value for value in values if value), None)
