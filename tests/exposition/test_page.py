"""The page as a person sees it: a real browser on a real server."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from exporter.core.model import Intensity, WorkloadLabels
from exporter.core.snapshot import Snapshot
from exporter.core.units import GramsPerKwh, Seconds
from exporter.exposition.http import create_app
from tests.fakes.browser import SIZES, WORST_CONTRAST, system_chromium
from tests.fakes.serving import serving
from tests.fakes.snapshots import (
    NOON_UNIX_S,
    FakeReader,
    bare_snapshot,
    changed,
    later,
    rich_snapshot,
    ten_minutes,
)

WEB = Path(__file__).parents[2] / "exporter" / "exposition" / "web"
LARGEST_BYTES = 100_000
LONG_MS = 30_000
UNKNOWN = "\N{EN DASH}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the Chromium of the system; it loads nothing from anywhere."""
    with system_chromium() as opened:
        yield opened


@dataclass
class Visit:
    """A page, what it asked for, and what it complained of."""

    page: Page
    reader: FakeReader
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def visiting(
    browser: Browser,
    snapshot: Snapshot | None = None,
    *,
    size: str = "desk",
    scheme: Literal["light", "dark"] = "light",
) -> Iterator[Visit]:
    """Open the page of a node, by default a busy one, and wait until it is there."""
    shown = rich_snapshot() if snapshot is None else snapshot
    reader = FakeReader(shown, ten_minutes(shown) if shown.components else ())
    width, height = SIZES[size]
    with (
        serving(create_app(reader, version="1.2.3", node="node17")) as port,
        browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
        ) as context,
    ):
        visit = Visit(context.new_page(), reader)
        page = visit.page
        page.on("request", lambda request: visit.asked.append(request.url))
        page.on("console", lambda message: visit.complaints.append(message.text))
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/")
        expect(page.get_by_role("status")).to_have_text("live", timeout=LONG_MS)
        yield visit


everywhere = pytest.mark.parametrize(
    ("size", "scheme"),
    [("phone", "light"), ("phone", "dark"), ("desk", "light"), ("desk", "dark")],
)


def test_the_page_is_light() -> None:
    """It is opened on phones, through tunnels, on bad days."""
    total = sum(path.stat().st_size for path in WEB.iterdir())

    assert total <= LARGEST_BYTES


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


@everywhere
def test_a_busy_node_is_shown_without_complaint(
    browser: Browser, tmp_path: Path, size: str, scheme: Literal["light", "dark"]
) -> None:
    """On a phone and at a desk, by day and by night."""
    with visiting(browser, size=size, scheme=scheme) as visit:
        page = visit.page
        page.screenshot(path=tmp_path / f"{size}-{scheme}.png", full_page=True)

        expect(page.get_by_role("heading", level=1)).to_have_text("node17")
        expect(page.locator(".figure.hero")).to_have_text("2.47kW")
        expect(page.locator("#jobs tbody tr")).to_have_count(5)
        expect(page.locator("#gpus > li")).to_have_count(8)
        expect(page.locator("#components li")).to_have_count(4)
        width = page.evaluate("document.documentElement.scrollWidth")
        ratio, text = page.evaluate(WORST_CONTRAST)

    assert width == SIZES[size][0]
    assert ratio >= 4.5, text
    assert visit.complaints == []


def test_the_page_asks_its_own_node_and_nobody_else(browser: Browser) -> None:
    """A compute node often has no way to the internet, and should not want one."""
    with visiting(browser) as visit:
        expect(visit.page.locator("#jobs tbody tr")).to_have_count(5)

    assert visit.asked
    for url in visit.asked:
        assert re.match(r"http://127\.0\.0\.1:\d+/|data:image/svg", url)


def test_estimates_are_marked_wherever_they_are_shown(browser: Browser) -> None:
    """Nobody may take a modelled watt for a measured one."""
    with visiting(browser) as visit:
        page = visit.page

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


def test_a_failed_source_is_shown_first_with_its_remedy(browser: Browser) -> None:
    """It is what somebody came here to find out."""
    with visiting(browser) as visit:
        first = visit.page.locator("#sources li").first

        expect(first).to_contain_text("ipmi")
        expect(first).to_contain_text("denied")
        expect(first.locator(".message")).to_contain_text("add the daemon's user")
        expect(visit.page.locator("#sources-title")).to_contain_text("4 of 5 up")


def test_energy_nobody_is_charged_for_is_shown_with_its_reason(
    browser: Browser,
) -> None:
    """The first question of whoever pays."""
    with visiting(browser) as visit:
        page = visit.page

        legend = page.locator("#split")
        for reason in ("Jobs", "Idle", "System", "Unallocated", "Unknown"):
            expect(legend).to_contain_text(reason)
        expect(legend).to_contain_text("92 %")
        expect(page.locator("#split-bar")).to_have_attribute(
            "aria-label", re.compile("Jobs 92 %, Idle 3 %")
        )


def test_a_machine_without_anything_says_what_is_missing(browser: Browser) -> None:
    """The first thing a newcomer sees is often a virtual machine."""
    with visiting(browser, bare_snapshot()) as visit:
        page = visit.page

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

    assert visit.complaints == []


