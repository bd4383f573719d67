"""What every page of a person has to be, looked at in the Chromium of the system.

Each check says what is wrong, in words; nothing said is nothing wrong.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Browser, HttpCredentials, Page, expect

from tests.fakes.browser import WORST_CONTRAST
from tests.fakes.npm import npm_package

LONG_MS = 60_000
LARGEST_BYTES = 150_000
"""What a page may weigh unpacked, without what its API says."""

Scheme = Literal["light", "dark"]


class Look(NamedTuple):
    """On what a page is looked at, and in which colours.

    ``width`` and ``height`` are in CSS pixels.
    """

    size: str
    width: int
    height: int
    scheme: Scheme

    def __str__(self) -> str:
        """Name it, for a test or a picture."""
        return f"{self.size}-{self.scheme}"


SIZES = {"phone": (390, 844), "laptop": (1366, 768), "wall": (2560, 1440)}
_SCHEMES: tuple[Scheme, ...] = ("light", "dark")
LOOKS = tuple(
    Look(size, width, height, scheme)
    for size, (width, height) in SIZES.items()
    for scheme in _SCHEMES
)
LAPTOP = LOOKS[2]

_WIDER_THAN_THE_SCREEN = """() => {
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide <= 0) return null;
  const over = [...document.querySelectorAll("body *")].filter((node) =>
    node.getBoundingClientRect().right > innerWidth + 0.5);
  const names = over.map((node) => `${node.tagName} ${node.id} ${node.className}`);
  return `${wide} px wider than the screen: ${names.slice(0, 5).join(", ")}`;
}"""
_CUT_OFF = """() => [...document.querySelectorAll("svg text")].filter((text) => {
  const [inner, outer] = [text, text.ownerSVGElement].map((node) =>
    node.getBoundingClientRect());
  return inner.left < outer.left - 1 || inner.right > outer.right + 1
    || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
}).map((text) => `cut off in a chart: ${text.textContent}`)"""
_VIOLATIONS = """async () => (await axe.run()).violations.flatMap((rule) =>
  rule.nodes.map((node) => `${rule.id}: ${node.target} ${node.failureSummary}`))"""
# What has the focus, by what it is called; "" is the page itself.
_FOCUSED = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return "";
  const text = node.tagName === "svg" ? "" : node.textContent.trim();
  return node.getAttribute("aria-label") || text || node.id || node.tagName;
}"""
# Without an outline nobody sees where the keyboard is.
_OUTLINE = "() => getComputedStyle(document.activeElement).outlineStyle"


@dataclass
class Visit:
    """A page that is open, what it asked for, and what it complained of.

    Attributes:
        page: the page.
        origin: scheme, host and port it came from.
    """

    page: Page
    origin: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        """Say what is wrong with it now."""
        found = list(self.complaints)
        found += [
            f"asked elsewhere: {url}"
            for url in self.asked
            if not url.startswith((f"{self.origin}/", "data:"))
        ]
        wide: str | None = self.page.evaluate(_WIDER_THAN_THE_SCREEN)
        ratio, text = self.page.evaluate(WORST_CONTRAST)
        found += [] if wide is None else [wide]
        found += self.page.evaluate(_CUT_OFF)
        found += [] if ratio >= 4.5 else [f"contrast {ratio:.2f}: {text!r}"]
        return found

    def weight(self) -> int:
        """Add up its files, unpacked, without what its API says; bytes."""
        files = {url for url in self.asked if url.startswith(self.origin)}
        return sum(
            len(self.page.request.get(url).body())
            for url in files
            if not urlsplit(url).path.startswith("/api/")
        )


@contextmanager
def visiting(
    browser: Browser,
    url: str,
    look: Look = LAPTOP,
    *,
    bypass_csp: bool = False,
    signed_in: HttpCredentials | None = None,
) -> Iterator[Visit]:
    """Open a page and wait until it is live.

    Args:
        browser: of ``system_chromium()``.
        url: where it is.
        look: on what it is looked at.
        bypass_csp: let scripts in that are not the page's, such as axe-core.
        signed_in: name and password that are sent along.
    """
    with browser.new_context(
        viewport={"width": look.width, "height": look.height},
        color_scheme=look.scheme,
        reduced_motion="reduce",
        bypass_csp=bypass_csp,
        http_credentials=signed_in,
    ) as context:
        parts = urlsplit(url)
        visit = Visit(context.new_page(), f"{parts.scheme}://{parts.netloc}")
        page = visit.page
        page.on("request", lambda request: visit.asked.append(request.url))
        page.on("console", lambda message: visit.complaints.append(message.text))
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.goto(url)
        # Either way all of it is drawn; what is played may stand still.
        status = re.compile("^live$|^no new sample since")
        expect(page.get_by_role("status")).to_have_text(status, timeout=LONG_MS)
        yield visit


def axe_violations(
    browser: Browser,
    url: str,
    look: Look = LAPTOP,
    prepare: Callable[[Page], None] = lambda _: None,
) -> list[str]:
    """Say which rules of accessibility a page breaks, by axe-core, and where.

    Args:
        browser: of ``system_chromium()``.
        url: where the page is.
        look: on what it is looked at.
        prepare: brings the page into the state to be looked at.
    """
    # A page of ours runs no script but its own; axe-core has to get round that.
    with visiting(browser, url, look, bypass_csp=True) as visit:
        prepare(visit.page)
        return violations(visit.page)


def violations(page: Page) -> list[str]:
    """Say which rules a page breaks as it is; it has to be open with ``bypass_csp``."""
    page.add_script_tag(path=npm_package("axe-core") / "axe.min.js")
    found: list[str] = page.evaluate(_VIOLATIONS)
    return found


def tab_stops(page: Page, most: int = 300) -> list[str]:
    """Go through a page with the tabulator, and name what had the focus.

    Raises:
        AssertionError: something had it without showing so, or there is no end.
    """
    found: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        name: str = page.evaluate(_FOCUSED)
        if not name:
            return found
        assert page.evaluate(_OUTLINE) != "none", f"{name} hides that it has the focus"
        found.append(name)
    msg = f"after {most} stops there is no end: {found[-3:]}"
    raise AssertionError(msg)
