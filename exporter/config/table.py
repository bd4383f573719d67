"""How a field of a settings dataclass becomes a row of the table of settings.

A field carries its row as metadata. Key, flag and name in the environment all
follow from the names of section and field, so that they cannot disagree:
``attribution.idle`` is ``--attribution.idle`` and ``JOULED_ATTRIBUTION__IDLE``.
"""

from dataclasses import Field, dataclass, field, fields, is_dataclass
from typing import Any

from exporter.config.values import Kind

ENVIRONMENT_PREFIX = "JOULED_"
HUB_ENVIRONMENT_PREFIX = "JOULED_HUB__"
_METADATA_KEY = "jouled"


@dataclass(frozen=True, slots=True)
class _Row:
    """What a field tells about itself; see ``setting``."""

    kind: Kind[Any]
    text: str
    name: str | None
    flag: str | None
    default_note: str | None
    reloadable: bool
    in_file: bool


def setting(  # noqa: PLR0913 - one argument per column of the table
    kind: Kind[Any],
    text: str,
    *,
    default: object,
    name: str | None = None,
    flag: str | None = None,
    default_note: str | None = None,
    reloadable: bool = False,
    in_file: bool = True,
) -> Any:  # noqa: ANN401 - like dataclasses.field, it stands in for a value
    """Declare a field of a settings dataclass.

    Args:
        kind: how its value is read.
        text: what it does, for ``--help`` and the manual; no full stop.
        default: its value when no layer gives one; ``None`` makes it optional.
        name: its name in the key, where the field's has a unit's symbol.
        flag: its flag, where Prometheus' tools have one of another shape.
        default_note: tells the default where the bare value does not.
        reloadable: a running daemon can take on a new value.
        in_file: whether the YAML file may give it.
    """
    row = _Row(kind, text, name, flag, default_note, reloadable, in_file)
    return field(default=default, metadata={_METADATA_KEY: row})


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting and its names in every layer.

    Attributes:
        section: name of its section; "" at the top level.
        field: name of its field in the section's dataclass.
        key: ``section.name``, as in messages and the YAML file.
        flag: its flag, with dashes.
        variable: its environment variable.
        kind: how its value is read and shown.
        text: what it does.
        default: its value when no layer gives one.
        default_note: tells the default where the bare value does not.
        reloadable: a running daemon can take on a new value.
        in_file: whether the YAML file may give it.
    """

    section: str
    field: str
    key: str
    flag: str
    variable: str
    kind: Kind[Any]
    text: str
    default: object
    default_note: str | None
    reloadable: bool
    in_file: bool

    @property
    def default_text(self) -> str:
        """The default in words."""
        if self.default_note is not None:
            return self.default_note
        return "none" if self.default is None else self.kind.show(self.default)

    @property
    def is_switch(self) -> bool:
        """Whether its flag takes no value."""
        return self.kind.yaml_types == ("bool",)

    @property
    def negative_flag(self) -> str:
        """The flag that turns a switch off, as in Prometheus' tools."""
        return self.flag.replace("--", "--no-", 1)

    def value_in(self, config: object) -> object:
        """Its value in a configuration."""
        holder = getattr(config, self.section) if self.section else config
        return getattr(holder, self.field)


@dataclass(frozen=True, slots=True)
class Section:
    """The settings of one dataclass; ``name`` is "" for the top level."""

    name: str
    title: str
    settings: tuple[Setting, ...]


def sections_of(config: type, prefix: str = ENVIRONMENT_PREFIX) -> tuple[Section, ...]:
    """Read the table off the dataclass of the whole configuration.

    Its fields are settings of the top level, or sections: dataclasses whose
    docstrings' first lines are the titles. Other fields have no rows.

    Args:
        config: the dataclass.
        prefix: what the names of its environment variables begin with.
    """
    top: list[Setting] = []
    sections: list[Section] = []
    for member in fields(config):
        if _METADATA_KEY in member.metadata:
            top.append(_setting_of("", member, prefix))
        elif is_dataclass(member.type) and any(
            _METADATA_KEY in each.metadata for each in fields(member.type)
        ):
            section: Any = member.type
            rows = tuple(
                _setting_of(member.name, each, prefix) for each in fields(section)
            )
            title = (section.__doc__ or member.name).partition("\n")[0]
            sections.append(Section(member.name, title, rows))
    return (Section("", "General.", tuple(top)), *sections)


def _setting_of(section: str, member: "Field[Any]", prefix: str) -> Setting:
    row: _Row = member.metadata[_METADATA_KEY]
    name = row.name or member.name
    key = f"{section}.{name}" if section else name
    return Setting(
        section=section,
        field=member.name,
        key=key,
        flag=row.flag or f"--{key.replace('_', '-')}",
        variable=prefix + key.replace(".", "__").upper(),
        kind=row.kind,
        text=row.text,
        default=member.default,
        default_note=row.default_note,
        reloadable=row.reloadable,
        in_file=row.in_file,
    )
