"""What each process did on a GPU: samples that the driver keeps for some seconds.

    nvmlDeviceGetProcessUtilization   percent of the GPU's SM time, per process and
                                      moment; Maxwell and newer, not in MIG mode

It is asked for what is newer than the newest sample it gave before. So each sample
counts once, in the tick in which it is new, and a process without any did nothing. The
first answer only tells what is old: the driver keeps samples of before.
"""

import logging
from collections.abc import Sequence
from types import ModuleType
from typing import Protocol

from exporter.core.gpu_activity import GpuActivity
from exporter.core.units import Ratio
from exporter.power.nvml.library import UNSUPPORTED, Code, Handle, code_of, say

_log = logging.getLogger(__name__)

_FULL_PERCENT = 100
# A driver that tells of more costs too much to listen to.
_MOST_PROCESSES = 1024
# Samples are dated by the wall clock. Should that be set back, none would be newer for
# a long time: after so many readings without any, the driver is asked for all it has.
_QUIET_READINGS = 10
# That is how the driver says that nobody did anything; the binding makes an error of
# an answer without samples as well.
_NO_SAMPLES = frozenset({Code.SUCCESS, Code.NOT_FOUND})


class _Sample(Protocol):
    pid: int
    timeStamp: int  # noqa: N815 -- pynvml's name
    smUtil: int  # noqa: N815 -- pynvml's name


class ProcessSamples:
    """Reads the samples of one GPU by one initialisation's handle.

    Args:
        nvml: the ``pynvml`` module, initialised.
        handle: the GPU.
        uuid: of the GPU.
        said: what was already reported as not supported; added to.
    """

    def __init__(
        self, nvml: ModuleType, handle: Handle, uuid: str, said: set[str]
    ) -> None:
        self._nvml = nvml
        self._handle = handle
        self._uuid = uuid
        self._said = said
        self._newest_us: int | None = None
        self._quiet = 0
        self._is_supported = True

    def read(self) -> GpuActivity | None:
        """Return what was done since the last reading; ``None`` if nobody tells."""
        if not self._is_supported:
            return None
        since_us = self._newest_us
        samples = self._ask(0 if self._quiet >= _QUIET_READINGS else since_us or 0)
        if samples is None:
            return None
        # The time of garbage may be of years to come: nothing would be newer.
        times_us = (s.timeStamp for s in samples if s.smUtil <= _FULL_PERCENT)
        newest_us = max(times_us, default=since_us)
        self._newest_us = newest_us or 0
        if since_us is None:
            return None
        new = [sample for sample in samples if sample.timeStamp > since_us]
        self._quiet = 0 if new or self._quiet >= _QUIET_READINGS else self._quiet + 1
        return _add_up(new)

    def _ask(self, since_us: int) -> Sequence[_Sample] | None:
        try:
            samples: Sequence[_Sample] = self._nvml.nvmlDeviceGetProcessUtilization(
                self._handle, since_us
            )
        except self._nvml.NVMLError as error:
            code = code_of(error)
            if code in _NO_SAMPLES:
                return ()
            if code in UNSUPPORTED:
                self._give_up(error)
            return None
        return samples

    def _give_up(self, error: Exception) -> None:
        self._is_supported = False
        if "processes" not in self._said:
            self._said.add("processes")
            _log.info(
                "GPU does not tell what its processes do; jobs that share it are "
                "charged by their shares: %s",
                say(error),
                extra={"gpu": self._uuid},
            )


def _add_up(samples: Sequence[_Sample]) -> GpuActivity | None:
    """Return the mean over the moments sampled; ``None`` if there is nonsense."""
    percent: dict[int, int] = {}
    moments: dict[int, int] = {}
    for sample in samples:
        # Some drivers return garbage; what others did is not known then either.
        if sample.smUtil > _FULL_PERCENT:
            return None
        pid = sample.pid
        percent[pid] = percent.get(pid, 0) + sample.smUtil
        moments[pid] = moments.get(pid, 0) + 1
    if len(percent) > _MOST_PROCESSES:
        return None
    # A process that was active at a part of the moments has no sample of the others.
    whole = _FULL_PERCENT * max(moments.values(), default=1)
    return GpuActivity(
        processes={p: Ratio(sum_ / whole) for p, sum_ in percent.items()}
    )
