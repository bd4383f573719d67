"""Asking a Prometheus as Grafana does: variables filled in, times worked out.

Sources: Grafana's documentation of variables of the Prometheus data source, and of
formats of variables. What is left out is what our dashboards do not use.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.grafana.reading import (
    Dashboard,
    Json,
    query_of,
    replace_variables,
)

Choice = Sequence[str] | None
"""Chosen values of a variable; ``None`` is "All"."""

# Shorter than what a dashboard begins with: what is asked is the same, and cheap.
RANGE_S = 900
# The usual interval of scrapes.
STEP_S = 15
_LEAST_S = 60
_DAY_S = 86400

_OPERATION = re.compile(r"(?P<name>label_values|query_result)\((?P<inside>.*)\)")
_NEEDS_ESCAPE = re.compile(r"[\\^$*+?.()|{}\[\]/]")


@dataclass
class Asking:
    """Asks one Prometheus for what is on one dashboard.

    Attributes:
        prometheus: where Prometheus is, ready to be asked.
        dashboard: whose variables are used.
        chosen: what is chosen of each; filled by ``choose``.
        offered: what there was to choose from.
    """

    prometheus: httpx.Client
    dashboard: Dashboard
    chosen: dict[str, Choice] = field(default_factory=dict)
    offered: dict[str, list[str]] = field(default_factory=dict)

    def options(self, variable: Json) -> list[str]:
        """Return the values that a variable offers, in the order of their coming.

        Those before it have to be chosen.
        """
        if variable["type"] == "custom":
            return [part.strip() for part in str(variable["query"]).split(",")]
        if variable["type"] == "textbox":
            return [str(variable["current"]["value"])]
        text = query_of(variable)
        found = _OPERATION.fullmatch(text)
        if found is None:
            return []
        raw = (
            self._values(found["inside"])
            if found["name"] == "label_values"
            else self._rows(found["inside"])
        )
        return list(dict.fromkeys(_by_pattern(variable, raw)))

    def choose(
        self, most: int | None, given: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Choose a value of every variable, one after the other.

        Args:
            most: how many values to choose where several can be; ``None``: "All",
                where that can be.
            given: what is chosen of some of them, as by a link.
        """
        for variable in self.dashboard.variables():
            name = variable["name"]
            if variable["type"] == "datasource":
                continue
            options = self.offered[name] = self.options(variable)
            if name in (given or {}):
                self.chosen[name] = (given or {})[name]
            elif most is None and variable.get("includeAll"):
                self.chosen[name] = None
            else:
                several = most is not None and variable.get("multi")
                self.chosen[name] = options[: most if several else 1]

    def filled(
        self, expression: str, range_s: int = RANGE_S, step_s: int = STEP_S
    ) -> str:
        """Return a query with everything in place of its variables."""
        values = {
            "__rate_interval": f"{max(step_s + STEP_S, 4 * STEP_S)}s",
            "__interval": f"{step_s}s",
            "__interval_ms": str(step_s * 1000),
            "__range": f"{range_s}s",
            "__range_s": str(range_s),
        }
        for variable in self.dashboard.variables():
            if variable["name"] in self.chosen:
                values[variable["name"]] = self._written(variable)
        return replace_variables(expression, values)

    def answer(self, panel: Json, target: Json) -> list[dict[str, Any]]:
        """Return the series of a query of a panel.

        Raises:
            AssertionError: Prometheus refuses it, or warns of it.
        """
        now_s = int(time.time())
        # A day that has just begun is short, but never of no length.
        begin_s = min(_begin(panel.get("timeFrom"), now_s), now_s - _LEAST_S)
        step_s = _step(panel.get("interval"))
        expression = self.filled(target["expr"], now_s - begin_s, step_s)
        if target.get("instant"):
            return self._series("query", query=expression, time=str(now_s))
        # Grafana asks at whole steps. So do we for days; a step of minutes would take
        # minutes to come, and its answer is the same at any second.
        end_s = now_s // step_s * step_s if step_s == _DAY_S else now_s
        return self._series(
            "query_range",
            query=expression,
            start=str(end_s - (now_s - begin_s) // step_s * step_s),
            end=str(end_s),
            step=str(step_s),
        )

    def events(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an annotation."""
        return self.answer({}, {"expr": expression})

    def _values(self, inside: str) -> list[str]:
        of, _, label = inside.rpartition(",")
        answer: list[str] = self._ask(
            f"label/{label.strip()}/values", **{"match[]": self.filled(of)}
        )
        return answer

    def _rows(self, expression: str) -> list[str]:
        rows = self._series("query", query=self.filled(expression))
        return [_row(row) for row in rows]

    def _written(self, variable: Json) -> str:
        """Write what is chosen as it is written into a query."""
        values = self.chosen[variable["name"]]
        if values is None:
            if variable.get("allValue"):
                return str(variable["allValue"])
            values = self.offered[variable["name"]]
        if not (variable.get("multi") or variable.get("includeAll")):
            return values[0] if values else ""
        # Within a text of PromQL each backslash is written twice.
        escaped = [_NEEDS_ESCAPE.sub(r"\\\\\g<0>", value) for value in values]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    def _series(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self._ask(path, **parameters)["result"]
        return result

    def _ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - as JSON is
        # As a form where there is one, as Grafana does: queries may be long.
        has_form = path.startswith("query")
        answer = self.prometheus.request(
            "POST" if has_form else "GET",
            f"/api/v1/{path}",
            data=parameters if has_form else None,
            params=None if has_form else parameters,
        ).json()
        assert answer["status"] == "success", (parameters, answer)
        assert not answer.get("warnings"), (parameters, answer["warnings"])
        return answer["data"]


def _by_pattern(variable: Json, values: Sequence[str]) -> list[str]:
    """Return what the regular expression of a variable makes of its values."""
    if not variable.get("regex"):
        return list(values)
    pattern = str(variable["regex"]).strip("/").replace("(?<", "(?P<")
    found = [match for value in values if (match := re.search(pattern, value))]
    return [
        match["value"] if "value" in match.groupdict() else match[1] for match in found
    ]


def _row(row: Mapping[str, Any]) -> str:
    """Write a row of an answer as Grafana does for ``query_result``."""
    labels = {key: value for key, value in row["metric"].items() if key != "__name__"}
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    moment_s, value = row["value"]
    name = row["metric"].get("__name__", "")
    return f"{name}{{{inside}}} {value} {round(moment_s * 1000)}"


def _begin(time_from: str | None, now_s: int) -> int:
    """Return when the time range of a panel begins, Unix time, s; of UTC."""
    if not time_from:
        return now_s - RANGE_S
    today_s = now_s // _DAY_S * _DAY_S
    if time_from == "now/d":
        return today_s
    if time_from == "now/M":
        return today_s - (time.gmtime(now_s).tm_mday - 1) * _DAY_S
    days = re.fullmatch(r"now-(\d+)d/d", time_from)
    assert days, f"a time range that is not understood here: {time_from}"
    return today_s - int(days[1]) * _DAY_S


def _step(interval: str | None) -> int:
    units = {"s": 1, "m": 60, "h": 3600, "d": _DAY_S}
    least_s = int(interval[:-1]) * units[interval[-1]] if interval else 0
    return max(STEP_S, least_s)
