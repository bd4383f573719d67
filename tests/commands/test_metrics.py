import json
from pathlib import Path

from exporter.exposition.catalogue import CATALOGUE
from exporter.hub.catalogue import CATALOGUE as HUB_CATALOGUE
from tests.fakes.command_line import REPOSITORY, jouled

EVERY = {*CATALOGUE, *HUB_CATALOGUE}


def test_every_metric_is_printed_with_its_meaning() -> None:
    """Whoever writes a query looks here first."""
    done = jouled("metrics")

    assert (done.returncode, done.stderr) == (0, "")
    for metric in EVERY:
        assert metric.name in done.stdout
        assert metric.help in done.stdout


def test_programs_get_json() -> None:
    """Dashboards and checks are made from it."""
    done = jouled("metrics", "--json")

    found = {metric["name"]: metric for metric in json.loads(done.stdout)["metrics"]}
    assert set(found) == {metric.name for metric in EVERY}
    assert found["jouled_tenant_energy_joules_total"] == {
        "name": "jouled_tenant_energy_joules_total",
        "type": "counter",
        "unit": "joules",
        "labels": ["scheduler", "tenant", "user"],
        "level": "tenant",
        "help": found["jouled_tenant_energy_joules_total"]["help"],
    }


def test_the_document_can_be_printed() -> None:
    """It is the same as in docs, where ``make docs`` puts it."""
    document = Path(REPOSITORY) / "docs" / "metrics.md"

    done = jouled("metrics", "--markdown")

    assert done.stdout == document.read_text(encoding="utf-8")


def test_one_form_at_a_time() -> None:
    """Both would be neither."""
    done = jouled("metrics", "--markdown", "--json")

    assert done.returncode == 2
    assert "not allowed with" in done.stderr
