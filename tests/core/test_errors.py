import pytest

from exporter.core.errors import (
    SourceAbsentError,
    SourceDeniedError,
    SourceError,
    SourceFaultyError,
    SourceTimeoutError,
)


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
