"""The hub's life: start, signals, reload, and its end.

Everything runs in one loop on one thread: the poller, the web server and the
signals. Whichever ends first ends the others.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from exporter.carbon.poller import Time, sleep_until_told
from exporter.core.errors import ConfigError
from exporter.exposition.connection import Limits
from exporter.exposition.server import WebServer
from exporter.exposition.web_config import WebConfig, load_web_config
from exporter.hub.budgets.keeper import Clocks
from exporter.hub.budgets.service import Budgets
from exporter.hub.config import HubConfig
from exporter.hub.desk import Desk
from exporter.hub.http import create_app
from exporter.hub.overview.service import Overviews
from exporter.hub.settings import needs_restart
from exporter.hub.site import Site
from exporter.hub.slurm.keeper import SlurmJobs
from exporter.notify import ServiceManager
from exporter.startup import (
    StartError,
    listen,
    make_directory,
    only_one,
    settle_memory,
    share_one_arena,
)
from exporter.version import version

_log = logging.getLogger(__name__)

_BEAT_S = 5.0

# Thousands of nodes come, ask, and go. A connection is kept for those that ask
# again at once; to keep one for each node would cost more than a new one does.
_LIMITS = Limits(served=8000, connections=8200, keep_alive_s=20)
_MOST_FILES = 16_384


@dataclass(frozen=True, slots=True)
class Plan:
    """How the parts of the hub are made; all may raise ``ConfigError``.

    Attributes:
        reload: reads the configuration again.
        site: builds what is asked for; what is known already may go on.
        clocks: what time it is.
    """

    reload: Callable[[], HubConfig]
    site: Callable[[HubConfig, Site | None], Site]
    clocks: Time


def run(config: HubConfig, plan: Plan) -> int:
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
    _allow_files()
    web_file = config.web.config_file
    try:
        web_config = None if web_file is None else load_web_config(web_file)
        with contextlib.ExitStack() as stack:
            sockets = listen(config.web.listen_address)
            for one in sockets:
                stack.callback(one.close)
            make_directory(config.state.dir, "--state.dir")
            stack.enter_context(only_one(config.state.dir, "--state.dir"))
            manager = ServiceManager(os.environ, _BEAT_S)
            stack.callback(manager.close)
            return _Hub(config, plan, sockets, web_config, manager).run()
    except StartError as error:
        _log.error("%s", error)
        return 1


class _Hub:
    def __init__(
        self,
        config: HubConfig,
        plan: Plan,
        sockets: list[socket.socket],
        web_config: WebConfig | None,
        manager: ServiceManager,
    ) -> None:
        self._config = config
        self._plan = plan
        self._web_config = web_config
        self._manager = manager
        clocks = Clocks(plan.clocks.unix, plan.clocks.monotonic)
        self._budgets = Budgets(config.state.dir, clocks)
        self._slurm = SlurmJobs(plan.clocks)
        self._overviews = Overviews(plan.clocks)
        self._desk = Desk(
            plan.site(config, None),
            plan.clocks,
            lambda: self._budgets.standing,
            lambda: self._slurm.standing,
            self._overviews,
        )
        app = create_app(self._desk, version=version())
        self._server = WebServer(app, sockets, web_config, _LIMITS)
        # Set to let the poller of the present site end and that of the next begin.
        self._changed = asyncio.Event()
        _advise(config)

    def run(self) -> int:
        settle_memory()
        return asyncio.run(self._serve())

    async def _serve(self) -> int:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()

        def end(signal_name: str) -> None:
            _log.info("stopping", extra={"signal": signal_name})
            stop.set()
            self._changed.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        _log.info(
            "listening",
            extra={
                "address": self._config.web.listen_address,
                "version": version(),
                "zones": ",".join(plan.zone for plan in self._config.zones),
                "state": str(self._config.state.dir),
            },
        )
        self._budgets.follow(self._config.budgets, self._config.only_zone)
        self._slurm.follow(self._config.slurm)
        self._overviews.follow(self._config.budgets.prometheus)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._server.serve(stop))
                tasks.create_task(self._poll(stop))
                tasks.create_task(self._beat(stop))
        except ExceptionGroup as crash:
            _log.critical("the hub failed; giving up", exc_info=crash.exceptions[0])
            return 1
        finally:
            self._manager.on_stop()
            self._overviews.end()
            self._slurm.end()
            self._budgets.end()
        return 0

    async def _poll(self, stop: asyncio.Event) -> None:
        """Let the poller of the site in force run, one site after the other."""
        while not stop.is_set():
            self._changed.clear()
            await self._desk.site.poller.run(self._changed)
            # A site without providers has nothing to poll.
            await self._changed.wait()

    async def _beat(self, stop: asyncio.Event) -> None:
        """Say that the loop goes round."""
        while not stop.is_set():
            self._manager.on_tick()
            self._budgets.expect(self._desk.forecasts)
            await sleep_until_told(stop, _BEAT_S)

    def _on_hangup(self) -> None:
        """Reload the configuration, or refuse it whole."""
        with self._manager.reloading():
            try:
                self._reload()
            except ConfigError as error:
                self._desk.reload_refused = True
                _log.error("reload refused, going on as before: %s", error)

    def _reload(self) -> None:
        new = self._plan.reload()
        site = self._plan.site(new, self._desk.site)
        if self._web_config is not None:
            self._web_config.reload()
        waiting = needs_restart(self._config, new)
        if waiting:
            _log.warning(
                "some changes wait for a restart", extra={"keys": ",".join(waiting)}
            )
        self._config = new
        self._desk.site = site
        self._budgets.follow(new.budgets, new.only_zone)
        self._slurm.follow(new.slurm)
        self._overviews.follow(new.budgets.prometheus)
        self._desk.reload_refused = False
        self._changed.set()
        logging.getLogger().setLevel(new.log.level.upper())
        _advise(new)
        zones = ",".join(plan.zone for plan in new.zones)
        _log.info("configuration reloaded", extra={"zones": zones})


def _advise(config: HubConfig) -> None:
    for notice in config.notices:
        _log.warning("%s", notice)


def _allow_files() -> None:
    """Take as many open files as we may: each node that asks is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(_MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # A service manager may forbid the call; then it sets the limit itself.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
