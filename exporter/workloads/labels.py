"""How the labels of a job are written: bounded, and without names if so wished.

A label may hold anything a user thinks of, quotes and line ends included: it is
whoever writes it out that escapes. Here it is only made short enough.
"""

import hashlib
from pathlib import Path

from exporter.core.errors import ConfigError
from exporter.core.model import UserLabel

_MOST_CHARACTERS = 256
_LEAST_KEY_BYTES = 16
_MOST_KEY_BYTES = 64
_HASH_BYTES = 6


class UserNaming:
    """Writes the ``user`` label.

    Args:
        style: the name itself, a hash of it, or nothing.
        key: of the hash. Without a secret key whoever has a list of all users finds
            out who is meant.
    """

    def __init__(self, style: UserLabel = "name", key: bytes = b"") -> None:
        self._style = style
        self._key = key

    def label(self, name: str) -> str:
        """Return the label for a user's name; the same name, the same label."""
        if self._style == "none" or not name:
            return ""
        if self._style == "name":
            return shorten(name)
        digest = hashlib.blake2b(
            name.encode("utf-8", "replace"), digest_size=_HASH_BYTES, key=self._key
        )
        return digest.hexdigest()


def shorten(text: str) -> str:
    """Cut a label that is too long, visibly."""
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[: _MOST_CHARACTERS - 1]}…"


def read_hash_key(path: Path) -> bytes:
    """Read the key for hashes of users.

    Raises:
        ConfigError: it cannot be read, or is too short to be a secret.
    """
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        msg = f"labels.hash_key_file: cannot read {path}: {error.strerror}"
        raise ConfigError(msg) from error
    if not _LEAST_KEY_BYTES <= len(key) <= _MOST_KEY_BYTES:
        msg = (
            f"labels.hash_key_file: {path} holds {len(key)} bytes; "
            f"{_LEAST_KEY_BYTES} to {_MOST_KEY_BYTES} are a key"
        )
        raise ConfigError(msg)
    return key
