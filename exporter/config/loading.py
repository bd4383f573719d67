"""Merges the layers: defaults < YAML file < environment < flags.

Whatever a layer says about no setting is an error: a misspelt key that is
silently ignored would leave an operator with a default they think they changed.
"""

import argparse
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.config.flags import flag_text
from exporter.config.settings import SECTIONS, SETTINGS, Config
from exporter.config.state_dirs import usable_state
from exporter.config.table import (
    ENVIRONMENT_PREFIX,
    HUB_ENVIRONMENT_PREFIX,
    Section,
    Setting,
)
from exporter.config.texts import RefusedValueError, one_line, shorten
from exporter.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Kubernetes describes every service to every pod of its namespace by variables
# named after it. A service called "jouled" or "jouled-hub" must not stop us.
_SERVICE_VARIABLE = re.compile(
    ENVIRONMENT_PREFIX + r"(\w+_)?("
    r"SERVICE_HOST=[0-9a-f:.]+|SERVICE_PORT(_\w+)?=\d+"
    r"|PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://\S+"
    r"|PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=\S+)",
    re.ASCII,
)

_TYPE_WORDS = {
    "str": "the text",
    "int": "the number",
    "float": "the number",
    "bool": "the boolean",
    "seq": "a list",
    "map": "a mapping",
    "null": "nothing",
}

Values = dict[str, Any]
ConfigT = TypeVar("ConfigT", bound="DataclassInstance")


def load(args: argparse.Namespace, environ: Mapping[str, str]) -> Config:
    """Merge all layers into one configuration.

    Args:
        args: what a parser with ``add_flags`` returned.
        environ: the environment; empty values count as absent.

    Raises:
        ConfigError: a key is unknown or a value impossible; the message is one
            line that names where it was given and what is expected.
    """
    values = {
        **values_of_environment(environ, SETTINGS, ENVIRONMENT_PREFIX),
        **values_of_flags(args, SETTINGS),
    }
    config_file = values.get("config_file")
    if config_file is not None:
        values = {**_from_file(config_file), **values}
    config = with_values(Config(), values, SECTIONS)
    given = frozenset(values)
    return replace(
        config,
        state=usable_state(config.state, given, environ, is_root=os.geteuid() == 0),
    )


# --- layers -----------------------------------------------------------------


def values_of_flags(args: argparse.Namespace, settings: Iterable[Setting]) -> Values:
    """Read what the command line gives, by key.

    Raises:
        ConfigError: a value is impossible.
    """
    values: Values = {}
    for setting in settings:
        text = flag_text(args, setting)
        if text is not None:
            values[setting.key] = parse_value(setting, text, setting.flag)
    return values


def values_of_environment(
    environ: Mapping[str, str], settings: Iterable[Setting], prefix: str
) -> Values:
    """Read what the environment gives, by key.

    Args:
        environ: the environment; empty values count as absent.
        settings: all that may be given.
        prefix: variables whose names begin with it are ours.

    Raises:
        ConfigError: there is no such setting, or a value is impossible.
    """
    known = {setting.variable: setting for setting in settings}
    values: Values = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(prefix) or _is_of_the_hub(variable, prefix):
            continue
        setting = known.get(variable)
        if setting is not None:
            # Compose files and charts pass on unset values as empty ones.
            if text:
                values[setting.key] = parse_value(setting, text, variable)
        elif not _SERVICE_VARIABLE.fullmatch(f"{variable}={text}"):
            remedy = hint(variable, known, prefix=prefix) or _list_of(prefix)
            msg = f"{one_line(variable)}: no such setting{remedy}"
            raise ConfigError(msg)
    return values


def _is_of_the_hub(variable: str, prefix: str) -> bool:
    """Whether a variable is for the other program of the two."""
    return prefix != HUB_ENVIRONMENT_PREFIX and variable.startswith(
        HUB_ENVIRONMENT_PREFIX
    )


def _from_file(path: Path) -> Values:
    # Most daemons need no file, and the parser is not small.
    from exporter.config.yaml_file import read_yaml  # noqa: PLC0415 - see above

    settings = {setting.key: setting for setting in SETTINGS if setting.in_file}
    sections = {section.name for section in SECTIONS if section.name}
    values: Values = {}
    for entry in read_yaml(path):
        where = f"{path}:{entry.line}: {one_line(entry.key)}"
        setting = settings.get(entry.key)
        if setting is not None:
            if entry.type != "null" or setting.default is not None:
                values[entry.key] = parse_value(setting, entry.text, where, entry.type)
        elif entry.key not in sections:
            known = (*settings, *sections)
            remedy = hint(entry.key, known) or _list_of(ENVIRONMENT_PREFIX)
            msg = f"{where}: no such setting{remedy}"
            raise ConfigError(msg)
        elif entry.type not in {"null", "map"}:
            msg = f"{where}: expected settings below it, such as 'key: value'"
            raise ConfigError(msg)
    return values


# --- shared by the layers ---------------------------------------------------


def hint(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Complete an error about an unknown word by the nearest known one.

    Args:
        word: as it was given.
        known: all there are.
        prefix: what they have in common, which makes no word more alike.
    """
    words = [each.removeprefix(prefix) for each in known]
    matches = get_close_matches(word.removeprefix(prefix), words, n=1)
    return f"; did you mean {prefix}{matches[0]}?" if matches else ""


def _list_of(prefix: str) -> str:
    """Complete an error by where all settings are listed."""
    program = "hub" if prefix == HUB_ENVIRONMENT_PREFIX else "run"
    return f"; 'jouled {program} --help' lists all of them"


def parse_value(
    setting: Setting, text: str, where: str, yaml_type: str | None = None
) -> object:
    """Read one value.

    Args:
        setting: what it is for.
        text: as it was given.
        where: names the place where it was given, for the message.
        yaml_type: its type in YAML; ``None`` if it has none.

    Raises:
        ConfigError: it is impossible.
    """
    kind = setting.kind
    try:
        if yaml_type is None or yaml_type in kind.yaml_types:
            return kind.parse(text)
    except RefusedValueError as refused:
        msg = f"{where}: {refused}"
        raise ConfigError(msg) from None
    except ValueError:
        got = shorten(text)
    else:
        word = _TYPE_WORDS.get(yaml_type, f"the tag {shorten(yaml_type)}")
        got = f"{word} {shorten(text)}" if text else word
    msg = f"{where}: expected {kind.expected}, got {got}"
    raise ConfigError(msg)


def with_values(
    config: ConfigT, values: Values, sections: Iterable[Section]
) -> ConfigT:
    """Put values into a configuration.

    Args:
        config: a frozen dataclass of settings and sections.
        values: by key.
        sections: the table of that dataclass.
    """
    changes: dict[str, Any] = {}
    for section in sections:
        own = {
            setting.field: values[setting.key]
            for setting in section.settings
            if setting.key in values
        }
        if not section.name:
            changes.update(own)
        elif own:
            changes[section.name] = replace(getattr(config, section.name), **own)
    return replace(config, **changes)
