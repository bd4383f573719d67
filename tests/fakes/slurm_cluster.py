"""A real Slurm cluster of one node: munged, slurmctld and slurmd of Debian.

It works as root on cgroup v1 and needs the packages that
``scripts/system-packages.sh`` installs. Everything it writes is below one
temporary directory, and its cgroups carry a name of their own, so that several
clusters can run beside each other and beside a Slurm of the machine.

    with SlurmCluster() as cluster:
        job = cluster.submit("sleep 60", user="nobody", gpus=1)
        cluster.wait_for_state(job, "RUNNING")
        usage = cluster.job_cgroup(job, "cpuacct") / "cpuacct.usage"
"""

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fakes.slurm_cgroups import (
    CGROUPS,
    CONTROLLERS,
    confine_devices,
    node_name,
    processes_in,
    remove_cgroups,
)
from tests.fakes.slurm_config import (
    NVIDIA_MAJOR,
    ClusterLayout,
    write_files,
    write_program,
)
from tests.fakes.slurm_daemons import ClusterDaemons, free_ports
from tests.fakes.waiting import wait_until

ENDED = frozenset({"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL"})

# Generous: it is there so that a hang fails, on however slow a machine.
LONGEST_S = 90.0
_COMMAND_S = 30.0
_END_S = 20.0
_NUMBERS = itertools.count()
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "scancel")


def missing() -> str | None:
    """Return why no cluster can run here, for the reader of a skipped test."""
    path = _search_path()
    absent = [name for name in _PROGRAMS if shutil.which(name, path=path) is None]
    if absent:
        return f"no {', '.join(absent)}: run scripts/system-packages.sh as root"
    if os.geteuid() != 0:
        return "a Slurm node has to be root: it starts jobs as other users"
    for controller in CONTROLLERS:
        directory = CGROUPS / controller
        if not (directory / "cgroup.procs").exists():
            return f"no cgroup v1 controller at {directory}: Slurm's v1 plugin needs it"
        if not os.access(directory, os.W_OK):
            return f"{directory} is read-only: Slurm has to make its cgroups there"
    return None


