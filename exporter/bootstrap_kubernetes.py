"""Composition root of what reads pods; loaded where there are any."""

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from exporter.config import Config, parse_address
from exporter.config.kubernetes import Kubernetes
from exporter.core.errors import ConfigError
from exporter.core.ports import GpuInventory
from exporter.workloads.cgroups import FileBudget
from exporter.workloads.doubts import Doubts
from exporter.workloads.kubernetes import INFO
from exporter.workloads.kubernetes.allocations import Allocations, wanted_resources
from exporter.workloads.kubernetes.api_names import ApiNames
from exporter.workloads.kubernetes.cluster import ClusterServer, ServerAddress
from exporter.workloads.kubernetes.gpus import PodGpus
from exporter.workloads.kubernetes.kubelet_names import KubeletNames
from exporter.workloads.kubernetes.log_names import LogNames
from exporter.workloads.kubernetes.names import Witness
from exporter.workloads.kubernetes.pod_resources import PodResources
from exporter.workloads.kubernetes.resource_slices import ResourceSlices
from exporter.workloads.kubernetes.source import KubernetesWorkloads

if TYPE_CHECKING:
    from exporter.stand_ins import StandIns

_HTTPS_PORT = 443


def build_pods(
    config: Config,
    inventory: GpuInventory,
    budget: FileBudget,
    environ: Mapping[str, str] = os.environ,
    stand_ins: "StandIns | None" = None,
) -> KubernetesWorkloads:
    """Put together what reads the pods of this node.

    Args:
        config: as configured.
        inventory: which GPUs there are.
        budget: how many files may be kept open.
        environ: the environment, in which Kubernetes names the API server.
        stand_ins: take the place of kubelet and API server.

    Raises:
        ConfigError: the API server is to be asked, and is not named.
    """
    doubts = Doubts(INFO.name)
    if stand_ins is not None:
        slices = ResourceSlices(None, "")
        allocations = Allocations(stand_ins.kubelet, slices, inventory)
        witnesses = stand_ins.witnesses
        gpus: PodGpus | None = PodGpus(
            inventory, allocations, config.path.procfs, doubts
        )
    else:
        witnesses = build_witnesses(config.kubernetes, environ)
        gpus = _gpus(config, inventory, doubts, environ)
    return KubernetesWorkloads(
        config.path.cgroupfs, witnesses, doubts, gpus=gpus, budget=budget
    )


def _gpus(
    config: Config,
    inventory: GpuInventory,
    doubts: Doubts,
    environ: Mapping[str, str],
) -> PodGpus | None:
    settings = config.kubernetes
    if settings.names == "none":
        # The kubelet tells by name who holds what.
        return None
    # Which GPU a claim stands for it alone knows, whoever tells names.
    api = _known_api(settings, environ)
    slices = ResourceSlices(
        None if api is None else ClusterServer(api), node_name(settings, environ)
    )
    allocations = Allocations(build_pod_resources(settings), slices, inventory)
    return PodGpus(inventory, allocations, config.path.procfs, doubts)


def build_pod_resources(settings: Kubernetes) -> PodResources:
    """Return who tells which pod holds which GPU."""
    is_wanted = wanted_resources(settings.gpu_resources)
    return PodResources(settings.pod_resources_socket, is_wanted)


def build_witnesses(
    settings: Kubernetes, environ: Mapping[str, str]
) -> tuple[Witness, ...]:
    """Return who tells what pods are called, the most trustworthy first.

    Raises:
        ConfigError: the API server is to be asked, and is not named.
    """
    way = settings.names
    witnesses: list[Witness] = []
    api = asked_api(settings, environ)
    if way == "api" and api is None:
        msg = (
            "kubernetes.names: api needs KUBERNETES_SERVICE_HOST in the environment, "
            "as every pod has it"
        )
        raise ConfigError(msg)
    if api is not None:
        node = node_name(settings, environ)
        witnesses.append(ApiNames(ClusterServer(api), node, settings.info_labels))
    kubelet = kubelet_address(settings)
    if kubelet is not None and way in {"auto", "kubelet"}:
        witnesses.append(KubeletNames(ClusterServer(kubelet), settings.info_labels))
    if way in {"auto", "logs"}:
        witnesses.append(LogNames(settings.log_dir))
    return tuple(witnesses)


def node_name(settings: Kubernetes, environ: Mapping[str, str]) -> str:
    """Return the name of this node in the cluster."""
    return settings.node_name or environ.get("NODE_NAME") or socket.gethostname()


def api_address(
    settings: Kubernetes, environ: Mapping[str, str]
) -> ServerAddress | None:
    """Return where the API server is, as Kubernetes tells every pod."""
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT", str(_HTTPS_PORT))
    if not host or not port.isdecimal():
        return None
    account = settings.service_account_dir
    return ServerAddress(host, int(port), account / "ca.crt", account / "token")


def asked_api(settings: Kubernetes, environ: Mapping[str, str]) -> ServerAddress | None:
    """Return where the API server is, if it is to be asked for names."""
    is_wanted = settings.names in {"auto", "api"}
    return _known_api(settings, environ) if is_wanted else None


def _known_api(
    settings: Kubernetes, environ: Mapping[str, str]
) -> ServerAddress | None:
    """Return where the API server is, if there is a token to show to it."""
    address = api_address(settings, environ)
    if address is None or settings.names == "api":
        return address
    # Every pod is told the address; who shall not ask has no token.
    return address if address.token_file.exists() else None


def kubelet_address(settings: Kubernetes) -> ServerAddress | None:
    """Return where the kubelet is, if it is to be asked."""
    if settings.kubelet_url is None:
        return None
    address = settings.kubelet_url.removeprefix("https://")
    has_port = ":" in address and not address.endswith("]")
    host, port = parse_address(address if has_port else f"{address}:{_HTTPS_PORT}")
    account = settings.service_account_dir
    return ServerAddress(
        host,
        port,
        settings.kubelet_ca_file or account / "ca.crt",
        settings.kubelet_token_file or account / "token",
    )
