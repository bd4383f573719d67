import gzip
import logging
import os
from pathlib import Path

import pytest

from exporter.hub.prometheus.client import Prometheus, open_prometheus
from exporter.hub.prometheus.matching import Matcher
from exporter.hub.prometheus.series import (
    StoreAwayError,
    StoreDeniedError,
    StoreError,
    StoreNonsenseError,
    StoreOverloadError,
    key_of,
)
from exporter.hub.prometheus.settings import PrometheusSettings
from tests.e2e.processes import free_port
from tests.fakes.prometheus_server import (
    Play,
    PrometheusServer,
    failure,
    matrix,
    playing_prometheus,
    vector,
)

SECRET = "pl4nted-s3cret"  # noqa: S105 - it opens nothing
ADA = {"__name__": "m_total", "user": "ada", "instance": "n1"}
ADAS_KEY = key_of(ADA)
# Generous: a machine may be slow, and these answers never come.
SOON_S = 2.0


@pytest.fixture(name="server")
def _server() -> object:
    with playing_prometheus() as server:
        yield server


def settings(server: PrometheusServer, **more: object) -> PrometheusSettings:
    """Reach the server."""
    return PrometheusSettings(server.url, **more)  # type: ignore[arg-type]


def error_of(told: PrometheusSettings) -> StoreError:
    """Ask, and return what went wrong."""
    with pytest.raises(StoreError) as caught, open_prometheus(told) as store:
        store.last("m_total", 0, 60)
    assert SECRET not in str(caught.value)
    # What is chained may be logged.
    assert caught.value.__cause__ is None or SECRET not in str(caught.value.__cause__)
    return caught.value


def test_only_plain_promql_is_asked(server: PrometheusServer) -> None:
    """Thanos, Mimir and VictoriaMetrics understand it as well."""
    server.play = Play(vector((ADA, "3.5")))
    ours = (Matcher("job", "=", ("jouled",)),)

    with open_prometheus(settings(server, matchers=ours)) as store:
        last = store.last("m_total", 1000, 1060, ["n1", "n2.x"])
        store.fallen("m_total", 1000, 1060)
        store.changed("m_created", 1000, 1060)

    assert last.by_key == {ADAS_KEY: 3.5}
    assert last.complete
    assert [(ask.path, ask.form["time"], ask.form["query"]) for ask in server.asks] == [
        (
            "/api/v1/query",
            "1060",
            'last_over_time(m_total{job="jouled",instance=~"n1|n2\\\\.x"}[60s])',
        ),
        ("/api/v1/query", "1060", 'resets(m_total{job="jouled"}[60s]) > 0'),
        ("/api/v1/query", "1060", 'changes(m_created{job="jouled"}[60s]) > 0'),
    ]


def test_samples_and_courses_are_matrices(server: PrometheusServer) -> None:
    """Raw samples have the times at which they were scraped."""
    server.play = Play(matrix((ADA, [[1.0, "2"], [2.5, "3"]])), encoding="gzip")

    with open_prometheus(settings(server)) as store:
        samples = store.samples("m_total", 0, 60, None)
        course = store.course("x", 0, 60, 30)

    assert samples.by_key == {ADAS_KEY: [(1.0, 2.0), (2.5, 3.0)]}
    assert course == samples
    assert server.asks[1].path == "/api/v1/query_range"
    assert server.asks[1].form == {
        "query": "x",
        "start": "0",
        "end": "60",
        "step": "30",
    }


