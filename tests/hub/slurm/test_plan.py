import re
from pathlib import Path

import pytest

from exporter.config.document import read_document
from exporter.core.errors import ConfigError
from exporter.hub.slurm.plan import SlurmPlan, read_slurm


def _read(folder: Path, text: str) -> tuple[SlurmPlan | None, list[str]]:
    path = folder / "hub.yml"
    path.write_text(text)
    notices: list[str] = []
    return read_slurm(read_document(path, "file of a hub", "zones"), notices), notices


def test_a_socket_takes_nothing_but_its_path(tmp_path: Path) -> None:
    """The kernel says there who asks."""
    plan, notices = _read(tmp_path, "slurm: {url: unix:///run/slurmrestd/socket}\n")

    assert plan == SlurmPlan(socket=Path("/run/slurmrestd/socket"))
    assert notices == []


def test_everything_can_be_said(tmp_path: Path) -> None:
    """And is what the manual calls it."""
    text = """
slurm:
  url: https://slurm.example.org:6820/
  user: jouled
  token_file: /etc/jouled/hub/slurm
  api_version: v0.0.40
  interval: 1m
  timeout: 5s
  ca_file: /etc/ssl/site.pem
"""
    plan, _ = _read(tmp_path, text)

    assert plan == SlurmPlan(
        url="https://slurm.example.org:6820",
        user="jouled",
        token_file=Path("/etc/jouled/hub/slurm"),
        api_version="v0.0.40",
        interval_s=60.0,
        timeout_s=5.0,
        ca_file=Path("/etc/ssl/site.pem"),
    )


def test_who_says_nothing_asks_nobody(tmp_path: Path) -> None:
    """It is an extra."""
    assert _read(tmp_path, "zones: {DE: }\n") == (None, [])


def test_a_token_in_clear_is_told(tmp_path: Path) -> None:
    """Whoever overhears it may do what its user may."""
    _, notices = _read(
        tmp_path, "slurm: {url: 'http://ctl:6820', user: a, token_file: /t}\n"
    )

    assert len(notices) == 1
    assert "use https" in notices[0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("slurm: {user: a, token_file: /t}", "hub.yml:1: url: is missing"),
        ("slurm: {url: unix://run/x}", "hub.yml:1: url: has to have a whole path"),
        ("slurm: {url: 'ftp://x'}", "hub.yml:1: slurm: url: not an address"),
        ("slurm: {url: 'http://t0ken@x'}", "hub.yml:1: slurm: url: an address"),
        ("slurm: {url: 'http://x', user: a}", "user: needs a token_file"),
        ("slurm: {url: 'http://x', token_file: /t}", "user: needs a token_file"),
        ("slurm: {url: 'http://x', user: 'a b', token_file: /t}", "no name"),
        ("slurm: {url: 'http://x', token: t0ken}", "token: no such key; did you mean"),
        ("slurm: {url: 'http://x', api_version: '38'}", "such as v0.0.38"),
        ("slurm: {url: 'http://x', interval: 1s}", "interval: expected"),
        ("slurm: {url: 'http://x', ca_file: /c}", "ca_file: needs a url"),
        ("slurm: {url: 'https://x', ca_file: ''}", "ca_file: has to be the path"),
    ],
)
def test_what_cannot_be_is_refused_with_line_and_key(
    tmp_path: Path, text: str, complaint: str
) -> None:
    """Before anything starts, and without repeating a token."""
    with pytest.raises(ConfigError, match=re.escape(complaint)) as told:
        _read(tmp_path, text)

    assert "t0ken" not in str(told.value)
