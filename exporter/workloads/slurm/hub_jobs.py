"""What the hub tells of the jobs of this node, learned beside the ticks.

The hub asks Slurm for the whole cluster, now and then. So its word comes late, may be
of an earlier run under the same id, or of another cluster whose nodes have the same
names. It is taken for a job's only if id, user and time of start go together, and fills
in what nobody on the node told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from exporter.core.units import Seconds

# Slurm calls a job started when it has nodes; clocks of machines may differ.
_CLOCKS_DIFFER_S = 60.0
# From then on boot, Prolog and the first step may take their time.
_LONGEST_PROLOG_S = 3600.0

_NOTHING: Mapping[str, "HubJob"] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class HubJob:
    """One job as the hub tells it.

    Attributes:
        facts: as the environment of the job would, by the same names.
        uid: whose it is; ``None`` if that is not told.
        start_unix_s: when Slurm started it, wall clock, s.
        limit_s: how long it may run from then on, s; ``None``: not limited.
    """

    facts: Mapping[str, str]
    uid: int | None
    start_unix_s: Seconds
    limit_s: Seconds | None

    def is_of(self, uid: int | None, began_unix_s: float) -> bool:
        """Whether it is the job of the same id that began here.

        Args:
            uid: whose job it is, as far as the kernel or root tells.
            began_unix_s: when it began, as far as the node knows, wall clock, s.
        """
        if None not in (uid, self.uid) and uid != self.uid:
            return False
        late_s = began_unix_s - self.start_unix_s
        return -_CLOCKS_DIFFER_S <= late_s <= _LONGEST_PROLOG_S


class HubJobs:
    """Hands on what was told: one thread writes, that of the ticks reads.

    Attributes:
        by_id: the jobs that the hub knows on this node; exchanged as a whole.
        answers: whether the hub told anything the last time.
        has_jobs: whether there are jobs here that could be asked for.
    """

    def __init__(self) -> None:
        self.by_id: Mapping[str, HubJob] = _NOTHING
        self.answers = False
        self.has_jobs = False
        self._wishes = False
        self._on_wish: Callable[[], None] = _ignore

    def wish(self) -> None:
        """Let the hub be asked soon: there is a job that nobody named."""
        if not self._wishes:
            self._wishes = True
            self._on_wish()

    def take_wish(self) -> None:
        """Take note that the hub is asked now."""
        self._wishes = False

    def on_wish(self, call: Callable[[], None] | None) -> None:
        """Set what is called, maybe in the thread of the ticks; ``None``: nothing."""
        self._on_wish = _ignore if call is None else call
        # What was wished before anybody listened.
        if self._wishes:
            self._on_wish()


def _ignore() -> None:
    pass
