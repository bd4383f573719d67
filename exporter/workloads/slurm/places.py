"""Where Slurm's traces are on a node."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SlurmPlaces:
    """Where Slurm's traces are.

    Attributes:
        cgroupfs: mount point of the cgroup file system.
        procfs: mount point of procfs.
        drops: directory of the Prolog's files.
        ended: directory of the Epilog's files.
        only_looks: the files are a daemon's, and this is none: nothing is removed.
    """

    cgroupfs: Path
    procfs: Path
    drops: Path
    ended: Path
    only_looks: bool = False


def drop_directory(run_dir: Path) -> Path:
    """Return the directory in which the Prolog leaves a file for each job."""
    return run_dir / "slurm" / "jobs"


def end_directory(run_dir: Path) -> Path:
    """Return where the Epilog leaves a file for each job, if no daemon listens."""
    return run_dir / "slurm" / "ended"
