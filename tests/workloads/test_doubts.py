import logging

import pytest

from exporter.workloads.doubts import Doubts


def test_a_doubt_is_told_and_counted_once(caplog: pytest.LogCaptureFixture) -> None:
    """Changes of state are logged, not ticks."""
    doubts = Doubts("slurm")

    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            doubts.tell("conflict", "gpu 0", "two jobs hold GPU 0")

    assert doubts.counts == (("conflict", 1),)
    assert doubts.latest == "two jobs hold GPU 0"
    assert [record.message for record in caplog.records] == ["two jobs hold GPU 0"]


def test_what_changes_or_comes_back_is_told_again() -> None:
    """Another conflict on the same GPU is news."""
    doubts = Doubts("slurm")
    doubts.tell("conflict", "gpu 0", "jobs 1 and 2")
    doubts.tell("conflict", "gpu 0", "jobs 3 and 4")
    doubts.settle("gpu 0")
    doubts.tell("conflict", "gpu 0", "jobs 3 and 4")

    assert doubts.counts == (("conflict", 3),)


def test_when_a_doubt_is_settled_the_one_before_is_shown() -> None:
    """What is wrong now is what an operator has to look at."""
    doubts = Doubts("slurm")
    doubts.tell("denied", "environments", "no capability")
    doubts.tell("conflict", "gpu 0", "two jobs")

    doubts.settle("gpu 0")
    shown = doubts.latest
    doubts.settle("environments")
    doubts.settle("never told")

    assert shown == "no capability"
    assert doubts.latest == ""


def test_doubts_are_not_kept_without_bound() -> None:
    """A site whose every job is in conflict still has a small daemon."""
    doubts = Doubts("slurm")

    for job in range(5000):
        doubts.tell("conflict", f"job {job}", f"job {job} differs")

    assert doubts.counts == (("conflict", 5000),)
    assert len(doubts._standing) <= 1024
