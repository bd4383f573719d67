"""The real promtool, and test files for it, written from Python.

A test file of promtool says what series there are, and what is true at which time. It
begins at time 0 of the Unix clock; values are given once a minute.
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from tests.fakes.command_line import LONGEST_S, REPOSITORY

RULES = REPOSITORY / "deploy" / "prometheus" / "rules"
MINUTE_S = 60

Series = Mapping[str, str]
"""Values of each series in promtool's notation, by selector."""


@dataclass(frozen=True)
class Told:
    """One alert as it leaves Prometheus.

    Attributes:
        labels: all labels but alertname, severity, and those every alert of a rule has.
        summary: the whole sentence, with its numbers.
        numbers: what alerts on budgets say beside it.
    """

    labels: Mapping[str, str]
    summary: str
    numbers: str | None = None


@dataclass(frozen=True)
class Moment:
    """At a time, exactly these alerts of a name fire."""

    minute: float
    alert: str
    told: Sequence[Told] = ()


@dataclass(frozen=True)
class Value:
    """At a time, an expression has exactly these samples."""

    minute: float
    expression: str
    samples: Mapping[str, float]


@dataclass(frozen=True)
class Case:
    """Series, and what the rules make of them.

    Attributes:
        series: input series.
        moments: which alerts fire when.
        values: what expressions come to.
        step_s: time between two values of a series and two evaluations, s.
    """

    series: Series
    moments: Sequence[Moment] = ()
    values: Sequence[Value] = ()
    step_s: int = MINUTE_S


@dataclass(frozen=True)
class Rule:
    """One rule as it is in a file."""

    file: str
    name: str
    expression: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    is_alert: bool = False
    for_: str = "0s"


def rule_files() -> list[Path]:
    """Return all rule files, in the order that Prometheus loads them."""
    return sorted(RULES.glob("*.yml"))


def rules(files: Sequence[Path] | None = None) -> list[Rule]:
    """Return all rules of some files, by default of all that Prometheus loads."""
    found = []
    for file in rule_files() if files is None else files:
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            found += [_rule(file, one) for one in group["rules"]]
    return found


def alert_rules() -> dict[str, Rule]:
    """Return all alerts by name."""
    return {rule.name: rule for rule in rules() if rule.is_alert}


def promtool(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool to its end."""
    return subprocess.run(
        ["promtool", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
    )


def assert_holds(case: Case, folder: Path, files: Sequence[Path] | None = None) -> None:
    """Let promtool work a case out, by default with all rules of the repository."""
    loaded = rule_files() if files is None else files
    document = {
        "rule_files": [str(file) for file in loaded],
        "evaluation_interval": f"{case.step_s}s",
        # Alerts are worked out after what they are made of.
        "group_eval_order": _records_first(loaded),
        "tests": [_test(case)],
    }
    path = folder / "case.test.yml"
    text = yaml.safe_dump(document, width=1000, allow_unicode=True, sort_keys=False)
    path.write_text(text, encoding="utf-8")

    done = promtool("test", "rules", path)

    assert done.returncode == 0, done.stdout + done.stderr


def _rule(file: Path, raw: Mapping[str, Any]) -> Rule:
    return Rule(
        file=file.name,
        name=raw.get("alert") or raw["record"],
        expression=raw["expr"],
        labels=raw.get("labels", {}),
        annotations=raw.get("annotations", {}),
        is_alert="alert" in raw,
        for_=raw.get("for", "0s"),
    )


def _records_first(files: Sequence[Path]) -> list[str]:
    groups = [
        (any("alert" in rule for rule in group["rules"]), cast("str", group["name"]))
        for file in files
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    ]
    return [name for _, name in sorted(groups)]


def _test(case: Case) -> dict[str, Any]:
    known = alert_rules()
    return {
        "interval": f"{case.step_s}s",
        "input_series": [
            {"series": selector, "values": values}
            for selector, values in case.series.items()
        ],
        "alert_rule_test": [
            {
                "eval_time": _time(moment.minute),
                "alertname": moment.alert,
                "exp_alerts": [_expected(known[moment.alert], t) for t in moment.told],
            }
            for moment in case.moments
        ],
        "promql_expr_test": [
            {
                "eval_time": _time(value.minute),
                "expr": value.expression,
                "exp_samples": [
                    {"labels": labels, "value": number}
                    for labels, number in value.samples.items()
                ],
            }
            for value in case.values
        ],
    }


def _expected(rule: Rule, told: Told) -> dict[str, Any]:
    annotations = dict(rule.annotations)
    annotations["summary"] = told.summary
    annotations["description"] = _filled_in(annotations["description"], told.labels)
    if told.numbers is not None:
        annotations["numbers"] = told.numbers
    return {
        "exp_labels": {**rule.labels, **told.labels},
        "exp_annotations": annotations,
    }


def _filled_in(text: str, labels: Mapping[str, str]) -> str:
    """Put labels into a description; a test holds these to plain labels."""
    return re.sub(
        r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels.get(found[1], ""), text
    )


def _time(minute: float) -> str:
    return f"{round(minute * MINUTE_S)}s"
