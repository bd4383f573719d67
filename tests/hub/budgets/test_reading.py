from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from exporter.config.document import read_document
from exporter.core.errors import ConfigError
from exporter.hub.budgets.amount import Amount
from exporter.hub.budgets.budget import EMISSIONS, ENERGY, Budget
from exporter.hub.budgets.period import CalendarPeriod, RollingPeriod
from exporter.hub.budgets.plan import BudgetPlan
from exporter.hub.budgets.reading import read_plan
from exporter.hub.prometheus.matching import Matcher
from exporter.hub.prometheus.settings import PrometheusSettings

SAME = "- {name: b, amount: 1kg, period: week}\n"
BOTH = "prometheus: {url: 'http://x', username: a, password_file: b, "
PROMETHEUS = "prometheus: {url: 'http://prometheus:9090'}\n"


def plan(folder: Path, text: str) -> BudgetPlan:
    """Read a file with this text."""
    path = folder / "hub.yml"
    path.write_text(text)
    return read_plan(read_document(path, "file of a hub", "budgets"))


def budget(folder: Path, text: str) -> Budget:
    """Read a file with one budget, in YAML's flow style."""
    (found,) = plan(folder, f"{PROMETHEUS}budgets: [{{name: b, {text}}}]\n").budgets
    return found


def test_a_budget_has_an_amount_a_period_and_whose_work_counts(tmp_path: Path) -> None:
    """Everything that can be said of one, at once."""
    found = plan(
        tmp_path,
        """
prometheus: {url: "http://prometheus:9090/base/"}
budgets:
  - name: physics
    amount: 200kg
    period: month
    time_zone: Europe/Berlin
    match:
      tenant: physics
      user: [bob, ada]
      cluster: {regex: "gpu-.*", not: gpu-test}
      scheduler: {not_regex: kube.*}
    team: Physics
    owners: [ada@example.org, bob@example.org]
    zone: DE
""",
    )

    assert found.budgets == (
        Budget(
            "physics",
            Amount("carbon", 200e3, "grams"),
            CalendarPeriod("month", ZoneInfo("Europe/Berlin")),
            (
                Matcher("cluster", "!=", ("gpu-test",)),
                Matcher("cluster", "=~", ("gpu-.*",)),
                Matcher("scheduler", "!~", ("kube.*",)),
                Matcher("tenant", "=", ("physics",)),
                Matcher("user", "=", ("ada", "bob")),
            ),
            "Physics",
            ("ada@example.org", "bob@example.org"),
            "DE",
        ),
    )
    assert (found.interval_s, found.delay_s) == (60.0, 30.0)
    assert found.prometheus == PrometheusSettings("http://prometheus:9090/base/")


def test_the_order_of_matchers_and_values_says_nothing(tmp_path: Path) -> None:
    """The same selection is known again, so that nothing is counted anew."""
    one = budget(tmp_path, "amount: 1t, period: year, match: {user: [a, b], tenant: x}")
    two = budget(tmp_path, "amount: 2t, period: 7d, match: {tenant: x, user: [b, a]}")

    assert one.selection == two.selection


def test_energy_and_money_are_counted_in_joules(tmp_path: Path) -> None:
    """They add up another counter than grams do."""
    grams = budget(tmp_path, "amount: 1t, period: week")
    energy = budget(tmp_path, "amount: 2MWh, period: 30d")
    money = budget(tmp_path, "amount: 100EUR, price_per_kwh: 0.31, period: quarter")

    assert grams.selection.metric == EMISSIONS
    assert energy.selection.metric == money.selection.metric == ENERGY
    assert energy.period == RollingPeriod(30 * 86400.0, "30d")


def test_all_that_can_be_said_of_prometheus(tmp_path: Path) -> None:
    """Secrets are files, which are read when they are sent."""
    found = plan(
        tmp_path,
        """
prometheus:
  url: https://mimir.example.org/prometheus
  timeout: 45s
  interval: 2m
  delay: 90s
  match: {job: jouled}
  ca_file: /etc/ca.pem
  cert_file: /etc/cert.pem
  key_file: /etc/key.pem
  username: hub
  password_file: /etc/password
  header_files: {X-Scope-OrgID: /etc/tenant}
budgets: []
""",
    )

    assert (found.interval_s, found.delay_s) == (120.0, 90.0)
    assert found.prometheus == PrometheusSettings(
        url="https://mimir.example.org/prometheus",
        timeout_s=45.0,
        matchers=(Matcher("job", "=", ("jouled",)),),
        ca_file=Path("/etc/ca.pem"),
        cert_file=Path("/etc/cert.pem"),
        key_file=Path("/etc/key.pem"),
        username="hub",
        password_file=Path("/etc/password"),
        header_files={"X-Scope-OrgID": Path("/etc/tenant")},
    )


