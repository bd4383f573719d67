"""What the hub costs with the nodes of a large site, and what it asks upstream.

The hub is the real one. First every node asks once a minute, which is the most there
can be, at the rate at which that happens. Then an hour is lived through in a minute
and a half, by a clock that goes faster in hub, nodes and providers alike; there the
nodes ask as they do: at a moment of their own in each period, which is what the hub
says its answer is good for. Each request has a connection of its own. Latencies of that
hour are those of a hub with so many times as many nodes.
"""

import asyncio
import heapq
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.processes import cpu_seconds, rss_bytes, running
from bench.report import Target, table, targets
from bench.scrapes import free_port, wait_until_ready
from exporter.carbon.schedule import next_turn_s
from exporter.core.units import Seconds
from tests.fakes.played_providers import PlayedProviders, played_providers
from tests.fakes.played_time import PlayedTime

HOUR_S = 3600.0
_MINUTE_S = 60.0
# How a node takes what the hub says its answer is good for; see carbon/relay.py.
_PERIOD_S = (30.0, 300.0)
_NOT_MODIFIED = 304
_P99_MS = 20.0

# Zone, its provider, and how often that one has something new, s.
_ZONES = (
    *((zone, "energy-charts", 900.0) for zone in ("DE", "AT", "PL", "SE")),
    ("IT", "site", 300.0),
    ("ES", "electricity-maps", 900.0),
)


