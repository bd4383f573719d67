from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.hub import Hub, running
from tests.fakes.browser import system_chromium
from tests.fakes.played_providers import played_providers

pytestmark = pytest.mark.e2e

LONG_MS = 30_000


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Return the Chromium of the system."""
    with system_chromium() as opened:
        yield opened


def test_the_page_shows_the_running_hub(browser: Browser, tmp_path: Path) -> None:
    """What a person sees after the first command: values, and who told them."""
    complaints: list[str] = []
    with played_providers() as providers:
        text = f"""
zones: {{DE: , IT: {{providers: site}}}}
providers:
  energy-charts: {{url: {providers.url}}}
  site: {{type: http-json, url: {providers.url}/nothing, value: x}}
"""
        with running(Hub(tmp_path, text)) as hub, browser.new_context() as context:
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda message: complaints.append(message.text))
            page.goto(hub.url)
            status = page.get_by_role("status")
            germany = page.get_by_role("region", name="Grid DE", exact=True)
            italy = page.get_by_role("region", name="Grid IT", exact=True)
            first = page.locator("#asked li").first

            expect(status).to_have_text("live", timeout=LONG_MS)
            expect(germany).to_contain_text("Live from energy-charts", timeout=LONG_MS)
            expect(italy.locator(".tag")).to_have_text("fallback")
            expect(first).to_contain_text("does not know the zone")
            expect(first).to_contain_text("127.0.0.1 answered 404")
            assert complaints == []

            hub.kill()
            expect(status).to_contain_text("no answer since", timeout=LONG_MS)
            hub.start()
            expect(status).to_have_text("live", timeout=LONG_MS)
