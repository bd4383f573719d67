"""The page with the keyboard alone, and for who does not see it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.fakes.browser import system_chromium
from tests.fakes.node_page import visiting
from tests.fakes.page_checks import LAPTOP, LOOKS, Look, violations


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the Chromium of the system; it loads nothing from anywhere."""
    with system_chromium() as opened:
        yield opened


def test_the_chart_is_described_in_words(browser: Browser) -> None:
    """Who cannot see it gets what it says: now, lowest, highest."""
    with visiting(browser) as shown:
        chart = shown.page.get_by_role("img", name=re.compile("Node power"))

        expect(chart).to_have_attribute(
            "aria-label",
            re.compile(r"last 10 min.* now 2\.4\d kW, lowest .+, highest .+"),
        )
        # The gap in the past is a gap in the picture: two runs, not a bridge.
        expect(chart.locator("path.total")).to_have_count(2)


@pytest.mark.parametrize("look", [LOOKS[0], LAPTOP], ids=str)
def test_a_screen_reader_finds_its_way(browser: Browser, look: Look) -> None:
    """Landmarks, headings in order, tables that are tables, on a phone too."""
    with visiting(browser, look=look) as shown:
        page = shown.page

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
    with visiting(browser) as shown:
        page = shown.page
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the jobs")
        expect(skip).to_be_focused()

        page.keyboard.press("Enter")

        expect(page.locator("#jobs-title")).to_be_focused()


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3], LOOKS[4]], ids=str)
def test_faults_estimates_and_a_forecast_are_accessible(
    browser: Browser, look: Look
) -> None:
    """What has to be explained is explained to everybody."""
    with visiting(browser, look=look, bypass_csp=True) as shown:
        page = shown.page
        expect(page.locator("#faults")).to_be_visible()
        expect(page.locator("#forecast svg")).to_be_visible()
        page.locator("#chart svg").focus()
        page.keyboard.press("Home")

        assert violations(page) == []


def test_jobs_are_sorted_by_the_keyboard(browser: Browser) -> None:
    """Whoever looks for the largest of anything needs no mouse for it."""
    with visiting(browser) as shown:
        page = shown.page
        head = page.get_by_role("columnheader", name="Energy")
        first = page.locator("#jobs tbody tr").first
        by_power = page.get_by_role("columnheader", name="Power")
        expect(by_power).to_have_attribute("aria-sort", "descending")

        head.get_by_role("button").focus()
        page.keyboard.press("Enter")

        expect(head).to_have_attribute("aria-sort", "descending")
        expect(by_power).not_to_have_attribute("aria-sort", re.compile(".*"))
        expect(first).to_contain_text("4242")
        expect(head.get_by_role("button")).to_be_focused()

        page.keyboard.press("Enter")

        expect(head).to_have_attribute("aria-sort", "ascending")
        expect(first).to_contain_text("4250")


def test_the_keyboard_reads_the_chart(browser: Browser) -> None:
    """From moment to moment, and said aloud."""
    with visiting(browser) as shown:
        page = shown.page
        caption = page.locator("#chart figcaption")
        page.locator("#chart svg").focus()

        page.keyboard.press("ArrowLeft")
        expect(caption).to_contain_text(re.compile(r"\d\d:00:00 · 2\.\d\d kW · CPU"))
        expect(caption).to_have_attribute("aria-live", "polite")

        page.keyboard.press("Home")
        expect(caption).to_contain_text(re.compile(r"\d\d:50:00 · "))
        page.keyboard.press("Escape")
        expect(caption).to_contain_text("between")