class SlurmCluster:
    """A cluster that runs between ``__enter__`` and ``__exit__``.

    Args:
        gpu_minors: minor numbers of the node's GPUs, in the order of Slurm's index.
        listed_devices: a job's ``devices.list`` names what it may open, as where
            slurmd itself is confined. Elsewhere the kernel does not tell: the list
            says "everything" (``a *:* rwm``), although GPUs of others are fenced.
    """

    def __init__(
        self, gpu_minors: Sequence[int] = (0, 1), *, listed_devices: bool = False
    ) -> None:
        # Not pytest's own: there are sockets in it, whose paths have to be short,
        # and users other than root have to get there.
        self.directory = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
        self.directory.chmod(0o755)
        controller_port, node_port = free_ports(2)
        self.layout = ClusterLayout(
            directory=self.directory,
            # Also the name of its cgroups: nobody else's.
            node=node_name(self.directory.name[-4:].lower().strip("_")),
            cpus=os.cpu_count() or 1,
            gpu_minors=tuple(gpu_minors),
            first_job=1000 * ((os.getpid() + 7919 * next(_NUMBERS)) % 60_000) + 1,
            controller_port=controller_port,
            node_port=node_port,
        )
        self.environment = {
            "PATH": _search_path(),
            "SLURM_CONF": str(self.layout.config_file),
        }
        self._listed_devices = listed_devices
        self._daemons = ClusterDaemons(self.layout, self.environment)

    @property
    def node(self) -> str:
        """Name of its one node."""
        return self.layout.node

    def __enter__(self) -> Self:
        """Start it and wait until its node is idle."""
        try:
            write_files(self.layout)
            if self._listed_devices:
                confine_devices(
                    CGROUPS / "devices" / f"slurm_{self.node}", NVIDIA_MAJOR
                )
            self._daemons.start()
            wait_until(
                lambda: self._ask("sinfo", "--noheader", "--format=%t") == "idle",
                "the node is idle",
                LONGEST_S,
                self.logs,
            )
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every job and every process, and leave nothing behind."""
        self.stop()

    def stop(self) -> None:
        """End every job and every process, and leave nothing behind."""
        try:
            if self._daemons.are_running:
                self._end_jobs()
            self._daemons.stop()
        finally:
            remove_cgroups(self.cgroup_roots())
            shutil.rmtree(self.directory, ignore_errors=True)

    # --- jobs ---------------------------------------------------------------

    def submit(
        self,
        script: str,
        *,
        user: str = "root",
        gpus: int = 0,
        options: Sequence[str] = (),
    ) -> int:
        """Submit a batch job and return its id.

        Args:
            script: what its shell runs.
            user: who submits it; any user of the machine.
            gpus: how many GPUs it asks for.
            options: further ones of sbatch, such as ``--array=0-2``.
        """
        gres = [f"--gres=gpu:{gpus}"] if gpus else []
        answer = self.run(
            "sbatch",
            "--parsable",
            "--output=/dev/null",
            *gres,
            *options,
            user=user,
            stdin=f"#!/bin/sh\n{script}\n",
        )
        return int(answer.partition(";")[0])

    def cancel(self, job_id: int) -> None:
        """End a job."""
        self.run("scancel", str(job_id))

    def requeue(self, job_id: int) -> None:
        """End a job and put it back into the queue; it starts again soon."""
        self.run("scontrol", "requeue", str(job_id))

    def suspend(self, job_id: int) -> None:
        """Freeze a job."""
        self.run("scontrol", "suspend", str(job_id))

    def resume(self, job_id: int) -> None:
        """Let a frozen job go on."""
        self.run("scontrol", "resume", str(job_id))

    def show(self, job_id: int) -> Mapping[str, str]:
        """Return what ``scontrol show job`` says; values with blanks are cut."""
        text = self.run(
            "scontrol", "--details", "--oneliner", "show", "job", str(job_id)
        )
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def state(self, job_id: int) -> str:
        """Return the state of a job, such as ``RUNNING``."""
        return self.show(job_id)["JobState"]

    def wait_for_state(
        self, job_id: int, *states: str, limit_s: float = LONGEST_S
    ) -> str:
        """Wait until a job is in one of the states, and return it."""
        wait_until(
            lambda: self.state(job_id) in states,
            f"job {job_id} is {' or '.join(states)}",
            limit_s,
            lambda: f"{self.show(job_id)}\n{self.logs()}",
        )
        return self.state(job_id)

    def wait_for_end(self, job_id: int, limit_s: float = LONGEST_S) -> str:
        """Wait until a job has ended, its epilog too, and return its last state."""
        return self.wait_for_state(job_id, *ENDED, limit_s=limit_s)

    def wait_for_processes(
        self, job_id: int, user: str = "root", limit_s: float = LONGEST_S
    ) -> None:
        """Wait until the shell of a batch job runs in its cgroup.

        Slurm calls a job running a little before.
        """
        step = self.job_cgroup(job_id, user=user) / "step_batch"
        wait_until(
            lambda: bool(processes_in([step])),
            f"job {job_id} has processes in {step}",
            limit_s,
            self.logs,
        )

    # --- cgroups and hooks --------------------------------------------------

    def cgroup_roots(self) -> tuple[Path, ...]:
        """Return the node's cgroup in each controller; it exists once a job ran."""
        return tuple(CGROUPS / one / f"slurm_{self.node}" for one in CONTROLLERS)

    def job_cgroup(
        self, job_id: int, controller: str = "cpuacct", user: str = "root"
    ) -> Path:
        """Return the cgroup of a job."""
        uid = pwd.getpwnam(user).pw_uid
        return CGROUPS / controller / f"slurm_{self.node}/uid_{uid}/job_{job_id}"

    def add_hook(self, kind: str, script: Path, environment: Mapping[str, str]) -> None:
        """Run a script at each ``prolog`` or ``epilog`` of the node from now on.

        Args:
            kind: ``prolog`` or ``epilog``.
            script: an executable file.
            environment: added to what Slurm tells the script.
        """
        lines = [f"export {name}='{value}'" for name, value in environment.items()]
        write_program(
            self.layout.hook_directory(kind) / script.name,
            "\n".join([*lines, f"exec '{script}'"]),
        )

    def set_epilog_slurmctld(self, body: str) -> None:
        """Run shell commands on the controller when a job has ended."""
        write_program(self.layout.epilog_slurmctld, body)

    def set_mail(self, body: str) -> None:
        """Run shell commands as the program that sends mail."""
        write_program(self.layout.mail_program, body)

    def run(self, *command: str, user: str = "root", stdin: str = "") -> str:
        """Run a command of Slurm and return what it prints, stripped."""
        entry = pwd.getpwnam(user)
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            # Names of jobs need not be UTF-8.
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            timeout=_COMMAND_S,
            cwd=self.directory,
            env=self.environment | {"USER": user, "HOME": "/"},
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=[],
        )
        if done.returncode != 0:
            msg = f"{' '.join(command)}: {done.stderr.strip()}"
            raise RuntimeError(msg)
        return done.stdout.strip()

    def start_rest(self, user: str = "daemon") -> Path:
        """Start slurmrestd and return its socket, which asks for no token."""
        return self._daemons.start_rest(pwd.getpwnam(user))

    def restart_node(self) -> None:
        """End slurmd and start it again; jobs go on meanwhile."""
        self._daemons.restart_node()

    def logs(self) -> str:
        """Return the ends of all logs, to explain a failure."""
        return self._daemons.logs()

    def _ask(self, *command: str) -> str | None:
        """Run a command that fails as long as the controller is starting."""
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
            return self.run(*command)
        return None

    def _end_jobs(self) -> None:
        with contextlib.suppress(RuntimeError, TimeoutError, subprocess.TimeoutExpired):
            jobs = self.run("squeue", "--noheader", "--format=%A").split()
            if jobs:
                self.run("scancel", *jobs)
                wait_until(
                    lambda: not self.run("squeue", "--noheader"), "no job", _END_S
                )


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
