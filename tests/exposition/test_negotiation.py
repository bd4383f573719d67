import pytest

from exporter.exposition.negotiation import accepts_gzip, choose_format
from exporter.exposition.render import Format

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,"
    "application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
PROTOBUF_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
    "encoding=delimited;q=0.6," + PROMETHEUS_3
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (PROMETHEUS_2, "openmetrics"),
        (PROMETHEUS_3, "openmetrics"),
        (PROTOBUF_FIRST, "openmetrics"),
        (BROWSER, "text"),
        ("", "text"),
        ("*/*", "text"),
        ("text/plain", "text"),
        ("text/plain;version=0.0.4", "text"),
        ("application/openmetrics-text", "openmetrics"),
        ('application/openmetrics-text; version="1.0.0"; charset=utf-8', "openmetrics"),
        ("APPLICATION/OPENMETRICS-TEXT", "openmetrics"),
        ("application/openmetrics-text;version=0.0.1", "text"),
        ("application/openmetrics-text;version=2.0.0", "text"),
        ("application/openmetrics-text;q=0", "text"),
        ("application/openmetrics-text;q=nonsense", "text"),
        ("application/openmetrics-text;q=7", "text"),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.8", "text"),
        ("application/openmetrics-text;q=0.8,text/plain;q=0.2", "openmetrics"),
        ("application/openmetrics-text,text/plain", "openmetrics"),
        ("application/openmetrics-text;q=0.5,text/plain;q=0,*/*", "openmetrics"),
        ("application/openmetrics-text;q=0.5,*/*", "text"),
        ("application/json", "text"),
        (",;,=;q", "text"),
    ],
)
def test_the_format_is_the_one_the_client_likes_best(accept: str, form: Format) -> None:
    """OpenMetrics if it is asked for by name and not liked less; else text."""
    assert choose_format(accept) == form


@pytest.mark.parametrize(
    ("accept_encoding", "gzip"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1, GZIP;q=0.2", True),
        ("x-gzip", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("*;q=0", False),
        ("br", False),
    ],
)
def test_gzip_is_sent_to_whoever_can_read_it(
    accept_encoding: str, *, gzip: bool
) -> None:
    """A client that cannot would see nothing at all."""
    assert accepts_gzip(accept_encoding) is gzip
