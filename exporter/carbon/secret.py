"""Tokens and passwords, kept out of everything that is written."""

import base64
from pathlib import Path

from exporter.core.errors import ConfigError

_MOST_CHARACTERS = 8192


class Secret:
    """A token that shows itself only to who asks for it by ``reveal``.

    Args:
        text: the token; white space around it, such as the end of the line in
            a file, does not belong to it.

    Raises:
        ConfigError: it is empty, or no token has such characters. The message
            does not quote it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        text = text.strip()
        if not text or len(text) > _MOST_CHARACTERS or not text.isprintable():
            msg = "a token or password is empty, too long or not one line of text"
            raise ConfigError(msg)
        self._text = text

    def reveal(self) -> str:
        """Return the token, to be sent and never to be shown."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        msg = "a secret is not written anywhere"
        raise TypeError(msg)


def read_secret(path: Path, setting: str) -> Secret:
    """Return the token or password that a file holds.

    Args:
        path: of the file.
        setting: what a message calls it.

    Raises:
        ConfigError: it cannot be read, or holds none. The message does not quote
            what it holds.
    """
    try:
        with path.open("rb") as file:
            text = file.read(4 * _MOST_CHARACTERS + 1).decode()
    except OSError as error:
        msg = f"{setting}: cannot read {path}: {error.strerror}; grant access to it"
        raise ConfigError(msg) from error
    except UnicodeDecodeError:
        msg = f"{setting}: {path} holds something else than text"
        raise ConfigError(msg) from None
    try:
        return Secret(text)
    except ConfigError as error:
        msg = f"{setting}: {path}: {error}"
        raise ConfigError(msg) from None


def basic_authorization(user: str, password: Secret) -> Secret:
    """Return what the header Authorization holds for basic authentication."""
    pair = f"{user}:{password.reveal()}".encode()
    return Secret(f"Basic {base64.b64encode(pair).decode()}")
