"""The body of a scrape: written once per snapshot, format and encoding.

A scrape reads and never changes anything: two Prometheus servers that ask
within one tick get the same bytes.
"""

import platform
from typing import NamedTuple

from exporter.core.snapshot import Snapshot, SnapshotReader
from exporter.exposition.families import Build, families
from exporter.exposition.job_metrics import job_info_with
from exporter.exposition.metric import Level
from exporter.exposition.process_metrics import ProcessMetrics
from exporter.exposition.render import Format, Renderer
from exporter.exposition.writing import gzipped, written


class _Key(NamedTuple):
    form: Format
    gzip: bool


class Scrapes:
    """Writes scrapes of the last snapshot; for one thread.

    Args:
        reader: where the last snapshot is.
        level: how far the export goes.
        version: version of the daemon.
        info_labels: labels of ``job_info`` that this site adds.
    """

    def __init__(
        self,
        reader: SnapshotReader,
        level: Level,
        version: str,
        info_labels: tuple[str, ...] = (),
    ) -> None:
        self._reader = reader
        self._level = level
        self._job_info = job_info_with(info_labels)
        self._build = Build(version, platform.python_version())
        self._renderer = Renderer()
        self._process = ProcessMetrics()
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
                body = gzipped(self._written(snapshot, _Key(key.form, gzip=False)))
            else:
                body = self._rendered(snapshot, key.form)
            self._bodies[key] = body
        return body

    def _rendered(self, snapshot: Snapshot, form: Format) -> bytes:
        found = families(snapshot, self._build, self._level, self._job_info)
        return written(self._renderer, [*found, *self._process.families()], form)
