"""``make demo``: a living cluster on this machine."""

import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import Program
from tests.e2e.waiting import until
from tests.fakes import plain_http

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

_WITHIN_S = 240.0
_ANSWERS_WITHIN_S = 30.0


class Demo(Program):
    """The demo in a process of its own.

    Args:
        folder: gets what it says, and its files.
        path: where it looks for programs; by default where everybody does.
    """

    def __init__(self, folder: Path, path: str | None = None) -> None:
        self.files = folder / "files"
        self.files.mkdir()
        env = {"TMPDIR": str(self.files)} | ({} if path is None else {"PATH": path})
        # Whoever runs the tests may have them ignore what a closed terminal says.
        unmask = ["/usr/bin/env", "--default-signal=HUP"]
        command = [*unmask, sys.executable, "-m", "scripts.demo"]
        super().__init__(command, folder / "demo.log", env)

    def address(self, what: str) -> str:
        """Wait until it has told an address, and return it."""

        def told() -> str | None:
            self.assert_alive()
            match = re.search(rf"^  {what} +(http://\S+)", self.said(), re.MULTILINE)
            return None if match is None else match[1].rstrip("/")

        return until(told, f"the address of {what}", _WITHIN_S)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; it waits for several programs."""
        self.send(number)
        return self.wait(_WITHIN_S)

    def close(self) -> None:
        """Stop it if it still runs: killed it would leave others behind."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        super().close()


@contextmanager
def _demo(folder: Path, path: str | None = None) -> Iterator[Demo]:
    demo = Demo(folder, path)
    demo.launch()
    try:
        yield demo
    finally:
        demo.close()


def _get(url: str) -> Any:  # noqa: ANN401 - as JSON is
    return plain_http.get(url, timeout=_ANSWERS_WITHIN_S).raise_for_status().json()


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus")
def test_the_demo_is_a_cluster_of_four_nodes_and_ends_with_all_of_it(
    tmp_path: Path,
) -> None:
    """The hub has it from Prometheus, which has it from the nodes."""
    with _demo(tmp_path) as demo:
        hub = demo.address("the cluster")
        prometheus = demo.address("Prometheus").removesuffix("/alerts")

        def cluster() -> dict[str, Any] | None:
            demo.assert_alive()
            overview: dict[str, Any] = _get(f"{hub}/api/v1/overview")
            is_there = overview["nodes"] and overview["nodes"]["up"] == 4
            return overview if is_there and overview["jobs"]["running"] else None

        overview = until(cluster, "four nodes with jobs", _WITHIN_S)
        budgets = until(
            lambda: [b for b in _get(f"{hub}/api/v1/budgets")["budgets"] if b["spent"]],
            "a budget of which something is spent",
            _WITHIN_S,
        )
        groups = _get(f"{prometheus}/api/v1/rules")["data"]["groups"]
        intensity = _get(f"{hub}/api/v1/intensity?zone=DE")
        code = demo.stop()

        assert code == 0
        assert overview["power"]["total_w"] > 1000
        assert budgets
        assert {rule["health"] for group in groups for rule in group["rules"]} <= {
            "ok",
            "unknown",
        }
        assert intensity["provider"] == "simulated"
        assert intensity["forecast"]
        assert list(demo.files.iterdir()) == []
        with pytest.raises(httpx.ConnectError):
            _get(f"{hub}/healthz")


def test_without_prometheus_it_says_how_to_get_it(tmp_path: Path) -> None:
    """Nodes and intensity can be looked at all the same; it ends with its terminal."""
    programs = tmp_path / "bin"
    programs.mkdir()
    with _demo(tmp_path, str(programs)) as demo:
        hub = demo.address("the cluster")

        assert "apt-get install --no-install-recommends prometheus" in demo.said()
        assert _get(f"{hub}/api/v1/zones")
        assert demo.stop(signal.SIGHUP) == 0
        assert list(demo.files.iterdir()) == []
        with pytest.raises(httpx.ConnectError):
            _get(f"{hub}/healthz")
