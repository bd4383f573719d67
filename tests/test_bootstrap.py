from dataclasses import replace
from pathlib import Path

import pytest

from exporter.bootstrap import build_sources, daemon_plan
from exporter.bootstrap_live import build_live, build_pue
from exporter.config import (
    Carbon,
    Config,
    Embodied,
    Gpu,
    Kubernetes,
    Labels,
    Paths,
    Power,
    Slurm,
    State,
)
from exporter.core.errors import ConfigError
from exporter.core.units import Seconds
from exporter.core.workload import GpuHold, WorkloadsReading
from tests.fakes import nvml
from tests.fakes.cgroups import PlayedSlurm, drop, environ
from tests.fakes.clock import Clock
from tests.fakes.waiting import wait_until

_GENEROUS_S = 30.0


def _config(root: Path, played: PlayedSlurm) -> Config:
    return Config(
        path=Paths(procfs=played.procfs, sysfs=root, cgroupfs=played.cgroupfs),
        state=State(run_dir=root / "run", dir=root / "state"),
        power=Power(rapl=False, model="off"),
        gpu=Gpu(gpustat_dir=root / "gpustat", device_dir=root / "dev"),
        kubernetes=Kubernetes(enabled="false"),
    )


def _played(root: Path) -> PlayedSlurm:
    played = PlayedSlurm(root, "v2", Clock())
    played.start_slurmd()
    return played


def _labelled(config: Config) -> WorkloadsReading:
    """Read until the labels of a job are known."""
    (source,) = build_sources(config).workloads
    readings: list[WorkloadsReading] = []

    def is_labelled() -> bool:
        readings.append(source.read())
        return any(usage.labels is not None for usage in readings[-1].usages)

    try:
        wait_until(is_labelled, "a job has labels", _GENEROUS_S)
    finally:
        source.close()
    return readings[-1]


def test_slurm_is_looked_for_unless_it_is_switched_off(tmp_path: Path) -> None:
    """A node without it has one source that is absent."""
    config = _config(tmp_path, _played(tmp_path))
    off = replace(config, slurm=Slurm(enabled=False))

    names = [source.info.name for source in build_sources(config).workloads]

    assert names == ["slurm"]
    assert build_sources(off).workloads == ()


def test_jobs_are_read_with_the_gpus_that_nvml_knows(tmp_path: Path) -> None:
    """The two sides meet in the composition root alone."""
    played = _played(tmp_path)
    config = _config(tmp_path, played)
    played.start_job(7, variables=environ(7, SLURM_JOB_GPUS="0"))
    with nvml.in_process(tmp_path / "nvml", gpus=2) as hardware:
        sources = build_sources(config)
        (driver,), (slurm,) = sources.drivers, sources.workloads
        driver.read()
        for member in driver.members():
            member.read()

        (usage,) = slurm.read().usages

        # The first by minor number is the second on the bus.
        assert usage.gpus == (GpuHold(hardware.gpus[1].uuid),)
        slurm.close()
        driver.close()


def test_drop_files_are_looked_for_in_the_run_directory(tmp_path: Path) -> None:
    """Where the Prolog writes them."""
    played = _played(tmp_path)
    drops = tmp_path / "run" / "slurm" / "jobs"
    drop(drops, 7, SLURM_JOB_USER="alice", SLURM_JOB_NAME="x")
    played.start_job(7)

    (usage,) = _labelled(_config(tmp_path, played)).usages

    assert usage.labels is not None
    assert usage.labels.user == "alice"


def test_users_are_hashed_with_the_key_of_the_site(tmp_path: Path) -> None:
    """The label is the same on all its nodes, and names nobody."""
    played = _played(tmp_path)
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef")
    config = replace(
        _config(tmp_path, played), labels=Labels(user="hash", hash_key_file=key)
    )
    drop(tmp_path / "run" / "slurm" / "jobs", 7, SLURM_JOB_USER="alice")
    played.start_job(7)

    (usage,) = _labelled(config).usages

    assert usage.labels is not None
    assert len(usage.labels.user) == 12
    assert usage.labels.user != "alice"


def test_a_key_that_cannot_be_read_keeps_the_daemon_from_starting(
    tmp_path: Path,
) -> None:
    """Better no daemon than names in clear."""
    labels = Labels(user="hash", hash_key_file=tmp_path / "gone")
    config = replace(_config(tmp_path, _played(tmp_path)), labels=labels)

    with pytest.raises(ConfigError, match=r"labels\.hash_key_file"):
        build_sources(config)


def test_what_is_counted_beside_emissions_is_off_until_it_is_configured() -> None:
    """Figures of the operator, in the units of the core."""
    off = build_live(Config(carbon=Carbon(zone="DE"))).settings
    on = build_live(
        Config(
            carbon=Carbon(zone="DE", market_g_per_kwh=0.0),
            embodied=Embodied(node_kg=1500.0),
        )
    ).settings

    assert (off.market_intensity, off.embodied) == (None, None)
    assert on.market_intensity == 0.0
    assert on.embodied is not None
    assert on.embodied.node_g == 1.5e6
    assert on.embodied.lifetime_s == 5 * 365 * 86400.0


def test_a_schedule_of_the_pue_takes_its_place() -> None:
    """In the time zone that is configured; without one, the number stands."""
    noon = Seconds(1_782_900_000.0)  # 10:00 UTC on the first of July 2026
    fixed = Config(pue=1.3)
    scheduled = replace(
        fixed, pue_schedule="12:00-13:00 = 1.5", time_zone="Europe/Berlin"
    )

    assert build_pue(fixed).current(noon) == 1.3
    assert build_pue(scheduled).current(noon) == 1.5
    assert build_pue(scheduled).current(Seconds(noon + 3600)) == 1.3


def test_the_hub_is_asked_for_jobs_only_where_that_is_wished(tmp_path: Path) -> None:
    """It is off by default, and goes on beside the intensity."""
    url = "http://127.0.0.1:9"
    config = Config(
        carbon=Carbon(zone="DE", hub_url=url), state=State(dir=tmp_path / "state")
    )
    asking = replace(config, slurm=Slurm(ask_hub=True, node_name="n01"))
    plan = daemon_plan(lambda: config)

    assert len(plan.live(config, None).beside) == 1
    assert len(plan.live(asking, None).beside) == 2


def test_without_a_hub_there_is_nobody_to_ask_for_jobs() -> None:
    """The message names both settings."""
    with pytest.raises(ConfigError, match=r"slurm\.ask_hub: needs carbon\.hub_url"):
        Config(slurm=Slurm(ask_hub=True))
