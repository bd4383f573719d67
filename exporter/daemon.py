"""The daemon's life: start, signals, reload, and the order of its end.

The tick runs in a thread of its own; the web server and the signals have the
main thread. Whichever of the two ends first ends the other.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.beside import Beside
from exporter.config import Config, diff, needs_restart
from exporter.core.archive import JobArchive
from exporter.core.errors import ConfigError
from exporter.exposition.http import create_app
from exporter.exposition.local_server import LocalServer
from exporter.exposition.server import WebServer
from exporter.notify import ServiceManager
from exporter.pipeline.runner import Live, Publisher, Runner
from exporter.startup import (
    StartError,
    listen,
    make_directory,
    only_one,
    settle_memory,
    share_one_arena,
)
from exporter.version import version

if TYPE_CHECKING:
    from exporter.exposition.web_config import WebConfig

_log = logging.getLogger(__name__)

# From the signal on: what takes longer is left behind, so that the end takes less
# than two seconds in all.
_END_WITHIN_S = 1.5
_LEAVE_S = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """How the parts of the daemon are made; all may raise ``ConfigError``.

    Attributes:
        reload: reads the configuration again.
        runner: builds what ticks, and hands its results to a publisher.
        live: builds what a reload may exchange, from what was in force before.
        advice: what the operator should know about a configuration; "" if
            nothing.
        archive: builds what answers questions about jobs of the past; ``None``
            if none are kept.
        name: what the node is called; ``None``: the name of the host.
    """

    reload: Callable[[], Config]
    runner: Callable[[Config, Live, Publisher], Runner]
    live: Callable[[Config, Live | None], Live]
    advice: Callable[[Live], str]
    archive: Callable[[Config], JobArchive | None]
    name: str | None = None


def run(config: Config, plan: Plan) -> int:
    """Run until SIGTERM or SIGINT.

    Args:
        config: the configuration to start with.
        plan: how the parts are made.

    Returns:
        Exit code: 0 after a signal, 1 when it could not start or had to give up.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    share_one_arena()
    try:
        web_config = _load_web_config(config.web.config_file)
        with contextlib.ExitStack() as stack:
            sockets = listen(config.web.listen_address)
            for one in sockets:
                stack.callback(one.close)
            _make_directories(config)
            stack.enter_context(only_one(config.state.run_dir, "--state.run-dir"))
            manager = ServiceManager(os.environ, config.sampling.interval_s)
            stack.callback(manager.close)
            return _Daemon(config, plan, sockets, web_config, manager).run()
    except StartError as error:
        _log.error("%s", error)
        return 1


class _Daemon:
    def __init__(
        self,
        config: Config,
        plan: Plan,
        sockets: list[socket.socket],
        web_config: "WebConfig | None",
        manager: ServiceManager,
    ) -> None:
        self._started_with = self._config = config
        self._plan = plan
        self._web_config = web_config
        self._manager = manager
        self._publisher = Publisher(config.sampling.interval_s, manager.on_tick)
        self._live = plan.live(config, None)
        self._beside = Beside(*self._live.beside)
        self._advise(self._live)
        try:
            self._runner = plan.runner(config, self._live, self._publisher)
        except OSError as error:
            msg = f"cannot read the boot id: {error}; set --path.procfs"
            raise StartError(msg) from error
        self._app = create_app(
            self._publisher,
            version=version(),
            node=plan.name,
            level=config.metrics.level,
            interval_s=config.sampling.interval_s,
            archive=plan.archive(config),
            info_labels=tuple(config.kubernetes.info_labels.values()),
        )
        self._server = WebServer(self._app, sockets, web_config)
        self._local_server = LocalServer(self._publisher, config.state.run_dir)

    def run(self) -> int:
        """Serve until told to stop, or until the ticks end by themselves."""
        settle_memory()
        return asyncio.run(self._serve())

    async def _serve(self) -> int:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        told_to_stop_s: float | None = None

        def end(signal_name: str) -> None:
            nonlocal told_to_stop_s
            if told_to_stop_s is None:
                told_to_stop_s = loop.time()
            _log.info("stopping", extra={"signal": signal_name})
            # The tick and the web server end at the same time.
            self._runner.stop()
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)

        threading.excepthook = _tell_crash
        ticks = threading.Thread(
            target=_run_ticks, args=(self._runner, loop, stop), name="tick"
        )
        ticks.start()
        _log.info(
            "listening",
            extra={
                "address": self._config.web.listen_address,
                "version": version(),
                "state": str(self._config.state.run_dir),
            },
        )
        try:
            await asyncio.gather(
                self._server.serve(stop),
                self._local_server.serve(stop),
                self._beside.run(stop),
            )
        finally:
            self._manager.on_stop()
            self._runner.stop()
            now_s = loop.time()
            since_s = now_s if told_to_stop_s is None else told_to_stop_s
            ticks.join(max(0.0, since_s + _END_WITHIN_S - now_s))
        code = 1 if told_to_stop_s is None else 0
        if ticks.is_alive() or self._beside.hangs(_LEAVE_S):
            _log.warning("a source hangs; leaving without it")
            # Nothing is lost: the checkpoint is as old as the last tick.
            logging.shutdown()
            os._exit(code)
        return code

    def _on_hangup(self) -> None:
        """Reload the configuration, or refuse it whole."""
        with self._manager.reloading():
            self._reload()

    def _reload(self) -> None:
        try:
            new = self._plan.reload()
            live = self._plan.live(new, self._live)
            if self._web_config is not None:
                self._web_config.reload()
        except ConfigError as error:
            _log.error("reload refused, going on as before: %s", error)
            return
        changed = diff(self._config, new)
        # Also what an earlier reload had to leave for a restart.
        waiting = needs_restart(diff(self._started_with, new))
        if waiting:
            _log.warning(
                "some changes wait for a restart", extra={"keys": ",".join(waiting)}
            )
        self._config, self._live = new, live
        self._runner.apply(live)
        self._beside.exchange(*live.beside)
        self._app.set_level(new.metrics.level)
        logging.getLogger().setLevel(new.log.level.upper())
        self._advise(live)
        _log.info("configuration reloaded", extra={"changed": ",".join(changed)})

    def _advise(self, live: Live) -> None:
        advice = self._plan.advice(live)
        if advice:
            _log.warning("%s", advice)


def _run_ticks(
    runner: Runner, loop: asyncio.AbstractEventLoop, stop: asyncio.Event
) -> None:
    try:
        runner.run()
    finally:
        # The loop may be gone already, if it was the first to end.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)


def _tell_crash(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None:
        _log.critical(
            "the tick failed; giving up, the checkpoint is kept",
            exc_info=crash.exc_value,
        )


def _load_web_config(path: Path | None) -> "WebConfig | None":
    if path is None:
        return None
    # Most daemons serve plain HTTP, and what reads the file is not small.
    from exporter.exposition.web_config import load_web_config  # noqa: PLC0415 - above

    return load_web_config(path)


def _make_directories(config: Config) -> None:
    make_directory(config.state.run_dir, "--state.run-dir")
    make_directory(config.state.dir, "--state.dir")
