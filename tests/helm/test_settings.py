import json
import re
from pathlib import Path

import yaml

from exporter.config.settings import SETTINGS
from scripts.chart import SET_BY_THE_CHART
from tests.fakes.chart import HUB, Chart, Rendered, merged, of_path, variables
from tests.fakes.command_line import REPOSITORY, jouled

# What the container has and this machine has not.
ELSEWHERE = {"JOULED_CONFIG_FILE", "JOULED_WEB__CONFIG_FILE"}


def plain(rendered: Rendered, component: str) -> dict[str, str]:
    """Return the variables of a container that hold a text."""
    found = variables(rendered.container(component)).items()
    return {name: text for name, text in found if isinstance(text, str)}


def test_the_daemon_takes_what_the_chart_writes(chart: Chart, tmp_path: Path) -> None:
    """YAML has several ways to write a number or a word, and not all come back."""
    config = {
        "pue": 1.25,
        "carbon": {"zone": "NO"},
        "power": {"model": "off", "model_max_watts": 1000},
        "metrics": {"max_jobs": 100000, "ended_jobs_for": "1h30m"},
        "kubernetes": {"enabled": True},
        "idle": {"gpu_watts": None},
    }
    rendered = chart.objects(of_path("node.config", config))
    file = tmp_path / "jouled.yml"
    file.write_text(rendered.settings("node"))
    env = {k: v for k, v in plain(rendered, "node").items() if k not in ELSEWHERE}

    done = jouled("check", "--config.file", file, "--json", env=env)

    assert done.stderr == ""
    assert json.loads(done.stdout)["findings"]


def test_the_hub_takes_what_the_chart_writes(chart: Chart, tmp_path: Path) -> None:
    """It refuses a file that it does not wholly understand."""
    token = tmp_path / "token"
    token.write_text("not-a-real-one")
    token.chmod(0o440)
    config = {
        "zones": {
            "DE": {"providers": ["entsoe", "energy-charts"], "max_age": "3h"},
            "FR": {},
            "NO": None,
        },
        "providers": {"entsoe": {"token_file": str(token)}},
        "prometheus": {
            "url": "http://prometheus.monitoring:9090",
            "match": {"cluster": "main"},
            "password_file": str(token),
            "username": "hub",
        },
        "budgets": [
            {
                "name": "climate",
                "amount": "2 t",
                "period": "month",
                "time_zone": "Europe/Berlin",
                "match": {"tenant": ["ocean", "ice"], "user": {"not": "guest"}},
                "owners": "climate@example.org",
            },
            {
                "name": "power",
                "amount": "1000 EUR",
                "period": "30d",
                "price_per_kwh": 0.31,
            },
        ],
        "slurm": {
            "url": "https://slurmrestd.hpc:6820",
            "user": "jouled",
            "token_file": str(token),
            "interval": "1m",
        },
        "log": {"level": "debug"},
    }
    rendered = chart.objects(merged(HUB, of_path("hub.config", config)))
    file = tmp_path / "hub.yml"
    file.write_text(rendered.settings("hub"))
    env = {k: v for k, v in plain(rendered, "hub").items() if k not in ELSEWHERE}

    args = rendered.container("hub")["args"]
    done = jouled("hub", "--check", f"--config.file={file}", env=env)

    assert args == ["hub", "--config.file=/etc/jouled/hub.yml"]
    assert done.returncode == 0, done.stderr
    assert "entsoe" in done.stdout


def test_the_variables_of_the_containers_are_settings(default: Rendered) -> None:
    """The daemon refuses to start over one that is not."""
    known = {setting.variable for setting in SETTINGS}

    given = {name for name in plain(default, "node") if name.startswith("JOULED_")}

    assert given
    assert given <= known


def test_the_daemons_ask_the_hub_that_comes_with_them(chart: Chart) -> None:
    """Unless something else is said, and only if they know what to ask for."""

    def hub_url(**carbon: object) -> str | None:
        values = merged(HUB, of_path("node.config.carbon", carbon))
        return plain(chart.objects(values), "node").get("JOULED_CARBON__HUB_URL")

    assert hub_url(zone="DE") == "http://jouled-hub.monitoring:9879"
    assert hub_url() is None
    assert hub_url(zone="DE", intensity=40) is None
    assert hub_url(zone="DE", hub_url="https://hub.example.org") is None


def test_a_token_for_claims_alone_is_not_tried_on_pods(chart: Chart) -> None:
    """The API server would refuse, for ever, what nobody wants."""

    def names(*, pods: bool, slices: bool, **more: object) -> str | None:
        rbac = of_path("rbac", {"pods": pods, "resourceSlices": slices})
        made = chart.objects(merged(rbac, of_path("node", more)))
        return plain(made, "node").get("JOULED_KUBERNETES__NAMES")

    said = {"kubernetes": {"names": "kubelet", "kubelet_url": "https://127.0.0.1"}}
    assert names(pods=False, slices=True) == "logs"
    assert names(pods=True, slices=True) is None
    assert names(pods=False, slices=False) is None
    assert names(pods=False, slices=True, config=said) is None
    assert names(pods=False, slices=True, existingConfigMap="mine") is None


def test_all_that_the_manual_of_the_hub_shows_can_be_a_value(chart: Chart) -> None:
    """A schema that lags behind keeps people from what the hub can do."""
    manual = (REPOSITORY / "docs" / "hub.md").read_text()
    examples = [
        yaml.safe_load(text)
        for text in re.findall(
            r"^```yaml\n(zones:.*?)^```", manual, re.DOTALL | re.MULTILINE
        )
    ]

    assert examples
    for example in examples:
        for section in SET_BY_THE_CHART:
            example.pop(section, None)
        done = chart.template(of_path("hub", {"enabled": True, "config": example}))
        assert done.returncode == 0, done.stderr
