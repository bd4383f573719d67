"""The page of a node that a test invents, in the Chromium of the system."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page

from exporter.core.snapshot import Snapshot
from exporter.exposition.http import create_app
from tests.fakes.page_checks import LAPTOP, Look, Visit
from tests.fakes.page_checks import visiting as visiting_page
from tests.fakes.serving import serving
from tests.fakes.snapshots import FakeReader, rich_snapshot, ten_minutes


@dataclass
class Shown:
    """The page of a node, and what it is drawn from."""

    visit: Visit
    reader: FakeReader

    @property
    def page(self) -> Page:
        """The page itself."""
        return self.visit.page


@contextmanager
def visiting(
    browser: Browser,
    snapshot: Snapshot | None = None,
    look: Look = LAPTOP,
    *,
    bypass_csp: bool = False,
) -> Iterator[Shown]:
    """Open the page of a node, by default a busy one, and wait until it is there.

    Args:
        browser: of ``system_chromium()``.
        snapshot: what there is to show.
        look: on what it is looked at.
        bypass_csp: let scripts in that are not the page's, such as axe-core.
    """
    shown = rich_snapshot() if snapshot is None else snapshot
    reader = FakeReader(shown, ten_minutes(shown) if shown.components else ())
    with (
        serving(create_app(reader, version="1.2.3", node="node17")) as port,
        visiting_page(
            browser, f"http://127.0.0.1:{port}/", look, bypass_csp=bypass_csp
        ) as visit,
    ):
        yield Shown(visit, reader)
