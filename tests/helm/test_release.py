"""What helm keeps of a release, and what it says of it."""

import base64
import gzip
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.chart import EVERYTHING, HUB, Chart, Values, merged, of_path

# What a Secret of Kubernetes holds at most.
MOST_BYTES = 1 << 20

SECURE = of_path("node.web", {"secretName": "web", "tls": True})
NO_RBAC = of_path("rbac.create", value=False)
CLAIMS = of_path("rbac.resourceSlices", value=True)


def notes(chart: Chart, values: Values) -> str:
    """Return what helm says after an installation."""
    file = chart.home / "notes.json"
    file.write_text(json.dumps(values))
    done = chart.run(
        *("install", "jouled", chart.path, "--dry-run=client", "--values", file)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("NOTES:")[2]


def test_helm_shows_what_to_do_next(chart: Chart) -> None:
    """The notes are the first thing that one reads, and the last that one tests."""
    said = notes(chart, HUB)

    assert "kubectl -n default port-forward daemonset/jouled-node 9878" in said
    assert "helm -n default test jouled" in said
    assert "No grid zone is set" in said
    assert "the daemons do\nnot ask the hub" in said
    assert "kubectl -n default port-forward service/jouled-hub 9879:9879" in said
    assert "Nothing tells Prometheus about it yet" in said
    assert "Somebody has to allow" not in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "No grid zone is set: emissions are those of the mean of the world."),
        (SECURE, "on https://127.0.0.1:9878/ :"),
        (of_path("node.readEnvironments", value=True), "may look into all processes"),
        (NO_RBAC, "service account jouled-node\nto list and watch pods."),
        (
            merged(NO_RBAC, CLAIMS),
            "to list and watch pods, and\nto list resourceslices of resource.k8s.io.",
        ),
        (
            merged(NO_RBAC, CLAIMS, of_path("rbac.pods", value=False)),
            "jouled-node\nto list resourceslices of resource.k8s.io.",
        ),
    ],
)
def test_the_notes_say_what_is_still_to_be_done(
    chart: Chart, values: dict[str, Any], said: str
) -> None:
    """By whom, and with the names that this release has."""
    assert said in notes(chart, values)


def test_the_notes_do_not_ask_for_what_is_done(chart: Chart) -> None:
    """Whoever reads a warning that is none will not read the next one."""
    values = merged(
        of_path("node.config.carbon.zone", "DE"),
        of_path("monitoring.kind", "podMonitor"),
        of_path("rbac", {"create": False, "pods": False}),
    )

    said = notes(chart, values)

    assert "grid zone" not in said
    assert "Prometheus" not in said
    assert "Somebody" not in said


def test_a_release_fits_into_the_secret_in_which_helm_keeps_it(
    chart: Chart, packaged: Path
) -> None:
    """With the chart, its dashboards and all that was made of them; twice over."""
    with tarfile.open(packaged) as archive:
        files = {
            each.name: data.read()
            for each in archive.getmembers()
            if (data := archive.extractfile(each)) is not None
        }
    # As helm writes it: bytes in base64 inside of JSON, that packed, and in base64.
    release = {
        "chart": {
            name: base64.b64encode(text).decode() for name, text in files.items()
        },
        "manifest": chart.template(EVERYTHING).stdout,
    }

    kept = base64.b64encode(gzip.compress(json.dumps(release).encode(), 9))

    assert len(kept) < MOST_BYTES / 2
