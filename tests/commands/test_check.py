import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.bootstrap import release_file
from exporter.commands.findings import Finding, look
from exporter.config import Carbon, Config, Paths, Power, State, Web
from tests.fakes.carbon_server import Play
from tests.fakes.command_line import (
    LONGEST_S,
    REPOSITORY,
    command,
    environment,
    jouled,
)
from tests.fakes.machine import PlayedMachine
from tests.fakes.nvml import ALL_GPUS, NO_PERMISSION, FakeNvml, env_without_library
from tests.fakes.played_hub import played_hub
from tests.fakes.unprivileged import public_directory, unprivileged

ANY_PORT = Web(listen_address="127.0.0.1:0")


@contextmanager
def machine(name: str, root: Path) -> Iterator[PlayedMachine]:
    """Play a fixture machine for as long as it is looked at."""
    played = PlayedMachine(name, root)
    with played.playing():
        yield played
    played.close()


def config_for(played: PlayedMachine, root: Path) -> Config:
    """Return a configuration for a machine without a driver of GPUs."""
    return Config(
        web=ANY_PORT,
        path=Paths(procfs=played.procfs, sysfs=played.sysfs),
        state=State(root / "run", root / "lib"),
        power=Power(nvml=False),
        carbon=Carbon(zone="DE"),
    )


def by_subject(findings: tuple[Finding, ...]) -> Mapping[tuple[str, str], Finding]:
    """Index findings by what was looked at; each subject occurs once."""
    index = {(finding.area, finding.subject): finding for finding in findings}
    assert len(index) == len(findings)
    return index


def flags_for(played: PlayedMachine, root: Path) -> list[str | Path]:
    """Return the flags of ``config_for``, with the driver of GPUs."""
    return [
        *("--path.procfs", played.procfs, "--path.sysfs", played.sysfs),
        *("--state.run-dir", root / "run", "--state.dir", root / "lib"),
        *("--web.listen-address", "127.0.0.1:0", "--carbon.zone", "DE"),
    ]


def test_a_node_with_rapl_is_measured(tmp_path: Path) -> None:
    """The table says by which device, and that no estimate is needed."""
    with machine("two-socket-intel", tmp_path) as played:
        found = by_subject(look(config_for(played, tmp_path)))

    assert found["source", "rapl"].verdict == "ok"
    assert "cpu package-0" in found["source", "rapl"].text
    assert found["energy", "cpu"].text == "measured by rapl"
    assert found["energy", "dram"].text == "measured by rapl"
    assert found["source", "model"].verdict == "note"
    assert found["energy", "gpu"] == Finding("energy", "gpu", "note", "not measured")
    assert found["source", "nvml"].text == "turned off by power.nvml"
    assert not [each for each in found.values() if each.verdict == "problem"]


def test_a_virtual_machine_is_estimated_and_told_by_what(tmp_path: Path) -> None:
    """Who looks at an estimate has to see the figures behind it."""
    with machine("vm", tmp_path) as played:
        config = replace(
            config_for(played, tmp_path),
            power=Power(nvml=False, model_idle_w=10.0, model_max_w=50.0),
        )
        found = by_subject(look(config))

    assert found["energy", "cpu"].text == "estimated by model"
    assert "10 W idle to 50 W busy: configured" in found["source", "model"].text
    assert found["source", "rapl"].verdict == "note"
    assert found["energy", "cpu"].verdict == "ok"


def test_a_node_without_any_cpu_energy_is_a_problem(tmp_path: Path) -> None:
    """A daemon that measures nothing is not what was installed."""
    with machine("vm", tmp_path) as played:
        config = replace(
            config_for(played, tmp_path), power=Power(nvml=False, model="off")
        )
        found = by_subject(look(config))

    assert found["energy", "cpu"].verdict == "problem"
    assert found["source", "model"].text == "turned off by power.model"


def test_unreadable_counters_are_a_problem_with_a_remedy() -> None:
    """Root-only counters are the first thing that goes wrong on a bare node."""
    with public_directory() as root, machine("two-socket-intel", root) as played:
        for file in played.sysfs.rglob("energy_uj"):
            file.chmod(0o400)
        config = config_for(played, root)
        # Python loads parts of itself on first use, which nobody may not read.
        look(config)
        with unprivileged():
            found = by_subject(look(config))

    assert found["source", "rapl"].verdict == "problem"
    assert found["source", "rapl"].text.startswith("denied: ")
    assert "RAPL permissions" in found["source", "rapl"].text
    assert found["energy", "cpu"].text == "estimated by model"


def test_the_prolog_is_looked_for_where_the_daemon_will(tmp_path: Path) -> None:
    """Where its hooks are installed a node of Slurm is one before its first job."""
    with machine("vm", tmp_path) as played:
        cgroupfs = tmp_path / "no-cgroups"
        config = config_for(played, tmp_path)
        config = replace(config, path=replace(config.path, cgroupfs=cgroupfs))
        drops = config.state.run_dir / "slurm" / "jobs"

        before = by_subject(look(config))["source", "slurm"]
        drops.mkdir(parents=True)
        after = by_subject(look(config))["source", "slurm"]

    assert before.verdict == "note"
    assert str(drops) in before.text
    assert after.verdict == "ok"


