"""An overview of a cluster at work, without a Prometheus."""

from dataclasses import replace
from math import sin

from exporter.hub.overview.figures import (
    Cluster,
    Course,
    Day,
    Fault,
    Job,
    Node,
    Nodes,
    Overview,
    Tenant,
    Total,
    Zone,
)
from exporter.hub.overview.keeper import OverviewStanding

HOST = "prometheus.example.org"

_STEP_S = 120
_LENGTH = 180
_KWH_J = 3.6e6


def standing(overview: Overview | None, **more: object) -> OverviewStanding:
    """Return how it stands with a Prometheus that answers."""
    known = OverviewStanding(HOST, overview, "ok", duration_s=0.212)
    return replace(known, **more)  # type: ignore[arg-type]


def busy_overview(at_s: float) -> Overview:
    """Return a cluster of 128 nodes with Slurm and Kubernetes, some of it broken."""
    return Overview(
        at_s,
        clusters=(Cluster("alps", 128, 126, 214_300.0),),
        nodes=_nodes(),
        power_w=214_300.0,
        grams_per_s=17.9,
        fallback_ratio=0.0,
        components_w={
            "cpu": 52_100.0,
            "dram": 9_400.0,
            "gpu": 134_200.0,
            "platform": 18_600.0,
        },
        schedulers_w={"slurm": 151_000.0, "kubernetes": 21_000.0},
        unattributed_w={"idle": 27_000.0, "unallocated": 9_300.0, "system": 6_000.0},
        devices_missing={"cpu": 2, "dram": 0, "gpu": 14},
        course=_course(at_s),
        day=Day(
            at_s,
            Total(4_912 * _KWH_J, 86_400.0),
            Total(1_503_000.0, 86_400.0),
            _tenants(),
        ),
        jobs=_jobs(),
        running=312,
        gpus=480.0,
        gpus_idle=12.0,
        zones=(Zone("DE", 321.0, 0),),
    )


def _nodes() -> Nodes:
    silent = tuple(Node("alps", f"n{number:03}:9878") for number in (17, 94))
    slow = [
        Fault(Node("alps", f"n{number:03}:9878"), "nvml", "timeout")
        for number in (3, 41, 77)
    ]
    denied = Fault(Node("alps", "n120:9878"), "rapl", "denied")
    lost = [
        Fault(Node("alps", "n064:9878"), f"amdgpu/{device}", "faulty")
        for device in ("GPU-db2ac6b7-2bff-530a-bfc8-8f498fe52858", "0000:c1:00.0")
    ]
    return Nodes(128, 126, silent, (*slow, *lost, denied), 5, {"cpu": 6}, 0)


def _course(at_s: float) -> Course:
    def values(base: float, swing: float, phase: float) -> tuple[float | None, ...]:
        return tuple(
            # Prometheus was away for some minutes.
            None
            if 60 <= index < 66
            else base + swing * sin(index / 21 + phase) + swing / 4 * sin(index / 2.7)
            for index in range(_LENGTH)
        )

    begin_s = int(at_s // _STEP_S) * _STEP_S - _STEP_S * (_LENGTH - 1)
    return Course(
        begin_s,
        _STEP_S,
        {
            "cpu": values(52_000.0, 5_000.0, 0.0),
            "dram": values(9_400.0, 300.0, 1.0),
            "gpu": values(121_000.0, 26_000.0, 2.2),
            "platform": values(18_600.0, 600.0, 0.5),
        },
    )


def _tenants() -> tuple[Tenant, ...]:
    rows = (
        ("slurm", "physics", 1622.0, 71_200.0),
        ("slurm", "climate", 1190.0, 48_900.0),
        ("kubernetes", "ml-research", 688.0, 19_400.0),
        ("slurm", "biology", 402.0, 21_800.0),
        ("slurm", "chemistry-and-materials", 233.0, None),
        ("kubernetes", "notebooks", 41.2, 1_600.0),
    )
    return tuple(
        Tenant("alps", scheduler, name, kwh * _KWH_J, kwh * 306.0, power_w)
        for scheduler, name, kwh, power_w in rows
    )


def _jobs() -> tuple[Job, ...]:
    rows = (
        ("884213", "ada", "physics", "train-llm-7b", 24_600.0, 612.0, 8, 32.0, 0.93),
        ("884190", "grace", "climate", "icon-r2b9", 19_200.0, 1_204.0, 24, None, None),
        ("884221", "alan", "biology", "alphafold-batch", 8_900.0, 44.1, 4, 16.0, 0.61),
        ("884007", "ada", "physics", "hmc lattice <64>", 7_450.0, 980.0, 4, 16.0, 0.88),
        ("884230", "lise", "chemistry", "vasp", 5_100.0, 12.7, 6, None, None),
        ("884102", "emmy", "physics", "jupyter", 3_300.0, 61.0, 1, 8.0, 0.03),
    )
    slurm = [
        Job(
            _labels("slurm", job_id=job_id, user=user, account=account),
            name,
            power_w,
            kwh * _KWH_J,
            kwh * 298.0,
            nodes,
            gpus,
            used,
        )
        for job_id, user, account, name, power_w, kwh, nodes, gpus, used in rows
    ]
    pod = Job(
        _labels(
            "kubernetes", job_id="c1f0", namespace="ml-research", pod="sweep-0-x7q"
        ),
        "sweep",
        2_950.0,
        20.4 * _KWH_J,
        None,
        1,
        8.0,
        0.97,
    )
    return (*slurm, pod)


def _labels(scheduler: str, **more: str) -> dict[str, str]:
    names = ("cluster", "scheduler", "job_id", "user", "account")
    empty = dict.fromkeys((*names, "partition", "namespace", "pod"), "")
    return {**empty, "cluster": "alps", "scheduler": scheduler, **more}
