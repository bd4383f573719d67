"""Plain HTTP to what listens on the loopback, asked again and again.

A call of httpx itself loads all authorities of the system, for whom there is nothing
to vouch here: that takes twenty times as long as all the rest of it.
"""

import ssl
from collections.abc import Mapping, Sequence

import httpx

_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def get(
    url: str,
    *,
    params: Mapping[str, str | Sequence[str]] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30.0,
) -> httpx.Response:
    """Ask once, on a connection of its own.

    Args:
        url: where.
        params: of the query.
        headers: beside the usual ones.
        timeout: how long each step of it may take, s.

    Raises:
        httpx.HTTPError: there was no answer.
    """
    return httpx.get(
        url, params=params, headers=headers, timeout=timeout, verify=_TRUSTS_NOBODY
    )
