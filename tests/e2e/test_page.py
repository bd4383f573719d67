import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.daemon import Daemon, running
from tests.e2e.jobs import Job, write_script
from tests.e2e.node import Node, playing
from tests.fakes.browser import system_chromium
from tests.fakes.machine import PlayedMachine
from tests.fakes.nvml import FakeNvml, env_without_library
from tests.fakes.page_checks import (
    LAPTOP,
    LARGEST_BYTES,
    LONG_MS,
    LOOKS,
    Look,
    axe_violations,
    tab_stops,
    violations,
    visiting,
)

pytestmark = pytest.mark.e2e

GPUS, JOBS = 8, 64
GPU_W = 250.0
ODD_NAMES = (
    "<img src=x onerror=alert(1)>",
    "a-name-without-any-place-to-break-" * 8,
    "\N{PILE OF POO} \N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET}",
    "  ",
)

looks = pytest.mark.parametrize("look", LOOKS, ids=str)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the Chromium of the system."""
    with system_chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a daemon on a node with all there can be; return where its page is."""
    folder = tmp_path_factory.mktemp("full")
    node = Node(folder, GPUS, flags=("--carbon.zone", "DE"), scripted=True)
    begin_s = time.monotonic() - 600.0
    jobs = tuple(
        Job(
            str(4_200_000 + number),
            f"user{number % 17}",
            f"account{number % 5}",
            begin_s,
            cpus=0.5,
            gpus=node.gpus[number : number + 1] if number < GPUS - 1 else (),
            name=ODD_NAMES[number] if number < len(ODD_NAMES) else "",
        )
        for number in range(JOBS)
    )
    write_script(node.script, jobs)
    with playing(node):
        node.set_power(
            {"intel-rapl:0": 120.0, "intel-rapl:1": 95.0},
            {number: GPU_W + 11 * number for number in range(GPUS)},
        )
        node.daemon.start()
        yield address(node.daemon)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a daemon where there is next to nothing; return where its page is."""
    folder = tmp_path_factory.mktemp("empty")
    with closing(PlayedMachine("vm", folder / "machine")) as machine:
        roots = ("--path.sysfs", machine.sysfs, "--path.procfs", machine.procfs)
        daemon = Daemon(folder, roots, env_without_library(folder / "no-nvml"))
        with machine.playing(), running(daemon):
            yield address(daemon)


def address(daemon: Daemon) -> str:
    """Return where the page of a daemon is."""
    return f"http://127.0.0.1:{daemon.port}/"


def show_all(page: Page) -> None:
    """Have every job shown, and the chart divided by job."""
    page.get_by_role("button", name=f"Show all {JOBS}").click(timeout=LONG_MS)
    page.get_by_role("button", name="By job").click()
    expect(page.locator("#jobs tbody tr")).to_have_count(JOBS, timeout=LONG_MS)
    expect(page.locator("#chart svg")).to_have_attribute(
        "data-empty", "false", timeout=LONG_MS
    )


@looks
def test_a_full_node_is_shown_without_fault(
    browser: Browser, full: str, tmp_path: Path, look: Look
) -> None:
    """From a phone to a wall, by day and by night, with names of all kinds."""
    with visiting(browser, full, look) as visit:
        page = visit.page
        expect(page.locator("#gpus > li")).to_have_count(GPUS)
        show_all(page)
        page.screenshot(path=tmp_path / f"full-{look}.png", full_page=True)

        assert visit.faults() == []


@looks
def test_a_full_node_is_accessible(browser: Browser, full: str, look: Look) -> None:
    """Every rule that a machine can check, on every screen."""
    assert axe_violations(browser, full, look, show_all) == []


@looks
def test_an_empty_node_is_shown_without_fault(
    browser: Browser, empty: str, tmp_path: Path, look: Look
) -> None:
    """The first thing a newcomer sees says what is missing and what to do."""
    with visiting(browser, empty, look) as visit:
        page = visit.page
        page.screenshot(path=tmp_path / f"empty-{look}.png", full_page=True)

        expect(page.locator("#gpus-empty")).to_contain_text("No GPU found")
        expect(page.locator("#jobs-empty")).to_contain_text("no scheduler is read")
        expect(page.locator("#intensity-note")).to_contain_text("Set carbon.zone")
        expect(page.locator("#intensity-note")).to_contain_text("carbon.hub_url")
        assert visit.faults() == []


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_an_empty_node_is_accessible(browser: Browser, empty: str, look: Look) -> None:
    """What is empty is explained to everybody."""
    assert axe_violations(browser, empty, look) == []


def test_the_page_is_light(browser: Browser, full: str) -> None:
    """It is opened on phones, through tunnels, on bad days."""
    with visiting(browser, full) as visit:
        assert 0 < visit.weight() <= LARGEST_BYTES


@pytest.mark.parametrize("look", [LOOKS[0], LAPTOP], ids=str)
def test_the_keyboard_reaches_everything(
    browser: Browser, full: str, look: Look
) -> None:
    """In the order of the page, and with the focus in sight."""
    with visiting(browser, full, look) as visit:
        page = visit.page
        expect(page.locator("#jobs tbody tr")).to_have_count(12)
        stops = tab_stops(page)

    order = [
        "Skip to the jobs",
        "Colours: auto",
        "By component",
        "By job",
        *(
            "Job",
            "Whose",
            "Scheduler",
            "Time",
            "GPUs",
            "Power",
            "Energy",
            "CO\N{SUBSCRIPT TWO}e",
        ),
        f"Show all {JOBS}",
        *("metrics", "node", "jobs", "intensity", "OpenAPI"),
    ]
    assert [stop for stop in stops if stop in order] == order
    assert any(stop.startswith("Node power of the last") for stop in stops)


def test_a_daemon_that_dies_under_an_open_page_is_told_and_comes_back(
    browser: Browser, tmp_path: Path
) -> None:
    """What a person sees after the first command: figures, and what they are worth."""
    driver = FakeNvml(tmp_path / "nvml", 1)
    driver.set_power(0, GPU_W)
    with closing(PlayedMachine("vm", tmp_path / "machine")) as machine:
        daemon = Daemon(
            tmp_path,
            [
                *("--path.sysfs", machine.sysfs, "--path.procfs", machine.procfs),
                *("--power.model-idle-watts", "40", "--power.model-max-watts", "90"),
                *("--carbon.zone", "DE"),
            ],
            driver.env(),
        )
        with (
            machine.playing(),
            running(daemon),
            visiting(browser, address(daemon), bypass_csp=True) as visit,
        ):
            page = visit.page
            status = page.get_by_role("status")
            components = page.locator("#components li")
            gpu, cpu = (components.filter(has_text=name) for name in ("GPU", "CPU"))

            expect(gpu).to_contain_text("250", timeout=LONG_MS)
            expect(gpu.locator(".tag")).to_have_count(0)
            expect(cpu).to_contain_text("40")
            expect(cpu.locator(".tag")).to_have_text("estimated")
            expect(page.locator("#power-note .tag")).to_have_text("estimated")
            assert visit.faults() == []

            daemon.kill()
            expect(status).to_contain_text("no answer since", timeout=LONG_MS)
            expect(page.locator("#trouble")).to_contain_text("does not answer")
            expect(gpu).to_contain_text("250")
            assert violations(page) == []
            daemon.start()
            expect(status).to_have_text("live", timeout=LONG_MS)
            expect(page.locator("#trouble")).to_be_hidden()
