"""The page of the hub as a person sees it: a real browser on a real server."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from exporter.carbon.errors import CredentialsError
from exporter.hub.budgets.amount import parse_amount
from exporter.hub.budgets.budget import Budget
from exporter.hub.budgets.period import CalendarPeriod, RollingPeriod
from exporter.hub.budgets.status import BudgetStatus, Standing
from exporter.hub.overview.figures import Missing, Overview, Part
from exporter.hub.overview.keeper import OverviewStanding
from exporter.hub.slurm.keeper import SlurmStanding
from tests.fakes.browser import system_chromium
from tests.fakes.carbon import NOW, FakeProvider
from tests.fakes.carbon_world import traits
from tests.fakes.hub import HubWorld
from tests.fakes.hub_page import busy_world, quiet_world, serving_hub, visiting
from tests.fakes.overview_figures import busy_overview, standing
from tests.fakes.page_checks import (
    LARGEST_BYTES,
    LONG_MS,
    LOOKS,
    Look,
    axe_violations,
    tab_stops,
)

WEB = Path(__file__).parents[2] / "exporter" / "hub" / "web"
HOUR_S = 3600.0
UNKNOWN = "\N{EN DASH}"
CLOCK = r"\d\d:\d\d"
OF_THE_CLUSTER = ("Power now", "Largest jobs", "Tenants", "Nodes")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the Chromium of the system; it loads nothing from anywhere."""
    with system_chromium() as opened:
        yield opened


def test_nothing_is_ever_parsed_as_html() -> None:
    """Names come from users, and messages from providers."""
    script = "".join(file.read_text(encoding="utf-8") for file in WEB.glob("*.js"))

    for way in ("HTML", "document.write", "eval(", "http://", "https://"):
        assert way not in script


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_cluster_at_work_is_shown_without_complaint(
    browser: Browser, tmp_path: Path, look: Look
) -> None:
    """From a phone to a wall, by day and by night; asking the hub alone."""
    with visiting(browser, busy_world(tmp_path), look) as visit:
        page = visit.page
        page.screenshot(path=tmp_path / f"{look}.png", full_page=True)

        expect(page.get_by_role("heading", level=1)).to_have_text("alps")
        expect(page.locator("#power")).to_have_text("214kW")
        expect(page.locator("#energy")).to_have_text("4.91MWh")
        expect(page.locator("#grams")).to_have_text("1.50t CO\N{SUBSCRIPT TWO}e")
        expect(page.locator("#jobs tbody tr")).to_have_count(7)
        expect(page.locator("#tenants tbody tr")).to_have_count(6)
        expect(page.locator("#budgets li")).to_have_count(4)
        assert visit.faults() == []


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_axe_finds_nothing(browser: Browser, tmp_path: Path, look: Look) -> None:
    """Who cannot see it, or has no mouse, is meant as well."""
    with serving_hub(busy_world(tmp_path)) as url:
        assert axe_violations(browser, url, look) == []


@pytest.mark.parametrize("is_away", [False, True])
def test_axe_finds_nothing_on_a_page_without_figures(
    browser: Browser, tmp_path: Path, *, is_away: bool
) -> None:
    """What is said in place of figures is for everybody too."""
    world = quiet_world(tmp_path)
    if is_away:
        world.overview.standing = _away(None)
    with serving_hub(world) as url:
        assert axe_violations(browser, url) == []


def test_the_page_is_light(browser: Browser, tmp_path: Path) -> None:
    """It is opened on phones, and stays open on walls."""
    with visiting(browser, busy_world(tmp_path)) as visit:
        assert 10_000 < visit.weight() <= LARGEST_BYTES


def test_a_wall_shows_what_matters_without_scrolling(
    browser: Browser, tmp_path: Path
) -> None:
    """Nobody stands there with a mouse."""
    (wall, *_) = [look for look in LOOKS if look.size == "wall"]
    with visiting(browser, busy_world(tmp_path), wall) as visit:
        page = visit.page
        for place in ("#attention", "#power", "#grams", "#chart", "#split", "#budgets"):
            box = page.locator(place).bounding_box()
            assert box is not None, place
            assert box["y"] + box["height"] <= wall.height, place
        for place in ("#jobs tbody tr", "#tenants tbody tr"):
            box = page.locator(place).nth(4).bounding_box()
            assert box is not None, place
            assert box["y"] + box["height"] <= wall.height, place


