"""One section of the hub's file, read as typed values.

Whatever is refused names file, line, key and remedy, and never repeats a value:
what an operator wrote in the wrong place may be a token.
"""

import re
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from exporter.carbon.provider import base_url
from exporter.carbon.secret import Secret
from exporter.config.document import Section
from exporter.config.loading import hint
from exporter.core.errors import ConfigError
from exporter.core.units import Seconds

ValueT = TypeVar("ValueT")

_MOST_TOKEN_BYTES = 16 * 2**10
_WORD = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class Options:
    """The section of one provider.

    Args:
        section: what the file says; empty if it says nothing.
        name: of the provider, for messages.
        environ: the environment, for tokens.
        notices: gets what the operator should know.
    """

    def __init__(
        self,
        section: Section,
        name: str,
        environ: Mapping[str, str],
        notices: list[str],
    ) -> None:
        self.section = section
        self.name = name
        self._environ = environ
        self._notices = notices

    def only(self, *known: str) -> None:
        """Refuse every key but these.

        Raises:
            ConfigError: there is another one.
        """
        for key in self.section:
            if key not in known:
                words = ", ".join(known)
                complaint = f"no such option{hint(key, known)}; known here: {words}"
                self.section.refuse(key, complaint)

    def text(self, key: str, otherwise: str) -> str:
        """Return a text, or what counts without one."""
        return self.section.text(key) or otherwise

    def word(self, key: str, otherwise: str) -> str:
        """Return a name of letters, digits, ``.``, ``_`` and ``-``.

        Raises:
            ConfigError: it is none.
        """
        said = self.section.text(key) or otherwise
        if said and not _WORD.fullmatch(said):
            self.section.refuse(key, "expected letters, digits, ., _ and -")
        return said

    def needed(self, key: str, example: str) -> str:
        """Return a text that has to be there.

        Raises:
            ConfigError: it is not.
        """
        said = self.section.text(key)
        if not said:
            place = self.section.place(key)
            msg = f"{place}: {self.name}: needs {key}, such as {example}"
            raise ConfigError(msg)
        return said

    def choice(self, key: str, words: Iterable[ValueT], otherwise: ValueT) -> ValueT:
        """Return one of several words.

        Raises:
            ConfigError: it is none of them.
        """
        said = self.section.text(key)
        known = {str(word): word for word in words}
        if not said:
            return otherwise
        if said not in known:
            self.section.refuse(key, f"has to be one of {', '.join(known)}")
        return known[said]

    def duration(
        self, key: str, otherwise: Seconds, shortest_s: float, longest_s: float
    ) -> Seconds:
        """Return a duration, s.

        Raises:
            ConfigError: it is none, or outside of the bounds.
        """
        return Seconds(self.section.duration(key, otherwise, (shortest_s, longest_s)))

    def flag(self, key: str, *, otherwise: bool) -> bool:
        """Return true or false."""
        return self.section.flag(key, default=otherwise)

    def names(self, key: str) -> dict[str, str]:
        """Return what grid zones are called elsewhere, by zone."""
        pairs = self.section.section(key)
        return {zone.upper(): pairs.text(zone) for zone in pairs}

    def path(self, key: str) -> Path:
        """Return the path of a file; it need not be there yet.

        Raises:
            ConfigError: none is given, or it cannot be one.
        """
        said = self.needed(key, "/var/lib/site/intensity")
        if "\0" in said:
            self.section.refuse(key, "is no path")
        return Path(said)

    def url(self, otherwise: str = "") -> str:
        """Return the address of a service; a query at its end is kept.

        Raises:
            ConfigError: it is none.
        """
        said = self.section.text("url")
        if not said:
            if not otherwise:
                self.needed("url", "https://meter.example.org/now")
            return otherwise
        address, _, query = said.partition("?")
        self.checked("url", lambda: base_url(address, "url"))
        if query and self._is_public:
            self._notices.append(
                f"{self.section.place('url')}: url: every user of this machine can "
                "read its query; for a token use token_file and token_param"
            )
        return said

    def checked(self, key: str, make: Callable[[], ValueT]) -> ValueT:
        """Return what is made of a key; a complaint gets file and line.

        Raises:
            ConfigError: it cannot be made; its message has to name the key.
        """
        try:
            return make()
        except ConfigError as error:
            msg = f"{self.section.place(key)}: {error}"
            raise ConfigError(msg) from None

    def secret(self, key: str, url: str) -> Secret:
        """Return a token or a password that has to be there.

        Args:
            key: its key; also with ``_file`` or ``_env`` behind it.
            url: where it is sent to.

        Raises:
            ConfigError: it is not there, or others can read it here.
        """
        found = self.secret_or_none(key, url)
        if found is None:
            place = self.section.place(key)
            ways = f"{key}_file, {key}_env or {key}"
            msg = f"{place}: {self.name}: needs one of {ways}"
            raise ConfigError(msg)
        return found

    def secret_or_none(self, key: str, url: str) -> Secret | None:
        """Return a token or a password, if there is one; see ``secret``."""
        section = self.section
        ways = [way for way in (key, f"{key}_file", f"{key}_env") if way in section]
        if not ways:
            return None
        if len(ways) > 1:
            section.refuse(ways[1], f"{ways[0]} is given as well; keep one")
        way = ways[0]
        text = self._told(way, section.text(way))
        try:
            secret = Secret(text)
        except ConfigError:
            section.refuse(way, "what it tells is empty, too long or not one line")
        self._notice_if_in_clear(url)
        return secret

    def _told(self, way: str, said: str) -> str:
        if way.endswith("_file"):
            return self._of_file(way, said)
        if not way.endswith("_env"):
            self._refuse_if_public(way)
            return said
        if said not in self._environ:
            self.section.refuse(way, "there is no such variable in the environment")
        return self._environ[said]

    def _of_file(self, key: str, said: str) -> str:
        path = Path(said)
        try:
            if not said or not path.is_file():
                self.section.refuse(key, "no such file; put the token into it")
            with path.open("rb") as file:
                raw = file.read(_MOST_TOKEN_BYTES + 1)
                mode = path.stat().st_mode
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no path"
            self.section.refuse(key, f"cannot be read: {reason}; check permissions")
        if len(raw) > _MOST_TOKEN_BYTES:
            self.section.refuse(key, "is too large for a token")
        if mode & stat.S_IROTH:
            self._notices.append(
                f"{self.section.place(key)}: {key}: every user of this machine can "
                "read that file; chmod o-r it"
            )
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.section.refuse(key, "is not text")

    @property
    def _is_public(self) -> bool:
        """Whether others can read what the file says."""
        return bool(self.section.path.stat().st_mode & stat.S_IROTH)

    def _refuse_if_public(self, key: str) -> None:
        if self._is_public:
            self.section.refuse(
                key,
                "every user of this machine can read it here; "
                f"use {key}_file, or chmod o-r this file",
            )

    def _notice_if_in_clear(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
            self._notices.append(
                f"{self.section.place('url')}: {self.name}: its token travels over "
                "http, where others can read it; use https"
            )
