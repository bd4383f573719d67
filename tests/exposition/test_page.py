"""What a person sees on the page: a real browser on a real server."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from exporter.core.model import Intensity
from exporter.core.units import GramsPerKwh, Seconds
from exporter.core.workload import WorkloadLabels
from tests.fakes.browser import system_chromium
from tests.fakes.node_page import visiting
from tests.fakes.page_checks import LONG_MS, LOOKS, Look
from tests.fakes.snapshots import (
    NOON_UNIX_S,
    bare_snapshot,
    changed,
    rich_snapshot,
)

WEB = Path(__file__).parents[2] / "exporter" / "exposition" / "web"
UNKNOWN = "\N{EN DASH}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the Chromium of the system; it loads nothing from anywhere."""
    with system_chromium() as opened:
        yield opened


def test_nothing_is_ever_parsed_as_html() -> None:
    """Names come from users, and messages from drivers."""
    script = "".join(file.read_text(encoding="utf-8") for file in WEB.glob("*.js"))

    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ):
        assert way not in script
    assert "http://" not in script.replace('"http://www.w3.org/2000/svg"', "")
    assert "https://" not in script


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_busy_node_is_shown_without_complaint(
    browser: Browser, tmp_path: Path, look: Look
) -> None:
    """From a phone to a wall, by day and by night; asking its own node alone."""
    with visiting(browser, look=look) as shown:
        page = shown.page
        page.screenshot(path=tmp_path / f"{look}.png", full_page=True)

        expect(page.get_by_role("heading", level=1)).to_have_text("node17")
        expect(page.locator(".figure.hero")).to_have_text("2.47kW")
        expect(page.locator("#jobs tbody tr")).to_have_count(5)
        expect(page.locator("#gpus > li")).to_have_count(8)
        expect(page.locator("#components li")).to_have_count(4)
        assert shown.visit.asked
        assert shown.visit.faults() == []


def test_estimates_are_marked_wherever_they_are_shown(browser: Browser) -> None:
    """Nobody may take a modelled watt for a measured one."""
    with visiting(browser) as shown:
        page = shown.page

        expect(page.locator("#power-note")).to_contain_text("Platform")
        expect(page.locator("#power-note .tag")).to_have_text("estimated")
        platform = page.locator("#components li", has_text="Platform")
        expect(platform.locator(".tag")).to_have_text("estimated")
        cpu = page.locator("#components li", has_text="CPU")
        expect(cpu.locator(".tag")).to_have_count(0)
        expect(page.locator("#jobs tr", has_text="4242").locator(".tag")).to_have_text(
            "estimated"
        )
        expect(
            page.locator("#jobs tr", has_text="finetune").locator(".tag")
        ).to_have_count(0)


def test_power_that_lacks_a_device_says_so(browser: Browser) -> None:
    """Nobody may take what is missing for a saving."""
    with visiting(browser) as shown:
        page = shown.page

        expect(page.locator("#power-note")).to_contain_text(
            "less than it draws: the power of 1 GPU device is not known; partly"
        )
        gpus = page.locator("#components li", has_text="GPU")
        expect(gpus).to_contain_text("without 1 device")
        cpu = page.locator("#components li", has_text="CPU")
        expect(cpu).not_to_contain_text("without")


def test_a_failed_source_is_shown_first_with_its_remedy(browser: Browser) -> None:
    """It is what somebody came here to find out."""
    with visiting(browser) as shown:
        first = shown.page.locator("#sources li").first

        expect(first).to_contain_text("ipmi")
        expect(first).to_contain_text("denied")
        expect(first.locator(".message")).to_contain_text("add the daemon's user")
        expect(shown.page.locator("#sources-title")).to_contain_text("4 up, 1 at fault")
        expect(shown.page.locator("#faults")).to_contain_text("1 source at fault: ipmi")


def test_energy_nobody_is_charged_for_is_shown_with_its_reason(
    browser: Browser,
) -> None:
    """The first question of whoever pays."""
    with visiting(browser) as shown:
        page = shown.page

        legend = page.locator("#split")
        for reason in ("Jobs", "Idle", "System", "Unallocated", "Unknown"):
            expect(legend).to_contain_text(reason)
        expect(legend).to_contain_text("92 %")
        expect(page.locator("#split-bar")).to_have_attribute(
            "aria-label", re.compile("Jobs 92 %, Idle 3 %")
        )


def test_a_machine_without_anything_says_what_is_missing(browser: Browser) -> None:
    """The first thing a newcomer sees is often a virtual machine."""
    with visiting(browser, bare_snapshot()) as shown:
        page = shown.page

        expect(page.locator("#power-value")).to_have_text(UNKNOWN)
        expect(page.locator("#power-note")).to_contain_text("/sys/class/powercap")
        expect(page.locator("#energy")).to_have_text(UNKNOWN)
        expect(page.locator("#gpus-empty")).to_contain_text(
            "No GPU found: libnvidia-ml.so.1 is not installed"
        )
        expect(page.locator("#jobs-empty")).to_contain_text("no scheduler is read")
        expect(page.locator("#split-empty")).to_be_visible()
        expect(page.locator("#intensity-note")).to_contain_text("Set carbon.zone")
        expect(page.locator("#jobs")).to_be_hidden()

    assert shown.visit.complaints == []


