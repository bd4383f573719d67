import gzip

import pytest

from exporter.core.snapshot import Snapshot
from exporter.exposition.http import NodeApp, create_app
from exporter.exposition.render import CONTENT_TYPES
from tests.fakes.asgi import Asker
from tests.fakes.clock import Clock
from tests.fakes.snapshots import FakeReader, bare_snapshot, rich_snapshot

OPENMETRICS = {"accept": "application/openmetrics-text;version=1.0.0"}


class Node:
    """An application with its reader and clock within reach."""

    def __init__(self, snapshot: Snapshot | None, interval_s: float = 1.0) -> None:
        self.reader = FakeReader(snapshot)
        self.clock = Clock(1000.0)
        self.app: NodeApp = create_app(
            self.reader,
            version="1.2.3",
            interval_s=interval_s,
            node="node17",
            clock=self.clock,
        )
        self.client = Asker(self.app)


@pytest.fixture
def node() -> Node:
    """Return a node with much to show; its tick was at 1000 s."""
    return Node(rich_snapshot())


def test_metrics_are_text_unless_something_else_is_asked_for(node: Node) -> None:
    """A person with curl gets what every exporter gives."""
    answer = node.client.get("/metrics", headers={"accept-encoding": "identity"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == CONTENT_TYPES["text"]
    assert "content-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["vary"] == "accept, accept-encoding"
    assert answer.text.startswith("# HELP jouled_node_power_watts ")


def test_metrics_are_openmetrics_if_asked_for(node: Node) -> None:
    """Only there can a counter tell when it began."""
    answer = node.client.get("/metrics", headers=OPENMETRICS)

    assert answer.headers["content-type"] == CONTENT_TYPES["openmetrics"]
    assert answer.text.endswith("# EOF\n")


def test_several_accept_headers_count_as_one(node: Node) -> None:
    """A proxy may split them."""
    headers = [("accept", "text/plain;q=0.2"), ("accept", OPENMETRICS["accept"])]

    answer = node.client.get("/metrics", headers=headers)

    assert answer.headers["content-type"] == CONTENT_TYPES["openmetrics"]


def test_metrics_are_packed_if_asked_for(node: Node) -> None:
    """Prometheus always asks; it saves nine tenths of the network."""
    accept = {"accept-encoding": "gzip"}

    answer = node.client.get("/metrics", accept)
    raw = node.client.raw("/metrics", accept)

    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(raw)
    assert gzip.decompress(raw).startswith(b"# HELP jouled_node_power_watts ")


def test_metrics_before_the_first_tick_are_unavailable() -> None:
    """An empty 200 would be taken for a node that lost all its series."""
    answer = Node(None).client.get("/metrics")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz"])
def test_head_is_get_without_a_body(node: Node, path: str) -> None:
    """Load balancers ask that way."""
    answer = node.client.ask("HEAD", path)

    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/metrics", "/", "/healthz", "/api/v1/node"])
def test_there_is_nothing_to_write(node: Node, path: str) -> None:
    """The HTTP surface of a node is read-only."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert node.client.ask(method, path).status_code == 405


@pytest.mark.parametrize("path", ["/nope", "/metrics/", "/docs", "/redoc", "/api/v1"])
def test_an_unknown_path_is_not_found_in_json(node: Node, path: str) -> None:
    """Programs ask too, and a redirect would only guess."""
    answer = node.client.get(path)

    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not Found"}


@pytest.mark.parametrize("path", ["/", "/node.js", "/api/v1/node", "/nope"])
def test_nothing_of_others_can_be_loaded_or_framed(node: Node, path: str) -> None:
    """A job's name must not be able to run code in an operator's browser."""
    headers = node.client.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_metrics_are_not_sniffed(node: Node) -> None:
    """The short way has this header too."""
    assert node.client.get("/metrics").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("interval_s", "healthy_s", "stale_s"), [(1.0, 9.9, 10.1), (30.0, 149.0, 151.0)]
)
def test_a_node_whose_ticks_stopped_is_not_healthy(
    interval_s: float, healthy_s: float, stale_s: float
) -> None:
    """A hung sampler serves old numbers for ever unless somebody notices."""
    node = Node(bare_snapshot(), interval_s)

    node.clock.now_s = 1000.0 + healthy_s
    assert node.client.get("/healthz").status_code == 200

    node.clock.now_s = 1000.0 + stale_s
    answer = node.client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "stale"
    assert "no tick for" in answer.json()["detail"]


def test_a_node_that_starts_is_healthy_and_not_ready() -> None:
    """It must not be killed for being slow, nor be asked for numbers."""
    node = Node(None)

    assert node.client.get("/healthz").status_code == 200
    assert node.client.get("/readyz").status_code == 503

    node.clock.pass_s(11)
    assert node.client.get("/healthz").status_code == 503

    node.reader.snapshot = bare_snapshot()
    assert node.client.get("/readyz").status_code == 200


def test_the_level_can_be_lowered_while_it_runs(node: Node) -> None:
    """A reload of the configuration does so."""
    assert "jouled_job_" in node.client.get("/metrics").text

    node.app.set_level("node")

    assert "jouled_job_" not in node.client.get("/metrics").text


def test_the_files_of_the_page_are_sent_once(node: Node) -> None:
    """A browser that has them is told so, and keeps nothing that is old."""
    for path in ("/", "/base.css", "/charts.js", "/node.js"):
        first = node.client.get(path)
        again = node.client.get(path, headers={"if-none-match": first.headers["etag"]})

        assert first.headers["content-encoding"] == "gzip"
        assert first.headers["cache-control"] == "no-cache"
        assert (again.status_code, again.content) == (304, b"")


def test_the_files_of_the_page_are_sent_as_they_are_to_simple_clients(
    node: Node,
) -> None:
    """Not everybody can unpack."""
    answer = node.client.get("/", headers={"accept-encoding": "identity"})

    assert "content-encoding" not in answer.headers
    assert answer.text.startswith("<!doctype html>")
