"""Looks at what tells of pods on this node, and says what it finds."""

import os
from collections.abc import Callable, Mapping

from exporter.bootstrap_kubernetes import (
    api_address,
    asked_api,
    build_pod_resources,
    kubelet_address,
    node_name,
)
from exporter.commands.findings import Finding
from exporter.config import Config
from exporter.config.kubernetes import Kubernetes
from exporter.workloads.kubernetes.cluster import ClusterServer
from exporter.workloads.kubernetes.errors import ClusterError, RefusedError
from exporter.workloads.kubernetes.pod_resources import PodResourcesError
from exporter.workloads.kubernetes.probe import (
    count_api_pods,
    count_kubelet_pods,
    count_log_dirs,
)

_AREA = "pods"
_RIGHTS = "grant list and watch of pods, see docs/kubernetes.md"
_KUBELET_RIGHTS = "grant get of nodes/pods or nodes/proxy, see docs/kubernetes.md"


def look_at_pods(
    config: Config, environ: Mapping[str, str] = os.environ
) -> tuple[Finding, ...]:
    """Look at everybody who tells what pods are called.

    Args:
        config: as configured, on a node that has pods.
        environ: the environment, in which Kubernetes names the API server.
    """
    settings = config.kubernetes
    looks: dict[str, Callable[[], Finding]] = {
        "api": lambda: _api(settings, environ),
        "kubelet": lambda: _kubelet(settings),
        "logs": lambda: _logs(settings),
    }
    ways = looks if settings.names == "auto" else {settings.names} & looks.keys()
    findings = [looks[way]() for way in looks if way in ways]
    findings.append(_best(findings, settings))
    if settings.names != "none":
        # The kubelet tells by name who holds what.
        findings.append(_gpus(settings))
    return tuple(findings)


def _best(findings: list[Finding], settings: Kubernetes) -> Finding:
    """Say whose names the daemon uses."""
    for finding in findings:
        if finding.verdict == "ok":
            return Finding(_AREA, "names", "ok", f"by the {finding.subject}")
    if settings.names == "none":
        text = "turned off by kubernetes.names: pods are told by UID"
        return Finding(_AREA, "names", "note", text)
    text = "nobody tells them: pods are told by UID, and no GPU has a holder"
    return Finding(_AREA, "names", "problem", text)


def _gpus(settings: Kubernetes) -> Finding:
    subject = "GPUs"
    try:
        pods, _ = build_pod_resources(settings).ask()
    except PodResourcesError as error:
        return Finding(_AREA, subject, "note", f"no pod is known to hold one: {error}")
    holders = sum(1 for pod in pods if pod.devices)
    text = f"{settings.pod_resources_socket} tells of {holders} pods that hold GPUs"
    return Finding(_AREA, subject, "ok", text)


def _api(settings: Kubernetes, environ: Mapping[str, str]) -> Finding:
    subject = "API server"
    address = api_address(settings, environ)
    if address is None:
        text = "not asked: KUBERNETES_SERVICE_HOST is not set, as it is in every pod"
        return Finding(_AREA, subject, "note", text)
    if asked_api(settings, environ) is None:
        text = f"not asked: no {address.token_file}, so it shall not be"
        return Finding(_AREA, subject, "note", text)
    node = node_name(settings, environ)

    def count() -> int:
        return count_api_pods(ClusterServer(address), node)

    text = f"{address} tells of {{}} pods of node {node}"
    return _ask(subject, count, text, _RIGHTS, "set NODE_NAME to the node's name")


def _kubelet(settings: Kubernetes) -> Finding:
    subject = "kubelet"
    address = kubelet_address(settings)
    if address is None:
        text = "not asked: kubernetes.kubelet_url is not set"
        return Finding(_AREA, subject, "note", text)

    def count() -> int:
        return count_kubelet_pods(ClusterServer(address))

    return _ask(subject, count, f"{address} tells of {{}} pods", _KUBELET_RIGHTS)


def _logs(settings: Kubernetes) -> Finding:
    subject = "directories of logs"
    directory = settings.log_dir
    try:
        pods = count_log_dirs(directory)
    except OSError as error:
        text = f"cannot read {directory}: {error.strerror}; mount it, or run as root"
        return Finding(_AREA, subject, "note", text)
    return Finding(_AREA, subject, "ok", f"{directory} tells of {pods} pods")


def _ask(
    subject: str, count: Callable[[], int], text: str, remedy: str, if_none: str = ""
) -> Finding:
    try:
        pods = count()
    except RefusedError as error:
        return Finding(_AREA, subject, "problem", f"{error}: {remedy}")
    except ClusterError as error:
        return Finding(_AREA, subject, "problem", str(error))
    said = text.format(pods)
    if if_none and not pods:
        return Finding(_AREA, subject, "problem", f"{said}: {if_none}")
    return Finding(_AREA, subject, "ok", said)
