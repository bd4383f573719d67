"""The page of the hub as a person sees it: a real browser on a real server."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from exporter.carbon.errors import CredentialsError
from exporter.core.forecast import ForecastPoint
from exporter.core.units import GramsPerKwh, Ratio, Seconds
from exporter.hub.budgets.amount import parse_amount
from exporter.hub.budgets.budget import Budget
from exporter.hub.budgets.period import CalendarPeriod, RollingPeriod
from exporter.hub.budgets.status import BudgetStatus, Standing
from tests.fakes.browser import SIZES, WORST_CONTRAST, system_chromium
from tests.fakes.carbon import NOW, FakeProvider
from tests.fakes.carbon_world import traits
from tests.fakes.hub import HubWorld
from tests.fakes.serving import serving

WEB = Path(__file__).parents[2] / "exporter" / "hub" / "web"
LARGEST_BYTES = 30_000
LONG_MS = 30_000
HOUR_S = 3600.0
UNKNOWN = "\N{EN DASH}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the Chromium of the system; it loads nothing from anywhere."""
    with system_chromium() as opened:
        yield opened


def outlook() -> tuple[ForecastPoint, ...]:
    """Return a forecast of 30 hours: least after 5 hours, most after 12."""
    values = {5: 120.0, 12: 480.0}
    return tuple(
        ForecastPoint(
            Seconds(NOW + hour * HOUR_S),
            Seconds(HOUR_S),
            GramsPerKwh(values.get(hour, 300.0)),
        )
        for hour in range(30)
    )


def busy_world(folder: Path) -> HubWorld:
    """Return a hub with a live zone, and one whose provider refuses the token."""
    refused = CredentialsError("api.example.org answered 403 (Forbidden)")
    world = HubWorld(
        folder,
        DE=(
            FakeProvider(value=321.0, outlook=outlook()),
            FakeProvider(traits("advice", signal="marginal"), value=700.0),
        ),
        FR=(FakeProvider(traits("two"), failure=refused),),
    )
    world.poll()
    return world


@dataclass
class Visit:
    """A page, what it asked for, and what it complained of."""

    page: Page
    world: HubWorld
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def visiting(
    browser: Browser,
    world: HubWorld,
    *,
    size: str = "desk",
    scheme: Literal["light", "dark"] = "light",
) -> Iterator[Visit]:
    """Open the page of a hub, and wait until it is there."""
    width, height = SIZES[size]
    with (
        serving(world.app) as port,
        browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
            timezone_id="UTC",
        ) as context,
    ):
        visit = Visit(context.new_page(), world)
        page = visit.page
        page.on("request", lambda request: visit.asked.append(request.url))
        page.on("console", lambda message: visit.complaints.append(message.text))
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/")
        expect(page.get_by_role("status")).to_have_text("live", timeout=LONG_MS)
        yield visit


def test_the_page_is_light_and_parses_nothing_as_html() -> None:
    """It is opened on phones; and providers say what they like."""
    script = (WEB / "hub.js").read_text(encoding="utf-8")

    assert sum(path.stat().st_size for path in WEB.iterdir()) <= LARGEST_BYTES
    for way in ("HTML", "document.write", "eval(", "http://", "https://"):
        assert way not in script


@pytest.mark.parametrize(
    ("size", "scheme"),
    [("phone", "light"), ("phone", "dark"), ("desk", "light"), ("desk", "dark")],
)
def test_a_busy_hub_is_shown_without_complaint(
    browser: Browser, tmp_path: Path, size: str, scheme: Literal["light", "dark"]
) -> None:
    """On a phone and at a desk, by day and by night; asking nobody else."""
    world = busy_world(tmp_path)
    with visiting(browser, world, size=size, scheme=scheme) as visit:
        page = visit.page
        page.screenshot(path=tmp_path / f"{size}-{scheme}.png", full_page=True)

        germany = page.get_by_role("region", name="DE", exact=True)
        expect(germany.locator(".figure")).to_contain_text("321")
        expect(germany).to_contain_text("Live from one, lifecycle factors, 0 s old.")
        expect(germany).to_contain_text("One kilowatt-hour more: 700 g (advice)")
        expect(germany.locator(".tag")).to_have_count(0)
        width = page.evaluate("document.documentElement.scrollWidth")
        ratio, text = page.evaluate(WORST_CONTRAST)

    assert width == SIZES[size][0]
    assert ratio >= 4.5, text
    assert visit.complaints == []
    for url in visit.asked:
        assert re.match(r"http://127\.0\.0\.1:\d+/|data:image/svg", url)


def test_a_zone_without_a_live_value_says_what_it_has(
    browser: Browser, tmp_path: Path
) -> None:
    """A fallback is explained, and marked as one."""
    world = busy_world(tmp_path)
    with visiting(browser, world) as visit:
        france = visit.page.get_by_role("region", name="FR", exact=True)
        germany = visit.page.get_by_role("region", name="DE", exact=True)

        expect(france.locator(".tag")).to_have_text("fallback")
        expect(france).to_contain_text("Yearly figure (owid-yearly")
        expect(france).to_contain_text("Nobody tells a forecast.")

        world.pass_s(HOUR_S)

        expect(germany).to_contain_text("Last good value of one", timeout=LONG_MS)
        expect(germany).to_contain_text("It stands in until 16:40.")
        expect(germany.locator(".tag")).to_have_text("fallback")


