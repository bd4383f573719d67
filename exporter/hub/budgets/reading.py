"""Reads the sections ``prometheus`` and ``budgets`` of the hub's file.

Whatever is refused names file, line and budget. Passwords and tokens are named by
their files, which are read when they are sent.
"""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

from exporter.carbon.provider import base_url
from exporter.config.document import Section
from exporter.config.loading import hint
from exporter.config.texts import parse_duration_s
from exporter.core.errors import ConfigError
from exporter.hub.budgets.amount import Amount, parse_amount
from exporter.hub.budgets.budget import OF_TENANTS, Budget
from exporter.hub.budgets.period import CalendarPeriod, Period, RollingPeriod
from exporter.hub.budgets.plan import NO_BUDGETS, BudgetPlan
from exporter.hub.prometheus.matching import LABEL_NAME, Matcher, Matchers, Operator
from exporter.hub.prometheus.settings import PrometheusSettings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)

_MOST_BUDGETS = 1000
_MOST_TEXT = 500
_DAY_S = 86400.0
_LENGTH_S = (3600.0, 366 * _DAY_S)
_CALENDARS = ("week", "month", "quarter", "year")
_BUDGET_KEYS = (
    "name",
    "amount",
    "period",
    "time_zone",
    "match",
    "team",
    "owners",
    "price_per_kwh",
    "zone",
)
_PROMETHEUS_KEYS = (
    "url",
    "timeout",
    "interval",
    "delay",
    "match",
    "ca_file",
    "cert_file",
    "key_file",
    "username",
    "password_file",
    "token_file",
    "header_files",
)
# How a matcher is written in place of a value or a list of values.
_OPERATORS: dict[str, Operator] = {"not": "!=", "regex": "=~", "not_regex": "!~"}


def read_plan(document: Section) -> BudgetPlan:
    """Read what a hub's file says of budgets; it may say nothing.

    Raises:
        ConfigError: something of it cannot be used; nothing of it is then.
    """
    sections = document.sections("budgets")
    if "prometheus" not in document:
        if sections:
            document.refuse("budgets", "add prometheus: {url: …}, where they are read")
        return NO_BUDGETS
    if len(sections) > _MOST_BUDGETS:
        document.refuse("budgets", f"are more than {_MOST_BUDGETS}")
    budgets: dict[str, Budget] = {}
    for section in sections:
        budget = _budget(section)
        if budget.name in budgets:
            section.refuse("name", f"{budget.name} is there twice; keep one")
        budgets[budget.name] = budget
    own = document.section("prometheus")
    _only(own, _PROMETHEUS_KEYS)
    return BudgetPlan(
        tuple(budgets.values()),
        _prometheus(own),
        own.duration("interval", 60.0, (5.0, 3600.0)),
        own.duration("delay", 30.0, (1.0, 3600.0)),
    )


def _prometheus(section: Section) -> PrometheusSettings:
    url = section.text("url")
    if not url:
        section.refuse("url", "is missing, such as http://prometheus:9090")
    try:
        base_url(url, "url")
    except ConfigError as error:
        msg = f"{section.place('url')}: prometheus: {error}"
        raise ConfigError(msg) from None
    if bool(section.text("username")) != ("password_file" in section):
        section.refuse("username", "needs a password_file, and that a username")
    if "password_file" in section and "token_file" in section:
        section.refuse("token_file", "there is a password_file as well; keep one")
    if "key_file" in section and "cert_file" not in section:
        section.refuse("key_file", "needs a cert_file")
    match = section.section("match")
    for label in match:
        if label in OF_TENANTS:
            match.refuse(label, "is no label of a node; write it into the budgets")
    headers = section.section("header_files")
    for name in headers:
        if not _HEADER.fullmatch(name):
            headers.refuse(name, "no header has such a name")
    return PrometheusSettings(
        url=url,
        timeout_s=section.duration("timeout", 30.0, (1.0, 600.0)),
        matchers=_matchers(section),
        ca_file=section.file("ca_file"),
        cert_file=section.file("cert_file"),
        key_file=section.file("key_file"),
        username=section.text("username"),
        password_file=section.file("password_file"),
        token_file=section.file("token_file"),
        header_files={name: Path(headers.text(name)) for name in headers},
    )


def _budget(section: Section) -> Budget:
    name = section.text("name")
    if not _NAME.fullmatch(name):
        section.refuse("name", "needs a name of letters, digits, _, . and -")
    _only(section, _BUDGET_KEYS)
    return Budget(
        name,
        _amount(section),
        _period(section),
        _matchers(section),
        _text(section, "team"),
        tuple(section.texts_or_text("owners")),
        _text(section, "zone"),
    )


def _amount(section: Section) -> Amount:
    price = section.text("price_per_kwh")
    if price and not (_NUMBER.fullmatch(price) and float(price) > 0):
        section.refuse("price_per_kwh", "has to be a number above 0, such as 0.31")
    try:
        return parse_amount(section.text("amount"), float(price) if price else None)
    except ValueError as error:
        section.refuse("amount", str(error))


def _period(section: Section) -> Period:
    said = section.text("period")
    zone = section.text("time_zone")
    for calendar in ("week", "month", "quarter", "year"):
        if said == calendar:
            return CalendarPeriod(calendar, _time_zone(section, zone or "UTC"))
    if zone:
        section.refuse("time_zone", "belongs to a period of the calendar")
    try:
        length_s = parse_duration_s(said)
    except ValueError:
        length_s = 0.0
    if not _LENGTH_S[0] <= length_s <= _LENGTH_S[1]:
        words = ", ".join(_CALENDARS)
        section.refuse("period", f"has to be one of {words}, or 1h to 366d, as 30d")
    return RollingPeriod(length_s, said)


def _time_zone(section: Section, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        section.refuse("time_zone", "is not known; write one such as Europe/Berlin")


def _matchers(section: Section) -> Matchers:
    """Read ``match``: label by label a value, a list, or how else to compare."""
    match = section.section("match")
    found: list[Matcher] = []
    for label in match:
        if not LABEL_NAME.fullmatch(label):
            match.refuse(label, "no label has such a name")
        if not match.holds_keys(label):
            found.append(_matcher(match, label, label, "="))
            continue
        ways = match.section(label)
        _only(ways, tuple(_OPERATORS))
        found += [_matcher(ways, way, label, _OPERATORS[way]) for way in ways]
    # In one order, so that the same selection is known again.
    return tuple(sorted(found, key=lambda m: (m.label, m.operator, m.values)))


def _matcher(section: Section, key: str, label: str, operator: Operator) -> Matcher:
    values = tuple(sorted(set(section.texts_or_text(key))))
    if any(len(value) > _MOST_TEXT for value in values):
        section.refuse(key, f"has a value of more than {_MOST_TEXT} characters")
    try:
        return Matcher(label, operator, values)
    except ValueError as error:
        section.refuse(key, str(error))


def _only(section: Section, known: tuple[str, ...]) -> None:
    for key in section:
        if key not in known:
            complaint = f"no such key{hint(key, known)}; known here: {', '.join(known)}"
            section.refuse(key, complaint)


def _text(section: Section, key: str) -> str:
    said = section.text(key)
    if len(said) > _MOST_TEXT or not said.isprintable():
        section.refuse(key, "has to be a short line of text")
    return said
