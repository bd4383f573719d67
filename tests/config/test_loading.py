import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import SETTINGS, Config, Setting, add_flags, load
from exporter.core.errors import ConfigError

# For each setting a text that is not its default, and the value it stands for.
EXAMPLES: Mapping[str, tuple[str, object]] = {
    "web.listen_address": ("127.0.0.1:80", "127.0.0.1:80"),
    "web.config_file": ("/etc/web.yml", Path("/etc/web.yml")),
    "path.procfs": ("/host/proc", Path("/host/proc")),
    "path.sysfs": ("/host/sys", Path("/host/sys")),
    "path.cgroupfs": ("/host/cgroup", Path("/host/cgroup")),
    "state.run_dir": ("/run/other", Path("/run/other")),
    "state.dir": ("/var/lib/other", Path("/var/lib/other")),
    "sampling.interval": ("1m", 60.0),
    "sampling.deadline": ("250ms", 0.25),
    "power.rapl": ("false", False),
    "power.nvml": ("false", False),
    "power.gpm": ("true", True),
    "power.model": ("off", "off"),
    "power.model_idle_watts": ("40", 40.0),
    "power.model_max_watts": ("240.5", 240.5),
    "idle.cpu_watts": ("50", 50.0),
    "idle.dram_watts": ("0", 0.0),
    "idle.gpu_watts": ("25", 25.0),
    "attribution.idle": ("none", "none"),
    "attribution.platform": ("none", "none"),
    "slurm.enabled": ("false", False),
    "slurm.gpu_order": ("pci", "pci"),
    "slurm.shards_per_gpu": ("8", 8),
    "slurm.ask_hub": ("true", True),
    "slurm.node_name": ("n01", "n01"),
    "kubernetes.enabled": ("false", "false"),
    "kubernetes.node_name": ("gpu-1.example.org", "gpu-1.example.org"),
    "kubernetes.names": ("logs", "logs"),
    "kubernetes.service_account_dir": ("/run/account", Path("/run/account")),
    "kubernetes.kubelet_url": ("https://[::1]:10250/", "https://[::1]:10250"),
    "kubernetes.kubelet_ca_file": ("/etc/ca.crt", Path("/etc/ca.crt")),
    "kubernetes.kubelet_token_file": ("/etc/token", Path("/etc/token")),
    "kubernetes.log_dir": ("/host/pods", Path("/host/pods")),
    "kubernetes.pod_resources_socket": ("/run/k.sock", Path("/run/k.sock")),
    "kubernetes.gpu_resources": ("a.b/gpu,  c.d/mig-*", ("a.b/gpu", "c.d/mig-*")),
    "kubernetes.pod_labels": ("team,a.b/c.d", ("team", "a.b/c.d")),
    "gpu.dcgm_job_mapping_dir": ("/run/dcgm", Path("/run/dcgm")),
    "gpu.gpustat_dir": ("/run/other", Path("/run/other")),
    "gpu.device_dir": ("/host/dev", Path("/host/dev")),
    "labels.user": ("none", "none"),
    "labels.hash_key_file": ("/etc/key", Path("/etc/key")),
    "carbon.zone": ("NO", "NO"),
    "carbon.intensity": ("30", 30.0),
    "carbon.market_intensity": ("0", 0.0),
    "carbon.hub_url": ("https://hub:9879/", "https://hub:9879"),
    "carbon.hub_ca_file": ("/etc/ca.crt", Path("/etc/ca.crt")),
    "carbon.hub_user": ("nodes@site", "nodes@site"),
    "carbon.hub_password_file": ("/etc/password", Path("/etc/password")),
    "carbon.hub_cert_file": ("/etc/node.crt", Path("/etc/node.crt")),
    "carbon.hub_key_file": ("/etc/node.key", Path("/etc/node.key")),
    "carbon.file": ("/run/site/intensity", Path("/run/site/intensity")),
    "carbon.direct": ("true", True),
    "carbon.max_age": ("90m", 5400.0),
    "pue": ("1.25", 1.25),
    "pue_schedule": ("Jun-Sep 10:00-20:00 = 1.35", "Jun-Sep 10:00-20:00 = 1.35"),
    "time_zone": ("Europe/Berlin", "Europe/Berlin"),
    "embodied.node_kg": ("1500", 1500.0),
    "embodied.lifetime": ("6y", 6 * 365 * 86400.0),
    "metrics.level": ("node", "node"),
    "metrics.max_jobs": ("7", 7),
    "metrics.ended_jobs_for": ("1h30m", 5400.0),
    "archive.enabled": ("false", False),
    "archive.retention": ("30d", 2_592_000.0),
    "log.level": ("debug", "debug"),
    "log.format": ("json", "json"),
}
_OF_HUB = {"JOULED_CARBON__ZONE": "DE", "JOULED_CARBON__HUB_URL": "https://hub"}
# What some of them make no sense without.
COMPANIONS = {
    "carbon.hub_url": {"JOULED_CARBON__ZONE": "DE"},
    "slurm.ask_hub": {
        "JOULED_CARBON__ZONE": "DE",
        "JOULED_CARBON__HUB_URL": "http://hub:9879",
    },
    "carbon.file": {"JOULED_CARBON__ZONE": "DE"},
    "carbon.direct": {"JOULED_CARBON__ZONE": "DE"},
    "carbon.hub_ca_file": _OF_HUB,
    "carbon.hub_user": {**_OF_HUB, "JOULED_CARBON__HUB_PASSWORD_FILE": "/p"},
    "carbon.hub_password_file": {**_OF_HUB, "JOULED_CARBON__HUB_USER": "ada"},
    "carbon.hub_cert_file": {**_OF_HUB, "JOULED_CARBON__HUB_KEY_FILE": "/k"},
    "carbon.hub_key_file": {**_OF_HUB, "JOULED_CARBON__HUB_CERT_FILE": "/c"},
}
FILE_SETTINGS = [setting for setting in SETTINGS if setting.in_file]


