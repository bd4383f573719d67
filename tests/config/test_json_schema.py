from typing import Any

from jsonschema import Draft202012Validator

from exporter.config.json_schema import config_schema
from exporter.config.settings import SECTIONS, SETTINGS

SCHEMA = config_schema(SECTIONS)


def complaints(document: object) -> list[str]:
    """Return what is wrong with a file of settings."""
    return [
        error.message for error in Draft202012Validator(SCHEMA).iter_errors(document)
    ]


def in_file(key: str, value: object) -> dict[str, Any]:
    """Return a file with one setting."""
    section, dot, name = key.rpartition(".")
    return {section: {name: value}} if dot else {name: value}


def yaml_value(text: str, types: tuple[str, ...]) -> object:
    """Return what YAML makes of the text of a setting."""
    if "bool" in types and text in {"true", "false"}:
        return text == "true"
    if "float" in types:
        return float(text)
    return int(text) if "int" in types else text


def test_it_is_a_schema_itself() -> None:
    """A misspelt word in one is ignored, and everything passes."""
    Draft202012Validator.check_schema(SCHEMA)


def test_every_setting_of_the_file_may_have_its_default() -> None:
    """What the manual shows can be written down."""
    for setting in SETTINGS:
        if not setting.in_file:
            assert complaints(in_file(setting.key, "x"))
        elif setting.default is None:
            assert complaints(in_file(setting.key, None)) == []
        else:
            text = setting.kind.show(setting.default)
            value = yaml_value(text, setting.kind.yaml_types)
            assert complaints(in_file(setting.key, value)) == [], setting.key


def test_no_setting_takes_a_list() -> None:
    """None does; a schema that says nothing of a type would let it pass."""
    for setting in SETTINGS:
        assert complaints(in_file(setting.key, [])), setting.key


def test_bounds_and_words_are_those_of_the_settings() -> None:
    """Out of bounds is told where the file is written, not where it is read."""
    assert complaints({"pue": 1}) == []
    assert complaints({"pue": 0.99})
    assert complaints({"pue": 10.1})
    assert complaints({"carbon": {"intensity": 2000}}) == []
    assert complaints({"carbon": {"intensity": 0}})
    assert complaints({"metrics": {"max_jobs": 1.5}})
    assert complaints({"metrics": {"level": "tenant"}}) == []
    assert complaints({"metrics": {"level": "tenants"}})
    assert complaints({"power": {"model": False}})


def test_a_misspelt_key_is_refused_on_both_levels() -> None:
    """The daemon does so too, but only once it is started."""
    assert complaints({"carbn": {}})
    assert complaints({"carbon": {"zon": "DE"}})
    assert complaints({"carbon": None}) == []


def test_a_section_can_be_left_out() -> None:
    """Some are not for whoever writes the file."""
    properties: Any = config_schema(SECTIONS, ["web"])["properties"]

    assert "web" not in properties
    assert "carbon" in properties
