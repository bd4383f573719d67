"""What each holder of a shared GPU did on it."""

import subprocess
import sys
from pathlib import Path

import pytest

from exporter.core.gpu_activity import GpuActivity
from exporter.core.model import GpuInstance
from exporter.core.units import Ratio
from exporter.core.workload import GpuHold
from exporter.workloads.doubts import Doubts
from exporter.workloads.gpu_activity import SharedGpus
from exporter.workloads.gpu_holds import may_share
from exporter.workloads.kubernetes.tree import pod_in_path
from tests.fakes.inventory import FakeInventory, gpu

_GPUS = (gpu(0), gpu(1))
_A, _B = (each.uuid for each in _GPUS)
_MIGS = tuple(
    GpuInstance(f"MIG-{name}", _B, number, Ratio(share))
    for number, (name, share) in enumerate((("a", 3 / 7), ("b", 2 / 7), ("c", 2 / 7)))
)


class _Job:
    """Somebody who holds GPUs."""

    def __init__(self, *holds: GpuHold) -> None:
        self.holds = holds
        self.shown = holds

    def show_activity(self, holds: tuple[GpuHold, ...]) -> None:
        """Remember what is reported."""
        self.shown = holds

    @property
    def activity(self) -> list[float | None]:
        """Activity of its holds."""
        return [hold.activity for hold in self.shown]


class _Node:
    """A node of which a test says who holds what, and what was done."""

    def __init__(self, root: Path, *jobs: _Job) -> None:
        self.inventory = FakeInventory(_GPUS, _MIGS)
        self.doubts = Doubts("test")
        self.jobs = jobs
        self.now_s = 1000.0
        self._procfs = root
        self.shared: SharedGpus[_Job] = SharedGpus(
            self.inventory, root, pod_in_path, self.doubts, "look into it"
        )
        self.follow(*jobs)

    def follow(self, *jobs: _Job) -> None:
        """Let these be all who hold GPUs."""
        self.shared.follow({_uid(number): job for number, job in enumerate(jobs)})

    def run(self, pid: int, job: int | None) -> None:
        """Run a process of a job, or of nobody who holds a GPU."""
        folder = self._procfs / str(pid)
        folder.mkdir(exist_ok=True)
        name = "system.slice" if job is None else f"kubepods/pod{_uid(job)}/c"
        (folder / "cgroup").write_text(f"0::/{name}\n")

    def end(self, pid: int) -> None:
        """Let a process be gone."""
        (self._procfs / str(pid) / "cgroup").unlink()

    def tick(
        self, processes: dict[int, float] | None = None, **instances: float
    ) -> dict[str, float]:
        """Tell what was done on the GPUs, and let it be told of."""
        self.now_s += 1.0
        if processes is not None:
            parts = {pid: Ratio(part) for pid, part in processes.items()}
            self.inventory.activities[_A] = GpuActivity(processes=parts)
        if instances:
            busy = {f"MIG-{name}": Ratio(part) for name, part in instances.items()}
            self.inventory.activities[_B] = GpuActivity(instances=busy)
        return dict(self.shared.tell(self.now_s))


def _uid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def _hold(share: float = 0.5, device: str = _A, instance: str = "") -> GpuHold:
    return GpuHold(device, Ratio(share), instance=instance)


@pytest.fixture
def node(tmp_path: Path) -> _Node:
    """Let two share a GPU, the second one three times as much of it as the first."""
    node = _Node(tmp_path, _Job(_hold(0.25)), _Job(_hold(0.75)))
    for pid, job in ((1, 0), (2, 1), (3, 1), (9, None)):
        node.run(pid, job)
    return node


def _activity(node: _Node) -> list[list[float | None]]:
    return [job.activity for job in node.jobs]


# --- processes ------------------------------------------------------------------------


def test_what_a_job_did_is_what_its_processes_did(node: _Node) -> None:
    """By the cgroups they are in."""
    node.tick({1: 0.3, 2: 0.1, 3: 0.2})

    assert _activity(node) == [[pytest.approx(0.3)], [pytest.approx(0.3)]]


def test_a_job_whose_processes_idle_did_nothing(node: _Node) -> None:
    """It pays for its share of idle power alone."""
    node.tick({1: 0.3, 2: 0.0})

    assert _activity(node) == [[0.3], [0.0]]


def test_a_gpu_on_which_nobody_computes_is_known_to_be_idle(node: _Node) -> None:
    """That is not unknown: energy that waits is divided by the ticks that were busy."""
    node.tick({})

    assert _activity(node) == [[0.0], [0.0]]


def test_an_answer_is_told_of_once(node: _Node) -> None:
    """If the GPU was not read since, nobody knows what was done since."""
    node.tick({1: 0.3})
    node.tick()

    assert _activity(node) == [[None], [None]]


def test_a_driver_that_does_not_tell_leaves_it_unknown(node: _Node) -> None:
    """Then shares decide."""
    assert node.tick() == {}
    assert _activity(node) == [[None], [None]]
    assert node.inventory.asked_about == [_A]


def test_what_cannot_be_traced_goes_by_shares(node: _Node) -> None:
    """Somebody did it: a process that is gone, or one of no holder."""
    node.tick({1: 0.3, 9: 0.2, 77: 0.2})

    assert _activity(node) == [[pytest.approx(0.4)], [pytest.approx(0.3)]]


@pytest.mark.parametrize("pid", [0, 9, 77])
def test_where_nothing_can_be_traced_shares_decide(node: _Node, pid: int) -> None:
    """So it is in a container without the node's process ids, or behind MPS' server."""
    node.tick({pid: 0.5})

    assert _activity(node) == [[None], [None]]


