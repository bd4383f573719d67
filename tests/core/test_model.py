import pytest

from exporter.core.errors import (
    SourceAbsentError,
    SourceDeniedError,
    SourceError,
    SourceFaultyError,
    SourceTimeoutError,
)
from exporter.core.model import WorkloadLabels


def test_the_tenant_of_a_slurm_job_is_its_account() -> None:
    """Accounts pay in Slurm."""
    assert WorkloadLabels("1", user="ada", account="physics").tenant == "physics"


def test_the_tenant_of_a_pod_is_its_namespace() -> None:
    """Namespaces have budgets in Kubernetes."""
    assert WorkloadLabels("1", namespace="ml", pod="train-0").tenant == "ml"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SourceAbsentError, "absent"),
        (SourceDeniedError, "denied"),
        (SourceFaultyError, "faulty"),
        (SourceTimeoutError, "timeout"),
        (SourceError, "faulty"),
    ],
)
def test_each_error_has_its_reason(error: type[SourceError], reason: str) -> None:
    """The reason is a label of the error counter, so it may not change."""
    assert error.reason == reason
