import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.commands.measuring import measure
from exporter.config import Carbon, Config, Paths, Power, Sampling, State
from tests.fakes.command_line import jouled
from tests.fakes.machine import PlayedMachine
from tests.fakes.nvml import FakeNvml, env_without_library


@contextmanager
def machine(name: str, root: Path) -> Iterator[PlayedMachine]:
    """Play a fixture machine for as long as it is measured."""
    played = PlayedMachine(name, root)
    with played.playing():
        yield played
    played.close()


def config_for(played: PlayedMachine, root: Path) -> Config:
    """Return a configuration for a machine without a driver of GPUs."""
    return Config(
        path=Paths(procfs=played.procfs, sysfs=played.sysfs),
        state=State(root / "run", root / "lib"),
        sampling=Sampling(interval_s=0.2),
        power=Power(nvml=False),
        carbon=Carbon(intensity_g_per_kwh=360.0),
        pue=1.5,
    )


def flags_for(played: PlayedMachine, root: Path) -> list[str | Path]:
    """Return flags for a machine with whatever driver the environment has."""
    return [
        *("--path.procfs", played.procfs, "--path.sysfs", played.sysfs),
        *("--state.run-dir", root / "run", "--state.dir", root / "lib"),
        *("--seconds", "0.5", "--carbon.intensity", "360"),
    ]


def test_the_parts_add_up_to_the_total(tmp_path: Path) -> None:
    """Zones that overlap are not in it twice."""
    with machine("two-socket-intel", tmp_path) as played:
        measurement = measure(config_for(played, tmp_path), 0.7)

    parts_j = [each.energy_j or 0.0 for each in measurement.devices]
    names = {each.device.name for each in measurement.devices}
    assert names == {"package-0", "package-1", "dram-0", "dram-1"}
    assert measurement.energy_j == pytest.approx(sum(parts_j))
    assert measurement.elapsed_s >= 0.7
    assert all(each.source is not None for each in measurement.devices)


def test_power_and_carbon_follow_from_energy_and_time(tmp_path: Path) -> None:
    """Nothing on the screen comes from another reading than the rest."""
    with machine("two-socket-intel", tmp_path) as played:
        done = jouled("sample", "--json", "--pue=1.5", *flags_for(played, tmp_path))

    report: dict[str, Any] = json.loads(done.stdout)
    power_w = report["energy_joules"] / report["seconds"]
    assert done.returncode == 0
    assert report["power_watts"] == pytest.approx(power_w)
    # 360 g/kWh are 0.1 g per kJ, and 3.6 kJ an hour are 1 W.
    grams = power_w * 0.36 * 1.5
    assert report["emissions_grams_per_hour"] == pytest.approx(grams)
    assert {each["quality"] for each in report["devices"]} == {"measured"}


def test_no_more_is_told_than_the_machine_drew(tmp_path: Path) -> None:
    """The time before the measurement, and a wrap in it, add nothing."""
    with machine("two-socket-intel", tmp_path) as played:
        measurement = measure(config_for(played, tmp_path), 0.7)
        played.play()
        true_j = played.true_energy_j("intel-rapl:1")

    (package,) = (
        each for each in measurement.devices if each.device.name == "package-1"
    )
    assert package.energy_j is not None
    assert 0 < package.energy_j <= true_j


def test_gpus_are_in_the_table(tmp_path: Path) -> None:
    """They are found by the first sample and measured from the second on."""
    nvml = FakeNvml(tmp_path / "nvml", gpus=1)
    with machine("two-socket-intel", tmp_path) as played:
        done = jouled("sample", *flags_for(played, tmp_path), env=nvml.env())

    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[0].split() == [
        *("component", "device", "watts", "joules", "method", "quality"),
    ]
    (gpu,) = (line.split() for line in lines if line.startswith("gpu"))
    assert gpu[1] == nvml.gpus[0].uuid
    assert gpu[4:] == ["counter", "measured"]
    assert any(line.startswith("total") for line in lines)
    assert "gCO2e per hour, at 360 g/kWh (custom, static)" in done.stdout


def test_what_is_estimated_says_so(tmp_path: Path) -> None:
    """Measured and estimated watts are told apart, always."""
    with machine("vm", tmp_path) as played:
        done = jouled(
            "sample",
            *flags_for(played, tmp_path),
            env=env_without_library(tmp_path / "nothing"),
        )

    (cpu,) = (line.split() for line in done.stdout.splitlines() if "cpu" in line)
    assert done.returncode == 0
    assert cpu[4:] == ["modelled", "estimated"]


def test_nothing_measured_is_unknown_and_exit_code_1(tmp_path: Path) -> None:
    """Missing is not zero, on a screen either; the reasons stand below."""
    nothing = env_without_library(tmp_path / "nothing")
    with machine("vm", tmp_path) as played:
        flags = [*flags_for(played, tmp_path), "--power.model=off"]
        table = jouled("sample", *flags, env=nothing)
        as_json = jouled("sample", "--json", *flags, env=nothing)

    report: dict[str, Any] = json.loads(as_json.stdout)
    assert (table.returncode, as_json.returncode) == (1, 1)
    assert "unknown" in table.stdout
    assert "not read: rapl (absent): " in table.stdout
    assert report["power_watts"] is None
    assert report["emissions_grams_per_hour"] is None
    assert {each["source"] for each in report["sources_down"]} >= {"rapl", "nvml"}


def test_measuring_leaves_nothing_behind(tmp_path: Path) -> None:
    """A look at a node is not a second daemon on it."""
    with machine("two-socket-intel", tmp_path) as played:
        measure(config_for(played, tmp_path), 0.3)

    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "lib").exists()
