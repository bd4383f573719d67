"""What all tests share: how thoroughly hypothesis looks, and what runs together."""

import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# Neither has a deadline per example: a machine may be busy with something else.
settings.register_profile(
    "local",
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "ci", settings.get_profile("local"), max_examples=100, derandomize=True
)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# One cluster of Slurm to a machine, and one chart: their files follow each other.
_ONE_AFTER_THE_OTHER = ("tests/helm/", "tests/slurm/")
# These look at the one run of "measured".
_ONE_RUN = "tests/e2e/test_accuracy.py"
_OF_ONE_RUN = frozenset(
    {"tests/e2e/test_beside_node_exporter.py", "tests/e2e/test_promtool.py"}
)

# What mostly waits for daemons, for their next tick or for Prometheus.
_WAITING = ("tests/slurm/", "tests/e2e/", "tests/grafana/test_sums.py")
# What takes a minute or so begins first: nothing long is left for the end.
_LONG = (
    "tests/slurm/",
    *("tests/e2e/test_live_intensity.py", "tests/e2e/test_overview.py"),
    *("tests/e2e/test_page.py", "tests/e2e/test_hard_life.py"),
    *("tests/e2e/test_node_and_hub.py", "tests/e2e/test_budget_life.py"),
    *("tests/e2e/test_hub_levels.py", "tests/e2e/test_demo.py"),
    *("tests/deploy/test_install.py", "tests/helm/", "tests/deploy/test_image.py"),
)


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # the library has no types
    """Keeps a file's tests in one process where several run side by side.

    Every other process waits first and computes afterwards, and those between them
    the other way round: so the CPUs are busy from the beginning to the end, and
    daemons that have to be on time seldom meet each other.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in _OF_ONE_RUN:
            return _ONE_RUN
        return next((f for f in _ONE_AFTER_THE_OTHER if file.startswith(f)), file)

    def _assign_work_unit(self, node: WorkerController) -> None:
        waits_first = int(node.gateway.id.removeprefix("gw")) % 2 == 0

        def turn(scope: str) -> tuple[bool, int]:
            place = _LONG.index(scope) if scope in _LONG else len(_LONG)
            return scope.startswith(_WAITING) != waits_first, place

        # Of equals the first one, which has the most tests.
        self.workqueue.move_to_end(min(self.workqueue, key=turn), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: object
) -> LoadScopeScheduling:
    """Say which tests go together, whatever the command line says."""
    return _ByFile(config, log)
