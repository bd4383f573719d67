"""The way to one value in a JSON document, as an operator writes it.

Names and indexes: ``data.0.intensity`` or ``$.data[0].intensity``; an index below
0 counts from the end. A name with dots or brackets in it is written in quotes:
``$["a.b"].c``.
"""

import re

from exporter.core.errors import ConfigError

JsonPath = tuple[str | int, ...]

_STEP = re.compile(
    r"""\.?(?:(?P<name>[^.\[\]"]+)|\[(?P<index>-?\d{1,6})\]|\["(?P<quoted>[^"]+)"\])"""
)
_INDEX = re.compile(r"-?\d{1,6}", re.ASCII)
_MOST_CHARACTERS = 512


def parse_json_path(written: str, setting: str) -> JsonPath:
    """Read a path.

    Args:
        written: as configured.
        setting: what a message calls it.

    Returns:
        Names and indexes from the outside to the inside; maybe none.

    Raises:
        ConfigError: it is no such path.
    """
    steps: list[str | int] = []
    position = 1 if written.startswith("$") else 0
    while position < len(written):
        match = _STEP.match(written, position)
        if match is None or len(written) > _MOST_CHARACTERS:
            msg = f"{setting}: not a path such as data.0.intensity"
            raise ConfigError(msg)
        position = match.end()
        if match["index"] is not None:
            steps.append(int(match["index"]))
        elif match["quoted"] is not None:
            steps.append(match["quoted"])
        elif _INDEX.fullmatch(match["name"]):
            steps.append(int(match["name"]))
        else:
            steps.append(match["name"])
    return tuple(steps)