def test_what_needs_somebody_is_said_first(browser: Browser, tmp_path: Path) -> None:
    """With a way to where it is explained."""
    with visiting(browser, busy_world(tmp_path)) as visit:
        page = visit.page
        items = page.get_by_role("list", name="What needs somebody").locator("a")

        expect(items).to_have_text(
            [
                "2 nodes silent",
                "nvml does not answer in time on 3 nodes",
                "amdgpu cannot be read on 1 node",
                "rapl may not be read on 1 node",
                "budget climate: will be overspent",
            ]
        )
        items.first.press("Enter")
        assert page.evaluate("location.hash") == "#nodes-title"
        nodes = page.get_by_role("region", name="Nodes", exact=True)
        expect(nodes).to_contain_text("126of 128 answer")
        expect(nodes).to_contain_text("on 3 nodes: n003, n041, n077")
        expect(nodes).to_contain_text("n064 (GPU-db2ac6b7), n064 (0000:c1:00.0)")
        expect(nodes).to_contain_text("systemctl status jouled")


def test_measured_and_estimated_watts_are_told_apart(
    browser: Browser, tmp_path: Path
) -> None:
    """A sum that is partly a model says of how many nodes."""
    world = busy_world(tmp_path)
    with visiting(browser, world) as visit:
        note = visit.page.locator("#power-note")
        expect(note).to_contain_text("CPU on 6 of 128 nodes;")
        expect(note.locator(".tag")).to_have_text("estimated")

        overview = busy_overview(NOW)
        assert overview.nodes is not None
        nodes = replace(overview.nodes, estimated={})
        world.overview.standing = standing(replace(overview, nodes=nodes))

        expect(note.locator(".tag")).to_have_text("measured", timeout=LONG_MS)


def test_power_that_lacks_devices_says_so(browser: Browser, tmp_path: Path) -> None:
    """A sum that falls because a GPU is lost is no saving."""
    world = busy_world(tmp_path)
    with visiting(browser, world) as visit:
        note = visit.page.locator("#power-note")
        expect(note).to_contain_text(
            "less than is drawn: the power of 2 CPU devices, 14 GPU devices is not "
            "known"
        )

        whole = replace(busy_overview(NOW), devices_missing={"gpu": 0})
        world.overview.standing = standing(whole)

        expect(note).to_have_text("CPU on 6 of 128 nodesestimated", timeout=LONG_MS)


def test_tables_are_sorted_by_who_reads_them(browser: Browser, tmp_path: Path) -> None:
    """The most power first, until somebody wants to know something else."""
    with visiting(browser, busy_world(tmp_path)) as visit:
        page = visit.page
        first = page.locator("#jobs tbody tr").first

        expect(first).to_contain_text("train-llm-7b")
        page.locator("#jobs").get_by_role("button", name="Energy").press("Enter")
        expect(first).to_contain_text("icon-r2b9")
        expect(page.locator("#jobs")).to_contain_text("hmc lattice <64>")


def test_without_a_prometheus_the_page_says_which_setting_is_missing(
    browser: Browser, tmp_path: Path
) -> None:
    """Intensity is there all the same; nothing of the cluster is made up."""
    with visiting(browser, quiet_world(tmp_path)) as visit:
        page = visit.page
        expect(page.locator("#unknown")).to_contain_text("Set prometheus.url")
        for name in OF_THE_CLUSTER:
            expect(page.get_by_role("region", name=name, exact=True)).to_be_hidden()
        grid = page.get_by_role("region", name="Grid DE", exact=True)
        expect(grid.locator(".figure")).to_contain_text("383")
        expect(page.locator("#budgets-empty")).to_contain_text("Add budgets")
        assert visit.faults() == []


def _away(overview: Overview | None) -> OverviewStanding:
    return standing(
        overview,
        outcome="unavailable",
        error="prometheus.example.org cannot be reached: ConnectError",
        failing_since_s=NOW - 60.0,
    )


def test_while_prometheus_is_away_the_last_figures_are_marked_as_old(
    browser: Browser, tmp_path: Path
) -> None:
    """And the page says since when, and what to look at."""
    world = busy_world(tmp_path)
    world.overview.standing = _away(busy_overview(NOW - 120.0))
    with visiting(browser, world) as visit:
        page = visit.page
        expect(page.locator("#unknown")).to_contain_text(
            re.compile(rf"Prometheus has not answered since .*{CLOCK}.*ConnectError")
        )
        expect(page.locator("#power")).to_contain_text("214")
        expect(page.locator("#power .tag")).to_have_text("stale")
        expect(page.locator("#power-title")).to_contain_text("2 min ago")
        expect(page.locator("#asked li").first).to_contain_text("does not answer")

        world.overview.standing = _away(None)
        expect(page.locator("#unknown")).to_contain_text(
            "Prometheus does not tell anything", timeout=LONG_MS
        )
        expect(page.locator("#power")).to_be_hidden()


