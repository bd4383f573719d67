"""A real Slurm node whose every joule is known, and daemons that read it.

Jobs, cgroups and CPU time are real. The counters of the CPU follow that CPU time
(``WorkMeter``), and the two GPUs are the played driver's. Slurm's GPU 0 is NVML's
GPU 1 and the other way round, as on nodes whose minor numbers run against the index.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.e2e.daemon import Daemon
from tests.e2e.exposition import Scrape
from tests.fakes.command_line import REPOSITORY
from tests.fakes.nvml import LONG_NOTICE_S, FakeNvml
from tests.fakes.slurm_cgroups import CGROUPS, remove_abandoned
from tests.fakes.slurm_cluster import LONGEST_S, SlurmCluster
from tests.fakes.waiting import wait_until
from tests.fakes.work_meter import IDLE_W, WorkMeter
from tests.slurm.told import JobView, assert_conserved, is_complete

INTERVAL_S = 1.0
_OTHERS_S = 30.0

_HOOKS = REPOSITORY / "deploy" / "slurm"
_NOBODY = 65534


class Figures:
    """What tests have measured, for the end of the report."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Have this said."""
        self.lines.append(line)


class Site:
    """The node, and the daemon that watches it through all tests.

    Args:
        cluster: a running one with two GPUs.
        folder: an empty directory; gets trees, state and logs.
        rights: what takes rights from the daemon.

    Attributes:
        daemon: told by Prolog, environments and sensors; jobs are charged for what
            they use and not for idle power, so that their energy follows from their
            CPU time.
        scrapes: what it has told since the last test began, about once a tick.
    """

    def __init__(
        self, cluster: SlurmCluster, folder: Path, *, rights: Sequence[str] = ()
    ) -> None:
        self.cluster = cluster
        self.scrapes: list[Scrape] = []
        self.meter = WorkMeter(folder / "meter")
        gpus = len(cluster.layout.gpu_minors)
        self.driver = FakeNvml(folder / "nvml", gpus, notice_s=LONG_NOTICE_S)
        for number, minor in enumerate(reversed(cluster.layout.gpu_minors)):
            self.driver.set(number, minor=minor)
        self._folder = folder
        self.daemon = self.make_daemon("main", rights=rights)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let sensors and daemon run.

        Raises:
            TimeoutError: another Slurm has jobs here, which the daemon sees as well;
                they may hold the same GPUs.
        """
        remove_abandoned()
        # Those of another cluster of this process may still be about to go.
        wait_until(
            lambda: not self._foreign_jobs(),
            "no job of another Slurm runs on this machine",
            _OTHERS_S,
            lambda: "\n".join(map(str, self._foreign_jobs())),
        )
        with self.meter.playing():
            try:
                self.daemon.start()
                with self._recording():
                    yield
            finally:
                self.daemon.close()

    @contextmanager
    def scenario(self) -> Iterator[None]:
        """Try something with hooks in place, and hold every scrape to its sums."""
        self.scrapes.clear()
        self.add_hooks(self.daemon)
        try:
            yield
        finally:
            self.end_all()
        self.scrapes.append(self.daemon.wait_for(is_complete, "all jobs to be told"))
        assert_conserved(self.scrapes)

    def make_daemon(self, name: str, *flags: str, rights: Sequence[str] = ()) -> Daemon:
        """Return a further daemon for this node, which is not started yet.

        Args:
            name: of its folder.
            flags: of ``jouled run``, beside those that make it read this node.
            rights: what takes rights from it.
        """
        folder = self._folder / name
        folder.mkdir()
        if rights:
            os.chown(folder, _NOBODY, _NOBODY)
        return Daemon(
            folder,
            [
                *("--path.sysfs", str(self.meter.sysfs)),
                *("--path.cgroupfs", "/sys/fs/cgroup"),
                *("--gpu.device-dir", str(self.cluster.layout.gpu_file(0).parent)),
                *("--gpu.gpustat-dir", str(folder / "no-gpustat")),
                *("--idle.cpu-watts", str(IDLE_W), "--attribution.idle", "none"),
                *("--carbon.zone", "DE"),
                *flags,
            ],
            self.driver.env(),
            rights=rights,
        )

    def add_hooks(self, daemon: Daemon) -> None:
        """Let Prolog and Epilog tell a daemon of each job from now on."""
        for kind in ("prolog", "epilog"):
            script = _HOOKS / f"{kind}.d" / "50-jouled.sh"
            # Several daemons, several hooks, which differ in their names.
            named = daemon.run_dir.parent / f"{kind}-{daemon.run_dir.parent.name}.sh"
            if not named.is_symlink():
                named.symlink_to(script)
            environment = {"JOULED_STATE__RUN_DIR": str(daemon.run_dir)}
            self.cluster.add_hook(kind, named, environment)

    # --- jobs -----------------------------------------------------------------------

    def wait(self, job_id: int, is_so: Callable[[JobView], bool], what: str) -> None:
        """Wait until the daemon says something of a job."""
        self.daemon.wait_for(
            lambda scrape: is_so(JobView(scrape, job_id)), f"job {job_id}: {what}"
        )

    def wait_for_end(self, job_id: int) -> JobView:
        """Wait for the end of a job, and until the daemon has noticed."""
        self.cluster.wait_for_end(job_id, limit_s=2 * LONGEST_S)
        self.wait(job_id, lambda job: job.has_ended, "has ended")
        return self.see(job_id)

    def see(self, job_id: int) -> JobView:
        """Return what the daemon says of a job now."""
        return JobView(self.daemon.scrape(), job_id)

    def end_all(self) -> None:
        """End all jobs that are left, and wait until nothing is left of them."""
        cluster = self.cluster
        jobs = cluster.run("squeue", "--noheader", "--format=%A").split()
        if jobs:
            cluster.run("scancel", *jobs)
        wait_until(
            lambda: not cluster.run("squeue", "--noheader"),
            "no job is left",
            LONGEST_S,
            cluster.logs,
        )

    def used_s(self, job_id: int, user: str = "root") -> float:
        """Return the kernel's count of the CPU time of a job that runs, s."""
        usage = self.cluster.job_cgroup(job_id, user=user) / "cpuacct.usage"
        return int(usage.read_text()) / 1e9

    def usage_file(self, user: str = "root") -> Path:
        """Return where a job finds the kernel's count of its own CPU time, ns."""
        some = self.cluster.job_cgroup(0, user=user).with_name("job_$SLURM_JOB_ID")
        return some / "cpuacct.usage"

    def work(self, until_s: float, user: str = "root") -> str:
        """Return shell commands that work until their job has used so much CPU time.

        Afterwards ``$used`` is what it has used, ns.
        """
        look = f"read used <{self.usage_file(user)}"
        return f"until {look}; test $used -ge {until_s * 1e9:.0f}; do :; done"

    def rest(self) -> None:
        """Wait for two ticks that begin from now on."""
        for _ in range(2):
            self.daemon.tick_after(time.time())

    # --- GPUs -----------------------------------------------------------------------

    def gpu_of(self, job_id: int) -> int:
        """Return NVML's number of the one GPU that Slurm has given to a job."""
        index = int(self.cluster.show(job_id)["GRES"].partition("IDX:")[2].rstrip(")"))
        minor = self.cluster.layout.gpu_minors[index]
        (number,) = (
            number for number, gpu in enumerate(self.driver.gpus) if gpu.minor == minor
        )
        return number

    # --- what has to hold at any time -----------------------------------------------

    def _foreign_jobs(self) -> list[Path]:
        ours = f"slurm_{self.cluster.node}"
        jobs = CGROUPS.glob("cpuacct/slurm*/uid_*/job_*")
        return [path for path in jobs if path.parent.parent.name != ours]

    @contextmanager
    def _recording(self) -> Iterator[None]:
        stop = threading.Event()

        def record() -> None:
            url = f"http://127.0.0.1:{self.daemon.port}/metrics"
            with httpx.Client(timeout=30.0) as client:
                while not stop.wait(INTERVAL_S):
                    self.scrapes.append(Scrape(client.get(url).text))

        thread = threading.Thread(target=record, name="prometheus")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
