"""A whole exposition as bytes."""

import zlib
from collections.abc import Iterable

from exporter.exposition.family import Family
from exporter.exposition.render import OPENMETRICS_END, Format, Renderer

# A scrape crosses one local network: higher levels save little and cost CPU.
_GZIP_LEVEL = 1
_GZIP_WINDOW = 31  # zlib's largest window, in a gzip envelope


def written(renderer: Renderer, found: Iterable[Family], form: Format) -> bytes:
    """Write families to the end, UTF-8.

    Args:
        renderer: remembers the text of their series.
        found: all there is to tell.
        form: the format to write.
    """
    text = renderer.render(found, form)
    if form == "openmetrics":
        text += OPENMETRICS_END
    # A label with half a character in it must not cost the whole scrape.
    return text.encode("utf-8", "replace")


def gzipped(body: bytes) -> bytes:
    """Compress the body of a scrape."""
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return packer.compress(body) + packer.flush()
