import pytest

from exporter.core.archive import part_of
from tests.fakes.node import UNIX_S
from tests.fakes.records import record, running


def test_the_energy_of_a_job_is_that_of_its_components() -> None:
    """Where the node could tell of none, it is not known, and not 0."""
    assert record().total_j == 3600.0
    assert record(energy_j=()).total_j is None


def test_a_job_has_been_running_since_it_started() -> None:
    """Or since it was first seen; the clock may have been set back meanwhile."""
    assert record(seen_s=10.0).elapsed_s == 12.0
    assert running(seen_s=10.0, start_unix_s=None).elapsed_s == 10.0
    assert record(seen_s=10.0, start_unix_s=UNIX_S + 60).elapsed_s == 0.0


def test_records_of_one_run_have_the_same_key() -> None:
    """And those of two runs have not, though it is the same job."""
    assert record().key == running(seen_s=7.0).key
    assert record().key != record(created_unix_s=UNIX_S + 1).key


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(0.0, 8.0, 0.0), (2.0, 8.0, 0.25), (8.000001, 8.0, 1.0), (1.0, 0.0, None)],
)
def test_a_part_is_a_share_of_its_whole(
    part: float, whole: float, expected: float | None
) -> None:
    """Rounding makes it no more than all; of nothing there is no share."""
    assert part_of(part, whole) == expected
    assert part_of(part, None) is None
