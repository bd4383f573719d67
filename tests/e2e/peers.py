"""The real programs that the daemon works with, started by hand on the loopback."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.exposition import Scrape
from tests.e2e.processes import Program, free_port
from tests.e2e.waiting import until
from tests.fakes import plain_http

_ANSWERS_WITHIN_S = 30.0

Labels = Mapping[str, str]
Points = tuple[tuple[float, float], ...]
"""Unix time in s and value of each raw sample, oldest first."""


class Prometheus(Program):
    """A real Prometheus.

    Args:
        folder: gets configuration, data and log.
        configuration: the text of ``prometheus.yml``.
    """

    def __init__(self, folder: Path, configuration: str) -> None:
        self._url = f"http://127.0.0.1:{free_port()}"
        folder.mkdir()
        config = folder / "prometheus.yml"
        config.write_text(configuration, encoding="utf-8")
        super().__init__(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self._url.removeprefix('http://')}",
                "--log.level=warn",
            ],
            folder / "prometheus.log",
        )

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._url

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.launch()
        until(self._is_ready, "Prometheus")

    def query(self, expression: str, unix_s: float) -> list[tuple[Labels, float]]:
        """Evaluate an expression that is a vector, at a moment of the wall clock."""
        return [
            (row["metric"], float(row["value"][1]))
            for row in self._ask("query", query=expression, time=str(unix_s))["result"]
        ]

    def query_now(self, expression: str) -> list[tuple[Labels, float]]:
        """Evaluate an expression that is a vector, now."""
        return [
            (row["metric"], float(row["value"][1]))
            for row in self._ask("query", query=expression)["result"]
        ]

    def raw(
        self, selector: str, begin_unix_s: float, end_unix_s: float
    ) -> list[tuple[Labels, Points]]:
        """Return the samples as they were scraped, of each series selected."""
        window_ms = round((end_unix_s - begin_unix_s) * 1e3)
        data = self._ask(
            "query", query=f"{selector}[{window_ms}ms]", time=str(end_unix_s)
        )
        return [
            (
                row["metric"],
                tuple((time, float(value)) for time, value in row["values"]),
            )
            for row in data["result"]
        ]

    def targets(self) -> list[dict[str, Any]]:
        """Return what is scraped, with labels and addresses."""
        found: list[dict[str, Any]] = self._ask("targets")["activeTargets"]
        return found

    def rule_groups(self) -> list[dict[str, Any]]:
        """Return all groups of rules, with how long they take and what fails."""
        found: list[dict[str, Any]] = self._ask("rules")["groups"]
        return found

    def names(self) -> list[str]:
        """Return the names of all metrics."""
        names: list[str] = self._ask("label/__name__/values")
        return names

    def _ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - as JSON is
        response = plain_http.get(
            f"{self._url}/api/v1/{path}", params=parameters, timeout=_ANSWERS_WITHIN_S
        )
        answer = response.json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def _is_ready(self) -> bool:
        self.assert_alive()
        try:
            return plain_http.get(f"{self._url}/-/ready").is_success
        except httpx.HTTPError:
            return False


class NodeExporter(Program):
    """The real node_exporter, with the collector of RAPL alone."""

    def __init__(self, folder: Path, sysfs: Path) -> None:
        address = f"127.0.0.1:{free_port()}"
        self._url = f"http://{address}/metrics"
        super().__init__(
            [
                "prometheus-node-exporter",
                f"--path.sysfs={sysfs}",
                f"--web.listen-address={address}",
                "--collector.disable-defaults",
                "--collector.rapl",
            ],
            folder / "node_exporter.log",
        )

    def start(self) -> None:
        """Start it and wait for its first answer."""
        self.launch()
        until(self._answers, "node_exporter")

    def scrape(self) -> Scrape:
        """Scrape it."""
        response = plain_http.get(self._url, timeout=_ANSWERS_WITHIN_S)
        return Scrape(response.raise_for_status().text)

    def _answers(self) -> bool:
        self.assert_alive()
        try:
            self.scrape()
        except httpx.HTTPError:
            return False
        return True


@contextmanager
def prometheus(folder: Path, ports: Mapping[str, int]) -> Iterator[Prometheus]:
    """Run a Prometheus for a while that scrapes each second.

    Args:
        folder: gets configuration, data and log.
        ports: port of each target, by the name of its scrape job.
    """
    with started(Prometheus(folder, _configuration(ports))) as server:
        yield server


@contextmanager
def started(server: Prometheus) -> Iterator[Prometheus]:
    """Run a Prometheus that was put together elsewhere for a while."""
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextmanager
def node_exporter(folder: Path, sysfs: Path) -> Iterator[NodeExporter | None]:
    """Run a node_exporter on a tree of sysfs for a while, where there is one."""
    if shutil.which("prometheus-node-exporter") is None:
        yield None
        return
    exporter = NodeExporter(folder, sysfs)
    try:
        exporter.start()
        yield exporter
    finally:
        exporter.close()


def _configuration(ports: Mapping[str, int]) -> str:
    lines = ["global:", "  scrape_interval: 1s", "  scrape_timeout: 1s"]
    lines.append("scrape_configs:")
    for name, port in ports.items():
        lines.append(f"  - job_name: {name}")
        lines.append(f"    static_configs: [{{targets: ['127.0.0.1:{port}']}}]")
    return "\n".join(lines) + "\n"
