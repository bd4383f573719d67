from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.errors import ConfigError
from exporter.workloads.labels import UserNaming, read_hash_key, shorten

_KEY = b"0123456789abcdef"


def test_users_appear_by_name_unless_told_otherwise() -> None:
    """What most sites want."""
    assert UserNaming().label("alice") == "alice"


def test_users_can_be_left_out() -> None:
    """Sites that may not show who runs what."""
    assert UserNaming("none").label("alice") == ""


def test_a_hash_tells_users_apart_and_does_not_name_them() -> None:
    """Series of one user still add up, on all nodes with the same key."""
    naming = UserNaming("hash", _KEY)

    assert naming.label("alice") == UserNaming("hash", _KEY).label("alice")
    assert naming.label("alice") != naming.label("bob")
    assert "alice" not in naming.label("alice")
    assert len(naming.label("alice")) == 12


def test_another_key_gives_other_hashes() -> None:
    """A list of users without the key undoes nothing."""
    other = UserNaming("hash", b"another key, sixteen bytes")

    assert other.label("alice") != UserNaming("hash", _KEY).label("alice")


def test_an_unknown_user_has_no_hash() -> None:
    """Absence stays absence."""
    assert UserNaming("hash", _KEY).label("") == ""


@given(st.text())
def test_a_label_is_never_longer_than_its_bound(text: str) -> None:
    """Whatever a user calls a job."""
    short = shorten(text)

    assert len(short) <= 256
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


def test_the_key_is_read_from_its_file(tmp_path: Path) -> None:
    """Not from a flag, which everybody on the node could see."""
    path = tmp_path / "key"
    path.write_bytes(_KEY + b"\n")

    assert read_hash_key(path) == _KEY


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 65])
def test_what_is_no_key_is_refused(tmp_path: Path, key: bytes) -> None:
    """A guessable key is as good as none."""
    path = tmp_path / "key"
    path.write_bytes(key)

    with pytest.raises(ConfigError, match=r"labels\.hash_key_file"):
        read_hash_key(path)


def test_a_key_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """The daemon does not start with names in clear instead."""
    with pytest.raises(ConfigError, match="gone"):
        read_hash_key(tmp_path / "gone")
