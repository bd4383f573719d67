"""One flag per setting; its text is parsed together with the other layers."""

import argparse
from collections.abc import Mapping
from types import MappingProxyType

from exporter.config.settings import SECTIONS
from exporter.config.table import Section, Setting

# No flag of a sub-command itself can have such a name in the namespace.
_DESTINATION = "setting:"
_NONE: Mapping[str, str] = MappingProxyType({})


def add_flags(
    parser: argparse.ArgumentParser,
    sections: tuple[Section, ...] = SECTIONS,
    shorter: Mapping[str, str] = _NONE,
) -> None:
    """Add one flag per setting, in a group per section, defaults in the help.

    The texts are parsed by ``load``, so that every layer reports the same error
    in the same words.

    Args:
        parser: of a sub-command.
        sections: its settings, by default those of the daemon.
        shorter: a second flag for a setting that takes a value, by its key.
    """
    for section in sections:
        group = parser.add_argument_group(section.title.removesuffix(".").lower())
        for setting in section.settings:
            _add_flag(group, setting, shorter.get(setting.key))


def flag_text(args: argparse.Namespace, setting: Setting) -> str | None:
    """Return what the command line gave for a setting, if anything."""
    text: str | None = getattr(args, _DESTINATION + setting.key, None)
    return text


def _add_flag(
    group: argparse._ArgumentGroup, setting: Setting, shorter: str | None
) -> None:
    destination = _DESTINATION + setting.key
    text = f"{setting.text} (default: {setting.default_text})".replace("%", "%%")
    if not setting.is_switch:
        group.add_argument(
            *([] if shorter is None else [shorter]),
            setting.flag,
            dest=destination,
            metavar=setting.kind.metavar,
            help=text,
        )
        return
    group.add_argument(
        setting.flag, dest=destination, action="store_const", const="true", help=text
    )
    group.add_argument(
        setting.negative_flag,
        dest=destination,
        action="store_const",
        const="false",
        help=f"turn {setting.flag} off",
    )