def test_a_prometheus_without_nodes_is_explained(
    browser: Browser, tmp_path: Path
) -> None:
    """The first thing that somebody sees who begins."""
    world = quiet_world(tmp_path)
    none = Missing("nodes", "absent", "Prometheus knows no node. Add them.")
    world.overview.standing = standing(Overview(NOW, missing=(none,)))
    with visiting(browser, world) as visit:
        expect(visit.page.locator("#unknown")).to_have_text(
            "Prometheus knows no node. Add them."
        )


def test_a_figure_that_is_not_known_is_a_dash_with_its_reason(
    browser: Browser, tmp_path: Path
) -> None:
    """Never a zero, and never without what to do."""
    parts: tuple[Part, ...] = ("power", "course", "day", "jobs", "tenants", "grams")
    missing = tuple(Missing(part, "rules", f"Load {part}.yml.") for part in parts)
    world = quiet_world(tmp_path)
    nodes = busy_overview(NOW).nodes
    world.overview.standing = standing(Overview(NOW, nodes=nodes, missing=missing))
    with visiting(browser, world) as visit:
        page = visit.page
        expect(page.locator("#power")).to_have_text(UNKNOWN)
        expect(page.locator("#power-note")).to_have_text("Load power.yml.")
        expect(page.locator("#day-note")).to_have_text("Load day.yml.")
        expect(page.locator("#chart figcaption")).to_have_text("Load course.yml.")
        expect(page.locator("#jobs-empty")).to_have_text("Load jobs.yml.")
        expect(page.locator("#tenants-empty")).to_have_text("Load tenants.yml.")
        assert visit.faults() == []


def test_shares_of_a_part_are_not_shown_as_those_of_all(
    browser: Browser, tmp_path: Path
) -> None:
    """Where nobody tells what jobs draw, the rest of it is not all there is."""
    world = quiet_world(tmp_path)
    missing = (Missing("schedulers", "rules", "Load schedulers.yml."),)
    world.overview.standing = standing(
        replace(busy_overview(NOW - 12.0), schedulers_w=None, missing=missing)
    )
    with visiting(browser, world) as visit:
        page = visit.page
        expect(page.locator("#split-empty")).to_have_text("Load schedulers.yml.")
        expect(page.locator("#split li")).to_have_count(0)
        expect(page.locator("#split-bar")).to_be_hidden()
        assert visit.faults() == []


def test_old_figures_have_their_age_while_newer_ones_are_asked_for(
    browser: Browser, tmp_path: Path
) -> None:
    """Nobody looked for hours, so nobody asked; a hung Prometheus looks the same."""
    world = quiet_world(tmp_path)
    world.overview.standing = standing(busy_overview(NOW - 3 * HOUR_S))
    with visiting(browser, world) as visit:
        expect(visit.page.locator("#power-title")).to_contain_text(
            "3 h 0 min ago; being asked for"
        )


def test_a_moment_of_another_day_is_told_with_its_day(
    browser: Browser, tmp_path: Path
) -> None:
    """Of a page that was left open over a weekend, the time alone says little."""
    with visiting(browser, quiet_world(tmp_path)) as visit:
        today, before = visit.page.evaluate(
            """async () => {
              const { moment } = await import("./words.js");
              return [0, 3].map((days) => moment(Date.now() / 1000 - days * 86400));
            }"""
        )

        assert re.fullmatch(rf"{CLOCK}:\d\d", today)
        assert re.fullmatch(rf"\d+ [A-Z][a-z]+ {CLOCK}:\d\d", before)


def test_lists_keep_what_stays_and_nothing_that_is_gone(
    browser: Browser, tmp_path: Path
) -> None:
    """Two feeds of one provider fail alike; and who has the focus keeps it."""
    with visiting(browser, quiet_world(tmp_path)) as visit:
        counts, has_focus = visit.page.evaluate(
            """async () => {
              const { keyed } = await import("./page.js");
              const list = document.createElement("ul");
              document.body.append(list);
              const make = () => document.createElement("button");
              const same = (name) => name;
              const show = (names) => keyed(list, names, same, make, () => {});
              const counts = ["aab", "aab", "aab", "ab"].map((names) => {
                show([...names]);
                return list.children.length;
              });
              list.lastChild.focus();
              show(["b"]);
              return [counts, document.activeElement === list.firstChild];
            }"""
        )

        assert counts == [3, 3, 3, 2]
        assert has_focus


