"""Which GPU is behind a device of dynamic resource allocation.

The kubelet names such a device by driver, pool and number; what that is, its driver
tells in ResourceSlices, which only the API server has. They are asked for when there
is a device that is not known, and never on a timer. Without the right to, the device
stays unknown: it is never guessed.

Source: Kubernetes' API reference, ResourceSlice in v1, v1beta2 and v1beta1, and the
attributes of NVIDIA's driver: ``uuid`` of a GPU or a MIG instance.
"""

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping

from exporter.workloads.kubernetes.backoff import Backoff
from exporter.workloads.kubernetes.cluster import ClusterServer
from exporter.workloads.kubernetes.errors import ClusterError
from exporter.workloads.kubernetes.item_stream import ItemStream
from exporter.workloads.kubernetes.pod_devices import ClaimedDevice

_PATHS = tuple(
    f"/apis/resource.k8s.io/{version}/resourceslices"
    for version in ("v1", "v1beta2", "v1beta1")
)
_READ_S = 30.0
_TOTAL_S = 60.0
_MOST_DEVICES = 4096


class ResourceSlices:
    """Knows the devices of this node; for one thread.

    Args:
        server: the API server; ``None`` if there is none to be asked.
        node_name: name of this node in the cluster.
        chance: draws a number 0..1.
        monotonic: CLOCK_MONOTONIC, s.

    Attributes:
        trouble: why it does not know a device, and what helps; "" if it does.
    """

    def __init__(
        self,
        server: ClusterServer | None,
        node_name: str,
        *,
        chance: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trouble = ""
        self._server = server
        self._node_name = node_name
        self._monotonic = monotonic
        self._uuids: dict[ClaimedDevice, str] = {}
        self._backoff = Backoff(10.0, 600.0, chance)
        self._not_before_s = 0.0

    def find(
        self, claims: Collection[ClaimedDevice], is_known: Callable[[str], bool]
    ) -> Mapping[ClaimedDevice, str]:
        """Return the UUIDs of those devices that are known, asking if need be.

        Args:
            claims: the devices.
            is_known: whether there is a GPU of this UUID. One that was divided anew
                has other instances behind the same names.
        """
        found = self._known(claims, is_known)
        if len(found) < len(claims) and self._monotonic() >= self._not_before_s:
            self._ask()
            self._not_before_s = self._monotonic() + self._backoff.failed()
            found = self._known(claims, is_known)
        if len(found) == len(claims):
            self.trouble = ""
            self._backoff.succeeded()
        return found

    def interrupt(self) -> None:
        """End what is being asked; any thread."""
        if self._server is not None:
            self._server.interrupt()

    def _known(
        self, claims: Collection[ClaimedDevice], is_known: Callable[[str], bool]
    ) -> Mapping[ClaimedDevice, str]:
        known = ((claim, self._uuids.get(claim)) for claim in claims)
        return {claim: uuid for claim, uuid in known if uuid and is_known(uuid)}

    def _ask(self) -> None:
        if self._server is None:
            self.trouble = "claims of GPUs are known to the API server alone"
            return
        for path in _PATHS:
            try:
                self._read(self._server, path)
            except ClusterError as error:
                # The first says most: later ones are for older servers.
                self.trouble = self.trouble or (
                    f"{error}: which GPUs claims stand for takes list of "
                    "resourceslices, see docs/kubernetes.md"
                )
            else:
                self.trouble = "a claim is for a device that no ResourceSlice names"
                return

    def _read(self, server: ClusterServer, path: str) -> None:
        query = {"fieldSelector": f"spec.nodeName={self._node_name}"}
        with server.get(path, query, _READ_S, _TOTAL_S) as answer:
            for item in ItemStream(answer.chunks()):
                for claim, uuid in _devices(item):
                    if len(self._uuids) >= _MOST_DEVICES:
                        self._uuids.clear()
                    self._uuids[claim] = uuid


def _devices(item: object) -> Iterator[tuple[ClaimedDevice, str]]:
    """Read the devices of one slice that have a UUID."""
    spec = _mapping(_mapping(item).get("spec"))
    driver, pool = spec.get("driver"), _mapping(spec.get("pool")).get("name")
    devices = spec.get("devices")
    for each in devices if isinstance(devices, list) else ():
        device = _mapping(each)
        # In v1beta1 most of a device is one level down.
        inner = device if "attributes" in device else _mapping(device.get("basic"))
        attributes = _mapping(inner.get("attributes"))
        attribute = attributes.get("uuid") or attributes.get(f"{driver}/uuid")
        uuid = _mapping(attribute).get("string")
        claim = ClaimedDevice(str(driver), str(pool), str(device.get("name")))
        if isinstance(uuid, str) and uuid:
            yield claim, uuid


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