def load_from(
    flags: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> Config:
    """Load from flags and environment."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser)
    return load(parser.parse_args(flags), environ or {})


def load_file(
    path: Path, text: str, environ: Mapping[str, str] | None = None
) -> Config:
    """Load from a file with this text."""
    path.write_text(text)
    return load_from(["--config.file", str(path)], environ)


def flags_for(setting: Setting, text: str) -> list[str]:
    """Write a value as flags."""
    if setting.is_switch:
        return [setting.flag if text == "true" else setting.negative_flag]
    return [f"{setting.flag}={text}"]


def yaml_for(setting: Setting, text: str) -> str:
    """Write a value as YAML, its key in the last line."""
    if setting.section:
        return f"{setting.section}:\n  {setting.key.partition('.')[2]}: {text}\n"
    return f"{setting.key}: {text}\n"


@pytest.mark.parametrize("setting", FILE_SETTINGS, ids=lambda setting: setting.key)
def test_every_setting_can_be_given_in_all_three_ways(
    setting: Setting, tmp_path: Path
) -> None:
    """A chart, a unit and a person each have the way that suits them."""
    text, value = EXAMPLES[setting.key]
    environ = COMPANIONS.get(setting.key, {})

    by_file = load_file(tmp_path / "jouled.yml", yaml_for(setting, text), environ)
    by_variable = load_from(environ={**environ, setting.variable: text})
    by_flag = load_from(flags_for(setting, text), environ)

    assert value != setting.default
    assert setting.value_in(by_file) == value
    assert setting.value_in(by_variable) == value
    assert setting.value_in(by_flag) == value


def test_the_configuration_file_is_named_by_flag_or_environment(tmp_path: Path) -> None:
    """It cannot name itself, so it is the one setting with two ways."""
    path = tmp_path / "jouled.yml"
    path.write_text("pue: 2\n")

    by_flag = load_from(["--config.file", str(path)])
    by_variable = load_from(environ={"JOULED_CONFIG_FILE": str(path)})

    assert by_flag == by_variable
    assert (by_flag.config_file, by_flag.pue) == (path, 2.0)


@given(
    layers=st.fixed_dictionaries(
        {},
        optional={name: st.integers(1, 1000) for name in ("file", "variable", "flag")},
    )
)
def test_flags_win_over_the_environment_over_the_file_over_the_default(
    layers: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The closer to the moment, the stronger: as in every daemon they know."""
    path = tmp_path_factory.mktemp("layers") / "jouled.yml"
    path.write_text(
        f"metrics: {{max_jobs: {layers['file']}}}\n" if "file" in layers else ""
    )
    environ = {"JOULED_CONFIG_FILE": str(path)}
    if "variable" in layers:
        environ["JOULED_METRICS__MAX_JOBS"] = str(layers["variable"])
    flags = [f"--metrics.max-jobs={layers['flag']}"] if "flag" in layers else []

    config = load_from(flags, environ)

    expected = next(
        (layers[name] for name in ("flag", "variable", "file") if name in layers), 2000
    )
    assert config.metrics.max_jobs == expected


def test_a_layer_adds_to_a_section_and_does_not_replace_it(tmp_path: Path) -> None:
    """One flag does not undo what the file says beside it."""
    path = tmp_path / "jouled.yml"
    path.write_text("carbon: {zone: DE}\n")

    config = load_from(["--carbon.intensity=100"], {"JOULED_CONFIG_FILE": str(path)})

    assert config.carbon.zone == "DE"
    assert config.carbon.intensity_g_per_kwh == 100.0


def test_nothing_given_is_the_default_configuration() -> None:
    """The daemon runs without any configuration."""
    assert load_from() == Config()


def test_a_switch_can_be_turned_on_again_by_its_flag() -> None:
    """A unit's environment turns a sensor off; the flag has the last word."""
    config = load_from(["--power.nvml"], {"JOULED_POWER__NVML": "false"})

    assert config.power.nvml is True


@pytest.mark.parametrize("setting", FILE_SETTINGS, ids=lambda setting: setting.key)
def test_an_impossible_value_names_the_place_it_was_given(
    setting: Setting, tmp_path: Path
) -> None:
    """The one line on standard error is all an operator has at first."""
    path = tmp_path / "jouled.yml"

    with pytest.raises(ConfigError) as by_file:
        load_file(path, f"# a comment\n{yaml_for(setting, '[]')}")
    with pytest.raises(ConfigError) as by_variable:
        load_from(environ={setting.variable: "\0"})

    line = 3 if setting.section else 2
    assert f"{path}:{line}: {setting.key}: expected" in str(by_file.value)
    assert f"{setting.variable}: expected {setting.kind.expected}" in str(
        by_variable.value
    )


def test_an_impossible_flag_is_named() -> None:
    """So that it is found in a unit file with ten of them."""
    with pytest.raises(ConfigError, match=r"^--pue: expected a number from 1 to 10"):
        load_from(["--pue", "0.9"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "carbon: {zome: DE}",
            "1: carbon.zome: no such setting; did you mean carbon.z",
        ),
        (
            "\ncarbn:\n  zone: DE",
            "3: carbn.zone: no such setting; did you mean carbon.z",
        ),
        ("carbn: {}", "1: carbn: no such setting; did you mean carbon?"),
        ("puh: 1.5", "1: puh: no such setting; did you mean pue?"),
        ("config_file: /x", "1: config_file: no such setting"),
        (
            "xyzzy: 1",
            "1: xyzzy: no such setting; 'jouled run --help' lists all of them",
        ),
        ("pue: {a: 1}", "1: pue.a: no such setting"),
        ("carbon: DE", "1: carbon: expected settings below it"),
        ("carbon: [DE]", "1: carbon: expected settings below it"),
    ],
)
def test_an_unknown_key_in_the_file_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    """A misspelt key never silently leaves the default in force."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_file(tmp_path / "jouled.yml", text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('pue: "1.2"', "expected a number from 1 to 10, got the text '1.2'"),
        ("pue: true", "got the boolean 'true'"),
        ("pue: .nan", "expected a number from 1 to 10, got '.nan'"),
        ("pue: .inf", "got '.inf'"),
        ("pue: -.inf", "got '-.inf'"),
        ("pue: 1e999", "got '1e999'"),
        ("pue: 0x10", "got the text '0x10'"),
        ("pue: ~", "got nothing"),
        ("pue: 2020-01-01", "got the text '2020-01-01'"),
        ("pue: [1.2]", "got a list"),
        ("pue: {}", "got a mapping"),
        (
            "pue: !!python/object:os.system x",
            "got the tag 'python/object:os.system' 'x'",
        ),
        ("metrics: {max_jobs: 1.0}", "got the number '1.0'"),
        ("metrics: {max_jobs: 1_000}", "got the text '1_000'"),
        ("power: {rapl: yes}", "expected true or false, got the text 'yes'"),
        ("power: {rapl: 1}", "got the number '1'"),
        ("sampling: {interval: 1}", "a duration from 100ms to 1m"),
        ("carbon: {zone: 12}", "got the number '12'"),
        ("log: {level: null}", "got nothing"),
        ("pue_schedule: 1.3", "expected rules such as Jun-Sep Mon-Fri 10:00-20:00"),
        ("pue_schedule: Sep-Jn = 1.3", "1: pue_schedule: 'Sep-Jn' in 'Sep-Jn = 1.3' "),
        ("time_zone: Europe", "1: time_zone: no time zone Europe is known here; names"),
        ("time_zone: Europe/Berln", "Europe/Berlin; if that is one, install tzdata"),
        ("time_zone: ../UTC", "expected the name of a time zone, such as Europe/Berl"),
    ],
)
def test_a_value_of_another_type_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    """What the operator meant is not guessed."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_file(tmp_path / "jouled.yml", text)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("carbon: {zone: NO}", "carbon.zone", "NO"),
        ("power: {model: off}", "power.model", "off"),
        ("power: {rapl: False}", "power.rapl", False),
        ("pue: 2", "pue", 2.0),
        ("carbon: {zone: ~}", "carbon.zone", None),
        ("carbon:", "carbon.zone", None),
        ("carbon: {}", "carbon.zone", None),
        ("carbon: {zone: &here DE}", "carbon.zone", "DE"),
        ("idle: {cpu_watts: &w 9, dram_watts: *w}", "idle.dram_watts", 9.0),
        ("carbon.zone: DE", "carbon.zone", "DE"),
    ],
)
def test_yaml_says_what_it_seems_to_say(
    tmp_path: Path, text: str, key: str, value: object
) -> None:
    """Norway is a zone, not a boolean; an empty section is empty."""
    config = load_file(tmp_path / "jouled.yml", text)

    (setting,) = (setting for setting in SETTINGS if setting.key == key)
    assert setting.value_in(config) == value


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("JOULED_CARBON__ZOME", "did you mean JOULED_CARBON__ZONE?"),
        ("JOULED_CARBON_ZONE", "did you mean JOULED_CARBON__ZONE?"),
        ("JOULED_", "JOULED_: no such setting"),
        (
            "JOULED_FOO",
            "JOULED_FOO: no such setting; 'jouled run --help' lists all of them",
        ),
        ("JOULED_PORT", "JOULED_PORT: no such setting"),
    ],
)
def test_an_unknown_variable_with_our_prefix_is_refused(
    variable: str, message: str
) -> None:
    """One underscore too few would otherwise be a setting that does nothing."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_from(environ={variable: "80"})


def test_variables_of_others_and_empty_ones_are_left_alone() -> None:
    """Charts and compose files pass on what is unset as an empty text."""
    config = load_from(
        environ={"PATH": "/bin", "jouled_pue": "9", "JOULED_CARBON__ZONE": ""}
    )

    assert config == Config()


def test_the_variables_of_a_kubernetes_service_are_left_alone() -> None:
    """A service named jouled would otherwise keep its own pods from starting."""
    address = "10.96.0.7"
    environ = {
        "JOULED_SERVICE_HOST": address,
        "JOULED_SERVICE_PORT": "9878",
        "JOULED_SERVICE_PORT_METRICS": "9878",
        "JOULED_PORT": f"tcp://{address}:9878",
        "JOULED_PORT_9878_TCP": f"tcp://{address}:9878",
        "JOULED_PORT_9878_TCP_PROTO": "tcp",
        "JOULED_PORT_9878_TCP_PORT": "9878",
        "JOULED_PORT_9878_TCP_ADDR": address,
        "JOULED_HUB_SERVICE_HOST": "fd00::1",
    }

    assert load_from(environ=environ) == Config()


_HUB = ("--carbon.zone=DE", "--carbon.hub-url=http://h")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--sampling.interval=1s", "--sampling.deadline=2s"],
            "sampling.deadline: must not be longer than sampling.interval",
        ),
        (
            ["--power.model-idle-watts=200", "--power.model-max-watts=100"],
            "power.model_idle_watts: must not exceed power.model_max_watts",
        ),
        (
            ["--carbon.zone=DE", "--carbon.direct", "--carbon.file=/x"],
            "carbon.direct: carbon.file is set as well; keep one of them",
        ),
        (
            ["--carbon.zone=DE", "--carbon.hub-url=http://h", "--carbon.intensity=3"],
            "carbon.hub_url: carbon.intensity fixes the figure; remove one of them",
        ),
        (["--carbon.hub-url=http://h"], "carbon.hub_url: needs carbon.zone"),
        (["--carbon.direct"], "carbon.direct: needs carbon.zone"),
        (["--carbon.file=/x"], "carbon.file: needs carbon.zone"),
        (["--slurm.ask-hub"], "slurm.ask_hub: needs carbon.hub_url"),
        (["--carbon.hub-user=ada"], "carbon.hub_user: needs carbon.hub_url"),
        (["--carbon.hub-ca-file=/x"], "carbon.hub_ca_file: needs carbon.hub_url"),
        (
            [*_HUB, "--carbon.hub-ca-file=/x"],
            "carbon.hub_ca_file: carbon.hub_url has to begin with https for it",
        ),
        (
            [*_HUB, "--carbon.hub-user=ada"],
            "carbon.hub_user: needs carbon.hub_password_file as well",
        ),
        (
            [*_HUB, "--carbon.hub-password-file=/x"],
            "carbon.hub_password_file: needs carbon.hub_user as well",
        ),
        (
            [*_HUB, "--carbon.hub-url=HTTPS://h", "--carbon.hub-key-file=/x"],
            "carbon.hub_key_file: needs carbon.hub_cert_file as well",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    flags: list[str], message: str
) -> None:
    """Each is possible alone, and together they cannot be meant."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_from(flags)