def test_a_cluster_at_rest_is_no_fault(browser: Browser, tmp_path: Path) -> None:
    """No jobs, no tenants, nothing broken: each says so in words."""
    busy = busy_overview(NOW)
    assert busy.nodes is not None
    assert busy.day is not None
    world = quiet_world(tmp_path)
    world.overview.standing = standing(
        replace(
            busy,
            jobs=(),
            running=0,
            day=replace(busy.day, tenants=()),
            nodes=replace(busy.nodes, up=128, down=(), faults=(), faulty=0),
        )
    )
    with visiting(browser, world) as visit:
        page = visit.page
        expect(page.locator("#jobs-empty")).to_contain_text("No jobs run now.")
        expect(page.locator("#tenants-empty")).to_contain_text("No tenant used energy")
        expect(page.locator("#nodes-note")).to_contain_text("All nodes answer")
        expect(page.locator("#attention")).to_be_hidden()
        assert visit.faults() == []


def test_a_zone_without_a_live_value_says_what_it_has(
    browser: Browser, tmp_path: Path
) -> None:
    """A fallback is explained, and marked as one."""
    refused = CredentialsError("api.example.org answered 403 (Forbidden)")
    world = HubWorld(
        tmp_path,
        DE=(FakeProvider(value=321.0),),
        FR=(FakeProvider(traits("two"), failure=refused),),
    )
    world.poll()
    with visiting(browser, world) as visit:
        page = visit.page
        france = page.get_by_role("region", name="Grid FR", exact=True)
        germany = page.get_by_role("region", name="Grid DE", exact=True)
        first = page.locator("#asked li").first

        expect(france.locator(".tag")).to_have_text("fallback")
        expect(france).to_contain_text("Yearly figure (owid-yearly")
        expect(france).to_contain_text("Nobody tells a forecast.")
        expect(germany).to_contain_text("Live from one, lifecycle factors, 0 s old.")
        # Who fails is shown first, with the reason.
        expect(first).to_contain_text("two")
        expect(first).to_contain_text("refuses the token or the zone")
        expect(first).to_contain_text("FR · asked again in 6 h 0 min")
        expect(first.locator(".message")).to_have_text(str(refused))
        expect(page.locator("#asked-title")).to_contain_text("1 of 2 ok")
        assert visit.faults() == []

        world.pass_s(HOUR_S)

        expect(germany).to_contain_text("Last good value of one", timeout=LONG_MS)
        expect(germany).to_contain_text(re.compile(f"It stands in until {CLOCK}"))
        expect(germany.locator(".tag")).to_have_text("fallback")


def test_the_greenest_hours_are_said_in_words(browser: Browser, tmp_path: Path) -> None:
    """Who cannot see the chart gets what it says."""
    with visiting(browser, quiet_world(tmp_path)) as visit:
        page = visit.page
        grid = page.get_by_role("region", name="Grid DE", exact=True)
        chart = grid.get_by_role("img", name=re.compile("Forecast of DE"))

        expect(grid.locator(".greenest")).to_have_text(
            re.compile(
                rf"Greenest 4 hours: {CLOCK} to {CLOCK}, in 13 h 45 min; 199 g on "
                r"average, 48 % less than now\."
            )
        )
        expect(chart).to_have_attribute(
            "aria-label", re.compile(f"lowest 188 g at {CLOCK}, highest 452 g")
        )
        chart.focus()
        page.keyboard.press("Home")
        expect(grid.locator("figcaption")).to_contain_text(
            re.compile(rf"{CLOCK} to {CLOCK}: \d+ g expected")
        )


def test_the_page_follows_the_hub(browser: Browser, tmp_path: Path) -> None:
    """Zones come and go with a reload; a refused one is said; so is slurmrestd."""
    world = quiet_world(tmp_path)
    with visiting(browser, world) as visit:
        page = visit.page
        expect(page.locator("#refused")).to_be_hidden()

        world.desk.reload_refused = True
        world.slurm = SlurmStanding(next_unix_s=NOW + 60, error="it answered 401")
        expect(page.locator("#refused")).to_be_visible(timeout=LONG_MS)
        slurm = page.locator("#asked li").filter(has_text="slurmrestd")
        expect(slurm).to_contain_text("it answered 401")

        world.desk.reload_refused = False
        world.slurm = None
        world.replace(GB=())
        britain = page.get_by_role("region", name="Grid GB", exact=True)
        expect(britain).to_be_visible(timeout=LONG_MS)
        expect(page.get_by_role("region", name="Grid DE", exact=True)).to_have_count(0)
        expect(page.locator("#asked-empty")).to_contain_text("Nobody is asked")
        expect(page.locator("#refused")).to_be_hidden()