@pytest.mark.parametrize(
    ("more", "complete"),
    [
        ({}, True),
        ({"warnings": []}, True),
        ({"warnings": ["PromQL info: metric might not be a counter"]}, True),
        ({"infos": ["anything"]}, True),
        ({"warnings": ["a store did not answer"]}, False),
        ({"isPartial": True}, False),
    ],
)
def test_a_warning_makes_an_answer_incomplete(
    server: PrometheusServer,
    more: dict[str, object],
    complete: bool,  # noqa: FBT001 - a row of the table above
) -> None:
    """Thanos answers with what it has, and says so in passing."""
    server.play = Play(vector((ADA, "3.5"), **more))

    with open_prometheus(settings(server)) as store:
        assert store.last("m_total", 0, 60).complete is complete


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1"])
def test_a_value_that_no_counter_has_is_missing(
    server: PrometheusServer, value: str
) -> None:
    """It would make every sum nonsense."""
    server.play = Play(vector((ADA, value), ({"user": "bob"}, "1")))

    with open_prometheus(settings(server)) as store:
        last = store.last("m_total", 0, 60)

    assert list(last.by_key.values()) == [1.0]
    assert not last.complete


@pytest.mark.parametrize(
    ("play", "kind"),
    [
        (Play(status=500), StoreAwayError),
        (Play(status=502), StoreAwayError),
        (Play(status=429), StoreAwayError),
        (Play(failure("unavailable"), status=503), StoreAwayError),
        (Play(b"\xff", status=503), StoreAwayError),
        (Play(failure("timeout"), status=503), StoreOverloadError),
        (Play(failure("execution"), status=422), StoreOverloadError),
        (Play(status=413), StoreOverloadError),
        (Play(status=401), StoreDeniedError),
        (Play(status=403), StoreDeniedError),
        (Play(status=404), StoreDeniedError),
        (Play(status=301, location="http://elsewhere/"), StoreDeniedError),
        (Play(b"<html>", content_type="text/html"), StoreNonsenseError),
        (Play(b"not JSON"), StoreNonsenseError),
        (Play(b"[" * 100_000), StoreNonsenseError),
        (Play(b"[]"), StoreNonsenseError),
        (Play(failure("internal")), StoreNonsenseError),
        (Play(b'{"status":"success"}'), StoreNonsenseError),
        (Play(b'{"status":"success","data":[]}'), StoreNonsenseError),
        (Play(matrix()), StoreNonsenseError),
        (
            Play(b'{"status":"success","data":{"resultType":"vector","result":{}}}'),
            StoreNonsenseError,
        ),
        (
            Play(b'{"status":"success","data":{"resultType":"vector","result":[1]}}'),
            StoreNonsenseError,
        ),
        (
            Play(matrix((ADA, [[1.0]])).replace(b"matrix", b"vector"), 200),
            StoreNonsenseError,
        ),
        (Play(vector((ADA, "x"))), StoreNonsenseError),
        (Play(vector((ADA, "1")).replace(b'[1.0, "1"]', b'"11"')), StoreNonsenseError),
        (Play(vector(), encoding="br"), StoreNonsenseError),
        (Play(vector(), behaviour="truncate"), StoreAwayError),
    ],
)
def test_an_answer_that_is_none_is_named_by_what_to_do(
    server: PrometheusServer, play: Play, kind: type[StoreError]
) -> None:
    """Each class of error is one reaction."""
    server.play = play

    error = error_of(settings(server))

    assert type(error) is kind
    assert SECRET not in str(error)


@pytest.mark.parametrize("behaviour", ["silence", "drip"])
def test_an_answer_that_does_not_come_is_given_up(
    server: PrometheusServer, behaviour: str
) -> None:
    """One hung server must not hang the budgets."""
    server.play = Play(behaviour=behaviour)  # type: ignore[arg-type]

    error = error_of(settings(server, timeout_s=SOON_S))

    assert type(error) is StoreOverloadError
    assert "in time" in str(error)


def test_an_answer_without_end_is_cut_off(server: PrometheusServer) -> None:
    """Memory is bounded, whoever answers."""
    server.play = Play(behaviour="endless")

    error = error_of(settings(server, largest_bytes=10**6))

    assert type(error) is StoreOverloadError
    assert "more than 1000000 bytes" in str(error)


def test_a_small_body_that_becomes_a_large_one_is_cut_off(
    server: PrometheusServer,
) -> None:
    """A megabyte of gzip may hold a gigabyte of zeros."""
    server.play = Play(b" " * 10**7, encoding="gzip")

    assert type(error_of(settings(server, largest_bytes=10**6))) is StoreOverloadError


