"""How busy a job keeps its hardware: a pure function of the job and the time.

training  reads data, then computes with short breaks for checkpoints
steady    computes all the time
serving   follows the requests, up and down within minutes
bursts    computes for half a minute now and then
held      tries something in the beginning, and then holds its GPU for nothing
"""

from typing import NamedTuple

from exporter.simulation.chance import Chance, wave
from exporter.simulation.cluster import Job

_WAKES_S = 2.0
_START_S = 12.0
_CHECKPOINT_EVERY_S = 90.0
_CHECKPOINT_S = 7.0
_BURST_EVERY_S = 150.0
_BURST_S = 35.0
_TRIAL_S = 45.0


class Load(NamedTuple):
    """What a job uses of what it holds on one node.

    Attributes:
        busy_cpus: CPUs it keeps busy.
        gpu: utilisation of its GPUs, 0..1.
        gpu_memory: part of their memory that it has taken, 0..1.
        memory_bytes: anonymous memory.
    """

    busy_cpus: float
    gpu: float
    gpu_memory: float
    memory_bytes: int


def load_of(job: Job, node: int, unix_s: float) -> Load:
    """Return the load of a job on one of its nodes while it runs."""
    kind = job.kind
    age_s = unix_s - job.start_unix_s
    # The nodes of a job go in step, and are not quite alike.
    phase = Chance("phase", job.number).ratio()
    own = Chance("phase", job.number, node).ratio()
    gpu, cpu = _rhythm(job, age_s, phase)
    grown = min(1.0, age_s / 20.0)
    gpu *= 1 + 0.03 * wave(unix_s, 23.0, own)
    cpu *= 1 + 0.04 * wave(unix_s, 17.0, own)
    return Load(
        busy_cpus=job.cpus * min(1.0, max(0.0, cpu)),
        gpu=min(1.0, max(0.0, gpu)),
        gpu_memory=grown * (0.45 + 0.45 * phase),
        memory_bytes=int(kind.memory_bytes * (0.1 + grown * (0.5 + 0.3 * own))),
    )


def _rhythm(job: Job, age_s: float, phase: float) -> tuple[float, float]:
    """Utilisation of its GPUs and of its CPUs, 0..1."""
    cpu = job.kind.cpu_load
    match job.kind.rhythm:
        case "training":
            return _training(age_s, phase, cpu)
        case "steady":
            return (0.9, cpu) if age_s >= _WAKES_S else (0.0, 0.2)
        case "serving":
            asked = 0.5 + 0.4 * wave(age_s, 420.0, phase)
            return asked, cpu * (0.3 + asked)
        case "bursts":
            is_on = (age_s + phase * _BURST_EVERY_S) % _BURST_EVERY_S < _BURST_S
            return (0.85, cpu) if is_on else (0.0, 0.03)
        case "held":
            is_trying = _START_S <= age_s < _TRIAL_S
            return (0.6, 4 * cpu) if is_trying else (0.0, cpu)


def _training(age_s: float, phase: float, cpu: float) -> tuple[float, float]:
    if age_s < _START_S:
        return 0.0, min(1.0, 1.6 * cpu)
    in_cycle_s = (age_s + phase * _CHECKPOINT_EVERY_S) % _CHECKPOINT_EVERY_S
    if in_cycle_s < _CHECKPOINT_S:
        return 0.12, 0.5 * cpu
    return 0.95, cpu