def test_the_carbon_figure_is_shown_with_its_origin(tmp_path: Path) -> None:
    """The world's average is no problem, but nobody should overlook it."""
    with machine("vm", tmp_path) as played:
        config = config_for(played, tmp_path)
        zone = by_subject(look(config))["carbon", "DE"]
        world = by_subject(look(replace(config, carbon=Carbon())))["carbon", "WORLD"]
        own = by_subject(
            look(replace(config, carbon=Carbon(intensity_g_per_kwh=30.0)))
        )["carbon", "custom"]

    assert zone.verdict == "ok"
    assert "the yearly figure of the zone" in zone.text
    assert world.verdict == "note"
    assert "set carbon.zone" in world.text
    assert own.text == "30 gCO2e per kWh from static: fixed"


def test_a_hub_that_answers_is_told_with_what_it_tells(tmp_path: Path) -> None:
    """Also on a node where no daemon has run yet."""
    with machine("vm", tmp_path) as played, played_hub() as hub:
        carbon = Carbon(zone="DE", hub_url=hub.url)
        found = by_subject(look(replace(config_for(played, tmp_path), carbon=carbon)))

    assert found["carbon", "carbon.hub_url"] == Finding(
        "carbon", "carbon.hub_url", "ok", "the hub at 127.0.0.1 answers"
    )
    assert found["carbon", "DE"].verdict == "ok"
    told = found["carbon", "DE"].text
    assert told.startswith("100 gCO2e per kWh from energy-charts: live, ")
    assert len(hub.asks) == 1


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        (
            Play(b"{}", status=401),
            "does not tell (denied): 127.0.0.1 answered 401 (Unauthorized): it refuses",
        ),
        (Play(b"{}", status=404), "(not_covered): 127.0.0.1 answered 404"),
        (Play(b"{}", status=404), "add the zone to the file of the hub"),
        (Play(b"<html>", content_type="text/html"), "is carbon.hub_url the address"),
        (Play(behaviour="reset"), "is a hub running there"),
    ],
)
def test_a_hub_that_does_not_tell_is_a_problem_with_a_remedy(
    tmp_path: Path, instead: Play, words: str
) -> None:
    """The yearly figure stands in, which is worse than what was configured."""
    with machine("vm", tmp_path) as played, played_hub() as hub:
        hub.instead = instead
        carbon = Carbon(zone="DE", hub_url=hub.url)
        found = by_subject(look(replace(config_for(played, tmp_path), carbon=carbon)))

    assert found["carbon", "carbon.hub_url"].verdict == "problem"
    assert words in found["carbon", "carbon.hub_url"].text
    assert "the yearly figure of the zone" in found["carbon", "DE"].text


def test_a_hub_whose_value_is_old_is_worth_a_note(tmp_path: Path) -> None:
    """Its providers are late; there is nothing to do on this node."""
    with machine("vm", tmp_path) as played, played_hub() as hub:
        hub.level, hub.observed_unix_s = 1, time.time() - 7260
        carbon = Carbon(zone="DE", hub_url=hub.url)
        found = by_subject(look(replace(config_for(played, tmp_path), carbon=carbon)))

    assert found["carbon", "carbon.hub_url"].verdict == "note"
    assert "too old to be live" in found["carbon", "carbon.hub_url"].text
    assert "the last good value, 2h01m old" in found["carbon", "DE"].text


@pytest.mark.parametrize(
    ("content", "verdict", "words"),
    [
        ("250.5", "ok", "answers"),
        (None, "problem", "may this user read it"),
        ("many", "problem", "it has to hold a number"),
        ("0", "problem", "it has to be in g/kWh"),
    ],
)
def test_a_file_with_the_figure_is_looked_at(
    tmp_path: Path, content: str | None, verdict: str, words: str
) -> None:
    """Whoever writes it is not us."""
    file = tmp_path / "intensity"
    if content is not None:
        file.write_text(content)
    with machine("vm", tmp_path) as played:
        carbon = Carbon(zone="DE", file=file)
        found = by_subject(look(replace(config_for(played, tmp_path), carbon=carbon)))

    assert found["carbon", "carbon.file"].verdict == verdict
    assert words in found["carbon", "carbon.file"].text


def test_directories_that_cannot_be_written_are_a_problem() -> None:
    """Without a checkpoint the counters would restart with the daemon."""
    with public_directory() as root, machine("vm", root) as played:
        (root / "lib").mkdir(mode=0o755)
        (root / "run").touch()
        config = config_for(played, root)
        # Python loads parts of itself on first use, which nobody may not read.
        look(config)
        with unprivileged():
            found = by_subject(look(config))
            lower = by_subject(
                look(replace(config, state=State(root / "a" / "b", root / "c")))
            )

    assert found["state", "run directory"].verdict == "problem"
    assert found["state", "state directory"].verdict == "problem"
    assert "set state.dir" in found["state", "state directory"].text
    assert "a/b cannot be made" in lower["state", "run directory"].text


