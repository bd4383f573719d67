"""Which pods are reported, and with what CPU time."""

import time
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from exporter.core.errors import (
    SourceAbsentError,
    SourceDeniedError,
    SourceFaultyError,
)
from exporter.core.workload import WorkloadId
from exporter.workloads.cgroups import FileBudget
from tests.fakes.pod_cgroups import Driver, Version, uid_of
from tests.fakes.pod_node import (
    LONGEST_S,
    NoThread,
    PodNode,
    ToldNames,
    no_inotify,
    numbers,
    pod_node,
    usage_of,
)
from tests.fakes.slurm_node import wait_watched
from tests.fakes.unprivileged import public_directory, unprivileged

_VERSIONS: tuple[Version, ...] = ("v1", "v2")
_DRIVERS: tuple[Driver, ...] = ("cgroupfs", "systemd")
_every_kind = pytest.mark.parametrize(
    ("version", "driver"), list(product(_VERSIONS, _DRIVERS))
)


# --- presence -------------------------------------------------------------------------


def test_a_node_without_a_kubelet_is_absent_not_faulty(tmp_path: Path) -> None:
    """Most machines: said once, and no alert."""
    node = PodNode(tmp_path)

    with pytest.raises(SourceAbsentError, match="no cgroup of pods"):
        node.source.read()

    node.source.close()


def test_nobody_is_asked_for_names_where_there_are_no_pods(tmp_path: Path) -> None:
    """No thread, no connection, on ten thousand nodes of another scheduler."""
    threads: list[NoThread] = []

    def thread(*args: Any) -> NoThread:  # noqa: ANN401 - as the thread has them
        threads.append(NoThread(*args))
        return threads[-1]

    node = PodNode(tmp_path, witnesses=(ToldNames(),), worker=thread)
    with pytest.raises(SourceAbsentError):
        node.source.read()

    node.source.close()

    assert [each.is_started for each in threads] == [False]


def test_a_kubelet_that_starts_later_is_found(tmp_path: Path) -> None:
    """The daemon may start at boot, before it."""
    node = PodNode(tmp_path)
    with pytest.raises(SourceAbsentError):
        node.source.read()
    node.pods.start_kubelet()
    node.pods.start_pod(1)

    reading = node.look()

    assert numbers(reading) == {1}
    node.source.close()


def test_a_cgroup_file_system_that_may_not_be_read_is_denied() -> None:
    """An operator has to act."""
    with public_directory() as root:
        node = PodNode(root)
        node.pods.start_kubelet()
        node.pods.cgroupfs.chmod(0)

        with unprivileged(), pytest.raises(SourceDeniedError, match="cgroup"):
            node.source.read()

        node.pods.cgroupfs.chmod(0o755)
        node.source.close()


def test_a_counter_that_is_garbage_is_faulty(tmp_path: Path) -> None:
    """Missing is not zero: the pod is not charged for nothing."""
    with pod_node(tmp_path) as node:
        pod = node.pods.start_pod(1)
        (node.pods.directory(pod.path) / "cpu.stat").write_text("usage_usec x\n")

        with pytest.raises(SourceFaultyError, match=r"cpu\.stat"):
            node.source.read()


# --- CPU time -------------------------------------------------------------------------


@_every_kind
def test_pods_are_reported_with_the_cpu_time_of_the_kernel(
    tmp_path: Path, version: Version, driver: Driver
) -> None:
    """One of each class; their containers are not added to them."""
    with pod_node(tmp_path, version, driver) as node:
        node.source.read()
        node.pods.start_pod(1, pod_class="guaranteed", busy_cpus=1.0, containers=3)
        node.pods.start_pod(2, pod_class="burstable", busy_cpus=2.0)
        node.pods.start_pod(3, pod_class="besteffort", busy_cpus=0.5)

        node.look()
        reading = node.tick(10.0)

        cpu_s = [usage_of(reading, number).cpu_s for number in (1, 2, 3)]
        assert cpu_s == [pytest.approx(each) for each in (41.0, 82.0, 20.5)]
        (group,) = reading.groups
        assert group.cpu_s == pytest.approx(143.5)
        assert len(group.members) == 3


def test_pods_of_a_nested_node_are_read_like_others(tmp_path: Path) -> None:
    """Kind puts a whole node below one cgroup."""
    with pod_node(tmp_path, "v2", "systemd", nest="kubelet.slice") as node:
        node.pods.start_pod(1)
        node.source.read()

        reading = node.look()

        assert usage_of(reading, 1).cpu_s == pytest.approx(31.0)


