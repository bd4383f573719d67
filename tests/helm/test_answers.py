import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.fakes.chart import NAMESPACE, Chart, Rendered, of_path

LONG_S = 60.0


@contextmanager
def answering(code: int) -> Iterator[str]:
    """Serve one answer to everybody, and tell where."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/readyz"
        finally:
            server.shutdown()
            thread.join()


def ask(rendered: Rendered, seconds: str, *urls: str) -> tuple[int, str]:
    """Run what the pod runs, with other addresses."""
    script = rendered.container("test")["args"][0]
    done = subprocess.run(
        [sys.executable, "-c", script, seconds, *urls],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_test_of_a_release_asks_its_own_services(chart: Chart) -> None:
    """Behind their names are pods that are ready, or nothing."""
    hub = {"enabled": True, "config": {"zones": {"DE": {}}}, "web": {"tls": True}}

    made = chart.objects({"hub": hub})

    [_, seconds, *urls] = made.container("test")["args"]
    assert float(seconds) > 0
    assert urls == [
        f"http://jouled-node.{NAMESPACE}:9878/readyz",
        # TLS is on only with a web configuration.
        f"http://jouled-hub.{NAMESPACE}:9879/readyz",
    ]
    assert set(made.of_kind("Service")) == {"jouled-node", "jouled-hub"}


def test_a_release_whose_web_has_tls_is_asked_by_tls(chart: Chart) -> None:
    """Else the test of a good release fails."""
    web = of_path("node.web", {"secretName": "web", "tls": True})

    [*_, url] = chart.objects(web).container("test")["args"]

    assert url.startswith("https://jouled-node.")


@pytest.mark.parametrize("code", [200, 401])
def test_an_answer_is_enough_even_one_that_wants_a_password(
    default: Rendered, code: int
) -> None:
    """The test has no password, and need not know one."""
    with answering(code) as url:
        failed, log = ask(default, "30", url)

    assert (failed, log) == (0, f"{url}: ready\n")


def test_what_is_not_ready_in_time_fails_and_is_named(default: Rendered) -> None:
    """The log is all that one sees of it."""
    with answering(503) as url, answering(200) as other:
        failed, log = ask(default, "0", url, other)

    assert failed == 1
    assert f"{url}: HTTP Error 503" in log
    assert f"{other}: ready" in log
