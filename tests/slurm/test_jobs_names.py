from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)

from tests.fakes import plain_http
from tests.slurm.site import Figures, Site

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NAMES = (
    'it\'s "quoted" and {braced="x"} 1',
    "two\nlines\n# HELP jouled_job_info none",
    "back\\slash\\",
    "$(reboot) `reboot` ; rm -rf $HOME && *",
    "schön ☃ 日本語 \u202eright to left",
    "tab\tbell\a escape\x1b[31m",
    "<script>alert(1)</script>",
    "-n",
    "x" * 300,
    # Not UTF-8, as it comes from another locale.
    "latin \udce4",
)
ACCOUNT = 'a"c\\count, né'


def expected(name: str) -> str:
    """Return how a name appears: as text, and not for ever."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text if len(text) <= 256 else f"{text[:255]}…"


def test_names_may_be_anything(site: Site, figures: Figures) -> None:
    """They come from users, and go through shells, text formats and JSON."""
    jobs = {
        site.cluster.submit(
            "sleep 600",
            user="nobody",
            options=[
                f"--job-name={name}",
                f"--account={ACCOUNT}",
                f"--comment={name}",
            ],
        ): name
        for name in NAMES
    }

    for job in jobs:
        site.wait(job, lambda view: view.name != "", "is told with its name")

    answer: dict[str, Any] = site.daemon.get("/api/v1/jobs").json()
    by_id = {each["job_id"]: each for each in answer["jobs"]}
    open_metrics = plain_http.get(
        f"http://127.0.0.1:{site.daemon.port}/metrics",
        headers={"Accept": "application/openmetrics-text; version=1.0.0"},
        timeout=30,
    ).text
    # prometheus_client leaves its types out here.
    parse = cast("Callable[[str], Iterator[Metric]]", parse_openmetrics)
    infos = {
        sample.labels["job_id"]: sample.labels
        for family in parse(open_metrics)
        for sample in family.samples
        if sample.name == "jouled_job_info"
    }
    for job, name in jobs.items():
        labels = site.see(job).labels or {}
        assert labels["name"] == expected(name)
        assert labels["account"] == ACCOUNT.lower()
        assert by_id[str(job)]["info"]["name"] == expected(name)
        assert by_id[str(job)]["account"] == ACCOUNT.lower()
        assert infos[str(job)]["name"] == expected(name)
    drops = site.daemon.run_dir / "slurm" / "jobs"
    assert {file.name for file in drops.iterdir()} == set(map(str, jobs))
    figures.say(
        f"{len(jobs)} jobs with nasty names: each the same in text, OpenMetrics and "
        "JSON; one file each from the Prolog"
    )
    doubts = [line for line in site.daemon.said().splitlines() if "doubts" in line]
    assert not [line for line in doubts if any(str(job) in line for job in jobs)]
