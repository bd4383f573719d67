"""The files that ``make demo`` writes."""

import configparser
import shutil
import socket
from pathlib import Path

import pytest
import yaml

from scripts.demo_files import (
    GRAFANA,
    RULES,
    Addresses,
    Files,
    free_address,
    without_proxy,
    write_files,
)
from tests.fakes.promtool import promtool

ADDRESSES = Addresses(
    nodes=("127.0.0.1:1001", "127.0.0.1:1002"),
    hub="127.0.0.1:1003",
    prometheus="127.0.0.1:1004",
    alertmanager="127.0.0.1:1005",
    grafana="127.0.0.1:1006",
)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Write all of them."""
    return write_files(tmp_path, ADDRESSES)


def test_every_address_is_one_of_this_machine(files: Files) -> None:
    """No name of the compose file is left, which nobody here would know."""
    config = yaml.safe_load(files.prometheus.read_text())
    nodes, hub = config["scrape_configs"]

    assert [one["targets"] for one in nodes["static_configs"]] == [
        ["127.0.0.1:1001"],
        ["127.0.0.1:1002"],
    ]
    assert [one["labels"]["instance"] for one in nodes["static_configs"]] == [
        "node01",
        "node02",
    ]
    assert hub["static_configs"][0]["targets"] == ["127.0.0.1:1003"]
    assert "127.0.0.1:1005" in str(config["alerting"])
    assert "http://127.0.0.1:1004" in files.hub.read_text()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_promtool_accepts_the_configuration_with_all_rules(files: Files) -> None:
    """The rules are those of deploy/, only quicker."""
    done = promtool("check", "config", files.prometheus)

    assert done.returncode == 0, done.stdout + done.stderr
    copied = {file.name for file in (files.prometheus.parent / "rules").iterdir()}
    assert copied == {file.name for file in RULES.glob("*.yml")}


def test_grafana_gets_dashboards_and_prometheus_of_the_demo(files: Files) -> None:
    """It is provisioned with what the repository has."""
    ini = configparser.ConfigParser()
    ini.read(files.grafana)
    provisioning = Path(ini["paths"]["provisioning"])
    sources = yaml.safe_load((provisioning / "datasources/jouled.yml").read_text())
    boards = yaml.safe_load((provisioning / "dashboards/jouled.yml").read_text())

    assert ini["server"]["http_addr"] == "127.0.0.1"
    assert ini["server"]["http_port"] == "1006"
    assert ini["auth.anonymous"]["org_role"] == "Viewer"
    # Others on the machine reach it too, and know the usual password.
    assert ini["security"]["disable_initial_admin_creation"] == "true"
    assert ini["auth"]["disable_login_form"] == "true"
    assert sources["datasources"][0]["url"] == "http://127.0.0.1:1004"
    assert boards["providers"][0]["options"]["path"] == str(GRAFANA / "dashboards")
    assert list((GRAFANA / "dashboards").glob("*.json"))


def test_a_port_that_is_taken_is_not_asked_for() -> None:
    """Somebody's own Prometheus goes on, and the demo finds another place."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        address = free_address(port)

    assert address.startswith("127.0.0.1:")
    assert address != f"127.0.0.1:{port}"


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_a_proxy_of_the_site_is_not_asked_for_the_loopback(name: str) -> None:
    """It is another machine; what else is spared stays so."""
    told = without_proxy({"http_proxy": "http://proxy:3128", name: "intra.net"})

    assert told["http_proxy"] == "http://proxy:3128"
    assert told["no_proxy"] == told["NO_PROXY"] == "intra.net,127.0.0.1"


def test_without_exceptions_the_loopback_is_the_only_one() -> None:
    """An empty name would be none."""
    assert without_proxy({})["no_proxy"] == "127.0.0.1"