@dataclass(slots=True)
class Load:
    """What the nodes did and saw.

    Attributes:
        latencies_s: from the connection to the end of the answer, of each request.
        not_modified: how many were answered with 304.
        failed: how many were not answered.
    """

    latencies_s: list[float] = field(default_factory=list)
    not_modified: int = 0
    failed: int = 0

    def percentile_ms(self, part: float) -> float:
        """Return the latency that this part of the requests stay below, ms."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1e3


@dataclass(frozen=True, slots=True)
class Run:
    """One load on a fresh hub.

    Attributes:
        name: for a person.
        simulated_s: how long it was for hub and nodes, s.
        seconds: how long it took, s.
        load: what the nodes saw.
        cpu_s: CPU time of the hub, s.
        rss_mib: its resident memory at the end, MiB.
        upstream: calls to providers.
    """

    name: str
    simulated_s: float
    seconds: float
    load: Load
    cpu_s: float
    rss_mib: float
    upstream: int

    @property
    def cores(self) -> float:
        """How much of a core the hub takes where time is not hurried."""
        return self.cpu_s / self.simulated_s


def report(nodes: int, seconds: float, factor: float) -> str:
    """Measure, and return what was found.

    Args:
        nodes: how many there are.
        seconds: how long they ask at their real rate, s.
        factor: how much faster an hour goes.
    """
    real = _measure("at the real rate", nodes, seconds, 1.0, period_s=_MINUTE_S)
    fast = f"an hour, {factor:g} times as fast"
    hour = _measure(fast, nodes, HOUR_S, factor, period_s=None)
    runs = (real, hour)
    most = sum(HOUR_S / cadence_s + 1 for _, _, cadence_s in _ZONES)
    failed = sum(run.load.failed for run in runs)
    found = (
        Target(
            f"p99, {nodes:,} nodes that ask once a minute",
            _P99_MS,
            real.load.percentile_ms(0.99),
            "ms",
        ),
        Target(f"CPU, {nodes:,} nodes that ask once a minute", 1, real.cores, "cores"),
        Target("CPU in an hour as nodes ask", 1, hour.cores, "cores"),
        Target(
            f"upstream calls for {len(_ZONES)} zones in an hour",
            most,
            hour.upstream,
            "calls",
        ),
        Target("requests without an answer", 0, failed, "requests"),
    )
    return f"{_table(runs)}\n\n{targets(found)}"


def _measure(
    name: str, nodes: int, simulated_s: float, factor: float, *, period_s: float | None
) -> Run:
    sys.stderr.write(f"measuring {nodes:,} nodes {name} …\n")
    clock = PlayedTime.begin(factor)
    with (
        played_providers(clock.unix) as providers,
        _hub(providers, clock) as (pid, port),
    ):
        begin_s, cpu_s = time.monotonic(), cpu_seconds(pid)
        load = asyncio.run(_ask(port, nodes, clock, simulated_s, period_s))
        return Run(
            name,
            simulated_s,
            time.monotonic() - begin_s,
            load,
            cpu_seconds(pid) - cpu_s,
            rss_bytes(pid) / 2**20,
            len(providers.server.asks),
        )


@contextmanager
def _hub(providers: PlayedProviders, clock: PlayedTime) -> Iterator[tuple[int, int]]:
    """Run a hub that asks the providers; yields its process id and port."""
    url, port = providers.url, free_port()
    zones = "".join(f"  {zone}: {{providers: {name}}}\n" for zone, name, _ in _ZONES)
    with TemporaryDirectory(prefix="jouled-bench-") as name:
        file = Path(name) / "hub.yml"
        file.write_text(
            f"zones:\n{zones}providers:\n  energy-charts: {{url: {url}}}\n"
            f"  electricity-maps: {{url: {url}, token: none}}\n"
            f"  site: {{type: http-json, url: {url}/feed, value: now.value, "
            "time: now.at, every: 5m}\n"
        )
        file.chmod(0o600)
        command = [
            *(sys.executable, "-m", "tests.e2e.hub_in_played_time"),
            *clock.arguments,
            *("--config.file", str(file), "--state.dir", name),
            *("--web.listen-address", f"127.0.0.1:{port}"),
        ]
        with running(command) as pid:
            wait_until_ready(port, "/readyz")
            yield pid, port


async def _ask(
    port: int,
    nodes: int,
    clock: PlayedTime,
    simulated_s: float,
    period_s: float | None,
) -> Load:
    """Let all nodes ask until so much time has passed on their clock.

    Args:
        port: of the hub.
        nodes: how many.
        clock: theirs.
        simulated_s: for how long, s.
        period_s: how often each asks, s; ``None``: as the hub tells it.
    """
    load = Load()
    # By hash of its name, a node keeps its place in each period.
    chance = random.Random(nodes)  # noqa: S311 - no secret depends on it
    places = [chance.random() for _ in range(nodes)]
    end_s = clock.unix() + simulated_s
    first_s = period_s or _PERIOD_S[1]
    due = [
        (clock.unix() + place * first_s, node, "") for node, place in enumerate(places)
    ]
    heapq.heapify(due)
    tasks: set[asyncio.Task[None]] = set()

    async def ask(node: int, etag: str) -> None:
        zone = _ZONES[node % len(_ZONES)][0]
        begin_s = time.monotonic()
        try:
            status, etag, max_age_s = await _exchange(port, zone, etag)
        except OSError:
            load.failed += 1
            max_age_s = _MINUTE_S
        else:
            load.latencies_s.append(time.monotonic() - begin_s)
            load.not_modified += status == _NOT_MODIFIED
        slot_s = period_s or max(_PERIOD_S[0], min(_PERIOD_S[1], max_age_s))
        again_s = next_turn_s(Seconds(clock.unix()), Seconds(slot_s), places[node])
        heapq.heappush(due, (again_s, node, etag))

    while (now_s := clock.unix()) < end_s:
        while due and due[0][0] <= now_s:
            _, node, etag = heapq.heappop(due)
            task = asyncio.create_task(ask(node, etag))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        next_s = min(due[0][0], end_s) if due else now_s
        await asyncio.sleep(max(0.001, (next_s - clock.unix()) / clock.factor))
    await asyncio.gather(*tasks)
    return load


async def _exchange(port: int, zone: str, etag: str) -> tuple[int, str, float]:
    """Ask once; returns status, tag, and how long the answer is good for, s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    known = f"If-None-Match: {etag}\r\n" if etag else ""
    writer.write(
        f"GET /api/v1/intensity?zone={zone} HTTP/1.1\r\nHost: hub\r\n"
        f"Connection: close\r\n{known}\r\n".encode()
    )
    answer = await reader.read(-1)
    writer.close()
    head, _, _ = answer.partition(b"\r\n\r\n")
    if not head:
        msg = "no answer"
        raise ConnectionError(msg)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    # Tags have no capitals: they are digits of a hash, and "W/" is weak either way.
    tag = headers["etag"].replace("w/", "W/")
    max_age_s = float(headers["cache-control"].removeprefix("max-age="))
    return int(first.split(" ")[1]), tag, max_age_s


def _table(runs: Sequence[Run]) -> str:
    header = (
        *("", "requests", "304", "a second", "p50 ms", "p99 ms", "max ms"),
        *("CPU s", "CPU s/hour", "ms each", "RSS MiB", "upstream"),
    )
    return table(header, map(_row, runs))


def _row(run: Run) -> tuple[str, ...]:
    load, count = run.load, len(run.load.latencies_s)
    return (
        run.name,
        f"{count:,}",
        f"{load.not_modified / count:.0%}",
        f"{count / run.seconds:.0f}",
        f"{load.percentile_ms(0.5):.2f}",
        f"{load.percentile_ms(0.99):.2f}",
        f"{load.percentile_ms(1.0):.1f}",
        f"{run.cpu_s:.2f}",
        f"{run.cpu_s / run.simulated_s * HOUR_S:.1f}",
        f"{run.cpu_s / count * 1e3:.2f}",
        f"{run.rss_mib:.1f}",
        str(run.upstream),
    )
