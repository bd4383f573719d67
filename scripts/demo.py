"""A living cluster on this machine, without containers: ``make demo``.

Four simulated nodes, a hub, Prometheus with all our rules, and Alertmanager and Grafana
where they are installed, all on the loopback. The configuration is that of
``deploy/compose``, with addresses of this machine. Ctrl-C ends all of it and removes
its files.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from scripts.demo_files import (
    Addresses,
    Files,
    free_address,
    without_proxy,
    write_files,
)

_READY_WITHIN_S = 90.0
_END_WITHIN_S = 8.0
_POLL_S = 0.2
_ANSWERS_WITHIN_S = 2.0
_LAST_LINES = 15

_NO_PROMETHEUS = """\
Prometheus is not installed: the nodes and the intensity of the grid can be looked at,
the cluster cannot. On Debian and Ubuntu:
    sudo apt-get install --no-install-recommends prometheus prometheus-alertmanager
"""
_NO_GRAFANA = "left out: neither grafana nor grafana-server is on PATH"
_NO_ALERTMANAGER = "left out: not installed (apt: prometheus-alertmanager)"


class DemoError(Exception):
    """It cannot go on; the message says why."""


class Child:
    """A program of the demo.

    Args:
        name: what it is called.
        command: the program and its arguments.
        log: file that gets what it says.
        ready: address that answers with success once it is ready.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], log: Path, ready: str
    ) -> None:
        self.name = name
        self._log = log
        self._ready = ready
        with log.open("wb") as output:
            # In a session of its own: Ctrl-C is for us, and we end it in order.
            self._process = subprocess.Popen(
                [str(each) for each in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=without_proxy(os.environ),
                start_new_session=True,
            )

    def check(self) -> None:
        """Look whether it is still there.

        Raises:
            DemoError: it has ended; with its last words.
        """
        if self._process.poll() is None:
            return
        said = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        last = "\n".join(said[-_LAST_LINES:])
        msg = f"{self.name} has ended with {self._process.returncode}:\n{last}"
        raise DemoError(msg)

    def is_ready(self) -> bool:
        """Ask it whether it is ready."""
        self.check()
        try:
            answer = httpx.get(self._ready, timeout=_ANSWERS_WITHIN_S, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.is_success

    def tell_to_end(self) -> None:
        """Ask it to end."""
        if self._process.poll() is None:
            self._process.terminate()

    def end(self, until_s: float) -> None:
        """Wait for its end, and end it if that takes too long.

        Args:
            until_s: how long to wait, CLOCK_MONOTONIC, s.
        """
        try:
            self._process.wait(max(0.0, until_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def children_that_end() -> Iterator[list[Child]]:
    """Hold children, and end all of them in the end, the last one first."""
    children: list[Child] = []
    try:
        yield children
    finally:
        for child in reversed(children):
            child.tell_to_end()
        until_s = time.monotonic() + _END_WITHIN_S
        for child in reversed(children):
            child.end(until_s)


def main() -> int:
    """Run the demo until it is told to stop; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="make demo", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--nodes", type=int, default=4, choices=range(1, 9))
    nodes: int = parser.parse_args().nodes
    stop = threading.Event()
    told_by = [signal.SIGINT, signal.SIGTERM]
    # The terminal is closed, and nohup did not ask to go on: the children would, as
    # they are in sessions of their own.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        told_by.append(signal.SIGHUP)
    for number in told_by:
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="jouled-demo-") as folder:
        try:
            with children_that_end() as children:
                _run(nodes, Path(folder), children, stop)
        except DemoError as error:
            sys.stderr.write(f"demo: {error}\n")
            return 1
    return 0


def _run(
    nodes: int, folder: Path, children: list[Child], stop: threading.Event
) -> None:
    prometheus = shutil.which("prometheus")
    alertmanager = _first_of("prometheus-alertmanager", "alertmanager")
    grafana = _first_of("grafana", "grafana-server")
    addresses = Addresses(
        nodes=tuple(free_address(9881 + index) for index in range(nodes)),
        hub=free_address(9879),
        prometheus=free_address(9090),
        alertmanager=free_address(9093),
        grafana=free_address(3000),
    )
    files = write_files(folder, addresses)
    _say("A simulated cluster: whatever it shows, nothing of it was measured.\n")
    if prometheus is None:
        _say(_NO_PROMETHEUS)
    _start_ours(addresses, files, folder, children)
    if prometheus is not None:
        _start_prometheus(prometheus, addresses, files, folder, children)
        if alertmanager is not None:
            _start_alertmanager(alertmanager, addresses, files, folder, children)
        if grafana is not None:
            _start_grafana(grafana, addresses, files, folder, children)
    _wait_until_ready(children, stop)
    if stop.is_set():
        return
    _say(f"  the cluster    http://{addresses.hub}/")
    _say(f"  the nodes      {'  '.join(f'http://{n}/' for n in addresses.nodes)}")
    if prometheus is not None:
        missing = alertmanager is None
        told = _NO_ALERTMANAGER if missing else f"http://{addresses.alertmanager}/"
        _say(f"  Prometheus     http://{addresses.prometheus}/alerts")
        _say(f"  Alertmanager   {told}")
        told = _NO_GRAFANA if grafana is None else f"http://{addresses.grafana}/"
        _say(f"  Grafana        {told}")
    _say("\nSums of the cluster take half a minute to begin. Ctrl-C ends all of it.")
    while not stop.wait(1.0):
        for child in children:
            child.check()
    _say("ending")


def _start_ours(
    addresses: Addresses, files: Files, folder: Path, children: list[Child]
) -> None:
    jouled = (sys.executable, "-m", "exporter")
    count = len(addresses.nodes)
    for index, address in enumerate(addresses.nodes):
        name = f"node{index + 1:02d}"
        command: tuple[str, ...] = (
            *(*jouled, "simulate", "--name", name),
            *("--node-index", str(index), "--nodes", str(count)),
            *("--web.listen-address", address),
            *("--carbon.zone", "DE", "--carbon.hub-url", f"http://{addresses.hub}"),
            *("--idle.cpu-watts", "90", "--idle.gpu-watts", "72"),
            *("--pue", "1.2"),
        )
        log = folder / f"{name}.log"
        children.append(Child(name, command, log, f"http://{address}/readyz"))
    command = (
        *(*jouled, "hub", "--config.file", str(files.hub)),
        *("--web.listen-address", addresses.hub),
        *("--state.dir", str(folder / "hub")),
    )
    log = folder / "hub.log"
    children.append(Child("hub", command, log, f"http://{addresses.hub}/readyz"))


def _start_prometheus(
    program: str,
    addresses: Addresses,
    files: Files,
    folder: Path,
    children: list[Child],
) -> None:
    command = (
        program,
        f"--config.file={files.prometheus}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={addresses.prometheus}",
        "--log.level=warn",
    )
    url = f"http://{addresses.prometheus}/-/ready"
    children.append(Child("prometheus", command, folder / "prometheus.log", url))


def _start_alertmanager(
    program: str,
    addresses: Addresses,
    files: Files,
    folder: Path,
    children: list[Child],
) -> None:
    command = (
        program,
        f"--config.file={files.alertmanager}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={addresses.alertmanager}",
        # Alone: there is nobody to agree with.
        "--cluster.listen-address=",
        "--log.level=warn",
    )
    url = f"http://{addresses.alertmanager}/-/ready"
    children.append(Child("alertmanager", command, folder / "alertmanager.log", url))


def _start_grafana(
    program: str,
    addresses: Addresses,
    files: Files,
    folder: Path,
    children: list[Child],
) -> None:
    server = ("server",) if Path(program).name == "grafana" else ()
    home = next(
        (
            h
            for h in ("/usr/share/grafana", "/usr/local/share/grafana")
            if Path(h).is_dir()
        ),
        str(Path(program).resolve().parents[1]),
    )
    command = (program, *server, f"--config={files.grafana}", f"--homepath={home}")
    url = f"http://{addresses.grafana}/api/health"
    children.append(Child("grafana", command, folder / "grafana.log", url))


def _wait_until_ready(children: Sequence[Child], stop: threading.Event) -> None:
    give_up_s = time.monotonic() + _READY_WITHIN_S
    waiting = list(children)
    while waiting and not stop.is_set():
        waiting = [child for child in waiting if not child.is_ready()]
        if waiting and time.monotonic() > give_up_s:
            names = ", ".join(child.name for child in waiting)
            msg = f"not ready after {_READY_WITHIN_S:.0f} s: {names}"
            raise DemoError(msg)
        if waiting:
            stop.wait(_POLL_S)


def _first_of(*programs: str) -> str | None:
    found = (shutil.which(program) for program in programs)
    return next((path for path in found if path is not None), None)


def _say(text: str) -> None:
    # Nobody may read it any more: a terminal that was closed, a pipe that was left.
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