def test_the_deadline_is_half_the_interval_unless_configured() -> None:
    """A slow source costs a tick of half its time at most."""
    default = load_from(["--sampling.interval=2s"])
    configured = load_from(["--sampling.deadline=100ms"])

    assert default.sampling.deadline_s is None
    assert default.sampling.read_deadline_s == 1.0
    assert configured.sampling.read_deadline_s == 0.1


def test_the_help_tells_every_default() -> None:
    """What happens without a flag is in the help, not in the code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser)

    text = " ".join(parser.format_help().split())

    for setting in SETTINGS:
        assert setting.flag in text
        assert f"(default: {setting.default_text})".replace("- ", "-") in text


def test_hashes_of_users_need_a_key() -> None:
    """Without a secret, whoever has a list of users can undo them."""
    with pytest.raises(ConfigError, match=r"labels\.hash_key_file"):
        load_from(["--labels.user=hash"])


@pytest.mark.parametrize(
    "address",
    [
        "https://ada:t0ken@hub",
        "https://t0ken@hub/",
        "https://hub/?key=t0ken",
        "https://hub/#t0ken",
        "t0ken",
        "ftp://t0ken",
        "http://t0ken:0",
        "http://[t0ken",
        "http://a t0ken",
        "http://t0ken.example.org/" + "x" * 1024,
    ],
)
def test_an_address_that_cannot_be_used_is_not_repeated(address: str) -> None:
    """Whoever writes a password into it finds it in no log."""
    with pytest.raises(ConfigError, match=r"--carbon\.hub-url: ") as refusal:
        load_from([f"--carbon.hub-url={address}"])

    assert "t0ken" not in str(refusal.value)