def test_a_hub_needs_no_budgets(tmp_path: Path) -> None:
    """Most only ask for the intensity of the grid."""
    assert plan(tmp_path, "zones: {DE: }\n") == BudgetPlan()
    assert plan(tmp_path, "budgets: []\n") == BudgetPlan()


@pytest.mark.parametrize(
    ("lines", "line", "complaint"),
    [
        (["amount: 5", "period: month"], 5, "amount: write an amount"),
        (["amount: 5kg", "period: fortnight"], 6, "period: has to be one of week"),
        (["amount: 5kg", "period: 5m"], 6, "period: has to be"),
        (["amount: 5kg", "period: 800d"], 6, "period: has to be"),
        (["amount: 5kg"], 4, "period: has to be"),
        (["period: month"], 4, "amount: write an amount"),
        (["amount: 5EUR", "period: month"], 5, "price_per_kwh"),
        (["amount: 5EUR", "price_per_kwh: x", "period: 1d"], 6, "number above 0"),
        (["amount: 5EUR", "price_per_kwh: 0", "period: 1d"], 6, "number above 0"),
        (["amount: 5kg", "period: week", "time_zone: Mars"], 7, "time_zone"),
        (["amount: 5kg", "period: week", "time_zone: ../x"], 7, "time_zone"),
        (["amount: 5kg", "period: 30d", "time_zone: UTC"], 7, "of the calendar"),
        (["amount: 5kg", "period: 30d", "mach: {}"], 7, "did you mean match"),
        (["amount: 5kg", "period: 30d", "match: {us-er: a}"], 7, "us-er: no label"),
        (["amount: 5kg", "period: 30d", "match: {user: [[a]]}"], 7, "one value"),
        (["amount: 5kg", "period: 30d", "match: {user: }"], 7, "names no value"),
        (["amount: 5kg", "period: 30d", "match: {user: {is: a}}"], 7, "is: no such"),
        (["amount: 5kg", "period: 30d", "match: {user: {regex: (}}"], 7, "regular"),
        (["amount: 5kg", "period: 30d", "match: a"], 7, "match: has to hold"),
        (["amount: 5kg", "period: 30d", "team: [a]"], 7, "team: has to be one"),
        (["amount: 5kg", "period: 30d", "name: c"], 7, "is there again"),
    ],
)
def test_a_bad_budget_is_refused_by_line(
    tmp_path: Path, lines: list[str], line: int, complaint: str
) -> None:
    """All of the file is refused then: half of the budgets is a trap."""
    indented = "".join(f"    {each}\n" for each in lines)
    text = f"{PROMETHEUS}\nbudgets:\n  - name: b\n{indented}"

    with pytest.raises(ConfigError, match=r"hub\.yml") as caught:
        plan(tmp_path, text)

    message = str(caught.value)
    assert complaint in message
    assert f"hub.yml:{line}:" in message or "again in line" in message


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("budgets: [{name: b, amount: 1kg, period: week}]", "add prometheus"),
        (f"{PROMETHEUS}budgets: [{{amount: 1kg, period: week}}]", "needs a name"),
        (f"{PROMETHEUS}budgets: [{{name: a b, amount: 1kg}}]", "needs a name"),
        (f"{PROMETHEUS}budgets: {{name: a}}", "has to be a list"),
        (f"{PROMETHEUS}budgets: [a]", "an item has to hold keys"),
        (f"{PROMETHEUS}budgets:\n{SAME}{SAME}", "hub.yml:4: name: b is there twice"),
        ("prometheus: {}", "url: is missing"),
        ("prometheus: {url: ftp://x}", "hub.yml:1: prometheus: url"),
        ("prometheus: {url: 'http://user:pass@x'}", "hub.yml:1: prometheus: url"),
        ("prometheus: {url: 'http://x', timeout: never}", "timeout: expected"),
        ("prometheus: {url: 'http://x', interval: 1s}", "interval: expected"),
        ("prometheus: {url: 'http://x', username: a}", "needs a password_file"),
        ("prometheus: {url: 'http://x', password_file: a}", "that a username"),
        (
            f"{BOTH}token_file: c}}",
            "keep one",
        ),
        ("prometheus: {url: 'http://x', key_file: a}", "needs a cert_file"),
        ("prometheus: {url: 'http://x', ca_file: }", "path of a file"),
        ("prometheus: {url: 'http://x', header_files: {a b: c}}", "no header"),
        ("prometheus: {url: 'http://x', user: a}", "did you mean username"),
        ("prometheus: {url: 'http://x', match: {user: a}}", "no label of a node"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(
    tmp_path: Path, text: str, complaint: str
) -> None:
    """A hub that started with it would keep no budget, and nobody would know."""
    with pytest.raises(ConfigError) as caught:
        plan(tmp_path, f"{text}\n")

    assert complaint in str(caught.value)
    assert "pass" not in str(caught.value).replace("password_file", "")