def test_a_scheduler_without_jobs_is_told_from_no_scheduler(browser: Browser) -> None:
    """An idle node is not a broken one."""
    idle = changed(rich_snapshot(), jobs=())
    *others, slurm = idle.sources
    down = changed(slurm, up=False, reason="denied", message="may not read /x")

    with visiting(browser, idle) as shown:
        page = shown.page
        expect(page.locator("#jobs-empty")).to_have_text(
            "No jobs are running on this node."
        )

        shown.reader.snapshot = changed(idle, sources=(*others, down))

        expect(page.locator("#jobs-empty")).to_have_text(
            "Jobs are not known (slurm): may not read /x", timeout=LONG_MS
        )


@pytest.mark.parametrize(
    ("intensity", "words"),
    [
        (Intensity("DE", "static", GramsPerKwh(20.0)), "Fixed by the operator for DE"),
        (
            Intensity(
                "FR",
                "electricitymaps",
                GramsPerKwh(56.0),
                factors="direct",
                observed_unix_s=Seconds(NOON_UNIX_S - 7200),
                fallback_level=1,
            ),
            "Last good value of electricitymaps for FR, direct factors, 2 h 0 min old",
        ),
        (
            Intensity("DE", "owid-yearly", GramsPerKwh(344.0), fallback_level=2),
            "Yearly figure of DE",
        ),
    ],
)
def test_the_intensity_says_where_it_comes_from(
    browser: Browser, intensity: Intensity, words: str
) -> None:
    """A fallback is explained, and marked as one."""
    with visiting(browser, changed(rich_snapshot(), intensity=intensity)) as shown:
        page = shown.page

        expect(page.locator("#intensity-note")).to_contain_text(words)
        tags = page.locator(".carbon .figure .tag")
        expect(tags).to_have_count(1 if intensity.fallback_level else 0)


def test_a_name_of_a_job_stays_text(browser: Browser) -> None:
    """It would otherwise run in the browser of whoever looks."""
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    (job, *others) = rich_snapshot().jobs
    labels = WorkloadLabels(evil, user=evil, account=evil, info={"name": evil})
    odd = changed(job, labels=labels)
    snapshot = changed(rich_snapshot(), jobs=(odd, *others))

    with visiting(browser, snapshot) as shown:
        page = shown.page

        row = page.locator("#jobs tbody tr").first
        expect(row.get_by_role("rowheader")).to_contain_text(evil)
        expect(page.locator("main img, main script")).to_have_count(0)

    assert shown.visit.complaints == []


def test_a_simulated_node_says_that_it_is_one(browser: Browser) -> None:
    """Nobody may show its figures around as measured ones."""
    rich = rich_snapshot()
    sources = tuple(
        changed(source, info=changed(source.info, quality="simulated"))
        for source in rich.sources
    )

    with visiting(browser, changed(rich, sources=sources)) as shown:
        page = shown.page

        expect(page.locator("#simulated")).to_contain_text("This node is simulated")
        expect(page.locator(".masthead .tag")).to_have_text("simulated")
        expect(page.locator("#power-note .tag")).to_have_text("simulated")
        expect(page.locator("#components .tag")).to_have_text(["simulated"] * 4)
        row = page.locator("#jobs tr", has_text="4242")
        expect(row.locator(".tag")).to_have_text("simulated")
        assert shown.visit.faults() == []


def test_what_nobody_tells_has_no_column(browser: Browser) -> None:
    """A column of dashes takes the room of what is known."""
    rich = rich_snapshot()
    jobs = tuple(changed(job, progress=None, gpus=None) for job in rich.jobs)

    with visiting(browser, changed(rich, jobs=jobs)) as shown:
        table = shown.page.get_by_role("table", name=re.compile("Jobs on this node"))

        expect(table.get_by_role("columnheader")).to_have_count(7)
        expect(table.get_by_role("columnheader", name="Done")).to_have_count(0)
        expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_count(6)


def test_the_first_sample_is_told_from_a_machine_without_meters(
    browser: Browser,
) -> None:
    """A first reading has no energy; that is no fault of anything."""
    bare = bare_snapshot()
    *others, nvml = bare.sources
    meter = changed(nvml, up=True, reason="", message="")

    with visiting(browser, changed(bare, sources=(*others, meter))) as shown:
        page = shown.page

        expect(page.locator("#power-note")).to_have_text(
            "No power is known yet: it takes two samples."
        )
        expect(page.locator("#components-empty")).to_be_hidden()