def test_directories_that_are_there_or_can_be_made_are_fine(tmp_path: Path) -> None:
    """Nothing is made by looking."""
    (tmp_path / "run").mkdir()
    with machine("vm", tmp_path) as played:
        found = by_subject(look(config_for(played, tmp_path)))

    assert found["state", "run directory"].text.endswith("is writable")
    assert found["state", "state directory"].text.endswith("can be made")
    assert list((tmp_path / "run").iterdir()) == []
    assert not (tmp_path / "lib").exists()


def test_a_port_that_is_taken_is_a_problem(tmp_path: Path) -> None:
    """Better now than in the log of a daemon that did not start."""
    with machine("vm", tmp_path) as played, socket.create_server(("127.0.0.1", 0)) as s:
        taken = Web(listen_address=f"127.0.0.1:{s.getsockname()[1]}")
        found = by_subject(look(replace(config_for(played, tmp_path), web=taken)))

    assert found["web", "address"].verdict == "problem"
    assert "another program listens there" in found["web", "address"].text


def test_a_web_configuration_is_read_and_judged(tmp_path: Path) -> None:
    """A daemon that cannot read its certificates does not start."""
    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    good.write_text("{}\n")
    bad.write_text("tls_server_confg: {}\n")
    with machine("vm", tmp_path) as played:
        config = config_for(played, tmp_path)
        valid = look(replace(config, web=replace(ANY_PORT, config_file=good)))
        invalid = look(replace(config, web=replace(ANY_PORT, config_file=bad)))

    assert by_subject(valid)["web", "web.config_file"].verdict == "ok"
    problem = by_subject(invalid)["web", "web.config_file"]
    assert problem.verdict == "problem"
    assert f"{bad}:1" in problem.text


def test_gpus_are_found_and_named(tmp_path: Path) -> None:
    """A driver finds its devices in the first sample; they are in the table."""
    nvml = FakeNvml(tmp_path / "nvml", gpus=2)
    with machine("two-socket-intel", tmp_path) as played:
        done = jouled("check", *flags_for(played, tmp_path), env=nvml.env())

    assert done.returncode == 0
    assert done.stderr == ""
    assert f"gpu {nvml.gpus[1].uuid} (NVIDIA H100 80GB HBM3)" in done.stdout
    assert "measured by nvml\n" in done.stdout
    assert done.stdout.endswith("\nnothing to solve\n")


def test_a_gpu_that_cannot_be_read_is_a_problem_and_exit_code_1(
    tmp_path: Path,
) -> None:
    """Provisioning can wait for exit code 0."""
    nvml = FakeNvml(tmp_path / "nvml", gpus=1)
    nvml.fault(ALL_GPUS, NO_PERMISSION)
    with machine("two-socket-intel", tmp_path) as played:
        done = jouled("check", "--json", *flags_for(played, tmp_path), env=nvml.env())

    report: dict[str, Any] = json.loads(done.stdout)
    problems = [each for each in report["findings"] if each["verdict"] == "problem"]
    assert done.returncode == 1
    assert report["ok"] is False
    assert [each["area"] for each in problems] == ["source"] * len(problems)
    assert any(each["subject"].startswith("nvml") for each in problems)


def test_the_table_counts_what_is_to_solve(tmp_path: Path) -> None:
    """The last line is the answer."""
    with machine("vm", tmp_path) as played:
        done = jouled(
            "check",
            *flags_for(played, tmp_path),
            *("--power.model", "off"),
            env=env_without_library(tmp_path / "nothing"),
        )

    assert done.returncode == 1
    assert done.stdout.endswith("\n1 to solve\n")


def test_gpus_that_were_let_go_of_are_left_alone(tmp_path: Path) -> None:
    """Who changes MIG meanwhile is not disturbed, nor answered by the wrong one."""
    nvml = FakeNvml(tmp_path / "nvml", gpus=1)
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    release_file(run_dir).touch()
    with machine("two-socket-intel", tmp_path) as played:
        done = jouled("check", *flags_for(played, tmp_path), env=nvml.env())

    assert done.returncode == 0
    assert f"let go of, as {release_file(run_dir)} asks" in done.stdout
    assert [path.name for path in run_dir.iterdir()] == [release_file(run_dir).name]


def test_beside_a_running_daemon_the_taken_port_is_its_own(tmp_path: Path) -> None:
    """The check is for a node in production as well."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with machine("two-socket-intel", tmp_path) as played:
        flags = [
            *flags_for(played, tmp_path),
            *("--web.listen-address", f"127.0.0.1:{port}", "--no-power.nvml"),
        ]
        with subprocess.Popen(
            command("run", *flags),
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=environment(),
        ) as daemon:
            try:
                assert daemon.stderr is not None
                wait_for_line(daemon.stderr, "listening")
                done = jouled("check", *flags)
            finally:
                daemon.terminate()
                daemon.communicate(timeout=LONGEST_S)

    assert done.returncode == 0, done.stdout
    assert "is taken, and a jouled runs here" in done.stdout


def wait_for_line(lines: Iterator[str], text: str) -> None:
    """Read lines up to one that contains ``text``."""
    for line in lines:
        if text in line:
            return
    pytest.fail(f"no line with {text}")
