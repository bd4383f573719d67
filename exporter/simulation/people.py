"""Who computes what on the simulated cluster; all of it is invented.

A kind of job says what it asks for and how it behaves. The names are such as people
give: they end up in the labels of jobs.
"""

from dataclasses import dataclass
from typing import Literal

from exporter.simulation.chance import Chance

Scheduler = Literal["slurm", "kubernetes"]
Rhythm = Literal["training", "steady", "serving", "bursts", "held"]
"""How the load of a job goes: see ``load``."""

_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job.

    Attributes:
        scheduler: whose jobs these are.
        weight: how many of all jobs of that scheduler are of this kind.
        tenants: accounts, or namespaces, it occurs in.
        partition: of Slurm; "" for pods.
        names: what they are called.
        owner: the kind of object that makes the pods; "" for Slurm.
        nodes: numbers of nodes it may take.
        gpus: numbers of GPUs on each of them.
        cpus: numbers of CPUs on each.
        memory_bytes: on each.
        minutes: shortest and longest.
        rhythm: how its load goes.
        gpu_heat: power of a GPU at full utilisation, of its limit, 0..1.
        cpu_load: part of its CPUs that it keeps busy, 0..1.
        tasks: smallest and largest number of jobs of one array; 1: there is none.
    """

    scheduler: Scheduler
    weight: float
    tenants: tuple[str, ...]
    partition: str
    names: tuple[str, ...]
    owner: str
    nodes: tuple[int, ...]
    gpus: tuple[int, ...]
    cpus: tuple[int, ...]
    memory_bytes: int
    minutes: tuple[float, float]
    rhythm: Rhythm
    gpu_heat: float = 0.0
    cpu_load: float = 0.1
    tasks: tuple[int, int] = (1, 1)


USERS: dict[str, tuple[str, ...]] = {
    "astro": ("edwin", "vera"),
    "climate": ("amara", "jonas", "lin"),
    "genomics": ("priya", "rosalind"),
    "materials": ("dmitri", "fatima"),
    "nlp": ("ada", "noor", "tomas"),
}
"""Users of each account of Slurm."""

KINDS: tuple[Kind, ...] = (
    Kind(
        scheduler="slurm",
        weight=4.5,
        tenants=("nlp", "climate"),
        partition="gpu",
        names=("pretrain-7b", "downscale-era5", "weather-vit"),
        owner="",
        nodes=(2, 2, 3),
        gpus=(2, 2, 4),
        cpus=(16, 24),
        memory_bytes=160 * _GIB,
        minutes=(6, 18),
        rhythm="training",
        gpu_heat=0.93,
        cpu_load=0.35,
    ),
    Kind(
        scheduler="slurm",
        weight=3.0,
        tenants=("nlp", "genomics", "climate"),
        partition="gpu",
        names=("finetune-lora", "train-unet", "segment-cells", "eval-suite"),
        owner="",
        nodes=(1,),
        gpus=(1, 1, 2, 4),
        cpus=(6, 8, 12),
        memory_bytes=64 * _GIB,
        minutes=(3, 14),
        rhythm="training",
        gpu_heat=0.85,
        cpu_load=0.4,
    ),
    Kind(
        scheduler="slurm",
        weight=2.0,
        tenants=("materials", "genomics"),
        partition="gpu",
        names=("gromacs-npt", "namd-membrane", "md-interface"),
        owner="",
        nodes=(1,),
        gpus=(1, 2),
        cpus=(8, 12),
        memory_bytes=24 * _GIB,
        minutes=(4, 20),
        rhythm="steady",
        gpu_heat=0.72,
        cpu_load=0.9,
    ),
    Kind(
        scheduler="slurm",
        weight=0.7,
        tenants=("nlp", "astro"),
        partition="interactive",
        names=("jupyter", "debug-shell"),
        owner="",
        nodes=(1,),
        gpus=(1,),
        cpus=(4,),
        memory_bytes=32 * _GIB,
        minutes=(10, 30),
        rhythm="held",
        gpu_heat=0.6,
        cpu_load=0.04,
    ),
    Kind(
        scheduler="slurm",
        weight=2.0,
        tenants=("materials", "climate", "astro"),
        partition="cpu",
        names=("openfoam-wing", "vasp-relax", "nbody-512", "cdo-remap"),
        owner="",
        nodes=(1, 1, 1, 2),
        gpus=(0,),
        cpus=(8, 12, 16),
        memory_bytes=48 * _GIB,
        minutes=(3, 12),
        rhythm="steady",
        cpu_load=0.96,
    ),
    Kind(
        scheduler="slurm",
        weight=0.8,
        tenants=("genomics", "astro"),
        partition="cpu",
        names=("align-reads", "sweep-z"),
        owner="",
        nodes=(1,),
        gpus=(0,),
        cpus=(1, 2),
        memory_bytes=6 * _GIB,
        minutes=(0.4, 2.0),
        rhythm="steady",
        cpu_load=0.98,
        tasks=(3, 6),
    ),
    Kind(
        scheduler="kubernetes",
        weight=1.2,
        tenants=("search", "vision"),
        partition="",
        names=("embedder", "ranker", "ocr-api"),
        owner="Deployment",
        nodes=(1,),
        gpus=(1,),
        cpus=(4, 6),
        memory_bytes=32 * _GIB,
        minutes=(12, 40),
        rhythm="serving",
        gpu_heat=0.6,
        cpu_load=0.5,
    ),
    Kind(
        scheduler="kubernetes",
        weight=2.0,
        tenants=("vision", "research"),
        partition="",
        names=("train-detector", "distill", "dataset-tiles"),
        owner="Job",
        nodes=(1,),
        gpus=(1, 2, 2),
        cpus=(6, 8),
        memory_bytes=48 * _GIB,
        minutes=(3, 12),
        rhythm="training",
        gpu_heat=0.88,
        cpu_load=0.45,
    ),
    Kind(
        scheduler="kubernetes",
        weight=1.6,
        tenants=("research",),
        partition="",
        names=("llama-sft", "diffusion-xl"),
        owner="PyTorchJob",
        nodes=(2, 2, 1),
        gpus=(2, 4),
        cpus=(12, 16),
        memory_bytes=120 * _GIB,
        minutes=(5, 16),
        rhythm="training",
        gpu_heat=0.92,
        cpu_load=0.3,
    ),
    Kind(
        scheduler="kubernetes",
        weight=0.6,
        tenants=("research",),
        partition="",
        names=("notebook",),
        owner="StatefulSet",
        nodes=(1,),
        gpus=(1,),
        cpus=(2, 4),
        memory_bytes=16 * _GIB,
        minutes=(10, 30),
        rhythm="bursts",
        gpu_heat=0.7,
        cpu_load=0.3,
    ),
    Kind(
        scheduler="kubernetes",
        weight=1.6,
        tenants=("search", "platform"),
        partition="",
        names=("indexer", "ingest", "log-compactor"),
        owner="Job",
        nodes=(1,),
        gpus=(0,),
        cpus=(2, 4, 6),
        memory_bytes=12 * _GIB,
        minutes=(0.5, 6),
        rhythm="steady",
        cpu_load=0.85,
    ),
)
"""All kinds of jobs there are."""


def user_of(kind: Kind, tenant: str, chance: Chance) -> str:
    """Return who submits a job; pods have no users."""
    return "" if kind.scheduler == "kubernetes" else chance.one_of(USERS[tenant])
