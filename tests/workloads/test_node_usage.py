import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.errors import SourceFaultyError
from exporter.workloads.node_usage import BusyTime, PsutilNodeUsage
from tests.fakes.clock import Clock
from tests.fakes.machine import PlayedMachine
from tests.fakes.unprivileged import public_directory

_PROC = Path("/proc")


def test_busy_time_is_the_work_that_was_done_and_no_waiting(tmp_path: Path) -> None:
    """Idle, disk wait and stolen time draw power for nobody on this machine."""
    clock = Clock()
    with (
        closing(PlayedMachine("two-socket-intel", tmp_path, clock)) as played,
        closing(PsutilNodeUsage(played.procfs, clock)) as source,
    ):
        before = source.read()
        played.set_utilization(0.75)
        clock.pass_s(10.0)
        played.play()
        after = source.read()
        true_busy_s = played.true_busy_s()

    assert after.busy_s - before.busy_s == pytest.approx(16 * 10.0 * 0.75)
    assert after.busy_s - before.busy_s == pytest.approx(true_busy_s)
    assert after.time_s - before.time_s == 10.0
    assert after.cpus == 16


def test_memory_in_use_leaves_the_page_cache_out(tmp_path: Path) -> None:
    """A job that reads files does not use the memory that caches them."""
    with closing(PlayedMachine("two-socket-intel", tmp_path)) as played:
        usage = PsutilNodeUsage(played.procfs).read()

    assert usage.memory_total_bytes == 131_072_000 * 1024
    assert usage.memory_used_bytes == (131_072_000 - 98_304_000) * 1024


def test_the_real_node_reads_as_psutil_says() -> None:
    """No unit is lost between /proc and us; psutil read before and after it."""
    source = PsutilNodeUsage(_PROC)

    def psutil_busy_s() -> float:
        times = psutil.cpu_times()
        return times.user + times.nice + times.system + times.irq + times.softirq

    psutil.PROCFS_PATH = str(_PROC)
    busy_before_s, time_before_s = psutil_busy_s(), time.monotonic()
    usage = source.read()
    busy_after_s, time_after_s = psutil_busy_s(), time.monotonic()

    # Different additions of the same ticks differ in the last bits.
    assert busy_before_s - 1e-6 <= usage.busy_s <= busy_after_s + 1e-6
    assert time_before_s <= usage.time_s <= time_after_s
    assert usage.cpus == psutil.cpu_count()
    assert usage.memory_total_bytes == psutil.virtual_memory().total
    assert 0 < usage.memory_used_bytes < usage.memory_total_bytes


def test_two_sources_do_not_read_each_others_tree(tmp_path: Path) -> None:
    """The library has one root for all, and the last one built must not win."""
    with (
        closing(PlayedMachine("vm", tmp_path / "one")) as one,
        closing(PlayedMachine("flat-dram", tmp_path / "two")) as two,
    ):
        first, second = PsutilNodeUsage(one.procfs), PsutilNodeUsage(two.procfs)

        assert [first.read().cpus, second.read().cpus, first.read().cpus] == [4, 8, 4]


def test_cpus_that_come_online_are_counted_within_a_minute(tmp_path: Path) -> None:
    """Counting them each second would read a line for each."""
    clock = Clock()
    with closing(PlayedMachine("vm", tmp_path, clock)) as played:
        source = PsutilNodeUsage(played.procfs, clock)
        source.read()
        stat = played.procfs / "stat"
        stat.write_text(stat.read_text().replace("cpu3", "gone"))
        clock.pass_s(59.0)
        before = source.read().cpus
        clock.pass_s(1.0)

        assert (before, source.read().cpus) == (4, 3)


def test_a_source_says_that_it_measures_no_energy() -> None:
    """Its status is exported beside those of the meters."""
    info = PsutilNodeUsage(_PROC).info

    assert (info.name, info.component, info.method) == ("node", "node", "none")


def test_a_file_that_comes_back_is_opened_again(tmp_path: Path) -> None:
    """A file that is kept open must not keep its first fault."""
    busy = BusyTime(tmp_path)
    with pytest.raises(SourceFaultyError, match="stat"):
        busy.read()
    (tmp_path / "stat").write_bytes(b"cpu  100 0 0 0 0 0 0 0 0 0\n")

    with closing(busy):
        first_s = busy.read()
        (tmp_path / "stat").write_bytes(b"cpu  300 0 0 0 0 0 0 0 0 0\n")
        second_s = busy.read()

    assert second_s == pytest.approx(3 * first_s)


@pytest.mark.parametrize("file", ["stat", "meminfo"])
def test_a_missing_file_is_faulty(file: str, tmp_path: Path) -> None:
    """It names the file, and the daemon goes on without it."""
    with closing(PlayedMachine("vm", tmp_path)) as played:
        (played.procfs / file).unlink()

        with pytest.raises(SourceFaultyError, match=file):
            PsutilNodeUsage(played.procfs).read()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("stat", ""),
        ("stat", "cpu 1 2 3\n"),
        ("stat", "cpu a b c d e f g h i j\n"),
        ("stat", "intr 1 0 0 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\n"),
        ("stat", "cpu -5 0 0 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\n"),
        ("stat", "cpu nan 0 0 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\n"),
        ("stat", "cpu inf 0 0 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\n"),
        ("stat", "cpu 1 0 0 0 0 0 0 0 0 0\n"),
        ("stat", "cpu 1 0 0 0 0 0 0 0 0 0\ncpu0 x\n"),
        ("meminfo", ""),
        ("meminfo", "MemTotal: many kB\n"),
        ("meminfo", "MemTotal: 5 kB\n\n"),
    ],
)
def test_garbage_is_faulty(file: str, content: str, tmp_path: Path) -> None:
    """What is no number is no usage of zero."""
    with closing(PlayedMachine("vm", tmp_path)) as played:
        (played.procfs / file).write_text(content)

        with pytest.raises(SourceFaultyError, match=file):
            PsutilNodeUsage(played.procfs).read()


@given(
    total_kb=st.integers(-10, 10**9),
    free_kb=st.integers(-10, 10**9),
    available_kb=st.integers(-10, 10**9),
)
@pytest.mark.filterwarnings("ignore:.*memory stats couldn't be determined")
def test_memory_in_use_is_a_part_of_the_total_or_a_fault(
    total_kb: int, free_kb: int, available_kb: int
) -> None:
    """Containers distort these figures; a job is never charged for more than all."""
    with (
        public_directory() as root,
        closing(PlayedMachine("vm", root)) as played,
    ):
        (played.procfs / "meminfo").write_text(
            f"MemTotal: {total_kb} kB\nMemFree: {free_kb} kB\n"
            f"MemAvailable: {available_kb} kB\nBuffers: 0 kB\nCached: 0 kB\n"
            "Shmem: 0 kB\nActive: 0 kB\nInactive: 0 kB\n"
        )
        try:
            usage = PsutilNodeUsage(played.procfs).read()
        except SourceFaultyError:
            return

    assert 0 <= usage.memory_used_bytes <= usage.memory_total_bytes == total_kb * 1024


@given(content=st.binary(max_size=200))
def test_whatever_stat_holds_nothing_but_a_fault_is_raised(content: bytes) -> None:
    """No content of a file ends the daemon."""
    with (
        public_directory() as root,
        closing(PlayedMachine("vm", root)) as played,
    ):
        (played.procfs / "stat").write_bytes(b"cpu " + content)
        try:
            busy_s = PsutilNodeUsage(played.procfs).read().busy_s
        except SourceFaultyError:
            return

    assert 0 <= busy_s < float("inf")
