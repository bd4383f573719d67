import re
import shutil
from pathlib import Path

import pytest

from exporter.exposition.catalogue import CATALOGUE
from exporter.hub.budgets.metrics import BUDGET_METRICS
from exporter.hub.catalogue import CATALOGUE as HUB_CATALOGUE
from tests.fakes.command_line import REPOSITORY
from tests.fakes.promtool import Rule, alert_rules, promtool, rule_files, rules

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
SUMS = PROMETHEUS / "federation" / "sums.yml"
ALERTS = alert_rules()

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool on PATH"
)
every_alert = pytest.mark.parametrize("name", ALERTS)


def recorded() -> list[Rule]:
    """Return the recording rules that one Prometheus loads."""
    return [rule for rule in rules() if not rule.is_alert]


@needs_promtool
@pytest.mark.parametrize("file", [*rule_files(), SUMS], ids=lambda file: file.name)
def test_promtool_has_nothing_to_say_about_the_rules(file: Path) -> None:
    """Not even about their style."""
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", file)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", recorded(), ids=lambda rule: rule.name)
def test_names_tell_level_metric_and_operations(rule: Rule) -> None:
    """As Prometheus recommends, so that a name says what was summed away."""
    assert re.fullmatch(r"cluster(_[a-z]+)*:jouled_[a-z0-9_]+:[a-z0-9_]+", rule.name)


def test_the_table_of_recording_rules_is_complete() -> None:
    """Whoever builds a dashboard reads it, and not the files."""
    readme = (PROMETHEUS / "README.md").read_text(encoding="utf-8")

    told = re.findall(r"^\| `(cluster[^`]+)` \|", readme, re.MULTILINE)

    assert sorted(told) == sorted({rule.name for rule in recorded()})


def test_rules_ask_only_for_metrics_that_there_are() -> None:
    """A rule on a name that nobody exports is silent for ever."""
    exported = (*CATALOGUE, *HUB_CATALOGUE, *BUDGET_METRICS)
    there = {metric.name for metric in exported} | {"up"}
    there |= {rule.name for rule in rules()}

    asked = {
        name
        for rule in rules()
        for name in re.findall(r"[a-z_]*:?jouled_[a-z0-9_:]+", rule.expression)
    }

    assert asked - there == set()


def test_no_rule_names_a_budget_a_team_or_a_node() -> None:
    """What is new in the hub's configuration has its alerts at once."""
    named = [
        rule.name
        for rule in rules()
        if re.search(r"(budget|team|instance|cluster|tenant)\s*=", rule.expression)
    ]

    assert named == []


def test_shards_are_summed_to_all_names_of_a_single_server() -> None:
    """Dashboards, alerts and budgets must not care how many servers there are."""
    single = {rule.name for rule in recorded() if "budget" not in rule.name}

    assert {rule.name for rule in rules([SUMS])} == single


@every_alert
def test_an_alert_says_how_bad_it_is(name: str) -> None:
    """The routes to people go by it."""
    assert ALERTS[name].labels["severity"] in {"critical", "warning", "info"}


@every_alert
def test_an_alert_says_what_it_means_and_what_to_do(name: str) -> None:
    """In a sentence with numbers, and a few that explain it."""
    annotations = ALERTS[name].annotations

    assert set(annotations) - {"numbers"} == {"summary", "description", "runbook_url"}
    # The tests know the rest of a description from the rule itself.
    holes = re.findall(r"\{\{.*?\}\}", annotations["description"])
    assert [
        hole for hole in holes if not re.fullmatch(r"\{\{ \$labels\.\w+ \}\}", hole)
    ] == []


@every_alert
def test_an_alert_leads_to_its_section(name: str) -> None:
    """At night one does not want to search."""
    text = (REPOSITORY / "docs" / "alerts.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)\n\n\*(\w+)\.\*", text, re.MULTILINE))
    rule = ALERTS[name]

    assert rule.annotations["runbook_url"] == f"docs/alerts.md#{name.lower()}"
    assert sections[name] == rule.labels["severity"]


def test_every_section_is_of_an_alert() -> None:
    """A section that is left over explains what nobody gets."""
    text = (REPOSITORY / "docs" / "alerts.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == set(ALERTS)
