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
from typing import Any

from exporter.config.flags import flag_text
from exporter.config.settings import SECTIONS, SETTINGS, Config
from exporter.config.state_dirs import usable_state
from exporter.config.table import ENVIRONMENT_PREFIX, Setting
from exporter.config.values import RefusedValueError, one_line, shorten
from exporter.core.errors import ConfigError

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


def load(args: argparse.Namespace, environ: Mapping[str, str]) -> Config:
    """Merge all layers into one configuration.

    Args:
        args: what a parser with ``add_flags`` returned.
        environ: the environment; empty values count as absent.

    Raises:
        ConfigError: a key is unknown or a value impossible; the message is one
            line that names where it was given and what is expected.
    """
    flags = _from_flags(args)
    environment = _from_environment(environ)
    values = {**environment, **flags}
    config_file = values.get("config_file")
    if config_file is not None:
        values = {**_from_file(config_file), **values}
    config = _with_values(Config(), values)
    given = frozenset(values)
    return replace(
        config,
        state=usable_state(config.state, given, environ, is_root=os.geteuid() == 0),
    )


# --- layers -----------------------------------------------------------------


def _from_flags(args: argparse.Namespace) -> Values:
    values: Values = {}
    for setting in SETTINGS:
        text = flag_text(args, setting)
        if text is not None:
            values[setting.key] = _parse(setting, text, setting.flag)
    return values


def _from_environment(environ: Mapping[str, str]) -> Values:
    settings = {setting.variable: setting for setting in SETTINGS}
    values: Values = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        setting = settings.get(variable)
        if setting is not None:
            # Compose files and charts pass on unset values as empty ones.
            if text:
                values[setting.key] = _parse(setting, text, variable)
        elif not _SERVICE_VARIABLE.fullmatch(f"{variable}={text}"):
            msg = f"{one_line(variable)}: no such setting{hint(variable, settings)}"
            raise ConfigError(msg)
    return values


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
                values[entry.key] = _parse(setting, entry.text, where, entry.type)
        elif entry.key not in sections:
            known = (*settings, *sections)
            msg = f"{where}: no such setting{hint(entry.key, known)}"
            raise ConfigError(msg)
        elif entry.type not in {"null", "map"}:
            msg = f"{where}: expected settings below it, such as 'key: value'"
            raise ConfigError(msg)
    return values


# --- shared by the layers ---------------------------------------------------


def hint(word: str, known: Iterable[str]) -> str:
    """Complete an error about an unknown word by the nearest known one."""
    matches = get_close_matches(word, list(known), n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def _parse(
    setting: Setting, text: str, where: str, yaml_type: str | None = None
) -> object:
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


def _with_values(config: Config, values: Values) -> Config:
    changes: dict[str, Any] = {}
    for section in SECTIONS:
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