def test_memory_is_the_anonymous_kind(tmp_path: Path) -> None:
    """Page cache is nobody's, and goes when somebody needs the memory."""
    for version in _VERSIONS:
        with pod_node(tmp_path / version, version) as node:
            node.pods.start_pod(1).memory_bytes = 5 << 20

            assert usage_of(node.look(), 1).memory_bytes == 5 << 20


def test_a_static_pod_has_the_hash_for_a_uid(tmp_path: Path) -> None:
    """It has no dashes, whatever the driver."""
    static = "586a56e04739cd852be8086aa8e9ac42"
    for driver in _DRIVERS:
        with pod_node(tmp_path / driver, "v2", driver) as node:
            node.pods.start_pod(0, uid=static)

            (usage,) = node.look().usages

            assert usage.workload == WorkloadId("kubernetes", static)


def test_each_pod_s_counter_stays_open_and_is_let_go_in_the_end(tmp_path: Path) -> None:
    """Opening costs more than reading."""
    with pod_node(tmp_path, budget=FileBudget(2)) as node:
        for number in range(4):
            node.pods.start_pod(number)
        node.look()

        reading = node.tick()

        assert numbers(reading) == {0, 1, 2, 3}
        for number in range(4):
            assert usage_of(reading, number).cpu_s == pytest.approx(32.0)


def test_cgroups_beside_pods_are_not_counted_as_theirs(tmp_path: Path) -> None:
    """What is left of the root's counter would go to pods that ended."""
    with pod_node(tmp_path, "v2", "cgroupfs") as node:
        node.pods.start_pod(1)
        other = node.pods.directory(node.pods.root) / "helper"
        other.mkdir()
        (other / "cpu.stat").write_text("usage_usec 7000000\n")
        node.look()

        (group,) = node.look().groups

        assert group.cpu_s == pytest.approx(62.0 - 7.0)


# --- beginning and end ----------------------------------------------------------------


@_every_kind
def test_a_new_pod_is_noticed_at_once(
    tmp_path: Path, version: Version, driver: Driver
) -> None:
    """Not only when everything is looked at again."""
    with pod_node(tmp_path, version, driver) as node:
        node.source.read()
        node.pods.spend(node.pods.start_pod(1), 0.25)

        reading = node.read_until(lambda each: numbers(each) == {1})

        assert usage_of(reading, 1).cpu_s == pytest.approx(0.25)


@_every_kind
def test_a_pod_that_ended_is_not_reported_and_its_group_counts_on(
    tmp_path: Path, version: Version, driver: Driver
) -> None:
    """What it used last is the group's, less what the others used."""
    with pod_node(tmp_path, version, driver) as node:
        pod = node.pods.start_pod(1)
        node.pods.start_pod(2)
        node.look()
        (before,) = node.tick(5.0).groups
        node.clock.pass_s(0.7)
        node.pods.end_pod(pod)

        reading = node.read_until(lambda each: numbers(each) == {2})

        (after,) = reading.groups
        assert len(before.members) == 2
        assert after.cpu_s - before.cpu_s == pytest.approx(1.4)
        assert after.members == (WorkloadId("kubernetes", uid_of(2)),)


@_every_kind
def test_a_pod_that_came_and_went_within_a_tick_is_reported_once(
    tmp_path: Path, version: Version, driver: Driver
) -> None:
    """Without a count: the group's counter knows what it used."""
    with pod_node(tmp_path, version, driver) as node:
        (before,) = node.source.read().groups
        wait_watched(node.pods.directory(node.pods.root))
        pod = node.pods.start_pod(9, pod_class="guaranteed")
        node.pods.spend(pod, 0.4)
        node.pods.end_pod(pod)

        reading = node.read_until(lambda each: bool(each.usages))

        (usage,) = reading.usages
        (group,) = reading.groups
        assert usage.cpu_s is None
        assert group.members == (usage.workload,)
        assert group.cpu_s - before.cpu_s == pytest.approx(0.4)
        assert node.source.read().usages == ()


def test_an_evicted_pod_ends_like_any_other(tmp_path: Path) -> None:
    """Its containers are killed, its cgroup goes a while later."""
    with pod_node(tmp_path) as node:
        pod = node.pods.start_pod(1)
        node.look()
        pod.busy_cpus = 0.0
        node.tick(5.0)
        node.pods.end_pod(pod)

        reading = node.look()

        assert reading.usages == ()
        assert reading.groups[0].cpu_s == pytest.approx(31.0)


