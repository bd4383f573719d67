"""How the page is used, and how it bears trouble: a real browser on a real server."""

import re
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
from playwright.sync_api import Browser, expect

from exporter.core.units import Ratio
from exporter.exposition.http import create_app
from exporter.exposition.web_config import load_web_config
from tests.fakes.browser import system_chromium
from tests.fakes.node_page import visiting
from tests.fakes.page_checks import LONG_MS, LOOKS
from tests.fakes.page_checks import visiting as visiting_page
from tests.fakes.serving import serving
from tests.fakes.snapshots import (
    NOON_UNIX_S,
    FakeReader,
    changed,
    crowded_snapshot,
    later,
    rich_snapshot,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the Chromium of the system; it loads nothing from anywhere."""
    with system_chromium() as opened:
        yield opened


def users_file(folder: Path, **users: str) -> Path:
    """Write a web configuration with these users and their hashes."""
    path = folder / "web.yml"
    lines = [f"  {name}: {stored}\n" for name, stored in users.items()]
    path.write_text("basic_auth_users:\n" + "".join(lines), encoding="utf-8")
    return path


def hashed(password: str) -> str:
    """Hash a password, cheaply: a test needs no protection from guessing."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def test_the_page_follows_the_node(browser: Browser) -> None:
    """New numbers appear by themselves; what was selected stays in place."""
    with visiting(browser) as shown:
        page = shown.page
        row = page.locator("#jobs tbody tr", has_text="4242")
        row.evaluate("(row) => { row.marked = true; }")
        before = later(rich_snapshot(), 5)

        shown.reader.snapshot = changed(
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


def test_the_pointer_reads_the_chart(browser: Browser) -> None:
    """Each moment has its numbers."""
    with visiting(browser) as shown:
        shown.page.locator("#chart svg").hover(position={"x": 100, "y": 100})

        expect(shown.page.locator("#chart figcaption")).to_contain_text(
            re.compile(r"\d\d:\d\d:\d\d · .*GPU")
        )


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


def test_progress_is_drawn_and_goes_on_being_drawn(browser: Browser) -> None:
    """A bar beside its figure, after the first answer and after the next."""
    with visiting(browser) as shown:
        row = shown.page.locator("#jobs tbody tr", has_text="4242")
        bar = row.locator(".meter .fill")
        expect(bar).to_have_attribute("style", "width: 40%;")

        before = rich_snapshot()
        jobs = (changed(before.jobs[0], progress=Ratio(0.5)), *before.jobs[1:])
        shown.reader.snapshot = changed(later(before, 5), jobs=jobs)

        expect(bar).to_have_attribute("style", "width: 50%;", timeout=LONG_MS)
        expect(bar).to_be_visible()
        expect(row).to_contain_text("50 %")


def test_many_jobs_are_shown_on_request(browser: Browser) -> None:
    """The largest are there at once; the rest does not push everything else away."""
    with visiting(browser, crowded_snapshot(64)) as shown:
        page = shown.page
        rows = page.locator("#jobs tbody tr")
        expect(rows).to_have_count(12)

        page.get_by_role("button", name="Show all 64").click()
        expect(rows).to_have_count(64)

        page.get_by_role("button", name="Show the first 12 only").click()
        expect(rows).to_have_count(12)


def test_a_gpu_says_who_holds_it(browser: Browser) -> None:
    """A busy GPU is somebody's, and an idle one perhaps as well."""
    with visiting(browser) as shown:
        tiles = shown.page.locator("#gpus > li")

        expect(tiles.nth(4)).to_contain_text("4243 grace")
        expect(tiles.nth(6)).to_contain_text("finetune-llama-7 team-llm (50 %)")
        expect(tiles.nth(7)).to_contain_text("held by no job")
        expect(tiles.nth(0)).to_contain_text("400 W")
        expect(tiles.nth(0)).to_contain_text("48/80 GiB")


def test_a_gpu_that_several_share_says_by_what_it_is_divided(browser: Browser) -> None:
    """Whoever pays for a part of it wants to know what that part rests on."""
    with visiting(browser) as shown:
        tiles = shown.page.locator("#gpus > li")

        expect(tiles.nth(4)).to_contain_text("4243 grace · divided by activity")
        expect(tiles.nth(5)).to_contain_text("divided by shares")
        expect(tiles.nth(6)).not_to_contain_text("divided")


def test_the_chart_can_be_divided_by_job(browser: Browser) -> None:
    """Jobs and what is nobody's are as high as the whole."""
    with visiting(browser) as shown:
        page = shown.page
        page.get_by_role("button", name="By job").click()
        legend = page.locator("#chart-legend li")

        expect(legend.first).to_contain_text("4242 train-4242")
        expect(legend.first).to_contain_text("1.31 kW")
        # 2,465.5 W less the 2,351.5 W of four jobs.
        expect(legend.last).to_contain_text("No job (unattributed)")
        expect(legend.last).to_contain_text("114 W")
        expect(page.locator("#chart")).to_contain_text("a moment, please")

        shown.reader.snapshot = later(rich_snapshot(), 5)
        shown.reader.points += (
            changed(shown.reader.points[-1], unix_s=NOON_UNIX_S + 5),
        )

        chart = page.get_by_role("img", name=re.compile("stacked by job"))
        expect(chart.locator("path.total")).to_have_count(1, timeout=LONG_MS)


def test_colours_are_chosen_and_remembered(browser: Browser) -> None:
    """The system's, unless somebody knows better."""
    with visiting(browser, look=LOOKS[3]) as shown:
        page = shown.page
        root = page.locator("html")
        button = page.locator("#theme")
        expect(root).to_have_attribute("data-theme", "dark")

        button.focus()
        page.keyboard.press("Enter")
        expect(button).to_have_text("Colours: light")
        expect(root).to_have_attribute("data-theme", "light")

        page.reload()
        expect(button).to_have_text("Colours: light")
        expect(root).to_have_attribute("data-theme", "light")
        page.keyboard.press("Tab")
        button.click()
        button.click()
        expect(button).to_have_text("Colours: auto")
        expect(root).to_have_attribute("data-theme", "dark")


def test_a_password_that_is_no_longer_known_is_told(
    browser: Browser, tmp_path: Path
) -> None:
    """The last numbers stay, and the page says what helps."""
    config = load_web_config(users_file(tmp_path, ada=hashed("secret")))
    app = create_app(FakeReader(rich_snapshot()), version="1.2.3", node="node17")
    with (
        serving(app, config) as port,
        visiting_page(
            browser,
            f"http://127.0.0.1:{port}/",
            signed_in={"username": "ada", "password": "secret"},
        ) as visit,
    ):
        users_file(tmp_path, ada=hashed("another"))
        config.reload()

        expect(visit.page.get_by_role("status")).to_have_text(
            "not signed in", timeout=LONG_MS
        )
        expect(visit.page.locator("#trouble")).to_contain_text("Load the page again")
        expect(visit.page.locator("#power-value")).to_have_text("2.47")


def test_a_node_that_hangs_is_told_from_one_that_is_well(browser: Browser) -> None:
    """It answers, but always the same."""
    with visiting(browser) as shown:
        status = shown.page.get_by_role("status")

        expect(status).to_contain_text("no new sample since", timeout=LONG_MS)
        expect(shown.page.locator("#trouble")).to_contain_text("restart it")
