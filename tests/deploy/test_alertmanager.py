import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from tests.e2e.waiting import until
from tests.fakes.alerting import ALERTMANAGER, Alertmanager, alertmanager, has_alerting
from tests.fakes.inbox import inbox
from tests.fakes.promtool import alert_rules

CONFIG = ALERTMANAGER / "alertmanager.yml"
BUDGET = {"cluster": "main", "budget": "gpu-2026", "team": "physics"}
NODE = {"cluster": "main", "instance": "n1:9878"}
ZONE = {"cluster": "main", "zone": "DE"}
LONG_S = 60

needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None, reason="needs amtool on PATH"
)
needs_alertmanager = pytest.mark.skipif(
    not has_alerting(), reason="needs prometheus and alertmanager on PATH"
)


def amtool(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run amtool to its end."""
    return subprocess.run(
        ["amtool", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
    )


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Return the configuration with all that is there as a comment."""
    text = CONFIG.read_text(encoding="utf-8")
    text = re.sub(r"^( *)#(\S|  )", r"\1\2", text, flags=re.MULTILINE)
    path = tmp_path / CONFIG.name
    path.write_text(text, encoding="utf-8")
    shutil.copytree(ALERTMANAGER / "templates", tmp_path / "templates")
    return path


@needs_amtool
def test_amtool_accepts_the_configuration_and_its_templates() -> None:
    """It is what people begin with."""
    done = amtool("check-config", CONFIG)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 templates" in done.stdout


@needs_amtool
@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({**BUDGET, "severity": "critical"}, "on-call,team"),
        ({**BUDGET, "severity": "warning"}, "team"),
        ({**BUDGET, "severity": "info"}, "team-digest"),
        ({"budget": "nobody's", "severity": "critical"}, "on-call,operators"),
        ({"budget": "nobody's", "severity": "warning"}, "operators"),
        ({**NODE, "severity": "warning"}, "operators"),
        ({"cluster": "main", "severity": "critical"}, "on-call,operators"),
        ({**ZONE, "severity": "info"}, "digest"),
    ],
)
def test_alerts_go_to_whom_they_concern(
    labels: Mapping[str, str], receivers: str
) -> None:
    """By team and by severity."""
    written = [f"{key}={value}" for key, value in labels.items()]

    done = amtool(
        *("config", "routes", "test", "--config.file", CONFIG),
        *("--verify.receivers", receivers, *written),
    )

    assert done.returncode == 0, done.stdout + done.stderr


@needs_amtool
def test_a_team_may_have_an_address_of_its_own(whole: Path) -> None:
    """The example in the comments works as it stands."""
    checked = amtool("check-config", whole)
    routed = amtool(
        *("config", "routes", "test", "--config.file", whole),
        *("--verify.receivers", "chemistry", "team=chemistry", "budget=cpu-2026"),
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert routed.returncode == 0, routed.stdout + routed.stderr


def test_no_secret_is_in_the_configuration() -> None:
    """It is read by many, and kept in repositories."""
    text = CONFIG.read_text(encoding="utf-8")

    keys = set(re.findall(r"(\w+):", text))
    secrets = {
        key for key in keys if re.search(r"password|token|credential|api_url", key)
    }

    assert secrets == {
        "smtp_auth_password_file",
        "slack_api_url_file",
        "credentials_file",
    }


def test_inhibitions_name_alerts_that_there_are() -> None:
    """One that was renamed would be told twice from then on."""
    rules = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["inhibit_rules"]
    written = [
        re.fullmatch(r'alertname=~?"(.+)"', matcher)
        for rule in rules
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
    ]
    assert all(written)

    for match in written:
        assert match is not None
        for pattern in alternatives(match[1]):
            assert [n for n in alert_rules() if re.fullmatch(pattern, n)], pattern


def alternatives(pattern: str) -> list[str]:
    """Split a pattern at its bars; each of its parts has to match something."""
    group = re.fullmatch(r"(\w+)\((.+)\)", pattern)
    if group is not None:
        return [group[1] + part for part in group[2].split("|")]
    parts: list[str] = []
    for part in re.split(r"\|(?![^(]*\))", pattern):
        parts += alternatives(part) if "(" in part else [part]
    return parts


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """Return an Alertmanager with the routes and inhibitions of deploy/."""
    folder = tmp_path_factory.mktemp("alertmanager")
    with inbox() as arrives, alertmanager(folder / "data", arrives) as running:
        yield running


@needs_alertmanager
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("source", "target", "shared"),
    [
        ("JouledBudgetSpent", "JouledBudgetHalfSpent", BUDGET),
        ("JouledBudgetSpent", "JouledBudgetNearlySpent", BUDGET),
        ("JouledBudgetSpent", "JouledBudgetOverspendProjected", BUDGET),
        ("JouledBudgetSpent", "JouledBudgetBurningFast", BUDGET),
        ("JouledBudgetSpent", "JouledBudgetBurning", BUDGET),
        ("JouledBudgetNearlySpent", "JouledBudgetHalfSpent", BUDGET),
        ("JouledBudgetBurningFast", "JouledBudgetBurning", BUDGET),
        ("JouledBudgetBurning", "JouledBudgetBurningSteadily", BUDGET),
        ("JouledHubDown", "JouledBudgetDataMissing", BUDGET),
        ("JouledHubDown", "JouledBudgetDataStale", BUDGET),
        ("JouledHubDown", "JouledIntensityStale", ZONE),
        ("JouledManyNodesSilent", "JouledNodeSilent", NODE),
        ("JouledNodeSilent", "JouledSourceDown", NODE),
        ("JouledSourceDown", "JouledPowerIncomplete", NODE),
        ("JouledNotSampling", "JouledClockWrong", NODE),
        ("JouledIntensityLost", "JouledIntensityNotLive", ZONE),
    ],
)
def test_what_follows_from_another_alert_is_held_back(
    source: str, target: str, shared: Mapping[str, str], manager: Alertmanager
) -> None:
    """Where the cause is the same; elsewhere it is told."""
    here = {**shared, "cluster": f"{source}-{target}"}
    there = {**shared, "cluster": f"not {source}-{target}"}

    manager.hand_over(
        {**here, "alertname": source},
        {**here, "alertname": target},
        {**there, "alertname": target},
    )

    # Alertmanager takes a moment from knowing an alert to holding others back.
    held = {source: "active", target: "suppressed"}
    until(lambda: manager.states(cluster=here["cluster"]) == held, f"{held}")
    told = {target: "active"}
    until(lambda: manager.states(cluster=there["cluster"]) == told, f"{told}")


@needs_alertmanager
@pytest.mark.timeout(300)
def test_one_spent_budget_holds_back_nothing_of_another(manager: Alertmanager) -> None:
    """Each budget has its own worst."""
    cluster = {"cluster": "two budgets", "team": "physics"}

    manager.hand_over(
        {**cluster, "alertname": "JouledBudgetSpent", "budget": "a"},
        {**cluster, "alertname": "JouledBudgetHalfSpent", "budget": "b"},
    )

    told = {"JouledBudgetSpent": "active", "JouledBudgetHalfSpent": "active"}
    until(lambda: manager.states(cluster="two budgets") == told, f"{told}")
