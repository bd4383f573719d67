"""The settings as a JSON Schema, for whoever checks a file without the daemon.

It says what is known of a single value: its type, its words and its bounds. What a
text has to look like, and what goes together, the daemon says when it reads the file.
"""

from collections.abc import Collection, Iterable

from exporter.config.table import Section, Setting
from exporter.config.values import YamlType

Schema = dict[str, object]

_TYPES: dict[YamlType, str] = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
}


def config_schema(sections: Iterable[Section], without: Collection[str] = ()) -> Schema:
    """Describe the YAML file of settings.

    Args:
        sections: of the table of settings.
        without: names of sections that are not allowed in it.
    """
    properties: Schema = {}
    for section in sections:
        if section.name in without:
            continue
        settings: Schema = {
            setting.key.rpartition(".")[2]: _setting(setting)
            for setting in section.settings
            if setting.in_file
        }
        if section.name:
            properties[section.name] = _object(settings, section.title)
        else:
            properties.update(settings)
    return _object(properties, "Settings of the daemon.")


def _object(properties: Schema, description: str) -> Schema:
    return {
        "description": description,
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": properties,
    }


def _setting(setting: Setting) -> Schema:
    kind = setting.kind
    # Every whole number is a number there.
    types = [
        _TYPES[each]
        for each in kind.yaml_types
        if not (each == "int" and "float" in kind.yaml_types)
    ]
    if setting.default is None:
        types.append("null")
    schema: Schema = {
        "description": f"{setting.text}: {kind.expected}",
        "type": types if len(types) > 1 else types[0],
    }
    if kind.words and kind.yaml_types == ("str",):
        words: list[str | None] = [*kind.words]
        schema["enum"] = [*words, None] if setting.default is None else words
    if kind.least is not None:
        schema["exclusiveMinimum" if kind.above else "minimum"] = kind.least
    if kind.most is not None:
        schema["maximum"] = kind.most
    return schema