def test_broken_gzip_is_nonsense(server: PrometheusServer) -> None:
    """Whoever compressed it did not finish, or did not begin."""
    for body in (b"no gzip at all", gzip.compress(vector())[:-9]):
        server.play = Play(body, encoding="gzip", encoded=True)
        assert type(error_of(settings(server))) is StoreNonsenseError


def test_nobody_there_is_away() -> None:
    """It may be restarting."""
    told = PrometheusSettings(f"http://127.0.0.1:{free_port()}")

    with open_prometheus(told) as store, pytest.raises(StoreAwayError, match="reached"):
        store.last("m_total", 0, 60)


def test_secrets_come_from_files_and_leave_in_headers_alone(
    server: PrometheusServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They may be changed while the hub runs, and nobody reads them in a log."""
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    server.play = Play(vector())
    told = settings(
        server,
        username="hub",
        password_file=file,
        header_files={"X-Scope-OrgID": file},
    )

    with open_prometheus(told) as store:
        store.last("m_total", 0, 60)
        file.write_text("another")
        store.last("m_total", 0, 60)
    with open_prometheus(settings(server, token_file=file)) as store:
        store.last("m_total", 0, 60)

    said = [ask.headers for ask in server.asks]
    assert said[0]["X-Scope-OrgID"] == SECRET
    assert said[0]["Authorization"] == "Basic aHViOnBsNG50ZWQtczNjcmV0"
    assert said[1]["X-Scope-OrgID"] == "another"
    assert said[2]["Authorization"] == "Bearer another"
    assert SECRET not in caplog.text
    assert SECRET not in repr(told)


@pytest.mark.parametrize("content", [None, b"", b"two\nlines", b"\xff\xfe"])
def test_a_file_without_a_secret_is_named(
    server: PrometheusServer, tmp_path: Path, content: bytes | None
) -> None:
    """The operator has to act, and is told on which file."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    error = error_of(settings(server, token_file=file))

    assert type(error) is StoreDeniedError
    assert str(file) in str(error)
    assert server.asks == []


def test_a_file_of_authorities_that_is_none_is_named(tmp_path: Path) -> None:
    """Instead of trusting anybody, or nobody."""
    told = PrometheusSettings("https://127.0.0.1:1", ca_file=tmp_path / "gone")

    with pytest.raises(StoreDeniedError, match="certificates"), open_prometheus(told):
        pass


def test_an_unusable_proxy_is_no_crash(
    server: PrometheusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment of a service may hold anything."""
    monkeypatch.setitem(os.environ, "HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setitem(os.environ, "NO_PROXY", "")

    assert isinstance(error_of(settings(server)), StoreAwayError)


@pytest.mark.parametrize(
    "proxy", [f"ftp://hub:{SECRET}@proxy:1", f"http://hub:{SECRET}@proxy:none"]
)
def test_a_proxy_that_is_none_is_an_error_of_the_store(
    server: PrometheusServer, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Budgets and overview say so, and try again; their threads do not end of it."""
    monkeypatch.setitem(os.environ, "ALL_PROXY", proxy)

    error = error_of(settings(server))

    assert type(error) is StoreDeniedError
    assert "ALL_PROXY" in str(error)


def test_a_token_that_no_header_can_carry_is_named(
    server: PrometheusServer, tmp_path: Path
) -> None:
    """The operator mistook a file; that is no fault of the hub."""
    file = tmp_path / "secret"
    file.write_text("t\N{LATIN SMALL LETTER O WITH DIAERESIS}ken")

    for told in ({"token_file": file}, {"header_files": {"X-Scope-OrgID": file}}):
        error = error_of(settings(server, **told))

        assert type(error) is StoreDeniedError
        assert str(file) in str(error)


def test_it_is_a_store_of_counters(server: PrometheusServer) -> None:
    """An empty answer is an answer."""
    server.play = Play(vector())

    with open_prometheus(settings(server)) as store:
        assert isinstance(store, Prometheus)
        assert store.last("m_total", 0, 60).by_key == {}
