"""Keeps NVML in order: initialised once and held, and again when it must be.

Initialising costs milliseconds per GPU and makes every worker wait, so nothing
is done while all is well: the list of GPUs is fixed at initialisation anyway.
Only when a GPU lost its handle, or could not be opened, is NVML shut down and
initialised again, with growing delays. For that all workers are kept out; one
that hangs in the kernel postpones it, because its handle is still in use.

A GPU that was there and is not found again stays a member, whose reads fail: a
GPU that fell off the bus has to be seen, also by a daemon that was restarted, which
is told of it (``expect``). It is forgotten when the operator let
go of NVML in between (see ``release.py``), which is how one is taken out.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from exporter.core.errors import SourceAbsentError, SourceError, SourceFaultyError
from exporter.core.model import Reading, SourceInfo
from exporter.core.units import Seconds
from exporter.power.nvml.backoff import Backoff
from exporter.power.nvml.gpu import PATIENCE_S, NvmlGpu
from exporter.power.nvml.library import (
    Code,
    InitFailedError,
    initialise,
    say,
    source_error,
)
from exporter.power.nvml.places import Places, find
from exporter.power.nvml.release import ReleaseFiles, ReleaseRequest
from exporter.power.nvml.roster import Roster

_log = logging.getLogger(__name__)

_INFO = SourceInfo("nvml", "gpu", method="none", quality="none", scope="device")
_FIRST_RETRY_S = Seconds(5.0)
_LONGEST_RETRY_S = Seconds(60.0)


class NvmlDriver:
    """Finds and loses NVIDIA GPUs; implements ``core.ports.PowerDriver``.

    Args:
        release_file: an operator's request to let go of NVML.
        monotonic: CLOCK_MONOTONIC, s.
        unix_time: the wall clock, s; only the end of a release is on it.
        patience_s: how long to wait for all workers together, s, and how long
            they wait for the driver.
        initialise: returns what has the functions of ``pynvml``, initialised.
        gpm: what MIG instances do may be read from performance counters.
    """

    def __init__(  # noqa: PLR0913 - what a test or a simulation puts in its place
        self,
        release_file: Path,
        monotonic: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
        patience_s: Seconds = PATIENCE_S,
        initialise: Callable[[], ModuleType] = initialise,
        *,
        gpm: bool = False,
    ) -> None:
        self._release = ReleaseFiles(release_file)
        self._initialise = initialise
        self._monotonic = monotonic
        self._unix_time = unix_time
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._backoff = Backoff(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        self._nvml: ModuleType | None = None
        self._roster = Roster(monotonic, patience_s, gpm=gpm)
        self._members: tuple[NvmlGpu, ...] = ()
        self._failure: SourceError | None = None
        self._is_incomplete = False
        self._is_releasing = False
        self._forgets_missing = False
        self._acknowledged: ReleaseRequest | None = None
        # The library is loaded, and fitted the driver at some time: if it does
        # not any more, a new process would load another one.
        self._had_an_answer = False
        self._restart_needed = False

    @property
    def info(self) -> SourceInfo:
        """What it is."""
        return _INFO

    @property
    def restart_needed(self) -> bool:
        """Only a new process can read the GPUs: the driver was exchanged.

        The library of the old driver stays mapped for the life of a process.
        Never true of a process that could not read them from the start, so that
        a supervisor is not asked for restarts that do not help.
        """
        return self._restart_needed

    def members(self) -> tuple[NvmlGpu, ...]:
        """Return the GPUs; the same tuple until one comes or is let go of."""
        return self._members

    def known(self) -> tuple[NvmlGpu, ...]:
        """Return all GPUs, released and missing ones too; any thread may ask."""
        return self._roster.all()

    def find(self, uuid: str) -> NvmlGpu | None:
        """Return one of them, if there is; any thread may ask."""
        return self._roster.find(uuid)

    def expect(self, names: tuple[str, ...]) -> None:
        """Know GPUs, by UUID, that were read before this process began."""
        for uuid in names:
            self._roster.expect(uuid)

    def read(self) -> tuple[Reading, ...]:
        """Put NVML in order if it is not; cheap if it is.

        Returns:
            No reading: the members have them.

        Raises:
            SourceAbsentError: no driver, no GPU, or an operator released NVML.
            SourceDeniedError: this user may not open the driver.
            SourceFaultyError: NVML or one of its GPUs cannot be opened. GPUs
                that could be opened are read all the same.
        """
        with self._lock:
            self._read()
        return ()

    def close(self) -> None:
        """Let go of NVML, unless a call hangs: then only the process's end can."""
        if not self._lock.acquire(timeout=self._patience_s):
            return
        try:
            self._members = ()
            self._let_go(SourceAbsentError("jouled is shutting down"))
            self._backoff.reset()
            if self._acknowledged is not None:
                self._retract()
        finally:
            self._lock.release()

    def _read(self) -> None:
        request = self._release.requested()
        unix_s = Seconds(self._unix_time())
        if request is not None and not request.has_expired(unix_s):
            self._obey(request)
        if self._is_releasing:
            self._resume()
        now_s = Seconds(self._monotonic())
        if self._needs_opening() and self._backoff.is_due(now_s):
            self._backoff.attempted(now_s)
            self._failure = self._reopen()
        if self._failure is not None:
            # A new one each time: raising adds to an exception's traceback.
            raise type(self._failure)(str(self._failure))

    # --- opening ------------------------------------------------------------

    def _needs_opening(self) -> bool:
        if self._restart_needed:
            return False
        return (
            self._nvml is None
            or self._is_incomplete
            or any(gpu.needs_driver for gpu in self._members)
        )

    def _reopen(self) -> SourceError | None:
        """Shut NVML down if it is up, and open it; return what went wrong."""
        # A daemon that was killed may have left its acknowledgement behind.
        self._release.retract()
        with self._roster.workers_kept_out() as kept_out:
            if not kept_out:
                return SourceFaultyError(
                    "NVML has to be initialised again, but a call into the driver "
                    "hangs; the other GPUs are read as before"
                )
            self._shut_down()
            failure = self._open()
            if self._nvml is None and failure is not None:
                self._roster.detach(failure)
            return failure

    def _open(self) -> SourceError | None:
        try:
            nvml = self._initialise()
        except InitFailedError as error:
            return self._explain(error)
        self._had_an_answer = True
        self._nvml = nvml
        try:
            places = find(nvml)
        except nvml.NVMLError as error:
            self._shut_down()
            return SourceFaultyError(f"cannot list the GPUs: {say(error)}")
        if not places.found and not places.refused:
            self._shut_down()
            return SourceAbsentError("the NVIDIA driver sees no GPU")
        return self._adopt(places)

    def _explain(self, error: InitFailedError) -> SourceError:
        is_mismatch = error.code == Code.LIB_RM_VERSION_MISMATCH
        self._restart_needed = is_mismatch and self._had_an_answer
        if not is_mismatch and error.code != Code.LIBRARY_NOT_FOUND:
            self._had_an_answer = True
        return source_error(error, restart_helps=self._restart_needed)

    def _adopt(self, places: Places) -> SourceError | None:
        """Give every GPU its new handle; return what is wrong with the rest."""
        if self._forgets_missing:
            self._roster.keep_only(places)
            self._forgets_missing = False
        missing = self._roster.attach(places)
        members = self._roster.all()
        if members != self._members:
            self._members = members
        _log.info(
            "NVML open",
            extra={
                "driver": places.driver,
                "gpus": len(places.found),
                "missing": missing,
                "refused": len(places.refused),
            },
        )
        # A known GPU that refuses speaks for itself, as a member.
        self._is_incomplete = len(places.refused) > missing
        if self._is_incomplete:
            return SourceFaultyError("; ".join(places.refused))
        return None

    # --- letting go -----------------------------------------------------------

    def _obey(self, request: ReleaseRequest) -> NoReturn:
        """Let go of NVML and say so to whoever asked."""
        if not self._is_releasing:
            self._is_releasing = True
            self._members = ()
            _log.info("NVML release asked for", extra={"until": _until(request)})
        released = SourceAbsentError(
            f"NVML was released by an operator {_until(request)}; "
            "'jouled gpu resume' takes it up again"
        )
        if self._nvml is not None and not self._let_go(released):
            msg = "a release was asked for, but a call into the driver hangs"
            raise SourceFaultyError(msg)
        self._forgets_missing = True
        if self._acknowledged != request:
            try:
                self._release.acknowledge(request)
            except OSError as error:
                msg = (
                    f"NVML is released, but {self._release.acknowledgement} "
                    f"cannot be written: {error}"
                )
                raise SourceAbsentError(msg) from error
            self._acknowledged = request
            _log.info("NVML released", extra={"until": _until(request)})
        raise released

    def _resume(self) -> None:
        """Take NVML up again at once; after a release that never came about too."""
        self._is_releasing = False
        self._retract()
        self._backoff.reset()
        self._failure = None
        if self._nvml is not None:
            self._members = self._roster.all()
        _log.info("NVML resumed")

    def _retract(self) -> None:
        self._release.retract()
        self._acknowledged = None

    def _let_go(self, why: SourceError) -> bool:
        """Shut NVML down and drop all handles; ``False`` if a call hangs."""
        with self._roster.workers_kept_out() as kept_out:
            if kept_out:
                self._shut_down()
                self._roster.detach(why)
            return kept_out

    def _shut_down(self) -> None:
        nvml, self._nvml = self._nvml, None
        if nvml is None:
            return
        self._roster.forget_samples()
        try:
            nvml.nvmlShutdown()
        except nvml.NVMLError as error:
            # After a reload of the driver there is nothing left to shut down.
            _log.debug("NVML shutdown failed: %s", say(error))


def _until(request: ReleaseRequest) -> str:
    if request.until_unix_s is None:
        return "until further notice"
    return f"until {datetime.fromtimestamp(request.until_unix_s, UTC):%F %T} UTC"
