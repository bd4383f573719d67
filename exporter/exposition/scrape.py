"""The body of a scrape: written once per snapshot, format and encoding.

A scrape reads and never changes anything: two Prometheus servers that ask
within one tick get the same bytes. The daemon's own ``process_*`` metrics come
from prometheus_client's collector, on a registry of our own.
"""

import platform
import zlib
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import (
    generate_latest as generate_openmetrics,
)
from prometheus_client.process_collector import ProcessCollector

from exporter.core.snapshot import Snapshot, SnapshotReader
from exporter.exposition.families import Build, families
from exporter.exposition.metric import Level
from exporter.exposition.render import Format, Renderer

# A scrape crosses one local network: higher levels save little and cost CPU.
_GZIP_LEVEL = 1
_GZIP_WINDOW = 31  # zlib's largest window, in a gzip envelope


class _Key(NamedTuple):
    form: Format
    gzip: bool


class Scrapes:
    """Writes scrapes of the last snapshot; for one thread.

    Args:
        reader: where the last snapshot is.
        level: how far the export goes.
        version: version of the daemon.
    """

    def __init__(self, reader: SnapshotReader, level: Level, version: str) -> None:
        self._reader = reader
        self._level = level
        self._build = Build(version, platform.python_version())
        self._renderer = Renderer()
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)
        self._snapshot: Snapshot | None = None
        self._bodies: dict[_Key, bytes] = {}

    def set_level(self, level: Level) -> None:
        """Set how far the export goes from now on."""
        self._level = level
        self._renderer = Renderer()
        self._bodies.clear()

    def body(self, form: Format, *, gzip: bool) -> bytes | None:
        """Return the scrape of the last snapshot.

        Args:
            form: text format or OpenMetrics.
            gzip: whether to compress it.

        Returns:
            The body, UTF-8; ``None`` before the first tick is done.
        """
        snapshot = self._reader.latest()
        if snapshot is None:
            return None
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._bodies.clear()
        return self._written(snapshot, _Key(form, gzip))

    def _written(self, snapshot: Snapshot, key: _Key) -> bytes:
        body = self._bodies.get(key)
        if body is None:
            if key.gzip:
                body = _gzipped(self._written(snapshot, _Key(key.form, gzip=False)))
            else:
                body = self._rendered(snapshot, key.form)
            self._bodies[key] = body
        return body

    def _rendered(self, snapshot: Snapshot, form: Format) -> bytes:
        found = families(snapshot, self._build, self._level)
        # A label with half a character in it must not cost the whole scrape.
        ours = self._renderer.render(found, form).encode("utf-8", "replace")
        return ours + self._process_metrics(form)

    def _process_metrics(self, form: Format) -> bytes:
        if form == "openmetrics":
            # Ends with the end of the whole exposition.
            body: bytes = generate_openmetrics(self._process)  # type: ignore[no-untyped-call]  # the library types only its text format
            return body
        return generate_latest(self._process)


def _gzipped(body: bytes) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return packer.compress(body) + packer.flush()
