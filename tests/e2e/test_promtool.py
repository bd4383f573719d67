import shutil
import subprocess

import pytest

from tests.e2e.measured import Measured

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        shutil.which("promtool") is None, reason="needs promtool on PATH"
    ),
]


def test_promtool_has_nothing_to_say_about_a_live_scrape(measured: Measured) -> None:
    """Names, units, types and help texts follow the conventions."""
    scrapes = (measured.begin.scrape, *measured.at_work, measured.end.scrape)
    assert scrapes[-1].series("jouled_job_energy_joules_total")
    assert scrapes[-1].series("jouled_gpu_info")

    for scrape in scrapes:
        done = subprocess.run(
            ["promtool", "check", "metrics"],
            input=scrape.text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
