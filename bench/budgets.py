"""What a refresh of many budgets takes over the series of a large site.

Prometheus is the real one, and scrapes one played target that stands for all nodes.
Every minute some nodes reboot and some tenants come new to a node: their samples are
read one by one. Hub, Prometheus and target share the machine.
"""

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.budget_site import ACCOUNTS, USERS
from bench.processes import cpu_seconds, rss_bytes, running
from bench.report import Target, table, targets
from bench.scrapes import free_port
from exporter.hub.budgets.amount import parse_amount
from exporter.hub.budgets.budget import Budget
from exporter.hub.budgets.keeper import Keeper
from exporter.hub.budgets.period import RollingPeriod
from exporter.hub.budgets.plan import BudgetPlan
from exporter.hub.budgets.state_file import StateFile
from exporter.hub.prometheus.client import open_prometheus
from exporter.hub.prometheus.matching import Matcher, Matchers
from exporter.hub.prometheus.settings import PrometheusSettings
from tests.e2e.peers import Prometheus, started

# Until a window is full.
_WARM_UP_S = 420.0
_REFRESH_EACH_S = 60.0
_REFRESHES = 3
_LONGEST_S = 10.0
_CONFIGURATION = """\
global: {scrape_interval: 15s, scrape_timeout: 14s}
scrape_configs:
  - job_name: jouled
    honor_labels: true
    static_configs: [{targets: ['127.0.0.1:PORT']}]
"""


def report(budgets: int, series: int) -> str:
    """Measure, and return what was found.

    Args:
        budgets: how many there are.
        series: how many counters of tenants each metric has.
    """
    if shutil.which("prometheus") is None:
        sys.exit("install prometheus, which the budgets are read from")
    with TemporaryDirectory(prefix="jouled-bench-") as name:
        folder = Path(name)
        with _target(series) as port:
            configuration = _CONFIGURATION.replace("PORT", str(port))
            with started(Prometheus(folder / "prometheus", configuration)) as server:
                return _measure(folder, server, budgets, series)


def _measure(folder: Path, server: Prometheus, budgets: int, series: int) -> str:
    sys.stderr.write(f"filling Prometheus for {_WARM_UP_S:.0f} s …\n")
    time.sleep(_WARM_UP_S)
    rows, found = [], []
    for name, every in (
        ("grams", _budgets(budgets, "100kg")),
        ("half grams, half energy", _mixed(budgets)),
    ):
        took_s, first_s, cpu_s, rss_mib = _refresh(folder / name, server, every)
        rows.append(
            (
                f"{budgets} budgets of {name}, {series:,} series",
                f"{first_s:.1f}",
                " ".join(f"{each:.2f}" for each in took_s),
                f"{cpu_s:.2f}",
                f"{rss_mib:.0f}",
            )
        )
        what = f"refresh of {budgets} budgets of {name}, {series:,} series of each"
        found.append(Target(what, _LONGEST_S, max(took_s), "s"))
    head = ("", "first, 8 days back s", "then s", "CPU of ours each s", "RSS MiB")
    return f"{table(head, rows)}\n\n{targets(found)}"


def _refresh(
    folder: Path, server: Prometheus, budgets: tuple[Budget, ...]
) -> tuple[list[float], float, float, float]:
    """Refresh again and again; returns times, that of the first, CPU and memory."""
    sys.stderr.write(f"refreshing {len(budgets)} budgets …\n")
    folder.mkdir()
    settings = PrometheusSettings(server.url)
    stop = threading.Event()
    with open_prometheus(settings) as store:
        plan = BudgetPlan(budgets, settings, delay_s=1.0)
        keeper = Keeper(plan, lambda: open_prometheus(settings), StateFile(folder))
        begin_s = time.monotonic()
        while keeper.refresh(store, stop):
            pass
        first_s = time.monotonic() - begin_s
        took_s, cpu_s = [], cpu_seconds(os.getpid())
        for _ in range(_REFRESHES):
            time.sleep(_REFRESH_EACH_S)
            keeper.refresh(store, stop)
            took_s.append(keeper.standing.duration_s or 0.0)
        cpu_s = (cpu_seconds(os.getpid()) - cpu_s) / _REFRESHES
        if keeper.standing.error:
            sys.exit(f"a refresh failed: {keeper.standing.error}")
        return took_s, first_s, cpu_s, rss_bytes(os.getpid()) / 2**20


def _budgets(count: int, amount: str) -> tuple[Budget, ...]:
    """Define budgets that overlap: of the site, of many accounts, of one, of users."""
    price = 0.3 if amount.endswith("EUR") else None
    month = RollingPeriod(7 * 86400.0, "7d")
    return tuple(
        Budget(f"b{n}-{amount}", parse_amount(amount, price), month, _matchers(n))
        for n in range(count)
    )


def _mixed(count: int) -> tuple[Budget, ...]:
    quarter = count // 4
    return (
        *_budgets(count - 2 * quarter, "100kg"),
        *_budgets(quarter, "5MWh"),
        *_budgets(quarter, "1000EUR"),
    )


def _matchers(number: int) -> Matchers:
    if number == 0:
        return ()
    if number % 5 == 0:
        return (Matcher("tenant", "=~", (f"acct{number % 10}.*",)),)
    account = Matcher("tenant", "=", (f"acct{number % ACCOUNTS:03d}",))
    if number % 2:
        return (account,)
    users = tuple(f"user{(number * 7 + n) % USERS:04d}" for n in range(10))
    return (account, Matcher("user", "!=", users))


@contextmanager
def _target(series: int) -> Iterator[int]:
    """Serve a site on a free port of the loopback, which is given."""
    port = free_port()
    program = [sys.executable, "-m", "bench.budget_site", str(series), str(port)]
    with running(program):
        yield port
