import gzip
import re
import subprocess
from pathlib import Path

import pytest

from exporter.core.snapshot import Snapshot
from exporter.exposition.render import Format
from exporter.exposition.scrape import Scrapes
from tests.fakes.snapshots import (
    FakeReader,
    bare_snapshot,
    changed,
    crowded_snapshot,
    later,
    rich_snapshot,
)

FIXTURES = Path(__file__).parents[1] / "fixtures" / "exposition"

SUFFIXES: dict[Format, str] = {"text": "prom", "openmetrics": "openmetrics"}

both_formats = pytest.mark.parametrize("form", ["text", "openmetrics"])


def scrape(snapshot: Snapshot, form: Format = "text") -> str:
    """Return one scrape."""
    body = Scrapes(FakeReader(snapshot), "job", "1.2.3").body(form, gzip=False)
    assert body is not None
    return body.decode()


def without_changing_lines(text: str) -> str:
    """Leave out what depends on the machine: the process and its Python."""
    lines = [line for line in text.splitlines() if "process_" not in line]
    return re.sub(r'python="[^"]*"', 'python="3"', "\n".join(lines)) + "\n"


@pytest.mark.parametrize(
    ("name", "snapshot"), [("rich", rich_snapshot()), ("bare", bare_snapshot())]
)
@both_formats
def test_a_scrape_is_what_it_was(name: str, snapshot: Snapshot, form: Format) -> None:
    """Dashboards and alerts rest on it; a change here is a change for users.

    To write the files anew: ``python -m tests.exposition.test_scrape``.
    """
    golden = (FIXTURES / f"{name}.{SUFFIXES[form]}").read_text(encoding="utf-8")

    assert without_changing_lines(scrape(snapshot, form)) == golden


def test_promtool_finds_nothing_to_complain_about_in_the_golden_scrape() -> None:
    """Names, units and help follow the conventions."""
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=(FIXTURES / "rich.prom").read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


@both_formats
def test_two_servers_that_scrape_within_a_tick_see_the_same(form: Format) -> None:
    """Even the daemon's own CPU time, or they would disagree for ever."""
    scrapes = Scrapes(FakeReader(rich_snapshot()), "job", "1.2.3")

    first = scrapes.body(form, gzip=False)
    second = scrapes.body(form, gzip=False)
    packed = scrapes.body(form, gzip=True)

    assert first == second
    assert packed is not None
    assert gzip.decompress(packed) == first
    assert scrapes.body(form, gzip=True) is packed


@both_formats
def test_the_next_tick_is_a_new_scrape(form: Format) -> None:
    """Nothing of the old one may be served from then on."""
    reader = FakeReader(rich_snapshot())
    scrapes = Scrapes(reader, "job", "1.2.3")
    first = scrapes.body(form, gzip=True)

    reader.snapshot = later(rich_snapshot(), 5)

    assert scrapes.body(form, gzip=True) != first


def test_labels_that_a_site_adds_are_scraped() -> None:
    """As configured for the whole life of the daemon."""
    reader = FakeReader(rich_snapshot())

    body = Scrapes(reader, "job", "1.2.3", ("label_team",)).body("text", gzip=False)

    assert body is not None
    info = [line for line in body.splitlines() if line.startswith(b"jouled_job_info{")]
    assert info
    assert all(b'label_team=""' in line for line in info)


def test_before_the_first_tick_there_is_nothing() -> None:
    """An empty scrape would look like a node without energy."""
    assert Scrapes(FakeReader(), "job", "1.2.3").body("text", gzip=False) is None


def test_a_scrape_asks_for_the_snapshot_and_for_nothing_else() -> None:
    """No sensor is read in a scrape, and no history."""
    reader = FakeReader(rich_snapshot())
    scrapes = Scrapes(reader, "job", "1.2.3")

    for _ in range(3):
        scrapes.body("text", gzip=True)

    assert reader.asked == 3


def test_the_process_of_the_daemon_is_in_the_scrape() -> None:
    """Who pays for the measuring has to be able to see its cost."""
    text = scrape(rich_snapshot())

    for name in (
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ):
        assert re.search(rf"^{name} \S+$", text, re.MULTILINE)


def test_openmetrics_ends_once_and_at_the_end() -> None:
    """Prometheus takes what lacks its end for cut off."""
    text = scrape(rich_snapshot(), "openmetrics")

    assert text.endswith("\n# EOF\n")
    assert text.count("# EOF") == 1


def test_half_a_character_in_a_label_does_not_cost_the_scrape() -> None:
    """Names come from file systems, which hold any byte."""
    snapshot = rich_snapshot()
    (job, *others) = snapshot.jobs
    odd = changed(job, labels=changed(job.labels, user="half \udc80"))

    text = scrape(changed(snapshot, jobs=(odd, *others)))

    assert 'user="half ?"' in text


def test_the_level_can_change_while_it_runs() -> None:
    """A reload that lowers it takes effect on the very next scrape."""
    scrapes = Scrapes(FakeReader(crowded_snapshot(20)), "job", "1.2.3")
    full = scrapes.body("text", gzip=False)

    scrapes.set_level("node")
    lean = scrapes.body("text", gzip=False)

    assert full is not None
    assert lean is not None
    assert b"jouled_job_" in full
    assert b"jouled_job_" not in lean
    assert b"jouled_node_energy_joules_total" in lean


if __name__ == "__main__":
    for title, node in (("rich", rich_snapshot()), ("bare", bare_snapshot())):
        for kind, ending in SUFFIXES.items():
            (FIXTURES / f"{title}.{ending}").write_text(
                without_changing_lines(scrape(node, kind)), encoding="utf-8"
            )
