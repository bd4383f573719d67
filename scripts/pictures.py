"""Take the pictures of the documents from a running ``make demo``.

    python -m scripts.pictures                     # where the demo listens by itself
    python -m scripts.pictures --hub http://127.0.0.1:40001

The longer the demo has run the more there is to see: a quarter of an hour is good.
"""

import argparse
from pathlib import Path

from playwright.sync_api import FloatRect, Page, sync_playwright

from tests.fakes.browser import ARGUMENTS, CHROMIUM

IMAGES = Path(__file__).parents[1] / "docs" / "images"

_WIDTH, _HEIGHT, _MARGIN = 1280, 900, 12
# A picture of more weighs more than 200 kB.
_TALLEST = 1000
# Pages ask for their figures every few seconds.
_SETTLES_MS = 12_000


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hub", default="http://127.0.0.1:9879", metavar="URL")
    parser.add_argument("--node", default="http://127.0.0.1:9881", metavar="URL")
    arguments = parser.parse_args()
    with (
        sync_playwright() as driver,
        driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS) as browser,
    ):
        page = browser.new_page(
            viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light"
        )
        _take(page, arguments.hub, IMAGES / "cluster-page.png")
        _take(page, arguments.node, IMAGES / "node-page.png")


def _take(page: Page, url: str, file: Path) -> None:
    page.goto(url)
    page.wait_for_selector('#page[data-state="live"]')
    page.wait_for_timeout(_SETTLES_MS)
    # What is below the jobs would make it longer than anybody scrolls for.
    last = page.locator("section:has(#jobs)").bounding_box()
    height = _HEIGHT if last is None else last["y"] + last["height"] + _MARGIN
    clip = FloatRect(x=0, y=0, width=_WIDTH, height=min(height, _TALLEST))
    page.screenshot(path=file, full_page=True, clip=clip)


if __name__ == "__main__":
    main()
