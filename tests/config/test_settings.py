from dataclasses import replace

import pytest

from exporter.config import SETTINGS, Carbon, Config, diff, needs_restart
from exporter.config.settings import Metrics, Web


def test_every_default_is_a_value_its_own_parser_accepts() -> None:
    """The manual shows it, and whoever copies it gets the same."""
    for setting in SETTINGS:
        if setting.default is not None:
            shown = setting.kind.show(setting.default)

            assert setting.kind.parse(shown) == setting.default


def test_names_of_settings_are_unique_in_every_layer() -> None:
    """Two settings under one name would be one that cannot be set."""
    for names in (
        [setting.key for setting in SETTINGS],
        [setting.flag for setting in SETTINGS],
        [setting.variable for setting in SETTINGS],
    ):
        assert len(set(names)) == len(names)


def test_names_follow_from_section_and_field() -> None:
    """Who knows a setting's key knows its flag and its variable."""
    (setting,) = (each for each in SETTINGS if each.key == "power.model_idle_watts")

    assert setting.flag == "--power.model-idle-watts"
    assert setting.variable == "JOULED_POWER__MODEL_IDLE_WATTS"


def test_a_difference_is_told_by_key() -> None:
    """A reload logs what it changed."""
    old = Config()
    new = replace(
        old,
        pue=1.3,
        carbon=Carbon(zone="DE"),
        metrics=Metrics(ended_jobs_s=60.0),
        web=Web(listen_address="127.0.0.1:1"),
    )

    changed = diff(old, new)

    assert set(changed) == {
        "pue",
        "carbon.zone",
        "metrics.ended_jobs_for",
        "web.listen_address",
    }
    assert needs_restart(changed) == ("web.listen_address",)
    assert diff(old, Config()) == ()


@pytest.mark.parametrize(
    ("prefix", "reloadable"),
    [
        *((name, True) for name in ("carbon.", "pue", "time_zone", "embodied.")),
        *((name, True) for name in ("attribution.", "idle.")),
        *((name, True) for name in ("metrics.", "log.level")),
        *((name, False) for name in ("web.", "path.", "state.", "sampling.")),
        *((name, False) for name in ("power.", "log.format", "config_file")),
        *((name, False) for name in ("slurm.", "gpu.", "labels.")),
    ],
)
def test_what_is_only_arithmetic_can_change_in_a_running_daemon(
    prefix: str, *, reloadable: bool
) -> None:
    """Sensors, sockets and directories are opened once."""
    matching = [setting for setting in SETTINGS if setting.key.startswith(prefix)]

    assert matching
    assert all(setting.reloadable is reloadable for setting in matching)