def test_processes_that_stay_unknown_are_told_of_with_a_remedy(node: _Node) -> None:
    """Once, as long as it lasts."""
    for _ in range(31):
        node.tick({0: 0.5})
    told = node.doubts.latest
    for _ in range(11):
        node.tick({1: 0.5, 0: 0.1})

    assert f"GPU {_A}" in told
    assert told.endswith("look into it")
    assert dict(node.doubts.counts) == {"untraced": 1}
    assert node.doubts.latest == ""


def test_a_gpu_that_is_shared_no_longer_is_doubted_no_longer(node: _Node) -> None:
    """Nobody has to look into what does not matter any more."""
    for _ in range(31):
        node.tick({0: 0.5})
    before = node.doubts.latest

    node.follow(node.jobs[0])

    assert before != ""
    assert node.doubts.latest == ""


def test_a_process_that_has_just_ended_is_known_from_before(node: _Node) -> None:
    """Its last sample comes when it is gone."""
    node.tick({1: 0.3, 2: 0.3})
    node.end(1)
    node.tick({1: 0.1, 2: 0.3})

    assert _activity(node) == [[0.1], [0.3]]


def test_a_process_id_is_not_believed_for_long(node: _Node) -> None:
    """It is given to others, and a process is moved to the job it is for."""
    node.tick({9: 0.3, 2: 0.3})
    node.run(9, 0)
    for _ in range(11):
        node.tick({9: 0.3, 2: 0.3})

    assert _activity(node) == [[0.3], [0.3]]


def test_a_gpu_that_one_holds_alone_is_not_asked_about(tmp_path: Path) -> None:
    """There is nothing to divide, and asking costs time in the driver."""
    node = _Node(tmp_path, _Job(_hold()), _Job(_hold(1.0, _B)))

    node.tick({1: 0.3})

    assert node.inventory.asked_about == []
    assert not may_share(node.jobs)
    assert may_share([*node.jobs, _Job(_hold(1.0, _B))])
    assert may_share([_Job(_hold(1.0, _B, "MIG-a"))])


def test_a_daemon_loads_nothing_of_it_until_somebody_shares_a_gpu() -> None:
    """Memory is spent where it is of use."""
    script = (
        "import sys, exporter.bootstrap, exporter.bootstrap_kubernetes\n"
        "print(*[name for name in sys.modules if name.endswith(\n"
        "    ('workloads.gpu_activity', 'nvml.samples', '_samples'))])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout.strip() == ""


def test_whoever_is_left_alone_is_not_asked_about_any_more(node: _Node) -> None:
    """And what it did before is not reported again."""
    node.tick({1: 0.3, 2: 0.3})
    node.follow(node.jobs[0])
    node.inventory.asked_about.clear()
    node.tick({1: 0.3})

    assert node.jobs[0].activity == [None]
    assert node.inventory.asked_about == []


def test_two_names_of_one_gpu_are_no_more_of_it(tmp_path: Path) -> None:
    """A plugin may give it out by two names."""
    node = _Node(tmp_path, _Job(_hold(0.25), _hold(0.25)), _Job(_hold(0.5)))
    node.run(1, 0)
    node.run(2, 1)

    node.tick({1: 0.4, 2: 0.2})

    assert _activity(node) == [[0.2, 0.2], [0.2]]


# --- instances ------------------------------------------------------------------------


def test_an_instance_is_as_busy_as_it_is_large(tmp_path: Path) -> None:
    """Half of three slices is more than half of two; the rest is nobody's."""
    node = _Node(
        tmp_path,
        _Job(_hold(3 / 7, _B, "MIG-a")),
        _Job(_hold(1.0), _hold(2 / 7, _B, "MIG-b")),
    )

    busy = node.tick({}, a=0.5, b=0.25, c=1.0)

    assert _activity(node) == [
        [pytest.approx(1.5 / 7)],
        [None, pytest.approx(0.5 / 7)],
    ]
    assert busy == {_B: pytest.approx(4 / 7)}


def test_what_is_done_beside_the_only_holder_of_an_instance_is_not_its_own(
    tmp_path: Path,
) -> None:
    """An operator tries another one: that is divided as well."""
    node = _Node(tmp_path, _Job(_hold(3 / 7, _B, "MIG-a")))

    busy = node.tick(a=0.0, b=1.0)

    assert _activity(node) == [[0.0]]
    assert busy == {_B: pytest.approx(2 / 7)}


def test_those_who_share_an_instance_did_all_that_was_done_on_it(
    tmp_path: Path,
) -> None:
    """Also where only one of its replicas is held."""
    node = _Node(
        tmp_path,
        _Job(_hold(1 / 7, _B, "MIG-a")),
        _Job(_hold(1 / 14, _B, "MIG-b"), _hold(1 / 14, _B, "MIG-a")),
    )

    node.tick(a=0.7, b=0.7)

    assert _activity(node) == [
        [pytest.approx(0.2)],
        [pytest.approx(0.2), pytest.approx(0.1)],
    ]


@pytest.mark.parametrize("other", ["MIG-b", ""])
def test_an_instance_of_which_nothing_is_told_makes_all_unknown(
    tmp_path: Path, other: str
) -> None:
    """What the others did would be taken for everything."""
    node = _Node(
        tmp_path, _Job(_hold(3 / 7, _B, "MIG-a")), _Job(_hold(2 / 7, _B, other))
    )

    node.tick(a=0.5)

    assert _activity(node) == [[None], [None]]
