"""What the environment of a job tells about it.

Source: Slurm's pages sbatch(1), srun(1) and on Prolog and Epilog, and real
environments. Slurm says ``(null)`` for what does not exist. Which variables there
are depends on the release, on who set them, and on how the job was started, so
none of them is counted on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.core.units import Seconds
from exporter.workloads.gpu_names import is_uuid, numbers_in

VARIABLES = frozenset(
    {
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
        "CUDA_VISIBLE_DEVICES",
        "SLURM_ARRAY_JOB_ID",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_CPUS_ON_NODE",
        "SLURM_HET_JOB_ID",
        "SLURM_JOB_ACCOUNT",
        "SLURM_JOB_CPUS_PER_NODE",
        "SLURM_JOB_END_TIME",
        "SLURM_JOB_GPUS",
        "SLURM_JOB_ID",
        "SLURM_JOB_NAME",
        "SLURM_JOB_NODELIST",
        "SLURM_JOB_PARTITION",
        "SLURM_JOB_SLUID",
        "SLURM_JOB_START_TIME",
        "SLURM_JOB_UID",
        "SLURM_JOB_USER",
        "SLURM_MEM_PER_CPU",
        "SLURM_MEM_PER_GPU",
        "SLURM_MEM_PER_NODE",
        "SLURM_NODELIST",
        "SLURM_SHARDS_ON_NODE",
        "SLURM_STEP_GPUS",
    }
)
"""All that is ever kept of an environment."""

Environment = Mapping[str, str]

_NULL = "(null)"
_CPU_GROUP = re.compile(r"(\d{1,6})(?:\(x\d{1,6}\))?", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_PERCENT = re.compile(r"\d{1,3}(?:\.\d{1,6})?", re.ASCII)
_BYTES_PER_MIB = 1 << 20
_LONGEST_JOB_S = 100 * 365 * 86_400


@dataclass(frozen=True, slots=True)
class Sharing:
    """A part of a GPU that is shared by design.

    Attributes:
        shards: how many of the GPU's shards, on all GPUs of the job together.
        ratio: its part of the GPU, 0..1, if that is told instead.
    """

    shards: int | None = None
    ratio: float | None = None


def text_of(environment: Environment, *names: str) -> str:
    """Return the first of these variables that says something; "" if none does."""
    for name in names:
        value = environment.get(name, "").strip()
        if value and value != _NULL:
            return value
    return ""


def number_of(environment: Environment, *names: str) -> int | None:
    """Return the first of these variables that says something, if it is a number."""
    text = text_of(environment, *names)
    return int(text) if _NUMBER.fullmatch(text) else None


def cpus_of(environment: Environment) -> int | None:
    """CPUs the job has on this node.

    ``SLURM_JOB_CPUS_PER_NODE`` tells of all nodes (``4(x2),8``) and is exact where
    they are all alike. ``SLURM_CPUS_ON_NODE`` tells of this one, but of the step.
    """
    counts: set[int] = set()
    for group in text_of(environment, "SLURM_JOB_CPUS_PER_NODE").split(","):
        match = _CPU_GROUP.fullmatch(group)
        counts.add(0 if match is None else int(match[1]))
    if len(counts) == 1 and 0 not in counts:
        return counts.pop()
    return number_of(environment, "SLURM_CPUS_ON_NODE") or None


def memory_bytes_of(environment: Environment, cpus: float, gpus: float) -> float | None:
    """Memory the job has on this node, bytes; ``None`` if it is not told.

    The variables are in MiB; 0 stands for all there is, which is not told.
    """
    for name, times in (
        ("SLURM_MEM_PER_NODE", 1.0),
        ("SLURM_MEM_PER_CPU", cpus),
        ("SLURM_MEM_PER_GPU", gpus),
    ):
        mib = number_of(environment, name)
        if mib and times:
            return mib * times * _BYTES_PER_MIB
    return None


def times_of(
    environment: Environment, unix_s: float
) -> tuple[Seconds | None, Seconds | None]:
    """Start on the wall clock, and how long the job may run, s.

    Args:
        environment: of the job.
        unix_s: now; a start later than a minute from now is not believed.
    """
    start = number_of(environment, "SLURM_JOB_START_TIME")
    end = number_of(environment, "SLURM_JOB_END_TIME")
    if not start or start > unix_s + 60:
        return None, None
    if not end or not start < end < start + _LONGEST_JOB_S:
        return Seconds(start), None
    return Seconds(start), Seconds(end - start)


def gpus_of(environment: Environment, *, is_hook: bool) -> tuple[str, ...] | None:
    """Names of the GPUs the job holds: Slurm's numbers, or UUIDs.

    Args:
        environment: of the job.
        is_hook: it is that of a Prolog. There the numbers of
            ``CUDA_VISIBLE_DEVICES`` are the node's; in a job that is confined to its
            devices they begin at 0 and tell nothing, and with MPS they are always 0.

    Returns:
        The names; ``None`` if it does not tell.
    """
    visible = tuple(numbers_in(text_of(environment, "CUDA_VISIBLE_DEVICES")))
    if visible and all(is_uuid(name) for name in visible):
        return visible
    names = tuple(numbers_in(text_of(environment, "SLURM_JOB_GPUS")))
    if not names and is_hook and not _is_mps(environment):
        names = tuple(name for name in visible if name.isdecimal())
    if not names and not is_hook:
        names = tuple(numbers_in(text_of(environment, "SLURM_STEP_GPUS")))
    return names or None


def sharing_of(environment: Environment) -> Sharing | None:
    """Which part of its GPUs the job has; ``None``: all of them."""
    shards = number_of(environment, "SLURM_SHARDS_ON_NODE")
    if shards:
        return Sharing(shards=shards)
    text = text_of(environment, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE")
    if _PERCENT.fullmatch(text) and 0 < float(text) <= 100:  # noqa: PLR2004 - percent
        return Sharing(ratio=float(text) / 100)
    return None


def _is_mps(environment: Environment) -> bool:
    return bool(text_of(environment, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"))
