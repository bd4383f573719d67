"""All nodes of a large site behind one port: ``python -m bench.budget_site N PORT``.

N is the number of counters of tenants that each metric has. Every minute some nodes
reboot, and some tenants come new to a node.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCOUNTS, USERS = 97, 991
_TENANTS_PER_NODE = 5
_REBOOTS_A_MINUTE, _BIRTHS_A_MINUTE = 20, 100


class _Site:
    """All nodes, written as one exposition."""

    def __init__(self, series: int) -> None:
        self._begin_s = time.time()
        self._nodes = series // _TENANTS_PER_NODE
        self._boots_s = [self._begin_s] * self._nodes
        self._labels = [self._tenant(number) for number in range(series)]
        self._events_s = self._begin_s

    def exposition(self) -> bytes:
        """Write what all nodes tell now."""
        now_s = time.time()
        self._let_happen(now_s)
        out: list[str] = []
        for family, factor in (("emissions_grams", 0.013), ("energy_joules", 90.0)):
            name = f"jouled_tenant_{family}"
            out.append(f"# TYPE {name} counter\n")
            for number, labels in enumerate(self._labels):
                boot_s = self._boots_s[number % self._nodes]
                value = (1 + number % 17) * (now_s - boot_s) * factor
                out += (
                    f"{name}_total{labels} {value:.6f}\n",
                    f"{name}_created{labels} {boot_s:.3f}\n",
                )
        for name in ("emissions_grams", "emissions_fallback_grams"):
            out.append(f"# TYPE jouled_node_{name} counter\n")
            out += (
                f'jouled_node_{name}_total{{instance="node{n:05d}:9878"}} '
                f"{(now_s - boot_s) * 0.9 * ('fallback' not in name):.6f}\n"
                for n, boot_s in enumerate(self._boots_s)
            )
        out.append("# EOF\n")
        return "".join(out).encode()

    def _let_happen(self, now_s: float) -> None:
        if now_s - self._events_s < 60.0:
            return
        self._events_s = now_s
        for number in range(_REBOOTS_A_MINUTE):
            self._boots_s[(int(now_s) * 31 + number * 97) % self._nodes] = now_s
        more = len(self._labels)
        self._labels += [self._tenant(more + n) for n in range(_BIRTHS_A_MINUTE)]

    def _tenant(self, number: int) -> str:
        return (
            f'{{instance="node{number % self._nodes:05d}:9878",scheduler="slurm",'
            f'tenant="acct{number % ACCOUNTS:03d}",user="user{number % USERS:04d}"}}'
        )


def main() -> None:
    """Serve until ended."""
    site = _Site(int(sys.argv[1]))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = site.exposition()
            self.send_response(200)
            kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()


if __name__ == "__main__":
    main()
