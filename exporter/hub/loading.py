"""Reads the hub's configuration: defaults < file < environment < flags.

Providers are built here, tokens included, so that whatever cannot work is said
before anything starts, and a reload takes on all of it or nothing.
"""

import argparse
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from exporter.carbon.auto import provider_for
from exporter.carbon.live import USUAL_MAX_AGE_S
from exporter.carbon.provider import Provider
from exporter.carbon.yearly import YearlyIntensity
from exporter.config.document import Section, read_document
from exporter.config.loading import (
    Values,
    hint,
    parse_value,
    values_of_environment,
    values_of_flags,
    with_values,
)
from exporter.config.state_dirs import usable_kept_dir
from exporter.config.table import HUB_ENVIRONMENT_PREFIX
from exporter.config.texts import shorten
from exporter.config.values import grid_zone
from exporter.core.errors import ConfigError
from exporter.hub.budgets.reading import read_plan
from exporter.hub.config import HubConfig, ZonePlan
from exporter.hub.options import Options
from exporter.hub.providers import KIND_OF, build_provider
from exporter.hub.settings import SECTIONS, SETTINGS
from exporter.hub.slurm.plan import read_slurm

AUTO = "auto"
"""Stands for the provider without a token that covers the zone."""

_NAME = "jouled-hub"
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_MAX_AGE_S = (300.0, 7 * 86400.0)
_MOST_ZONES = 500


def load(args: argparse.Namespace, environ: Mapping[str, str]) -> HubConfig:
    """Merge all layers into one configuration.

    Args:
        args: what a parser with ``add_flags`` of the hub's settings returned.
        environ: the environment; also for tokens.

    Raises:
        ConfigError: it cannot be used; the message is one line that names where,
            what and the remedy.
    """
    given = {
        **values_of_environment(environ, SETTINGS, HUB_ENVIRONMENT_PREFIX),
        **values_of_flags(args, SETTINGS),
    }
    config_file: Path | None = given.get("config_file")
    if config_file is None:
        msg = "--config.file: the hub needs a file that names its zones"
        raise ConfigError(msg)
    document = read_document(config_file, "file of a hub", "zones")
    sections = {section.name for section in SECTIONS if section.name}
    parts = ("zones", "providers", "prometheus", "budgets", "slurm")
    _only(document, *parts, *sorted(sections))
    values = {**_values_of_file(document), **given}
    config = with_values(HubConfig(), values, SECTIONS)
    if "state.dir" not in values:
        is_root = os.geteuid() == 0
        own = usable_kept_dir(config.state.dir, _NAME, environ, is_root=is_root)
        config = replace(config, state=replace(config.state, dir=own))
    notices: list[str] = []
    zones = _Zones(document.section("providers"), environ, notices).read(
        document.section("zones")
    )
    slurm = read_slurm(document, notices)
    return replace(
        config,
        zones=zones,
        notices=tuple(notices),
        budgets=read_plan(document),
        slurm=slurm,
    )


def _values_of_file(document: Section) -> Values:
    values: Values = {}
    for section in SECTIONS:
        if not section.name:
            continue
        own = document.section(section.name)
        known = {row.key.partition(".")[2]: row for row in section.settings}
        _only(own, *known)
        for name, row in known.items():
            if own.text(name):
                where = f"{own.place(name)}: {row.key}"
                values[row.key] = parse_value(row, own.text(name), where)
    return values


def _only(section: Section, *known: str) -> None:
    for key in section:
        if key not in known:
            complaint = f"no such key{hint(key, known)}; known here: {', '.join(known)}"
            section.refuse(key, complaint)


class _Zones:
    """Reads the zones, and the providers that they name.

    Args:
        providers: the section of that name.
        environ: the environment, for tokens.
        notices: gets what the operator should know.
    """

    def __init__(
        self, providers: Section, environ: Mapping[str, str], notices: list[str]
    ) -> None:
        self._section = providers
        self._environ = environ
        self._notices = notices
        self._built: dict[str, Provider] = {
            name: self._build(name) for name in providers
        }
        self._used: set[str] = set()

    def read(self, zones: Section) -> tuple[ZonePlan, ...]:
        """Read the section ``zones``.

        Raises:
            ConfigError: there is none in it, or one cannot be.
        """
        names: dict[str, str] = {}
        plans: list[ZonePlan] = []
        for zone in zones:
            twin = names.setdefault(zone.upper(), zone)
            if twin != zone:
                zones.refuse(zone, f"is the same as {twin}; keep one")
            plans.append(self._plan(zones, zone))
        if not plans or len(plans) > _MOST_ZONES:
            how_many = f"needs 1 to {_MOST_ZONES} grid zones, such as 'DE:'"
            zones.refuse("zones", how_many)
        for name in self._built:
            if name not in self._used:
                place = self._section.place(name)
                self._notices.append(f"{place}: {name}: no zone uses this provider")
        return tuple(plans)

    def _plan(self, zones: Section, name: str) -> ZonePlan:
        try:
            zone = grid_zone().parse(name)
        except ValueError:
            zones.refuse(name, f"expected {grid_zone().expected}")
        # Only to ask whether it is known; the poller's floor is built elsewhere.
        YearlyIntensity(zone, setting=f"{zones.place(name)}: {name}")
        own = Options(zones.section(name), name, self._environ, self._notices)
        own.only("providers", "max_age")
        wanted = own.section.texts_or_text("providers") or (AUTO,)
        found: dict[str, Provider] = {}
        for each in wanted:
            provider = self._provider(own.section, zone, each)
            if provider is None:
                continue
            label = provider.traits.name
            if label in found:
                own.section.refuse("providers", f"{label} is there twice; keep one")
            found[label] = provider
        max_age_s = own.duration("max_age", USUAL_MAX_AGE_S, *_MAX_AGE_S)
        return ZonePlan(zone, tuple(found.values()), max_age_s)

    def _provider(self, section: Section, zone: str, name: str) -> Provider | None:
        if name == AUTO:
            return self._auto(section, zone)
        provider = self._built.get(name)
        if provider is None:
            provider = self._of_kind(section, name)
            self._built[name] = provider
        self._used.add(name)
        if not provider.covers(zone):
            section.refuse("providers", f"{name} does not cover {zone}")
        return provider

    def _auto(self, section: Section, zone: str) -> Provider | None:
        usual = provider_for(zone)
        if usual is None:
            self._notices.append(
                f"{section.place('providers')}: {zone}: no provider without a token "
                "covers it, so its yearly figure is used; name one that does"
            )
            return None
        return self._provider(section, zone, usual.traits.name)

    def _of_kind(self, section: Section, name: str) -> Provider:
        kind = KIND_OF.get(name)
        if kind is None:
            known = (*self._section, *KIND_OF, AUTO)
            complaint = f"there is no provider {shorten(name)}{hint(name, known)}"
            section.refuse("providers", f"{complaint}; known: {', '.join(known)}")
        if kind.needs_options:
            section.refuse("providers", f"{name} needs options: add providers: {name}:")
        return self._build(name)

    def _build(self, name: str) -> Provider:
        # It becomes a label, which nodes read too.
        if not _PROVIDER.fullmatch(name):
            self._section.refuse(name, "expected small letters, digits, _ and -")
        section = self._section.section(name)
        return build_provider(Options(section, name, self._environ, self._notices))
