"""The configuration of a Slurm cluster of one node, for 22.05 on cgroup v1."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The major number of NVIDIA's devices, so that a job's "devices.list" looks as on
# a node with GPUs. Slurm only looks at the numbers and never opens the device.
NVIDIA_MAJOR = 195


@dataclass(frozen=True, slots=True)
class ClusterLayout:
    """Where the cluster keeps its files, and what its one node has.

    Attributes:
        directory: everything is below it; short, because of the sockets in it.
        node: name of the node, and so of its cgroups.
        cpus: CPUs that Slurm hands out, each several times.
        gpu_minors: minor numbers of its GPUs in the order of Slurm's index.
        first_job: id of its first job; others than those of any other cluster that
            may run here, since all clusters of a machine share its cgroups.
        controller_port: where slurmctld listens on the loopback.
        node_port: where slurmd listens on the loopback.
    """

    directory: Path
    node: str
    cpus: int
    gpu_minors: Sequence[int]
    first_job: int = 1
    controller_port: int = 0
    node_port: int = 0

    @property
    def config_file(self) -> Path:
        """``slurm.conf``, which every command of Slurm is told of."""
        return self.directory / "etc" / "slurm.conf"

    @property
    def munge_socket(self) -> Path:
        """Where munged vouches for who somebody is."""
        return self.directory / "munge" / "socket"

    def log_file(self, program: str) -> Path:
        """Where a daemon of the cluster logs."""
        return self.directory / "log" / f"{program}.log"

    def pid_file(self, program: str) -> Path:
        """Where a daemon of the cluster says which process it is."""
        return self.directory / "run" / f"{program}.pid"

    def hook_directory(self, kind: str) -> Path:
        """Scripts that run at a moment of a job, such as ``prolog``."""
        return self.directory / "etc" / f"{kind}.d"

    @property
    def epilog_slurmctld(self) -> Path:
        """What the controller runs when a job has ended."""
        return self.directory / "etc" / "epilog-slurmctld"

    @property
    def mail_program(self) -> Path:
        """What the controller sends mail with."""
        return self.directory / "etc" / "mail"

    def gpu_file(self, minor: int) -> Path:
        """The device file of a GPU."""
        return self.directory / "dev" / f"nvidia{minor}"

    def slurm_conf(self) -> str:
        """Return the text of ``slurm.conf``."""
        gres = f"Gres=gpu:a100:{len(self.gpu_minors)}" if self.gpu_minors else ""
        return f"""\
ClusterName=jouled
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={self.controller_port}
SlurmdPort={self.node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A requeued job starts again when its old credentials have expired.
AuthInfo=socket={self.munge_socket},cred_expire=5
CredType=cred/munge
StateSaveLocation={self.directory}/state
SlurmdSpoolDir={self.directory}/spool
SlurmctldPidFile={self.pid_file("slurmctld")}
SlurmdPidFile={self.pid_file("slurmd")}
SlurmctldLogFile={self.log_file("slurmctld")}
SlurmdLogFile={self.log_file("slurmd")}
SlurmctldDebug=info
SlurmdDebug=verbose
SwitchType=switch/none
MpiDefault=none
MailProg={self.mail_program}
ReturnToService=2
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/cgroup
JobAcctGatherFrequency=task=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
PrologFlags=Alloc,Contain
Prolog={self.hook_directory("prolog")}/*
Epilog={self.hook_directory("epilog")}/*
EpilogSlurmctld={self.epilog_slurmctld}
FirstJobId={self.first_job}
SlurmctldTimeout=60
SlurmdTimeout=60
InactiveLimit=0
KillWait=2
MinJobAge=300
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
PriorityType=priority/basic
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
NodeName={self.node} NodeAddr=127.0.0.1 NodeHostname=localhost \
CPUs={self.cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={self.cpus} \
ThreadsPerCore=1 RealMemory=4000 {gres} State=UNKNOWN
PartitionName=batch Nodes={self.node} Default=YES MaxTime=INFINITE \
DefMemPerCPU=50 OverSubscribe=FORCE:20 State=UP
"""

    def cgroup_conf(self) -> str:
        """Return the text of ``cgroup.conf``: GPUs are fenced, CPUs are shared."""
        return """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainCores=yes
ConstrainRAMSpace=yes
ConstrainDevices=yes
"""

    def gres_conf(self) -> str:
        """Return the text of ``gres.conf``: which file is which GPU."""
        lines = [
            f"NodeName={self.node} Name=gpu Type=a100 File={self.gpu_file(minor)}"
            for minor in self.gpu_minors
        ]
        return "\n".join(["AutoDetect=off", *lines, ""])


def write_files(layout: ClusterLayout) -> None:
    """Write all that the daemons find when they start; hooks that do nothing too."""
    for name in ("etc", "munge", "log", "run", "state", "spool", "dev"):
        (layout.directory / name).mkdir(mode=0o755)
    write_hooks(layout)
    config = layout.config_file
    config.write_text(layout.slurm_conf())
    config.with_name("cgroup.conf").write_text(layout.cgroup_conf())
    config.with_name("gres.conf").write_text(layout.gres_conf())
    config.with_name("plugstack.conf").write_text("")
    for minor in layout.gpu_minors:
        file = layout.gpu_file(minor)
        os.mknod(file, stat.S_IFCHR, os.makedev(NVIDIA_MAJOR, minor))
        file.chmod(0o666)


def write_hooks(layout: ClusterLayout) -> None:
    """Write hooks that do nothing, and take out all others."""
    for kind in ("prolog", "epilog"):
        directory = layout.hook_directory(kind)
        directory.mkdir(exist_ok=True)
        for script in directory.iterdir():
            script.unlink()
        # Slurm wants at least one.
        write_program(directory / "00-nothing", ":")
    write_program(layout.epilog_slurmctld, ":")
    write_program(layout.mail_program, "cat >/dev/null")


def write_program(path: Path, body: str) -> None:
    """Write a shell script, or exchange it while Slurm may be running it."""
    # A name that no pattern of hooks matches.
    new = path.parent.parent / f"{path.name}.new"
    new.write_text(f"#!/bin/sh\n{body}\n")
    new.chmod(0o755)
    new.replace(path)
