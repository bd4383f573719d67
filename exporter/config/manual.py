"""Writes docs/configuration.md from the table of settings."""

from exporter.config.settings import SECTIONS
from exporter.config.table import Section, Setting

_INTRODUCTION = """\
# Configuration

<!-- Generated from exporter/config/settings.py by `make docs`; do not edit. -->

Every setting can be given in three ways. A later one wins over an earlier one:

1. the YAML file named by `--config.file` (or `JOULED_CONFIG_FILE`),
2. environment variables, `JOULED_SECTION__NAME`,
3. flags, `--section.name`.

So `attribution: {idle: none}`, `JOULED_ATTRIBUTION__IDLE=none` and
`--attribution.idle none` say the same. An unknown key, variable or flag, a key
given twice, and a value of the wrong type are errors: the daemon does not start,
prints one line that names the place, and ends with exit code 2. An empty
environment variable counts as absent. Of YAML, plain words are text unless they are
numbers, `true`, `false` or `null`; durations are text with units, such as
`500ms`, `1s`, `1h30m` or `10d`. The file may have up to 1 MiB.

A running daemon reads its configuration again on SIGHUP. Settings marked
*reload* take effect at once; a change of any other needs a restart.

```yaml
sampling:
  interval: 1s
carbon:
  zone: DE
pue: 1.2
attribution:
  idle: reserved
log:
  level: info
```
"""


def describe() -> str:
    """Return the manual of all settings, as Markdown."""
    return "\n".join([_INTRODUCTION, *map(_section, SECTIONS)])


def _section(section: Section) -> str:
    title = f"`{section.name}`" if section.name else "Top level"
    rows = "\n".join(map(_row, section.settings))
    return (
        f"## {title}\n\n{section.title}\n\n"
        "| key | flag | environment | value | default | meaning |\n"
        f"|---|---|---|---|---|---|\n{rows}\n"
    )


def _row(setting: Setting) -> str:
    flag = f"`{setting.flag}`"
    if setting.is_switch:
        flag += f", `{setting.negative_flag}`"
    key = f"`{setting.key}`" if setting.in_file else "not in the file"
    reload = " *reload*" if setting.reloadable else ""
    default = setting.default_text
    if setting.default_note is None and setting.default is not None:
        default = f"`{default}`"
    cells = (
        key,
        flag,
        f"`{setting.variable}`",
        setting.kind.expected,
        default,
        f"{setting.text}.{reload}",
    )
    return f"| {' | '.join(cells)} |"
