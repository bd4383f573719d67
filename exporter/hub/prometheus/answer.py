"""Reads what Prometheus' HTTP API answers; every doubt is an error.

The shapes are those of its documentation (querying/api). An answer may hold a
hundred thousand series, so each row is looked at once and nothing of it is kept
but its labels in one line and its numbers.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, NoReturn

from exporter.hub.prometheus.series import (
    History,
    Samples,
    StoreNonsenseError,
    Values,
    key_of,
)

# Remarks on a question, which say nothing of the answer.
_REMARK = "PromQL info"


class Result(NamedTuple):
    """The rows of an answer.

    Attributes:
        rows: as they are in it.
        complete: the server has warned of nothing.
    """

    rows: list[object]
    complete: bool


def parse_result(body: bytes, kind: str) -> Result:
    """Take an answer apart.

    Args:
        body: what came.
        kind: "vector" or "matrix".

    Raises:
        StoreNonsenseError: it is not such an answer.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        _refuse("it is not JSON")
    if not isinstance(answer, dict) or answer.get("status") != "success":
        _refuse("it is not that of a query that succeeded")
    data = answer.get("data")
    if not isinstance(data, dict) or data.get("resultType") != kind:
        _refuse(f"it holds no {kind}")
    rows = data.get("result")
    if not isinstance(rows, list):
        _refuse(f"it holds no {kind}")
    warnings = answer.get("warnings") or []
    grave = not isinstance(warnings, list) or any(
        not str(warning).startswith(_REMARK) for warning in warnings
    )
    # VictoriaMetrics tells a missing part so.
    return Result(rows, not grave and answer.get("isPartial") is not True)


def values_of(result: Result) -> Values:
    """Read a vector; a value that is no finite number is as good as missing.

    Raises:
        StoreNonsenseError: a row has another form.
    """
    found: dict[str, float] = {}
    complete = result.complete
    for key, pair in _rows(result, "value"):
        value = _pair(pair)[1]
        if math.isfinite(value) and value >= 0:
            found[key] = value
        else:
            complete = False
    return Values(found, complete)


def history_of(result: Result) -> History:
    """Read a matrix of raw samples; as ``values_of`` does.

    Raises:
        StoreNonsenseError: a row has another form.
    """
    found: dict[str, Samples] = {}
    complete = result.complete
    for key, pairs in _rows(result, "values"):
        if not isinstance(pairs, list):
            _refuse("a row has no samples")
        samples = [_pair(pair) for pair in pairs]
        good = [s for s in samples if math.isfinite(s[1]) and s[1] >= 0]
        complete = complete and len(good) == len(samples)
        if good:
            found[key] = good
    return History(found, complete)


def _rows(result: Result, name: str) -> Iterator[tuple[str, object]]:
    for row in result.rows:
        labels = row.get("metric") if isinstance(row, Mapping) else None
        if not isinstance(row, Mapping) or not isinstance(labels, Mapping):
            _refuse("a row has no labels")
        try:
            yield key_of(labels), row[name]
        except (KeyError, TypeError, IndexError):
            _refuse(f"a row has no {name}")


def _pair(pair: object) -> tuple[float, float]:
    if not isinstance(pair, list):
        _refuse("a sample is not a time and a number")
    try:
        return float(pair[0]), float(pair[1])
    except (TypeError, ValueError, IndexError, OverflowError):
        _refuse("a sample is not a time and a number")


def _refuse(what: str) -> NoReturn:
    msg = f"the answer cannot be used: {what}"
    raise StoreNonsenseError(msg) from None
