"""Asks a hub how its budgets stand."""

from pathlib import Path

import httpx
from pydantic import ValidationError

from exporter.carbon.fetching import shut_logs
from exporter.carbon.provider import base_url
from exporter.hub.budgets.api_models import BudgetsAnswer
from exporter.hub.prometheus.client import read_secret, trust
from exporter.hub.prometheus.series import StoreError
from exporter.hub.prometheus.settings import PrometheusSettings

_WITHIN_S = 10.0
_MOST_BYTES = 16 * 2**20


class HubError(Exception):
    """The hub cannot be asked; the message says why."""


def ask(
    url: str, ca_file: Path | None, username: str, password_file: Path | None
) -> BudgetsAnswer:
    """Ask a hub.

    Args:
        url: its address.
        ca_file: authorities to trust instead of the system's, PEM.
        username: for basic authentication; "" without.
        password_file: file of the password.

    Raises:
        ConfigError: the address is none.
        HubError: it gave no answer.
    """
    base = base_url(url, "--hub")
    shut_logs()
    try:
        context = trust(PrometheusSettings(base, ca_file=ca_file))
        auth = None
        if password_file is not None:
            auth = httpx.BasicAuth(username, read_secret(password_file).reveal())
        with (
            httpx.Client(timeout=_WITHIN_S, verify=context, auth=auth) as client,
            client.stream("GET", f"{base}/api/v1/budgets") as response,
        ):
            return BudgetsAnswer.model_validate_json(_body(response))
    except StoreError as error:
        raise HubError(str(error)) from error
    except httpx.TimeoutException:
        # Not "from error": it holds the request, with the password.
        msg = f"{url} did not answer in time"
        raise HubError(msg) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        msg = f"{url} cannot be reached: {type(error).__name__}; is it a hub? see --hub"
        raise HubError(msg) from None
    except ValidationError:
        msg = f"{url} answered with something else; is it a hub of this version?"
        raise HubError(msg) from None


def _body(response: httpx.Response) -> bytes:
    host = response.url.host
    if response.status_code != httpx.codes.OK:
        msg = f"{host} answered {response.status_code}; is it a hub? see --hub"
        raise HubError(msg)
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > _MOST_BYTES:
            msg = f"{host} answered with more than {_MOST_BYTES} bytes"
            raise HubError(msg)
    return bytes(body)
