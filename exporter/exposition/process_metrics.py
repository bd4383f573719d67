"""What every scrape has at its end: ``process_*``, from prometheus_client."""

import zlib

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import (
    generate_latest as generate_openmetrics,
)
from prometheus_client.process_collector import ProcessCollector

from exporter.exposition.render import Format

# A scrape crosses one local network: higher levels save little and cost CPU.
_GZIP_LEVEL = 1
_GZIP_WINDOW = 31  # zlib's largest window, in a gzip envelope


class ProcessMetrics:
    """CPU, memory and open files of this process, on a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)

    def text(self, form: Format) -> bytes:
        """Write them; in OpenMetrics with the end of the whole exposition."""
        if form == "openmetrics":
            body: bytes = generate_openmetrics(self._registry)  # type: ignore[no-untyped-call]  # the library types only its text format
            return body
        return generate_latest(self._registry)


def gzipped(body: bytes) -> bytes:
    """Compress the body of a scrape."""
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return packer.compress(body) + packer.flush()