def test_a_provider_that_fails_is_shown_first_with_the_reason(
    browser: Browser, tmp_path: Path
) -> None:
    """It is what somebody came here to find out."""
    with visiting(browser, busy_world(tmp_path)) as visit:
        page = visit.page
        first = page.locator("#providers li").first

        expect(first).to_contain_text("two")
        expect(first).to_contain_text("refuses the token or the zone")
        expect(first).to_contain_text("FR · asked again in 6 h 0 min")
        expect(first.locator(".message")).to_have_text(
            "api.example.org answered 403 (Forbidden)"
        )
        expect(page.locator("#providers-title")).to_contain_text("2 of 3 ok")


def test_the_chart_is_described_in_words(browser: Browser, tmp_path: Path) -> None:
    """Who cannot see it gets what it says; a day of it, not all."""
    with visiting(browser, busy_world(tmp_path)) as visit:
        chart = visit.page.get_by_role("img", name=re.compile("Forecast of DE"))

        expect(chart).to_have_attribute(
            "aria-label",
            "Forecast of DE for the next 24 hours: lowest 120 g at 15:40, highest "
            "480 g at 22:40",
        )
        chart.hover(position={"x": 3, "y": 60})
        caption = visit.page.get_by_role("region", name="DE", exact=True).locator(
            "figcaption"
        )
        expect(caption).to_have_text("10:40 to 11:40: 300 g expected")


def test_the_page_follows_the_hub(browser: Browser, tmp_path: Path) -> None:
    """Zones come and go with a reload; a refused one is said."""
    world = busy_world(tmp_path)
    with visiting(browser, world) as visit:
        page = visit.page
        expect(page.locator("#refused")).to_be_hidden()

        world.desk.reload_refused = True
        expect(page.locator("#refused")).to_be_visible(timeout=LONG_MS)

        world.desk.reload_refused = False
        world.replace(GB=())
        expect(page.get_by_role("region", name="GB", exact=True)).to_be_visible(
            timeout=LONG_MS
        )
        expect(page.get_by_role("region", name="DE", exact=True)).to_have_count(0)
        expect(page.locator("#providers-empty")).to_contain_text("Nobody is asked")
        expect(page.locator("#refused")).to_be_hidden()


def test_budgets_are_shown_with_what_they_are_worth(
    browser: Browser, tmp_path: Path
) -> None:
    """Who is over, who will be, and how far the numbers can be trusted."""
    month = CalendarPeriod("month", ZoneInfo("UTC"))
    physics = Budget("physics", parse_amount("200kg", None), month, team="Physics")
    power = Budget(
        "power", parse_amount("10MWh", None), RollingPeriod(30 * 86400.0, "30d")
    )
    known = BudgetStatus(
        physics,
        at_s=NOW,
        period=month.around(NOW),
        spent=150_000.0,
        projected=230_000.0,
        live=Ratio(0.8),
        complete=Ratio(1.0),
    )
    world = busy_world(tmp_path)
    with visiting(browser, world) as visit:
        page = visit.page
        expect(page.locator("#budgets-part")).to_be_hidden()

        world.standing = Standing((known, BudgetStatus(power)), error="no way to it")

        first, second = (page.locator("#budgets li").nth(index) for index in (0, 1))
        expect(first).to_contain_text("physics", timeout=LONG_MS)
        expect(first).to_contain_text("Physics")
        expect(first.locator(".value")).to_have_text("75 %")
        expect(first.locator(".tag")).to_have_text("will be overspent")
        expect(first.locator(".more")).to_have_text(
            "150 kg of 200 kg · 115 % expected · month until 1 Dec · "
            "80 % on live and complete data"
        )
        expect(second.locator(".value")).to_have_text(UNKNOWN)
        expect(second.locator(".tag")).to_have_count(0)
        expect(second.locator(".more")).to_have_text(f"{UNKNOWN} of 10 MWh · per 30d")
        expect(page.locator("#budgets-note")).to_have_text(
            "Prometheus cannot be read: no way to it"
        )
        width = page.evaluate("document.documentElement.scrollWidth")
        ratio, text = page.evaluate(WORST_CONTRAST)

    assert width == SIZES["desk"][0]
    assert ratio >= 4.5, text
    assert visit.complaints == []


def test_a_hub_that_is_gone_is_told_from_one_that_is_well(
    browser: Browser, tmp_path: Path
) -> None:
    """The last numbers stay, and are marked as old."""
    world = busy_world(tmp_path)
    with browser.new_context() as context:
        page = context.new_page()
        status = page.get_by_role("status")
        with serving(world.app) as port:
            page.goto(f"http://127.0.0.1:{port}/")
            expect(status).to_have_text("live", timeout=LONG_MS)

        expect(status).to_contain_text("no answer since", timeout=LONG_MS)
        expect(page.get_by_role("region", name="DE", exact=True)).to_contain_text("321")


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_a_keyboard_and_a_screen_reader_find_their_way(
    browser: Browser, tmp_path: Path, size: str
) -> None:
    """Landmarks, headings in order, and a way past the zones."""
    with visiting(browser, busy_world(tmp_path), size=size) as visit:
        page = visit.page
        for landmark in ("banner", "main", "contentinfo", "navigation"):
            expect(page.get_by_role(landmark)).to_have_count(1)
        levels = page.locator("h1, h2, h3").evaluate_all(
            "(all) => all.map((heading) => heading.tagName)"
        )
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the providers")
        page.keyboard.press("Enter")

        assert levels[0] == "H1"
        assert set(levels[1:]) == {"H2"}
        assert page.evaluate("location.hash") == "#providers-title"
        expect(page.get_by_role("status")).to_have_attribute("aria-live", "polite")
