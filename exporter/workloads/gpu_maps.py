"""Which job holds which GPU, as files tell that others write at a site already.

    dcgm-exporter   a directory with a file per GPU, named by its index, or by index
                    and GPU instance (``0``, ``0.3``); a job id per line
    jobstats        /run/gpustat with a file per GPU, named by Slurm's number or by
                    UUID; ``JOBID UID``

So a site that has such a Prolog changes nothing. These directories are small,
and their files are rewritten in place: they are read again every few seconds.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from exporter.core.units import Seconds
from exporter.workloads.gpu_names import GpuNames, GpuPart, is_uuid

MapFormat = Literal["dcgm", "gpustat"]

READ_AGAIN_S = Seconds(5.0)

_DCGM_NAME = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?", re.ASCII)
_JOB_ID = re.compile(r"\d{1,10}", re.ASCII)
_MOST_FILES = 1024
_MOST_BYTES = 4096


class NamedGpu(NamedTuple):
    """A GPU as a file is named."""

    format: MapFormat
    name: str

    def find(self, names: GpuNames) -> GpuPart | None:
        """Return the GPU, if there is one of that name."""
        if self.format == "gpustat":
            return names.find(self.name)
        match = _DCGM_NAME.fullmatch(self.name)
        if match is None:
            return None
        instance = match[2]
        return names.find_by_index(
            int(match[1]), None if instance is None else int(instance)
        )


class JobMap:
    """Reads one such directory.

    Args:
        directory: it need not be there.
        file_format: who writes it.
    """

    def __init__(self, directory: Path, file_format: MapFormat) -> None:
        self.directory = directory
        self.format: MapFormat = file_format

    def read(self) -> Mapping[str, frozenset[NamedGpu]]:
        """Return the GPUs of each job id; empty if nothing can be read."""
        found: dict[str, set[NamedGpu]] = {}
        try:
            names = sorted(path.name for path in self.directory.iterdir())[:_MOST_FILES]
        except OSError:
            return {}
        for name in names:
            if self._is_gpu(name):
                for job_id in self._jobs_in(self.directory / name):
                    found.setdefault(job_id, set()).add(NamedGpu(self.format, name))
        return {job_id: frozenset(gpus) for job_id, gpus in found.items()}

    def _is_gpu(self, name: str) -> bool:
        if self.format == "dcgm":
            return _DCGM_NAME.fullmatch(name) is not None
        return name.isdecimal() or is_uuid(name)

    def _jobs_in(self, path: Path) -> list[str]:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return []
        try:
            text = os.read(fd, _MOST_BYTES).decode("ascii", "replace")
        except OSError:
            return []
        finally:
            os.close(fd)
        lines = text.splitlines()
        if self.format == "gpustat":
            words = text.split()
            lines = words[:1]
        return [line.strip() for line in lines if _JOB_ID.fullmatch(line.strip())]
