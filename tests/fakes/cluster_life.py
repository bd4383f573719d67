"""Nodes that live, are scraped or not, and know exactly what they counted.

Time goes in scrapes. A node's tenants use energy between scrapes; their counters
start from 0 at boot, are not exported after a rest, and come back with their old
total. The truth is what the counters said: what nobody ever scraped, nobody can
know.
"""

from dataclasses import dataclass, field

from exporter.hub.budgets.budget import EMISSIONS
from exporter.hub.budgets.tally import NODE_EMISSIONS, NODE_FALLBACK
from exporter.hub.prometheus.series import key_of
from tests.fakes.series_store import SeriesStore

CREATED = "jouled_tenant_emissions_grams_created"


@dataclass
class _Account:
    created_s: float
    grams: float = 0.0
    told: float = 0.0
    active_s: float = 0.0


@dataclass
class PlayedNode:
    """One node.

    Attributes:
        instance: its label.
        store: gets its scrapes.
        rest_s: a tenant that rests for longer is not exported.
        with_created: its scrapes hold created timestamps.
        told: grams of each tenant that its scrapes have told, since ever.
        emitted: grams of all tenants since ever, as its ledger has it.
    """

    instance: str
    store: SeriesStore
    rest_s: float = 24 * 3600.0
    with_created: bool = True
    told: dict[str, float] = field(default_factory=dict)
    emitted: float = 0.0
    _accounts: dict[str, _Account] = field(default_factory=dict)
    _grams: float = 0.0
    _fallback: float = 0.0

    def emit(
        self, tenant: str, grams: float, now_s: float, *, fallback: bool = False
    ) -> None:
        """Let a tenant emit."""
        account = self._accounts.setdefault(tenant, _Account(now_s))
        account.grams += grams
        account.active_s = now_s
        self._grams += grams
        self.emitted += grams
        self._fallback += grams if fallback else 0.0

    def reboot(self) -> None:
        """Forget everything, as a reboot does."""
        self._accounts.clear()
        self._grams = self._fallback = 0.0

    def scrape(self, now_s: float) -> None:
        """Be scraped."""
        node = {"instance": self.instance, "job": "jouled"}
        self.store.write(NODE_EMISSIONS, key_of(node), now_s, self._grams)
        self.store.write(NODE_FALLBACK, key_of(node), now_s, self._fallback)
        for tenant, account in self._accounts.items():
            if now_s - account.active_s >= self.rest_s:
                continue
            key = key_of({**node, "tenant": tenant, "user": "u", "scheduler": "s"})
            self.store.write(EMISSIONS, key, now_s, account.grams)
            if self.with_created:
                self.store.write(CREATED, key, now_s, account.created_s)
            before = self.told.get(tenant, 0.0)
            self.told[tenant] = before + account.grams - account.told
            account.told = account.grams
