"""What all tests share: how thoroughly hypothesis looks."""

import os

from hypothesis import HealthCheck, settings

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