def test_budgets_are_shown_with_what_they_are_worth(
    browser: Browser, tmp_path: Path
) -> None:
    """Who is over, who will be, and how far the numbers can be trusted."""
    month = CalendarPeriod("month", ZoneInfo("UTC"))
    power = Budget(
        "power", parse_amount("10MWh", None), RollingPeriod(30 * 86400.0, "30d")
    )
    world = busy_world(tmp_path)
    unknown = BudgetStatus(power)
    over = BudgetStatus(
        Budget("over", parse_amount("1kg", None), month),
        at_s=NOW,
        period=month.around(NOW),
        spent=2000.0,
    )
    world.standing = Standing(
        (world.standing.statuses[1], unknown, over), error="no way to it"
    )
    with visiting(browser, world) as visit:
        page = visit.page
        climate, empty, spent = (page.locator("#budgets li").nth(n) for n in range(3))

        expect(climate).to_contain_text("Climate group")
        expect(climate.locator(".value")).to_have_text("81 %")
        expect(climate.locator(".tag")).to_have_text("will be overspent")
        expect(climate.locator(".more")).to_have_text(
            re.compile(
                r"9\.72 t of 12 t · 114 % expected · month until \d+ \w+ · "
                "80 % on live and complete data"
            )
        )
        expect(empty.locator(".value")).to_have_text(UNKNOWN)
        expect(empty.locator(".tag")).to_have_count(0)
        expect(empty.locator(".more")).to_have_text(f"{UNKNOWN} of 10 MWh · per 30d")
        expect(spent.locator(".tag")).to_have_text("overspent")
        expect(page.locator("#budgets-note")).to_contain_text("no way to it")
        assert visit.faults() == []


def test_of_many_budgets_those_in_trouble_come_first(
    browser: Browser, tmp_path: Path
) -> None:
    """A site may have a thousand; a page of a thousand bars helps nobody."""
    world = busy_world(tmp_path)
    fine, bad = world.standing.statuses[0], world.standing.statuses[1]
    many = [
        replace(one, budget=replace(one.budget, name=f"{name}-{number}"))
        for name, one, count in (("fine", fine, 30), ("bad", bad, 10))
        for number in range(count)
    ]
    world.standing = Standing(tuple(many))
    with visiting(browser, world) as visit:
        page = visit.page
        expect(page.locator("#budgets li")).to_have_count(12)
        expect(page.locator("#budgets li").nth(9)).to_contain_text("bad-9")
        expect(page.locator("#budgets li").nth(10)).to_contain_text("fine-0")
        expect(page.locator("#budgets-more")).to_contain_text("and 28 more")
        expect(page.locator("#budgets-title")).to_contain_text("10 of 40 in trouble")
        items = page.get_by_role("list", name="What needs somebody").locator("a")
        expect(items).to_have_count(9)
        expect(items.last).to_have_text("and 6 more")
        assert visit.faults() == []


def test_a_hub_that_is_gone_is_told_from_one_that_is_well(
    browser: Browser, tmp_path: Path
) -> None:
    """The last numbers stay, and are marked as old."""
    with browser.new_context() as context:
        page = context.new_page()
        status = page.get_by_role("status")
        with serving_hub(busy_world(tmp_path)) as url:
            page.goto(url)
            expect(status).to_have_text("live", timeout=LONG_MS)

        expect(status).to_contain_text("no answer since", timeout=LONG_MS)
        expect(page.locator("#power")).to_contain_text("214")


def test_a_keyboard_finds_its_way(browser: Browser, tmp_path: Path) -> None:
    """Past everything at once, or through all of it, and it is always seen where."""
    with visiting(browser, busy_world(tmp_path)) as visit:
        page = visit.page
        for landmark in ("banner", "main", "contentinfo", "navigation"):
            expect(page.get_by_role(landmark)).to_have_count(1)
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to how the hub is doing")
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#asked-title"
        page.goto(visit.origin)
        expect(page.get_by_role("status")).to_have_text("live", timeout=LONG_MS)
        stops = tab_stops(page)

    assert stops[0] == "Skip to how the hub is doing"
    assert "2 nodes silent" in stops
    assert any(stop.startswith("Forecast of DE") for stop in stops)
    assert any(stop.startswith("Power of the last") for stop in stops)
    assert stops[-1] == "OpenAPI"


def test_the_choice_of_colours_lasts(browser: Browser, tmp_path: Path) -> None:
    """A wall in a dark room is set up once."""
    with visiting(browser, quiet_world(tmp_path)) as visit:
        page = visit.page
        button = page.get_by_role("button", name="Colours")
        button.press("Enter")
        button.press("Enter")
        page.reload()

        expect(button).to_have_text("Colours: dark")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
