"""Where the links of dashboards lead, and what is wrong with them, in words."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.grafana.reading import Dashboard, Json, objects, place_of

_TIME = "${__url_time_range}"
_VARIABLES = "${__all_variables}"


def faults_of(dashboard: Dashboard, others: Mapping[str, Dashboard]) -> list[str]:
    """Return the faults of all links of a dashboard.

    Args:
        dashboard: whose links.
        others: all dashboards by uid, itself included.
    """
    faults: list[str] = []
    for place, link in _links(dashboard):
        if link.get("type") == "dashboards":
            faults += _of_list(place, link, others)
        else:
            faults += _of_address(place, link, others)
    return faults


def reached_from(dashboard: Dashboard, others: Mapping[str, Dashboard]) -> set[str]:
    """Return the uids of the dashboards that one click leads to."""
    reached = set()
    for _, link in _links(dashboard):
        if link.get("type") == "dashboards":
            reached |= {other.uid for other in _tagged(link, others)}
        elif (uid := _uid_in(link.get("url", ""))) is not None:
            reached.add(uid)
    return reached - {dashboard.uid}


def columns_of(dashboard: Dashboard) -> list[str]:
    """Return the links of tables that name a column which the table does not have.

    The queries of a table are summed by its columns: any other label is gone, and
    Grafana would leave out what the link was to carry.
    """
    return [
        f"{place_of(dashboard, panel)}: a link asks for the column {name}"
        for panel in dashboard.panels()
        if panel["type"] == "table"
        for name in sorted(_named_in(panel) - _shown_in(panel))
    ]


def _named_in(panel: Json) -> set[str]:
    return {
        name
        for node in objects(panel["fieldConfig"])
        for name in re.findall(r'__data\.fields\["(\w+)"\]', str(node.get("url", "")))
    }


def _shown_in(panel: Json) -> set[str]:
    return {
        name
        for step in panel.get("transformations", ())
        if step["id"] == "organize"
        for name in step["options"].get("renameByName", ())
    }


def _links(dashboard: Dashboard) -> Iterator[tuple[str, Json]]:
    for link in dashboard.raw.get("links", []):
        yield f"{dashboard.name}: link {link.get('title')!r}", link
    for panel in dashboard.panels():
        place = place_of(dashboard, panel)
        for node in objects({key: panel[key] for key in panel if key != "panels"}):
            for link in node.get("links") or ():
                yield f"{place}: link {link.get('title')!r}", link
            # An override holds links as the value of a property.
            if node.get("id") == "links":
                for link in node.get("value") or ():
                    yield f"{place}: link {link.get('title')!r}", link


def _of_list(place: str, link: Json, others: Mapping[str, Dashboard]) -> Iterator[str]:
    if not link.get("keepTime"):
        yield f"{place}: forgets the time range"
    if not _tagged(link, others):
        yield f"{place}: no dashboard has the tags {link.get('tags')}"


def _of_address(
    place: str, link: Json, others: Mapping[str, Dashboard]
) -> Iterator[str]:
    url = str(link.get("url", ""))
    if not link.get("title"):
        yield f"{place}: no title"
    uid = _uid_in(url)
    if uid is None:
        yield f"{place}: {url!r} leads to no dashboard"
        return
    if uid not in others:
        yield f"{place}: no dashboard has the uid {uid!r}"
        return
    if _TIME not in url and not link.get("keepTime"):
        yield f"{place}: forgets the time range"
    taken = {variable["name"] for variable in others[uid].variables()}
    given = set(re.findall(r"[?&]var-(\w+)=", url))
    given |= set(re.findall(r"\$\{(\w+):queryparam\}", url))
    for name in sorted(given - taken):
        yield f"{place}: {uid} has no variable {name}"
    keeps_all = _VARIABLES in url or bool(link.get("includeVars"))
    if "datasource" not in given and not keeps_all:
        yield f"{place}: forgets the data source"


def _uid_in(url: str) -> str | None:
    path = urlsplit(url).path
    found = re.fullmatch(r"/?d/([\w-]+)(?:/[\w-]*)?", path)
    return found[1] if found else None


def _tagged(link: Json, others: Mapping[str, Dashboard]) -> list[Dashboard]:
    wanted: set[Any] = set(link.get("tags", []))
    return [one for one in others.values() if wanted <= set(one.raw.get("tags", []))]