def test_a_scheduler_without_jobs_is_told_from_no_scheduler(browser: Browser) -> None:
    """An idle node is not a broken one."""
    idle = changed(rich_snapshot(), jobs=())
    *others, slurm = idle.sources
    down = changed(slurm, up=False, reason="denied", message="may not read /x")

    with visiting(browser, idle) as visit:
        page = visit.page
        expect(page.locator("#jobs-empty")).to_have_text(
            "No jobs are running on this node."
        )

        visit.reader.snapshot = changed(idle, sources=(*others, down))

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
    with visiting(browser, changed(rich_snapshot(), intensity=intensity)) as visit:
        page = visit.page

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

    with visiting(browser, snapshot) as visit:
        page = visit.page

        row = page.locator("#jobs tbody tr").first
        expect(row.get_by_role("rowheader")).to_contain_text(evil)
        expect(page.locator("main img, main script")).to_have_count(0)

    assert visit.complaints == []


def test_the_page_follows_the_node(browser: Browser) -> None:
    """New numbers appear by themselves; what was selected stays in place."""
    with visiting(browser) as visit:
        page = visit.page
        row = page.locator("#jobs tbody tr", has_text="4242")
        row.evaluate("(row) => { row.marked = true; }")
        before = later(rich_snapshot(), 5)

        visit.reader.snapshot = changed(
            before, node_power_w=before.node_power_w, jobs=before.jobs[:2]
        )

        expect(page.locator("#jobs tbody tr")).to_have_count(2, timeout=LONG_MS)
        assert row.evaluate("(row) => row.marked") is True


def test_a_node_that_starts_says_so_and_then_shows_itself(browser: Browser) -> None:
    """Whoever restarts it looks at once."""
    reader = FakeReader()
    with (
        serving(create_app(reader, version="1.2.3", node="node17")) as port,
        browser.new_context() as context,
    ):
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        status = page.get_by_role("status")
        expect(status).to_contain_text("starting", timeout=LONG_MS)

        reader.snapshot = rich_snapshot()

        expect(status).to_have_text("live", timeout=LONG_MS)
        expect(page.locator("#power-unit")).to_have_text("kW")


def test_a_node_that_is_gone_is_told_from_one_that_is_well(browser: Browser) -> None:
    """The last numbers stay, and are marked as old."""
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3", node="node17")
    with browser.new_context() as context:
        page = context.new_page()
        status = page.get_by_role("status")
        with serving(app) as port:
            page.goto(f"http://127.0.0.1:{port}/")
            expect(status).to_have_text("live", timeout=LONG_MS)

        expect(status).to_contain_text("no answer since", timeout=LONG_MS)
        expect(page.locator("#power-value")).to_have_text("2.47")
        expect(page.locator("main")).to_have_attribute("data-state", "lost")


def test_the_chart_is_described_in_words(browser: Browser) -> None:
    """Who cannot see it gets what it says: now, lowest, highest."""
    with visiting(browser) as visit:
        chart = visit.page.get_by_role("img", name=re.compile("Node power"))

        expect(chart).to_have_attribute(
            "aria-label",
            re.compile(r"last 10 min.* now 2\.4\d kW, lowest .+, highest .+"),
        )
        # The gap in the past is a gap in the picture: two runs, not a bridge.
        expect(chart.locator("path.total")).to_have_count(2)


def test_the_pointer_reads_the_chart(browser: Browser) -> None:
    """Each moment has its numbers."""
    with visiting(browser) as visit:
        visit.page.locator("#chart svg").hover(position={"x": 100, "y": 100})

        expect(visit.page.locator("#chart figcaption")).to_contain_text(
            re.compile(r"\d\d:\d\d:\d\d · .*GPU")
        )


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_a_screen_reader_finds_its_way(browser: Browser, size: str) -> None:
    """Landmarks, headings in order, tables that are tables, on a phone too."""
    with visiting(browser, size=size) as visit:
        page = visit.page

        for landmark in ("banner", "main", "contentinfo", "navigation"):
            expect(page.get_by_role(landmark)).to_have_count(1)
        levels = page.locator("h1, h2, h3").evaluate_all(
            "(all) => all.map((heading) => heading.tagName)"
        )
        assert levels[0] == "H1"
        assert set(levels[1:]) == {"H2", "H3"}
        jobs = page.get_by_role("table", name=re.compile("Jobs on this node"))
        expect(jobs.get_by_role("row")).to_have_count(6)
        expect(jobs.get_by_role("columnheader")).to_have_count(9)
        expect(page.get_by_role("status")).to_have_attribute("aria-live", "polite")


def test_the_keyboard_reaches_what_can_be_reached(browser: Browser) -> None:
    """The first stop leads past everything to the jobs."""
    with visiting(browser) as visit:
        page = visit.page
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the jobs")
        expect(skip).to_be_focused()

        page.keyboard.press("Enter")

        expect(page.locator("#jobs-title")).to_be_focused()


def test_without_javascript_the_page_says_where_the_numbers_are(
    browser: Browser,
) -> None:
    """A text browser on the login node is a browser too."""
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3", node="node17")
    with (
        serving(app) as port,
        browser.new_context(java_script_enabled=False) as context,
    ):
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/")

        notice = page.locator("noscript p")
        expect(notice).to_be_visible()
        expect(notice).to_contain_text("/metrics")
