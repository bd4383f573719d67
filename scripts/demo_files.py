"""The configuration of ``deploy/compose`` with addresses of one machine."""

import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
COMPOSE = REPOSITORY / "deploy" / "compose"
RULES = REPOSITORY / "deploy" / "prometheus" / "rules"
GRAFANA = REPOSITORY / "grafana"

# Everybody who looks wants to see sums soon, not cheaply.
_RULES_EVERY = "10s"

_GRAFANA_INI = """\
[server]
http_addr = {host}
http_port = {port}
[paths]
data = {data}
logs = {data}/log
plugins = {data}/plugins
provisioning = {provisioning}
[security]
disable_initial_admin_creation = true
[auth]
disable_login_form = true
[auth.anonymous]
enabled = true
org_role = Viewer
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
[news]
news_feed_enabled = false
"""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens: host and port of the loopback."""

    nodes: tuple[str, ...]
    hub: str
    prometheus: str
    alertmanager: str
    grafana: str


@dataclass(frozen=True, slots=True)
class Files:
    """Configuration of each program."""

    hub: Path
    prometheus: Path
    alertmanager: Path
    grafana: Path


def free_address(port: int) -> str:
    """Return an address of the loopback: this port, or another if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which the loopback is asked directly.

    A proxy is another machine, and has another loopback.
    """
    spared = environment.get("no_proxy") or environment.get("NO_PROXY", "")
    told = ",".join(filter(None, (spared, "127.0.0.1")))
    return {**environment, "no_proxy": told, "NO_PROXY": told}


def write_files(folder: Path, addresses: Addresses) -> Files:
    """Write the configuration of all programs.

    Args:
        folder: an empty directory.
        addresses: where they listen.
    """
    files = Files(
        hub=folder / "hub.yml",
        prometheus=folder / "prometheus.yml",
        alertmanager=folder / "alertmanager.yml",
        grafana=folder / "grafana.ini",
    )
    hub = (COMPOSE / "hub.yml").read_text(encoding="utf-8")
    files.hub.write_text(hub.replace("prometheus:9090", addresses.prometheus))
    files.hub.chmod(0o600)
    files.prometheus.write_text(yaml.safe_dump(_prometheus(addresses)))
    _copy_rules(folder / "rules")
    shutil.copy(COMPOSE / "alertmanager.yml", files.alertmanager)
    _write_grafana(folder, files.grafana, addresses)
    return files


def _prometheus(addresses: Addresses) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((COMPOSE / "prometheus.yml").read_text())
    nodes, hub = config["scrape_configs"]
    nodes["static_configs"] = [
        {
            "targets": [address],
            "labels": {"cluster": "demo", "instance": f"node{index + 1:02d}"},
        }
        for index, address in enumerate(addresses.nodes)
    ]
    (target,) = hub["static_configs"]
    target["targets"] = [addresses.hub]
    (managers,) = config["alerting"]["alertmanagers"]
    managers["static_configs"] = [{"targets": [addresses.alertmanager]}]
    return config


def _copy_rules(folder: Path) -> None:
    folder.mkdir()
    for file in sorted(RULES.glob("*.yml")):
        text = file.read_text(encoding="utf-8")
        quick = re.sub(
            r"^( +interval:) .*$", rf"\1 {_RULES_EVERY}", text, flags=re.MULTILINE
        )
        (folder / file.name).write_text(quick, encoding="utf-8")


def _write_grafana(folder: Path, file: Path, addresses: Addresses) -> None:
    provisioning = folder / "provisioning"
    shutil.copytree(GRAFANA / "provisioning", provisioning)
    _replace(
        provisioning / "datasources" / "jouled.yml",
        {
            "http://localhost:9090": f"http://{addresses.prometheus}",
            "timeInterval: 15s": "timeInterval: 5s",
        },
    )
    _replace(
        provisioning / "dashboards" / "jouled.yml",
        {"/var/lib/grafana/dashboards/jouled": str(GRAFANA / "dashboards")},
    )
    host, _, port = addresses.grafana.rpartition(":")
    text = _GRAFANA_INI.format(
        host=host, port=port, data=folder / "grafana", provisioning=provisioning
    )
    file.write_text(text, encoding="utf-8")


def _replace(file: Path, texts: Mapping[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for old, new in texts.items():
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
