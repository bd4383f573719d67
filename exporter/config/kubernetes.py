"""The settings of pods, and the kinds of values that only they have."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from exporter.config.table import setting
from exporter.config.texts import parse_address
from exporter.config.values import Kind, one_of, path
from exporter.core.errors import ConfigError

Enabled = Literal["auto", "true", "false"]
NamesPolicy = Literal["auto", "api", "kubelet", "logs", "none"]

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# A node's name, a resource and a label's key, as Kubernetes allows them.
_MOST_NAME_CHARACTERS = 253
_NODE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_WORD = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"([A-Za-z0-9]([A-Za-z0-9.-]{{0,251}}[A-Za-z0-9])?/)?{_WORD}")
_MOST_LISTED = 64
_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9_]")


def _auto_or_boolean() -> Kind[Enabled]:
    words: tuple[Enabled, ...] = get_args(Enabled)

    def parse(text: str) -> Enabled:
        for word in words:
            if text.lower() == word:
                return word
        raise ValueError(text)

    return Kind("auto, true or false", f"{{{','.join(words)}}}", ("str", "bool"), parse)


def _node_name() -> Kind[str]:
    def parse(text: str) -> str:
        if len(text) > _MOST_NAME_CHARACTERS or not _NODE_NAME.fullmatch(text):
            raise ValueError(text)
        return text

    return Kind("a name of letters, digits, . and -", "NAME", ("str",), parse)


def _https_url() -> Kind[str]:
    def parse(text: str) -> str:
        url = text.rstrip("/")
        address = url.removeprefix("https://")
        has_port = not address.endswith("]") and ":" in address
        host, port = parse_address(address if has_port else f"{address}:443")
        if address == url or not host or port == 0:
            raise ValueError(text)
        return url

    return Kind("an address such as https://127.0.0.1:10250", "URL", ("str",), parse)


def _listed(what: str, pattern: re.Pattern[str]) -> Kind[tuple[str, ...]]:
    """Take names with commas between them."""

    def parse(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        if len(names) > _MOST_LISTED or not all(map(pattern.fullmatch, names)):
            raise ValueError(text)
        return tuple(dict.fromkeys(names))

    expected = f"one or several, with commas between them, of {what}"
    return Kind(expected, "NAMES", ("str",), parse, ", ".join)


_RESOURCE = re.compile(rf"{_KEY.pattern}\*?|{_KEY.pattern}-\*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """Pods of Kubernetes."""

    enabled: Enabled = setting(
        _auto_or_boolean(),
        "tell the pods of Kubernetes apart; auto: where their cgroups are, or in a pod",
        default="auto",
    )
    node_name: str | None = setting(
        _node_name(),
        "name of this node in the cluster",
        default=None,
        default_note="the variable `NODE_NAME`, or the host name",
    )
    names: NamesPolicy = setting(
        one_of(NamesPolicy),
        "who tells what pods are called: the API server, the kubelet, the directories "
        "of their logs, nobody, or the best of these that answers",
        default="auto",
    )
    service_account_dir: Path = setting(
        path(),
        "directory with the files token and ca.crt, for the API server",
        default=_SERVICE_ACCOUNT,
    )
    kubelet_url: str | None = setting(
        _https_url(),
        "address of the kubelet, to be asked for its pods",
        default=None,
        default_note="it is not asked",
    )
    kubelet_ca_file: Path | None = setting(
        path(),
        "certificates that may have signed the kubelet's",
        default=None,
        default_note="`ca.crt` of `kubernetes.service_account_dir`",
    )
    kubelet_token_file: Path | None = setting(
        path(),
        "token to show to the kubelet",
        default=None,
        default_note="`token` of `kubernetes.service_account_dir`",
    )
    log_dir: Path = setting(
        path(),
        "directory of the pods' logs, which are named after them",
        default=Path("/var/log/pods"),
    )
    pod_resources_socket: Path = setting(
        path(),
        "socket at which the kubelet tells who holds which GPU",
        default=Path("/var/lib/kubelet/pod-resources/kubelet.sock"),
    )
    gpu_resources: tuple[str, ...] = setting(
        _listed("resources such as nvidia.com/gpu or nvidia.com/mig-*", _RESOURCE),
        "resources that are GPUs",
        default=(
            "nvidia.com/gpu",
            "nvidia.com/gpu.shared",
            "nvidia.com/mig-*",
            "amd.com/gpu",
        ),
    )
    pod_labels: tuple[str, ...] = setting(
        _listed("keys such as app.kubernetes.io/name", _KEY),
        "labels of pods that `jouled_job_info` shows, `team` as `label_team`",
        default=(),
        default_note="none",
    )

    def __post_init__(self) -> None:
        names = Counter(self.info_labels.values())
        for key, name in self.info_labels.items():
            if names[name] > 1:
                msg = (
                    f"kubernetes.pod_labels: {key} and another one both become {name}; "
                    "keep one"
                )
                raise ConfigError(msg)
        if self.names == "kubelet" and self.kubelet_url is None:
            msg = "kubernetes.kubelet_url: kubernetes.names: kubelet needs it"
            raise ConfigError(msg)

    @property
    def info_labels(self) -> dict[str, str]:
        """Labels of ``job_info`` by the labels of pods that they are made of."""
        return {key: f"label_{_NOT_IN_LABELS.sub('_', key)}" for key in self.pod_labels}
