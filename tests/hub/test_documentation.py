import argparse
import re
from pathlib import Path

import pytest

from exporter.config import add_flags
from exporter.hub.loading import load
from exporter.hub.providers import KINDS
from exporter.hub.settings import SECTIONS
from tests.fakes.command_line import REPOSITORY

TEXT = (REPOSITORY / "docs" / "hub.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_manual_is_accepted(tmp_path: Path, example: str) -> None:
    """Who copies it has a hub that runs, once the tokens are there."""
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    for name in ("electricity-maps", "watttime", "meter"):
        (tokens / name).write_text("t0ken")
        (tokens / name).chmod(0o600)
    file = tmp_path / "hub.yml"
    file.write_text(example.replace("/etc/jouled/hub", str(tokens)))
    parser = argparse.ArgumentParser()
    add_flags(parser, SECTIONS)
    args = parser.parse_args(["--config.file", str(file)])

    config = load(args, {"ENTSOE_TOKEN": "t0ken"})

    assert config.notices == ()


def test_every_option_of_every_provider_is_in_the_manual() -> None:
    """An option that nobody can find is none."""
    options = {option for kind in KINDS for option in kind.options}
    # Told in words, as ways to give the token or the password.
    options -= {"token", "password", "password_env"}

    assert not [name for name in options if f"{name}:" not in TEXT]
    assert not [kind.name for kind in KINDS if kind.name not in TEXT]