@_every_kind
def test_a_static_pod_that_is_made_anew_goes_on(
    tmp_path: Path, version: Version, driver: Driver
) -> None:
    """Its new cgroup counts from 0, its joules do not."""
    with pod_node(tmp_path, version, driver) as node:
        pod = node.pods.start_pod(1)
        node.look()
        node.pods.end_pod(pod)
        node.pods.start_pod(1)
        node.look()

        # A played file that is gone still has its last count for who has it open.
        node.read_until(lambda each: (usage_of(each, 1).cpu_s or 0.0) > 31.5)

        cpu_s = [usage_of(node.look(), 1).cpu_s for _ in range(2)]
        assert cpu_s == [pytest.approx(31.0 + 62.0), pytest.approx(31.0 + 93.0)]


def test_a_pod_that_is_made_anew_later_is_reported_again(tmp_path: Path) -> None:
    """The same pod; who counts knows that it started from 0."""
    with pod_node(tmp_path) as node:
        pod = node.pods.start_pod(1)
        node.look()
        node.tick(5.0)
        node.pods.end_pod(pod)
        assert node.look().usages == ()
        assert node.look().usages == ()
        node.pods.start_pod(1)

        reading = node.look()

        assert usage_of(reading, 1).cpu_s == pytest.approx(31.0)


def test_a_pod_is_found_to_be_gone_by_whoever_counts_it(tmp_path: Path) -> None:
    """Before anybody has looked again."""
    with pod_node(tmp_path, budget=FileBudget(0), open_inotify=no_inotify) as node:
        pod = node.pods.start_pod(1)
        node.look()
        node.tick(0.1)
        node.pods.end_pod(pod)

        assert node.tick(0.1).usages == ()


def test_a_cgroup_that_is_made_anew_between_two_ticks_goes_on(tmp_path: Path) -> None:
    """Its path is there all the time, as far as anybody looks."""
    with pod_node(tmp_path, budget=FileBudget(0), open_inotify=no_inotify) as node:
        pod = node.pods.start_pod(1)
        node.look()
        node.pods.restart_pod(pod)

        first = usage_of(node.tick(0.5), 1).cpu_s
        second = usage_of(node.look(), 1).cpu_s

        assert first == pytest.approx(31.5)
        assert second == pytest.approx(62.5)


def test_without_inotify_pods_are_found_by_looking(tmp_path: Path) -> None:
    """Once a second, instead of at once."""
    with pod_node(tmp_path, open_inotify=no_inotify) as node:
        node.source.read()
        node.pods.start_pod(1)

        reading = node.tick(1.0)

        assert numbers(reading) == {1}


def test_a_class_that_is_made_later_is_watched_too(tmp_path: Path) -> None:
    """Somebody may have removed what was empty."""
    with pod_node(tmp_path, "v2", "cgroupfs") as node:
        directory = node.pods.directory(f"{node.pods.root}/besteffort")
        (directory / "cpu.stat").unlink()
        directory.rmdir()
        node.source.read()
        node.pods.start_pod(5, pod_class="besteffort", busy_cpus=0.0)
        node.pods.spend(node.pods.pods[uid_of(5)], 1.0)

        reading = node.read_until(lambda each: numbers(each) == {5})

        assert usage_of(reading, 5).cpu_s == pytest.approx(1.0)


# --- a pod that is being prepared -----------------------------------------------------


def test_a_pod_that_is_being_prepared_is_not_reported(tmp_path: Path) -> None:
    """Its name may come when its first image is there; labels would freeze without."""
    with pod_node(tmp_path, witnesses=(ToldNames(),)) as node:
        pod = node.pods.start_pod(1, busy_cpus=0.0, containers=0)
        for _ in range(5):
            assert node.look().usages == ()
        node.pods.spend(pod, 0.01)

        usage = usage_of(node.tick(), 1)

        assert usage.cpu_s == pytest.approx(0.01)
        assert usage.labels is None


def test_threads_of_the_reader_end_with_it(tmp_path: Path) -> None:
    """A test, or a reload, must leave nothing behind."""
    with pod_node(tmp_path) as node:
        node.source.read()

    end_s = time.monotonic() + LONGEST_S
    directory = node.pods.directory(node.pods.root)
    inode = f"ino:{directory.stat().st_ino:x} "
    infos = Path("/proc/self/fdinfo")
    while any(inode in _text(path) for path in infos.iterdir()):
        assert time.monotonic() < end_s


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
