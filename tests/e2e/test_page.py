from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.daemon import Daemon, running
from tests.fakes.browser import system_chromium
from tests.fakes.machine import PlayedMachine
from tests.fakes.nvml import FakeNvml

pytestmark = pytest.mark.e2e

LONG_MS = 30_000
GPU_W = 250.0


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Return the Chromium of the system."""
    with system_chromium() as opened:
        yield opened


def test_the_page_shows_the_running_daemon(browser: Browser, tmp_path: Path) -> None:
    """What a person sees after the first command: figures, and what they are worth."""
    driver = FakeNvml(tmp_path / "nvml", 1)
    driver.set_power(0, GPU_W)
    complaints: list[str] = []
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
        with machine.playing(), running(daemon), browser.new_context() as context:
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda message: complaints.append(message.text))
            page.goto(f"http://127.0.0.1:{daemon.port}/")
            status = page.get_by_role("status")
            components = page.locator("#components li")
            gpu, cpu = (components.filter(has_text=name) for name in ("GPU", "CPU"))

            expect(status).to_have_text("live", timeout=LONG_MS)
            expect(gpu).to_contain_text("250", timeout=LONG_MS)
            expect(gpu.locator(".tag")).to_have_count(0)
            expect(cpu).to_contain_text("40")
            expect(cpu.locator(".tag")).to_have_text("estimated")
            expect(page.locator("#power-note .tag")).to_have_text("estimated")
            assert complaints == []

            daemon.kill()
            expect(status).to_contain_text("no answer since", timeout=LONG_MS)
            daemon.start()
            expect(status).to_have_text("live", timeout=LONG_MS)
