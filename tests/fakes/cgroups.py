"""A Slurm node's cgroups and processes, played like a real one.

Shapes and file contents are those of real nodes: cgroups of version 1 and 2 by
``job_ID``, and of version 2 by SLUID as since Slurm 26.05. Counters go on in place,
by a clock of the test's own; a cgroup appears and goes with its files.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Layout = Literal["v1", "v2", "sluid"]

_UNLIMITED = 9_223_372_036_854_771_712
_WIDTH = 20
_FIRST_PID = 20_000
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def sluid_of(job_id: int) -> str:
    """Make up the SLUID of a job, as Slurm writes it."""
    digits = [_BASE32[job_id >> 5 * place & 31] for place in range(12, -1, -1)]
    return "s" + "".join(digits)


def environ(job_id: int, **variables: str | int) -> dict[str, str]:
    """Return an environment as slurmstepd sets it for a process of a job."""
    base = {
        "PATH": "/usr/bin",
        "SLURM_JOB_ID": str(job_id),
        "SLURM_JOBID": str(job_id),
        "SLURM_JOB_NAME": f"job-{job_id}",
        "SLURM_JOB_PARTITION": "batch",
        "SLURM_JOB_NODELIST": "node001",
        "SLURM_NODE_ALIASES": "(null)",
    }
    return base | {name: str(value) for name, value in variables.items()}


def drop(directory: Path, job_id: int, **variables: str | int) -> Path:
    """Leave the file of a Prolog, by a rename."""
    directory.mkdir(parents=True, exist_ok=True)
    values = {"SLURM_JOB_ID": str(job_id)} | {
        name: str(value) for name, value in variables.items()
    }
    new = directory / f".{job_id}.new"
    new.write_bytes(encode(values))
    return new.replace(directory / str(job_id))


def encode(variables: Mapping[str, str]) -> bytes:
    """Write an environment as the kernel shows it."""
    return b"".join(
        f"{name}={value}".encode() + b"\0" for name, value in variables.items()
    )


@dataclass
class PlayedJob:
    """A job of the fixture node.

    Attributes:
        job_id: its raw id.
        path: its cgroup below the root of a tree.
        busy_cpus: CPUs it keeps busy from now on.
        used_s: CPU time it has used.
        pids: processes of its steps.
    """

    job_id: int
    path: str
    busy_cpus: float = 1.0
    used_s: float = 0.0
    memory_bytes: int = 1 << 20
    pids: list[int] = field(default_factory=list)


class PlayedSlurm:
    """The cgroup file system and /proc of a node under Slurm.

    Args:
        root: an empty directory; gets ``cgroup`` and ``proc``.
        layout: version of cgroups, and how jobs are named in them.
        clock: the clock that CPU counters go by, s.
        node: name of the node, which is a part of its cgroups' names.
        counts_cpu: version 1 with the controller that counts CPU time.
    """

    def __init__(
        self,
        root: Path,
        layout: Layout,
        clock: Callable[[], float],
        node: str = "node001",
        *,
        counts_cpu: bool = True,
    ) -> None:
        self.cgroupfs = root / "cgroup"
        self.procfs = root / "proc"
        self.layout = layout
        self.jobs: dict[int, PlayedJob] = {}
        self.ended_s = 0.0
        self.daemon_s = 0.0
        self.daemon_cpus = 0.0
        self._clock = clock
        self._played_at_s = clock()
        self._pids = itertools.count(_FIRST_PID)
        self._daemon_path = ""
        self.procfs.mkdir(parents=True, exist_ok=True)
        if layout == "v1":
            controllers = ("cpuacct", "memory", "cpuset", "devices", "freezer")
            used = controllers if counts_cpu else controllers[1:]
            self._trees = {name: self.cgroupfs / name for name in used}
            for tree in self._trees.values():
                tree.mkdir(parents=True, exist_ok=True)
            self.slurm = f"slurm_{node}"
        else:
            self._trees = {"": self.cgroupfs}
            self.slurm = f"system.slice/{node}_slurmstepd.scope"
            (self.cgroupfs / "system.slice").mkdir(parents=True, exist_ok=True)
            (self.cgroupfs / "cgroup.controllers").write_text("cpuset cpu memory\n")

    # --- the node -------------------------------------------------------------------

    def start_slurmd(self) -> None:
        """Make the cgroups that are there without any job."""
        if self.layout == "v1":
            self._make(self.slurm)
            return
        self._daemon_path = f"{self.slurm}/slurmd"
        for path in (self.slurm, f"{self.slurm}/system", self._daemon_path):
            self._make(path)

    def play(self) -> None:
        """Bring all counters up to now."""
        now_s = self._clock()
        elapsed_s = now_s - self._played_at_s
        self._played_at_s = now_s
        for job in self.jobs.values():
            job.used_s += job.busy_cpus * elapsed_s
        if self._daemon_path:
            self.daemon_s += self.daemon_cpus * elapsed_s
        self._write_counters()

    def spend(self, job: PlayedJob, cpu_s: float) -> None:
        """Let a job have used so much more, without any time passing."""
        job.used_s += cpu_s
        self._write_counters()

    # --- jobs -----------------------------------------------------------------------

    def start_job(
        self,
        job_id: int,
        *,
        uid: int = 1000,
        busy_cpus: float = 1.0,
        variables: Mapping[str, str] | None = None,
        step: str | None = "batch",
        cpus: str = "",
        memory_limit: int | None = None,
        devices: tuple[str, ...] | None = None,
    ) -> PlayedJob:
        """Start a job.

        Args:
            job_id: its raw id.
            uid: its user.
            busy_cpus: CPUs it keeps busy.
            variables: environment of its first process; that of a plain job if
                ``None``.
            step: its first step beside the external one; ``None``: not begun yet.
            cpus: it is confined to these, such as ``0-3``; "" for none.
            memory_limit: bytes; ``None`` for none.
            devices: lines of ``devices.list``; ``None`` if all are allowed.
        """
        self.play()
        name = sluid_of(job_id) if self.layout == "sluid" else f"job_{job_id}"
        path = f"{self.slurm}/{name}"
        if self.layout == "v1":
            self._make(self.slurm)
            self._make(f"{self.slurm}/uid_{uid}")
            path = f"{self.slurm}/uid_{uid}/{name}"
        job = PlayedJob(job_id, path, busy_cpus)
        self._make(path)
        self.jobs[job_id] = job
        self._write_limits(job, cpus, memory_limit, devices)
        self.add_step(job, "extern", {"PATH": "/bin"}, uid=0)
        if step is not None:
            self.add_step(
                job, step, environ(job_id) if variables is None else variables, uid=uid
            )
        self._write_counters()
        return job

    def add_step(
        self,
        job: PlayedJob,
        name: str,
        variables: Mapping[str, str],
        *,
        uid: int = 1000,
    ) -> int:
        """Start a step of one task, and return its process."""
        task = f"{job.path}/step_{name}/task_0"
        if self.layout != "v1":
            stepd = f"{job.path}/step_{name}/slurm"
            self._make(stepd, is_step=True)
            self._start_process(stepd, {"SLURM_CONF": "/etc/slurm"}, uid=0)
            task = f"{job.path}/step_{name}/user/task_0"
        self._make(task, is_step=True)
        pid = self._start_process(task, variables, uid=uid)
        job.pids.append(pid)
        return pid

    def end_job(self, job: PlayedJob) -> None:
        """End a job; its user's cgroup goes with the last job in it."""
        self.play()
        self.ended_s += job.used_s
        del self.jobs[job.job_id]
        for tree in self._trees.values():
            shutil.rmtree(tree / job.path, ignore_errors=True)
            user = (tree / job.path).parent
            is_there = user.name.startswith("uid_") and user.is_dir()
            if is_there and not any(each.is_dir() for each in user.iterdir()):
                shutil.rmtree(user)
        for pid in job.pids:
            shutil.rmtree(self.procfs / str(pid), ignore_errors=True)
        self._write_counters()

    def counted(self) -> str:
        """Return what the Epilog writes down of all counters."""
        self.play()
        tree = next(iter(self._trees.values()))
        name = "cpuacct.usage" if self.layout == "v1" else "cpu.stat"
        roots = [tree / self.slurm / name]
        others = sorted((tree / self.slurm).glob(f"*/{name}"))
        jobs = sorted((tree / self.slurm).glob(f"uid_*/job_*/{name}"))
        return "".join(
            f"{file.relative_to(tree)}:{file.read_text().splitlines()[0].rstrip()}\n"
            for file in (*roots, *others, *jobs, *roots)
        )

    def write_environ(self, pid: int, data: bytes) -> None:
        """Give a process another environment, byte by byte."""
        (self.procfs / str(pid) / "environ").write_bytes(data)

    def directory(self, job: PlayedJob, controller: str = "cpuacct") -> Path:
        """Cgroup of a job."""
        return self._trees[controller if self.layout == "v1" else ""] / job.path

    # --- files ----------------------------------------------------------------------

    def _make(self, path: str, *, is_step: bool = False) -> None:
        """Make a cgroup and those above it, with the files that the kernel makes.

        Steps are made in one tree only: in the others nobody looks at them.
        """
        trees = list(self._trees.items())
        for controller, tree in trees[:1] if is_step else trees:
            directory = tree
            for name in path.split("/"):
                directory = directory / name
                _make_one(directory, controller)

    def _start_process(
        self, path: str, variables: Mapping[str, str], *, uid: int
    ) -> int:
        pid = next(self._pids)
        process = self.procfs / str(pid)
        process.mkdir()
        (process / "environ").write_bytes(encode(variables))
        if self.layout == "v1":
            lines = [f"3:{name}:/{path}\n" for name in self._trees]
            (process / "cgroup").write_text("".join(lines))
        else:
            (process / "cgroup").write_text(f"0::/{path}\n")
        if os.geteuid() == 0:
            os.chown(process, uid, uid)
        tree = next(iter(self._trees.values()))
        with (tree / path / "cgroup.procs").open("a") as file:
            file.write(f"{pid}\n")
        return pid

    def _write_limits(
        self,
        job: PlayedJob,
        cpus: str,
        memory_limit: int | None,
        devices: tuple[str, ...] | None,
    ) -> None:
        if self.layout != "v1":
            directory = self.directory(job)
            _overwrite(directory / "cpuset.cpus", f"{cpus}\n")
            _overwrite(directory / "cpuset.cpus.effective", f"{cpus or '0-63'}\n")
            limit = "max" if memory_limit is None else str(memory_limit)
            _overwrite(directory / "memory.max", f"{limit}\n")
            return
        limit = str(_UNLIMITED if memory_limit is None else memory_limit)
        _overwrite(
            self.directory(job, "memory") / "memory.limit_in_bytes", f"{limit}\n"
        )
        if cpus:
            name = "cpuset.effective_cpus"
            _overwrite(self.directory(job, "cpuset") / name, f"{cpus}\n")
        else:
            shutil.rmtree(self.directory(job, "cpuset"))
        lines = ("a *:* rwm",) if devices is None else devices
        text = "".join(f"{line}\n" for line in lines)
        _overwrite(self.directory(job, "devices") / "devices.list", text)

    def _write_counters(self) -> None:
        for job in self.jobs.values():
            self._write_counter(job.path, job.used_s)
            self._write_memory(job)
        total_s = self.ended_s + sum(job.used_s for job in self.jobs.values())
        if self._daemon_path:
            self._write_counter(self._daemon_path, self.daemon_s)
            total_s += self.daemon_s
        self._write_counter(self.slurm, total_s)

    def _write_counter(self, path: str, used_s: float) -> None:
        if self.layout == "v1":
            if "cpuacct" in self._trees:
                file = self._trees["cpuacct"] / path / "cpuacct.usage"
                _overwrite(file, f"{round(used_s * 1e9):<{_WIDTH}}\n")
            return
        used_us = round(used_s * 1e6)
        text = f"usage_usec {used_us:<{_WIDTH}}\nuser_usec {used_us:<{_WIDTH}}\n"
        _overwrite(self._trees[""] / path / "cpu.stat", text)

    def _write_memory(self, job: PlayedJob) -> None:
        anonymous = job.memory_bytes
        if self.layout == "v1":
            text = (
                f"cache 4096\nrss 0\nrss_huge 0\ntotal_cache 8192\n"
                f"total_rss {anonymous}\ntotal_rss_huge 7\n"
            )
            _overwrite(self.directory(job, "memory") / "memory.stat", text)
        else:
            text = f"anon {anonymous}\nfile 123456\nkernel 77\n"
            _overwrite(self.directory(job) / "memory.stat", text)


def _make_one(directory: Path, controller: str) -> None:
    if directory.is_dir():
        return
    directory.mkdir()
    (directory / "cgroup.procs").touch()
    if controller in ("", "cpuacct"):
        name = "cpuacct.usage" if controller else "cpu.stat"
        zero = "0\n" if controller else "usage_usec 0\nuser_usec 0\n"
        (directory / name).write_text(zero)


def _overwrite(file: Path, text: str) -> None:
    """Write in place, as the kernel does: who has the file open sees it."""
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CREAT, 0o644)
    except FileNotFoundError:
        # Slurm has not made it, such as its root before the first job.
        return
    try:
        os.pwrite(fd, text.encode(), 0)
        os.ftruncate(fd, len(text.encode()))
    finally:
        os.close(fd)
