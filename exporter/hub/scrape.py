"""The body of a scrape of the hub."""

import platform

from exporter.exposition.families import Build
from exporter.exposition.process_metrics import ProcessMetrics
from exporter.exposition.render import Format, Renderer
from exporter.exposition.writing import gzipped, written
from exporter.hub.desk import Desk
from exporter.hub.families import families


class HubScrapes:
    """Writes scrapes of what is known at that moment; for one thread.

    Args:
        desk: what there is to tell.
        version: version of the hub.
    """

    def __init__(self, desk: Desk, version: str) -> None:
        self._desk = desk
        self._build = Build(version, platform.python_version())
        self._renderer = Renderer()
        self._process = ProcessMetrics()

    def body(self, form: Format, *, gzip: bool) -> bytes:
        """Return a scrape, UTF-8.

        Args:
            form: text format or OpenMetrics.
            gzip: whether to compress it.
        """
        found = families(self._desk, self._build)
        body = written(self._renderer, [*found, *self._process.families()], form)
        return gzipped(body) if gzip else body
