"""The rules and routes of deploy/ under a real Prometheus and a real Alertmanager.

Only addresses and times are changed: rules are evaluated each second and fire without
waiting, routes wait for a second. Expressions, labels, texts, routes, inhibitions and
templates are those of deploy/.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.e2e.peers import Prometheus, started
from tests.e2e.processes import Program, free_port
from tests.e2e.waiting import until
from tests.fakes import plain_http
from tests.fakes.command_line import REPOSITORY
from tests.fakes.inbox import Inbox, inbox
from tests.fakes.promtool import rule_files

ALERTMANAGER = REPOSITORY / "deploy" / "alertmanager"
PAGER_PATH = "/pager"
SLACK_PATH = "/slack"
PAGER_TOKEN = "the-token-of-the-pager"  # noqa: S105 - of the test's own server

_ANSWERS_WITHIN_S = 30.0
_PROGRAMS = ("prometheus-alertmanager", "alertmanager")
_WAITS = ("group_wait", "group_interval")


def has_alerting() -> bool:
    """Tell whether Prometheus and Alertmanager are installed."""
    return shutil.which("prometheus") is not None and _program() is not None


class Alertmanager(Program):
    """A real Alertmanager with the routes of deploy/.

    Args:
        folder: gets configuration, secrets, data and log.
        arrives: where what it sends goes.
    """

    def __init__(self, folder: Path, arrives: Inbox) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        folder.mkdir()
        config = folder / "alertmanager.yml"
        config.write_text(_redirected(folder, arrives), encoding="utf-8")
        super().__init__(
            [
                _program() or _PROGRAMS[0],
                f"--config.file={config}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={self.address}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ],
            folder / "alertmanager.log",
        )

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.launch()
        until(self._is_ready, "Alertmanager")

    def hand_over(self, *alerts: Mapping[str, str]) -> None:
        """Take alerts by their labels, as Prometheus hands them over."""
        response = httpx.post(
            f"http://{self.address}/api/v2/alerts",
            json=[{"labels": dict(labels)} for labels in alerts],
            timeout=_ANSWERS_WITHIN_S,
        )
        response.raise_for_status()

    def states(self, **labels: str) -> dict[str, str]:
        """Return the state of alerts that have some labels, by their names.

        The states are ``unprocessed``, ``active`` and ``suppressed``.
        """
        response = plain_http.get(
            f"http://{self.address}/api/v2/alerts",
            params={"filter": [f'{key}="{value}"' for key, value in labels.items()]},
            timeout=_ANSWERS_WITHIN_S,
        )
        return {
            alert["labels"]["alertname"]: alert["status"]["state"]
            for alert in response.raise_for_status().json()
        }

    def _is_ready(self) -> bool:
        self.assert_alive()
        try:
            return plain_http.get(f"http://{self.address}/-/ready").is_success
        except httpx.HTTPError:
            return False


@dataclass(frozen=True)
class Alerting:
    """All three, running."""

    prometheus: Prometheus
    alertmanager: Alertmanager
    inbox: Inbox


@contextmanager
def alertmanager(folder: Path, arrives: Inbox) -> Iterator[Alertmanager]:
    """Run an Alertmanager for a while."""
    server = Alertmanager(folder, arrives)
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextmanager
def alerting(
    folder: Path, targets: Mapping[str, int], cluster: str = "main"
) -> Iterator[Alerting]:
    """Run Prometheus and Alertmanager for a while, with somewhere to send alerts to.

    Args:
        folder: gets files of all of them; it exists.
        targets: port of each target, by the name of its scrape job.
        cluster: the label that all targets get.
    """
    rules = folder / "rules"
    rules.mkdir()
    for file in rule_files():
        quick = quickened(file.read_text(encoding="utf-8"))
        (rules / file.name).write_text(quick, encoding="utf-8")
    with ExitStack() as stack:
        arrives = stack.enter_context(inbox())
        manager = stack.enter_context(alertmanager(folder / "alertmanager", arrives))
        text = prometheus_configuration(targets, cluster, rules, manager.address)
        server = Prometheus(folder / "prometheus", text)
        yield Alerting(stack.enter_context(started(server)), manager, arrives)


def quickened(rules: str) -> str:
    """Let rules be evaluated each second and fire at once."""
    rules = re.sub(r"^( +interval:) .*$", r"\1 1s", rules, flags=re.MULTILINE)
    return re.sub(r"^( +for:) .*$", r"\1 0s", rules, flags=re.MULTILINE)


def prometheus_configuration(
    targets: Mapping[str, int], cluster: str, rules: Path, manager: str
) -> str:
    """Return the configuration of a Prometheus that does everything each second."""
    return yaml.safe_dump(
        {
            "global": {
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "evaluation_interval": "1s",
            },
            "rule_files": [f"{rules}/*.yml"],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [manager]}]}]
            },
            "scrape_configs": [
                {
                    "job_name": job,
                    "static_configs": [
                        {
                            "targets": [f"127.0.0.1:{port}"],
                            "labels": {"cluster": cluster},
                        }
                    ],
                }
                for job, port in targets.items()
            ],
        }
    )


def _redirected(folder: Path, arrives: Inbox) -> str:
    """Return the configuration of deploy/ with addresses of the test."""
    text = (ALERTMANAGER / "alertmanager.yml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    slack, token = folder / "slack-url", folder / "pager-token"
    slack.write_text(f"{arrives.url}{SLACK_PATH}", encoding="utf-8")
    token.write_text(PAGER_TOKEN, encoding="utf-8")
    config["templates"] = [str(ALERTMANAGER / "templates" / "*.tmpl")]
    config["global"]["slack_api_url_file"] = str(slack)
    config["global"]["smtp_smarthost"] = f"127.0.0.1:{arrives.smtp_port}"
    config["global"]["smtp_require_tls"] = False
    for receiver in config["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            webhook["url"] = f"{arrives.url}{PAGER_PATH}"
            authorization = webhook["http_config"]["authorization"]
            authorization["credentials_file"] = str(token)
    _hurry(config["route"])
    return yaml.safe_dump(config)


def _hurry(route: dict[str, Any]) -> None:
    for wait in _WAITS:
        if wait in route:
            route[wait] = "1s"
    for child in route.get("routes", []):
        _hurry(child)


def _program() -> str | None:
    return next((name for name in _PROGRAMS if shutil.which(name)), None)
