"""Tokens and passwords, kept out of everything that is written."""

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
