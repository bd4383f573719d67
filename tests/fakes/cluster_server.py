"""A real HTTPS server that plays an API server, or a kubelet, well or badly.

It keeps pods and their versions like a real one: a list has a version, a watch goes on
from one, and one that is too old is answered with 410. It can be slow, refuse, break
off, be away and come back on the same port.
"""

import io
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from exporter.workloads.kubernetes.cluster import ClusterServer, ServerAddress
from tests.fakes.certificates import Pair, authority, signed
from tests.fakes.cluster_talk import Ask, Faults, Item, list_of

_LONGEST_S = 60.0
_DRIP_S = 0.05


@dataclass
class PlayedCluster:
    """Pods, and everybody who asks for them; see ``played_cluster``."""

    folder: Path
    certificate: Pair
    token: str = "first-token"  # noqa: S105 - made up
    faults: Faults = field(default_factory=Faults)
    asks: list[Ask] = field(default_factory=list)
    pods: dict[str, Item] = field(default_factory=dict)
    slices: list[Item] = field(default_factory=list)
    version: int = 100
    oldest: int = 0
    port: int = 0
    _events: list[tuple[int, Item]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _era: int = 0
    _server: "_Server | None" = None

    # --- the test's side ------------------------------------------------------------

    @property
    def address(self) -> ServerAddress:
        """Where it is, and how to be known to it."""
        return ServerAddress(
            "127.0.0.1", self.port, self.folder / "ca.crt", self.folder / "token"
        )

    def client(self) -> ClusterServer:
        """Return somebody who asks it."""
        return ClusterServer(self.address, connect_s=_LONGEST_S)

    def put(self, item: Item) -> None:
        """Make or change a pod."""
        uid = item["metadata"]["uid"]
        self._tell("MODIFIED" if uid in self.pods else "ADDED", item)
        self.pods[uid] = item

    def delete(self, uid: str) -> None:
        """Delete a pod."""
        self._tell("DELETED", self.pods.pop(uid))

    def bookmark(self) -> None:
        """Tell all who watch the present version, of which they see nothing else."""
        with self._changed:
            self.version += 50
        self._tell("BOOKMARK", {"kind": "Pod", "metadata": {}})

    def fail_watches(self, code: int) -> None:
        """Tell all who watch that it failed."""
        self._tell("ERROR", {"kind": "Status", "code": code})

    def send(self, line: bytes) -> None:
        """Send a line to all who watch, whatever it is."""
        with self._changed:
            self.version += 1
            self._events.append((self.version, {"raw": line}))
            self._changed.notify_all()

    def compact(self) -> None:
        """Forget all versions before the present one."""
        self.oldest = self.version
        self._events.clear()

    def end_watches(self) -> None:
        """End all watches, as a server does every few minutes."""
        with self._changed:
            self._era += 1
            self._changed.notify_all()

    def rotate_token(self, token: str) -> None:
        """Believe another token from now on, and write it where ours is."""
        self.token = token
        (self.folder / "token").write_text(token)

    @property
    def lists(self) -> list[Ask]:
        """All lists of pods that were asked for."""
        return [ask for ask in self.asks if ask.is_list]

    @property
    def watches(self) -> list[Ask]:
        """All watches that were asked for."""
        return [ask for ask in self.asks if "watch" in ask.query]

    def start(self) -> None:
        """Be there, on the port of the last time."""
        server = self._server = _Server(self)
        self.port = server.server_address[1]
        server.thread.start()

    def stop(self) -> None:
        """Be away."""
        server, self._server = self._server, None
        if server is not None:
            self.end_watches()
            server.break_off()
            server.shutdown()
            server.thread.join(_LONGEST_S)
            server.server_close()

    # --- the server's side ----------------------------------------------------------

    def listed(self, node: str) -> bytes:
        """Return the list of a node's pods."""
        items = [pod for pod in self.pods.values() if pod["spec"]["nodeName"] == node]
        return list_of("PodList", items, self.version)

    def events_after(self, version: int, era: int) -> list[tuple[int, Item]] | None:
        """Wait for what happens after a version; ``None``: the watch has ended."""
        with self._changed:

            def has_news() -> bool:
                return self._era != era or any(v > version for v, _ in self._events)

            self._changed.wait_for(has_news, _LONGEST_S)
            if self._era != era:
                return None
            return [each for each in self._events if each[0] > version]

    def pause(self, seconds: float) -> None:
        """Wait, unless all watches end."""
        with self._changed:
            era = self._era
            self._changed.wait_for(lambda: self._era != era, seconds)

    @property
    def era(self) -> int:
        """It changes when all watches end."""
        return self._era

    def _tell(self, kind: str, item: Item) -> None:
        with self._changed:
            self.version += 1
            item["metadata"] = item.get("metadata", {}) | {
                "resourceVersion": str(self.version)
            }
            event = {"type": kind, "object": json.loads(json.dumps(item))}
            self._events.append((self.version, event))
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, cluster: PlayedCluster) -> None:
        super().__init__(("127.0.0.1", cluster.port), _Handler)
        self.cluster = cluster
        self._open: set[socket.socket] = set()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            cluster.certificate.certificate, cluster.certificate.key
        )
        self.context = context
        self.thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Shake hands in the thread of the request, so that nobody else waits."""
        try:
            request.settimeout(_LONGEST_S)
            wrapped = self.context.wrap_socket(request, server_side=True)
        except OSError:
            request.close()
            return
        self._open.add(wrapped)
        try:
            super().process_request_thread(wrapped, client_address)
        finally:
            self._open.discard(wrapped)

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asks may go away at any time."""

    def break_off(self) -> None:
        """Break all connections."""
        for each in tuple(self._open):
            try:
                socket.socket.shutdown(each, socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        cluster = self.server.cluster
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        cluster.asks.append(Ask(parts.path, query, token))
        faults = cluster.faults
        if faults.drips == "all":
            self.wfile = _Drip(self.wfile, cluster)
        if faults.silence:
            cluster.pause(_LONGEST_S)
            self.close_connection = True
        elif faults.status:
            self._answer(faults.status, b"{}")
        elif token != cluster.token:
            self._answer(401, b"{}")
        elif faults.body is not None:
            self._answer(200, faults.body)
        elif parts.path == "/api/v1/pods" and "watch" in query:
            self._watch(int(query["resourceVersion"]))
        elif parts.path == "/api/v1/pods":
            node = query.get("fieldSelector", "").removeprefix("spec.nodeName=")
            self._answer(200, cluster.listed(node), is_cut=faults.cut_lists)
        elif parts.path == "/pods":
            items = list(cluster.pods.values())
            self._answer(200, list_of("PodList", items, 0))
        elif parts.path.endswith("/resourceslices"):
            self._answer(200, list_of("ResourceSliceList", cluster.slices, 7))
        else:
            self._answer(404, b"{}")

    def _answer(self, status: int, body: bytes, *, is_cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if is_cut else body)
        self.close_connection = True

    def _watch(self, version: int) -> None:
        cluster = self.server.cluster
        era = cluster.era
        if version < cluster.oldest:
            self._answer(410, b"{}")
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            events = cluster.events_after(version, era)
            if events is None:
                self.wfile.write(b"0\r\n\r\n")
                self.close_connection = True
                return
            for seen, event in events:
                version = max(version, seen)
                line = event.get("raw") or json.dumps(event).encode()
                self.wfile.write(b"%x\r\n%s\n\r\n" % (len(line) + 1, line))

    def end_headers(self) -> None:
        """Send the head; its body may drip."""
        super().end_headers()
        if self.server.cluster.faults.drips == "body":
            self.wfile = _Drip(self.wfile, self.server.cluster)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Drip(io.BufferedIOBase):
    """Writes byte by byte, and not quickly."""

    def __init__(self, target: io.BufferedIOBase, cluster: PlayedCluster) -> None:
        self._target = target
        self._cluster = cluster

    def write(self, data: Any) -> int:  # noqa: ANN401 - as the base class has it
        for byte in data:
            self._target.write(bytes([byte]))
            self._cluster.pause(_DRIP_S)
        return len(data)


@contextmanager
def played_cluster(folder: Path) -> Iterator[PlayedCluster]:
    """Play a server until the end of the context."""
    issuer = authority(folder)
    pair = signed(issuer, folder, "server", "IP:127.0.0.1")
    (folder / "ca.crt").write_bytes(issuer.certificate.read_bytes())
    cluster = PlayedCluster(folder, pair)
    cluster.rotate_token(cluster.token)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()
