"""The simulated cluster in containers, as far as it can be told without any."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.processes import Program, free_port
from tests.e2e.waiting import until
from tests.fakes import plain_http
from tests.fakes.command_line import REPOSITORY, command, jouled
from tests.fakes.image_build import instructions
from tests.fakes.promtool import promtool

COMPOSE = REPOSITORY / "deploy" / "compose"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(
    (COMPOSE / "compose.yml").read_text(encoding="utf-8")
)["services"]
NODES = sorted(name for name in SERVICES if name.startswith("node"))
LONG_S = 60

_PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+|jouled:demo")

pytestmark = pytest.mark.timeout(300)


def _mounts() -> Iterator[tuple[str, str, str]]:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            yield name, source, target


def _scrapes() -> dict[str, list[str]]:
    config = yaml.safe_load((COMPOSE / "prometheus.yml").read_text(encoding="utf-8"))
    return {
        job["job_name"]: [t for each in job["static_configs"] for t in each["targets"]]
        for job in config["scrape_configs"]
    }


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_rights_or_can_be_reached_from_elsewhere(name: str) -> None:
    """It is started on laptops in foreign networks."""
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid"}
    assert service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_pinned_image_and_tells_its_health(name: str) -> None:
    """What works today works tomorrow, and whoever waits knows for what."""
    service = SERVICES[name]

    assert _PINNED.fullmatch(service["image"])
    assert service["healthcheck"]["test"][0] == "CMD"


def test_every_mounted_file_is_there() -> None:
    """A missing one becomes an empty directory, and a riddle."""
    volumes = set(yaml.safe_load((COMPOSE / "compose.yml").read_text())["volumes"])

    for name, source, target in _mounts():
        is_there = source in volumes or (COMPOSE / source).exists()
        assert is_there, f"{name}: {source} for {target}"
    for each in SERVICES.values():
        build = each.get("build")
        if build is not None:
            context = (COMPOSE / build["context"]).resolve()
            assert context == REPOSITORY
            assert (context / build["dockerfile"]).is_file()


def test_everybody_is_found_where_he_listens() -> None:
    """Names of services are their addresses, and their ports are the programs'."""
    scraped = _scrapes()
    exposed = [
        rest
        for name, rest in instructions(REPOSITORY / "deploy/Dockerfile")
        if name == "EXPOSE"
    ]

    assert scraped["jouled"] == [f"{name}:9878" for name in NODES]
    assert scraped["jouled-hub"] == ["hub:9879"]
    assert exposed == ["9878 9879"]
    for name, service in SERVICES.items():
        (port,) = service["ports"]
        inside = port.rpartition(":")[2]
        (test,) = [
            word for word in service["healthcheck"]["test"] if "127.0.0.1" in word
        ]
        assert f"127.0.0.1:{inside}/" in test, name


def test_the_nodes_are_one_cluster() -> None:
    """Each is another one of as many as there are."""
    flags = [SERVICES[name]["command"] for name in NODES]

    assert [each[each.index("--node-index") + 1] for each in flags] == list("0123")
    assert {each[each.index("--nodes") + 1] for each in flags} == {str(len(NODES))}
    assert [each[each.index("--name") + 1] for each in flags] == NODES


def test_a_node_starts_with_flags_and_environment_of_the_file(tmp_path: Path) -> None:
    """A misspelt variable would be refused here, and not by whoever tries it."""
    service = SERVICES[NODES[-1]]
    address = f"127.0.0.1:{free_port()}"
    program = Program(
        [*command(*service["command"]), "--web.listen-address", address],
        tmp_path / "node.log",
        {**service["environment"], "TMPDIR": str(tmp_path)},
    )

    def is_ready() -> bool:
        program.assert_alive()
        try:
            return plain_http.get(f"http://{address}/readyz", timeout=LONG_S).is_success
        except httpx.HTTPError:
            return False

    program.launch()
    try:
        until(is_ready, "the node")

        assert program.stop() == 0
    finally:
        program.close()


def test_the_hub_takes_its_file(tmp_path: Path) -> None:
    """It is mounted where the flag looks for it."""
    hub = SERVICES["hub"]
    (mounted,) = [target for name, _, target in _mounts() if name == "hub"]
    file = shutil.copy(COMPOSE / "hub.yml", tmp_path / "hub.yml")

    done = jouled("hub", "--config.file", file, "--check")

    assert mounted == hub["command"][hub["command"].index("--config.file") + 1]
    assert done.returncode == 0, done.stderr
    assert "3 budgets" in done.stdout


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_promtool_accepts_the_configuration_with_all_rules(tmp_path: Path) -> None:
    """Laid out as the container has it."""
    for name, source, target in _mounts():
        if name == "prometheus" and target.startswith("/etc/prometheus/"):
            (tmp_path / Path(target).name).symlink_to((COMPOSE / source).resolve())

    done = promtool("check", "config", tmp_path / "prometheus.yml")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout


@pytest.mark.skipif(shutil.which("amtool") is None, reason="needs amtool")
def test_amtool_accepts_the_configuration() -> None:
    """It has one receiver, who hears nothing."""
    done = subprocess.run(
        ["amtool", "check-config", COMPOSE / "alertmanager.yml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
    )

    assert done.returncode == 0, done.stderr
    assert "1 receivers" in done.stdout


def test_grafana_finds_its_dashboards_and_their_prometheus() -> None:
    """The data source is the one that the dashboards are made for."""
    ours = yaml.safe_load((COMPOSE / "grafana-datasource.yml").read_text())
    usual = yaml.safe_load(
        (REPOSITORY / "grafana/provisioning/datasources/jouled.yml").read_text()
    )
    provider = yaml.safe_load(
        (REPOSITORY / "grafana/provisioning/dashboards/jouled.yml").read_text()
    )["providers"][0]
    targets = {
        target: source for name, source, target in _mounts() if name == "grafana"
    }
    home = SERVICES["grafana"]["environment"][
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"
    ]

    (own,), (other,) = ours["datasources"], usual["datasources"]
    assert own["uid"] == other["uid"]
    assert own["type"] == other["type"]
    assert own["url"] == "http://prometheus:9090"
    dashboards = provider["options"]["path"]
    assert (
        COMPOSE / targets[dashboards]
    ).resolve() == REPOSITORY / "grafana/dashboards"
    assert (REPOSITORY / "grafana/dashboards" / Path(home).name).is_file()
    assert str(Path(home).parent) == dashboards
