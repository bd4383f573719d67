import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.workloads.slurm import facts
from exporter.workloads.slurm.facts import Sharing

_NOW_S = 1_900_000_000.0


@pytest.mark.parametrize(
    ("environment", "cpus"),
    [
        ({"SLURM_JOB_CPUS_PER_NODE": "4"}, 4),
        ({"SLURM_JOB_CPUS_PER_NODE": "4(x3)"}, 4),
        ({"SLURM_JOB_CPUS_PER_NODE": "4(x2),4"}, 4),
        ({"SLURM_JOB_CPUS_PER_NODE": "4(x2),8"}, None),
        ({"SLURM_JOB_CPUS_PER_NODE": "4(x2),8", "SLURM_CPUS_ON_NODE": "8"}, 8),
        ({"SLURM_JOB_CPUS_PER_NODE": "(null)", "SLURM_CPUS_ON_NODE": "2"}, 2),
        ({"SLURM_CPUS_ON_NODE": "0"}, None),
        ({"SLURM_CPUS_ON_NODE": "many"}, None),
        ({}, None),
    ],
)
def test_cpus_are_those_of_this_node(
    environment: dict[str, str], cpus: int | None
) -> None:
    """The list of all nodes tells only if they are alike."""
    assert facts.cpus_of(environment) == cpus


@pytest.mark.parametrize(
    ("environment", "mib"),
    [
        ({"SLURM_MEM_PER_NODE": "2000"}, 2000),
        ({"SLURM_MEM_PER_CPU": "500"}, 2000),
        ({"SLURM_MEM_PER_GPU": "1000"}, 2000),
        ({"SLURM_MEM_PER_NODE": "0", "SLURM_MEM_PER_CPU": "500"}, 2000),
        ({"SLURM_MEM_PER_NODE": "0"}, None),
        ({}, None),
    ],
)
def test_memory_is_that_of_this_node(
    environment: dict[str, str], mib: int | None
) -> None:
    """By node, CPU or GPU, as it was asked for; 0 is all, which is not told."""
    expected = None if mib is None else mib * (1 << 20)

    assert facts.memory_bytes_of(environment, 4, 2) == expected


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [
        ("1899999000", "1900002600", (1_899_999_000.0, 3600.0)),
        ("1899999000", None, (1_899_999_000.0, None)),
        ("1899999000", "1899999000", (1_899_999_000.0, None)),
        ("1899999000", "99999999999999", (1_899_999_000.0, None)),
        ("1900000200", "1900002600", (None, None)),
        (None, "1900002600", (None, None)),
        ("Unknown", "1900002600", (None, None)),
    ],
)
def test_times_are_believed_if_they_can_be(
    start: str | None, end: str | None, times: tuple[float | None, float | None]
) -> None:
    """A job that begins tomorrow, or ends before it began, is a mistake."""
    variables = {"SLURM_JOB_START_TIME": start, "SLURM_JOB_END_TIME": end}
    environment = {name: text for name, text in variables.items() if text is not None}

    assert facts.times_of(environment, _NOW_S) == times


@pytest.mark.parametrize(
    ("environment", "in_hook", "in_job"),
    [
        ({"SLURM_JOB_GPUS": "2,3"}, ("2", "3"), ("2", "3")),
        # Confined to its devices a job counts them from 0.
        ({"SLURM_JOB_GPUS": "2", "CUDA_VISIBLE_DEVICES": "0"}, ("2",), ("2",)),
        ({"CUDA_VISIBLE_DEVICES": "1"}, ("1",), None),
        ({"CUDA_VISIBLE_DEVICES": "GPU-a"}, ("GPU-a",), ("GPU-a",)),
        (
            {"SLURM_JOB_GPUS": "0", "CUDA_VISIBLE_DEVICES": "MIG-a,MIG-b"},
            ("MIG-a", "MIG-b"),
            ("MIG-a", "MIG-b"),
        ),
        # With MPS it is 0 whichever GPU it is.
        (
            {
                "CUDA_VISIBLE_DEVICES": "0",
                "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "50",
            },
            None,
            None,
        ),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, None, None),
        ({"SLURM_STEP_GPUS": "1"}, None, ("1",)),
        ({"SLURM_JOB_GPUS": "(null)"}, None, None),
        ({}, None, None),
    ],
)
def test_gpus_are_named_by_what_can_be_trusted(
    environment: dict[str, str],
    in_hook: tuple[str, ...] | None,
    in_job: tuple[str, ...] | None,
) -> None:
    """The same variable means another thing in a Prolog and in a job."""
    assert facts.gpus_of(environment, is_hook=True) == in_hook
    assert facts.gpus_of(environment, is_hook=False) == in_job


@pytest.mark.parametrize(
    ("environment", "sharing"),
    [
        ({"SLURM_SHARDS_ON_NODE": "3"}, Sharing(shards=3)),
        ({"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "25"}, Sharing(ratio=0.25)),
        ({"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "12.5"}, Sharing(ratio=0.125)),
        ({"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "0"}, None),
        ({"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "900"}, None),
        ({"SLURM_SHARDS_ON_NODE": "0"}, None),
        ({}, None),
    ],
)
def test_shares_are_what_slurm_allocated(
    environment: dict[str, str], sharing: Sharing | None
) -> None:
    """Shards and MPS divide a GPU by design."""
    assert facts.sharing_of(environment) == sharing


@given(
    st.dictionaries(st.sampled_from(sorted(facts.VARIABLES)), st.text()),
    st.booleans(),
)
def test_no_environment_breaks_the_reader(
    environment: dict[str, str],
    is_hook: bool,  # noqa: FBT001 - hypothesis gives it by position
) -> None:
    """Users can set any of these variables to anything."""
    cpus = facts.cpus_of(environment)
    memory = facts.memory_bytes_of(environment, cpus or 0, 1)
    start_s, limit_s = facts.times_of(environment, _NOW_S)
    sharing = facts.sharing_of(environment)

    assert cpus is None or cpus > 0
    assert memory is None or memory > 0
    assert start_s is None or 0 < start_s <= _NOW_S + 60
    assert limit_s is None or limit_s > 0
    assert sharing is None or sharing.shards or 0 < (sharing.ratio or 0) <= 1
    assert facts.gpus_of(environment, is_hook=is_hook) != ()
