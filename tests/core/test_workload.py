import pytest

from exporter.core.units import Ratio
from exporter.core.workload import GpuUse, WorkloadLabels


def test_the_tenant_of_a_slurm_job_is_its_account() -> None:
    """Accounts pay in Slurm."""
    assert WorkloadLabels("1", user="ada", account="physics").tenant == "physics"


def test_the_tenant_of_a_pod_is_its_namespace() -> None:
    """Namespaces have budgets in Kubernetes."""
    assert WorkloadLabels("1", namespace="ml", pod="train-0").tenant == "ml"


def test_gpu_use_adds_up_what_was_held_and_what_is_known_of_it() -> None:
    """4 s held: 1 s half busy, 1 s idle, and 2 s of which nothing is known."""
    use = GpuUse().plus(1.0, Ratio(0.5)).plus(1.0, Ratio(0.0)).plus(2.0, None)

    assert use == GpuUse(held_s=4.0, known_s=2.0, busy_s=0.5, idle_s=1.0)
    assert use.utilization == pytest.approx(0.25)


def test_gpu_use_of_which_nothing_is_known_has_no_utilisation() -> None:
    """None is not 0."""
    assert GpuUse().plus(2.0, None).utilization is None


def test_utilisation_is_never_more_than_all() -> None:
    """Drivers have told garbage above 100 %."""
    assert GpuUse().plus(1.0, Ratio(1.7)).utilization == 1.0
