"""A real gRPC server on a Unix socket that plays the kubelet's podresources API.

Its messages are written here by hand; a test compares them, and what is read of them,
with what protobuf's own compiler makes of the same.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

Claim = tuple[str, str, str]

_LONGEST_S = 60.0


@dataclass(frozen=True)
class Container:
    """A container, with ids of devices by resource and devices of claims."""

    devices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    claims: Sequence[Claim] = ()


@dataclass
class PlayedKubelet:
    """The server; ``played_kubelet`` starts and stops it.

    Attributes:
        socket: where it listens.
        pods: containers by namespace and name.
        allocatable: ids of devices by resource; ``None``: it does not tell.
        version: of the API that it speaks.
        asks: methods that were called.
        silence: do not answer.
        garbage: answer this.
        code: fail with this.
    """

    socket: Path
    pods: dict[tuple[str, str], list[Container]] = field(default_factory=dict)
    allocatable: dict[str, Sequence[str]] | None = field(default_factory=dict)
    version: str = "v1"
    asks: list[str] = field(default_factory=list)
    silence: bool = False
    garbage: bytes | None = None
    code: grpc.StatusCode | None = None
    _server: Any = None
    _gone: threading.Event = field(default_factory=threading.Event)

    def give(self, namespace: str, name: str, resource: str, *ids: str) -> None:
        """Give devices to a container of a pod."""
        containers = self.pods.setdefault((namespace, name), [])
        containers.append(Container({resource: ids}))

    def start(self) -> None:
        """Be there."""
        self._gone.clear()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4))
        service = f"{self.version}.PodResourcesLister"
        methods = {"List": self._list, "GetAllocatableResources": self._allocatable}
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(handle)
            for name, handle in methods.items()
        }
        generic = grpc.method_handlers_generic_handler(service, handlers)
        self._server.add_generic_rpc_handlers((generic,))
        self._server.add_insecure_port(f"unix:{self.socket}")
        self._server.start()

    def stop(self) -> None:
        """Be away, and take the socket along."""
        self._gone.set()
        if self._server is not None:
            self._server.stop(None).wait(_LONGEST_S)
            self._server = None
        self.socket.unlink(missing_ok=True)

    def _list(self, _: bytes, context: Any) -> bytes:  # noqa: ANN401 - not typed
        return self._answer(context, "List", lambda: encode_list(self.pods))

    def _allocatable(self, _: bytes, context: Any) -> bytes:  # noqa: ANN401 - as above
        def encode() -> bytes:
            if self.allocatable is None:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")
            return encode_devices(self.allocatable or {})

        return self._answer(context, "GetAllocatableResources", encode)

    def _answer(
        self,
        context: Any,  # noqa: ANN401 - as above
        method: str,
        encode: Callable[[], bytes],
    ) -> bytes:
        self.asks.append(method)
        if self.silence:
            self._gone.wait(_LONGEST_S)
        if self.code is not None:
            context.abort(self.code, "it is a test")
        return encode() if self.garbage is None else self.garbage


@contextmanager
def played_kubelet(folder: Path, **settings: Any) -> Iterator[PlayedKubelet]:  # noqa: ANN401 - fields of PlayedKubelet
    """Play a kubelet until the end of the context."""
    folder.mkdir(parents=True, exist_ok=True)
    kubelet = PlayedKubelet(folder / "kubelet.sock", **settings)
    kubelet.start()
    try:
        yield kubelet
    finally:
        kubelet.stop()


# --- messages ---------------------------------------------------------------------


def encode_list(pods: Mapping[tuple[str, str], Sequence[Container]]) -> bytes:
    """Write a ListPodResourcesResponse."""
    return b"".join(
        _field(
            1,
            _field(1, name.encode())
            + _field(2, namespace.encode())
            + b"".join(_field(3, _container(each)) for each in containers),
        )
        for (namespace, name), containers in pods.items()
    )


def encode_devices(devices: Mapping[str, Sequence[str]]) -> bytes:
    """Write an AllocatableResourcesResponse."""
    return b"".join(_field(1, _devices(*each)) for each in devices.items())


def _container(container: Container) -> bytes:
    devices = b"".join(_field(2, _devices(*each)) for each in container.devices.items())
    claims = b"".join(
        _field(
            4,
            _field(2, driver.encode())
            + _field(3, pool.encode())
            + _field(4, device.encode()),
        )
        for driver, pool, device in container.claims
    )
    return _field(1, b"c") + devices + (_field(5, claims) if claims else b"")


def _devices(resource: str, ids: Sequence[str]) -> bytes:
    return _field(1, resource.encode()) + b"".join(
        _field(2, each.encode()) for each in ids
    )


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
