"""A file that a program of the site writes: the figure of its own supply.

It holds a number, or a JSON object ``{"value": 123.4, "estimated": false}``, in
gCO2e per kWh. It speaks of the moment it was written. Write a new file and rename
it over the old one, so that it is never read half written.
"""

import asyncio
import os
import stat
from pathlib import Path
from typing import Literal

from exporter.carbon.answer import flag, number, parse_json
from exporter.carbon.errors import NonsenseError, UnavailableError
from exporter.carbon.observation import Observation, Report
from exporter.carbon.provider import Traits, Web
from exporter.core.units import GramsPerKwh, Seconds

NAME = "file"

USUAL_LIVE_FOR_S = Seconds(7200.0)
"""How long a figure is believed after it was written."""

_MAX_BYTES = 2**16
_CADENCE_S = Seconds(60.0)
# A file on a network that does not answer must not keep anybody waiting.
_READ_S = 10.0


class FileIntensity:
    """Reads a file.

    Args:
        path: of the file.
        live_for_s: how long after it was written it is believed, s, > 0.
        factors: what its writer counts.
        name: as in the label ``provider``, to tell several apart.
    """

    def __init__(
        self,
        path: Path,
        *,
        live_for_s: Seconds = USUAL_LIVE_FOR_S,
        factors: Literal["lifecycle", "direct", ""] = "",
        name: str = NAME,
    ) -> None:
        self._path = path
        self._factors = factors
        self.traits = Traits(name, cadence_s=_CADENCE_S, live_for_s=live_for_s)

    def covers(self, zone: str) -> bool:
        """Whether it may have a zone: whoever writes it knows."""
        return bool(zone)

    async def fetch(self, web: Web, zones: tuple[str, ...], unix_s: Seconds) -> Report:
        """Read the file, whatever the zone is called."""
        del web, unix_s
        (zone,) = zones
        try:
            async with asyncio.timeout(_READ_S):
                content, written_unix_s = await asyncio.to_thread(_read, self._path)
        except TimeoutError:
            msg = f"{self._path} cannot be read in time"
            raise UnavailableError(msg) from None
        value, estimated = read_content(content)
        return Report(
            {
                zone: Observation(
                    zone=zone,
                    provider=self.traits.name,
                    value=GramsPerKwh(value),
                    observed_unix_s=written_unix_s,
                    slot_s=_CADENCE_S,
                    factors=self._factors,
                    estimated=estimated,
                )
            }
        )


def read_content(content: str) -> tuple[float, bool]:
    """Read a number or an object.

    Returns:
        Its value, g/kWh, and whether it is called an estimate.

    Raises:
        NonsenseError: it is neither.
    """
    data = parse_json(content)
    if isinstance(data, dict):
        return number(data, "value"), flag(data, "estimated")
    return number(data), False


def _read(path: Path) -> tuple[str, Seconds]:
    try:
        # A named pipe without a writer would be waited for.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                msg = f"{path} is not a file"
                raise UnavailableError(msg)
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise UnavailableError(msg) from error
    if len(content) > _MAX_BYTES:
        msg = f"{path} is larger than {_MAX_BYTES} bytes"
        raise NonsenseError(msg)
    try:
        return content.decode(), Seconds(status.st_mtime)
    except UnicodeDecodeError:
        msg = f"{path} is not text"
        raise NonsenseError(msg) from None
