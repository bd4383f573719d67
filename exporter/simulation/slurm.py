"""Slurm on a simulated node: its cgroups, and what its Prolog leaves behind."""

from pathlib import Path

from exporter.simulation.cgroups import CgroupTree, LiveCgroup, Shape
from exporter.simulation.cluster import Job
from exporter.simulation.machine import RunningJob
from exporter.simulation.names import node_list

_ROOT = "system.slice/slurmstepd.scope"
_MIB = 2**20
_FIRST_UID = 5000


class SlurmNode:
    """The jobs of Slurm on one node.

    Args:
        tree: where their cgroups are.
        drops: where the Prolog leaves its files.
        name: of the node.
        node: its number.
    """

    def __init__(self, tree: CgroupTree, drops: Path, name: str, node: int) -> None:
        self._tree = tree
        self._drops = drops
        self._name = name
        self._node = node
        drops.mkdir(parents=True, exist_ok=True)
        self._root = tree.make_holder(_ROOT)
        self._jobs: dict[int, tuple[LiveCgroup, int]] = {}
        self._ended_s = 0.0

    def begin(self, running: RunningJob) -> None:
        """Do what Prolog and slurmstepd do."""
        job = running.job
        variables = _variables(job, self._node, node_list(self._name, self._node, job))
        self._drop(job.number, variables)
        self._jobs[job.number] = self._tree.make(
            Shape(
                path=f"{_ROOT}/job_{job.number}",
                leaf="step_batch/user/task_0",
                limits={
                    "cpuset.cpus": f"0-{job.cpus - 1}",
                    "cpuset.cpus.effective": f"0-{job.cpus - 1}",
                    "memory.max": str(job.kind.memory_bytes),
                },
                environ=variables,
            )
        )

    def end(self, running: RunningJob) -> None:
        """Do what the end of a job and the Epilog do."""
        number = running.job.number
        cgroup, pid = self._jobs.pop(number)
        self._ended_s += running.cpu_s
        cgroup.write_cpu(running.cpu_s)
        self._tree.remove(cgroup, pid)
        (self._drops / str(number)).unlink(missing_ok=True)

    def write(self, running: dict[int, RunningJob]) -> None:
        """Bring the CPU counters up to the machine's last moment."""
        total_s = self._ended_s
        for number, (cgroup, _) in self._jobs.items():
            cpu_s = running[number].cpu_s
            total_s += cpu_s
            cgroup.write_cpu(cpu_s)
        self._root.write_cpu(total_s)

    def write_rest(self, running: dict[int, RunningJob]) -> None:
        """Bring up what nobody looks at in each tick."""
        for number, (cgroup, _) in self._jobs.items():
            cgroup.write_memory(running[number].load.memory_bytes)

    def pids(self, number: int) -> tuple[int, ...]:
        """Return the processes of a job; none if it is not Slurm's."""
        held = self._jobs.get(number)
        return () if held is None else (held[1],)

    def close(self) -> None:
        """Close all files."""
        for cgroup, _ in self._jobs.values():
            cgroup.close()
        self._root.close()

    def _drop(self, number: int, variables: dict[str, str]) -> None:
        new = self._drops / f".{number}.new"
        entries = (f"{name}={value}".encode() for name, value in variables.items())
        new.write_bytes(b"\0".join(entries) + b"\0")
        new.replace(self._drops / str(number))


def _variables(job: Job, node: int, nodes: str) -> dict[str, str]:
    """Environment of a job, as a recent Slurm gives it to Prolog and job alike."""
    variables = {
        "SLURM_JOB_ID": str(job.number),
        "SLURM_JOB_NAME": job.name,
        "SLURM_JOB_USER": job.user,
        "SLURM_JOB_UID": str(_FIRST_UID + sum(job.user.encode())),
        "SLURM_JOB_ACCOUNT": job.tenant,
        "SLURM_JOB_PARTITION": job.kind.partition,
        "SLURM_JOB_NODELIST": nodes,
        "SLURM_CPUS_ON_NODE": str(job.cpus),
        "SLURM_MEM_PER_NODE": str(job.kind.memory_bytes // _MIB),
        "SLURM_JOB_START_TIME": str(job.start_unix_s),
        "SLURM_JOB_END_TIME": str(job.start_unix_s + job.limit_s),
    }
    gpus = job.gpus_on(node)
    if gpus:
        variables["SLURM_JOB_GPUS"] = ",".join(map(str, gpus))
    if job.array_number is not None:
        variables["SLURM_ARRAY_JOB_ID"] = str(job.array_number)
        variables["SLURM_ARRAY_TASK_ID"] = str(job.array_task)
    return variables
