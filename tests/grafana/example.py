"""A small dashboard with which nothing is wrong, for tests to break."""

import copy
from typing import Any

from tests.grafana.reading import Dashboard

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_STEPS = [{"color": "green", "value": None}, {"color": "red", "value": 80}]

_POWER: dict[str, Any] = {
    "id": 1,
    "type": "timeseries",
    "title": "Power of nodes",
    "description": "The ten nodes that draw most, by their sensors.",
    "datasource": _SOURCE,
    "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8},
    "fieldConfig": {
        "defaults": {
            "unit": "watt",
            "thresholds": {"mode": "absolute", "steps": _STEPS},
            "custom": {"fillOpacity": 10},
            "links": [
                {
                    "title": "Node",
                    "targetBlank": False,
                    "url": "/d/example?var-cluster=${__field.labels.cluster}"
                    "&${datasource:queryparam}&${__url_time_range}",
                }
            ],
        },
        "overrides": [],
    },
    "options": {
        "legend": {
            "displayMode": "list",
            "placement": "bottom",
            "showLegend": True,
            "calcs": [],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "targets": [
        {
            "refId": "A",
            "datasource": _SOURCE,
            "expr": 'topk(10, jouled_node_power_watts{cluster=~"$cluster"})',
            "legendFormat": "{{instance}}",
            "range": True,
        }
    ],
}

_TABLE: dict[str, Any] = {
    "id": 2,
    "type": "table",
    "title": "Nodes",
    "description": "Those that draw most, with their emissions.",
    "datasource": _SOURCE,
    "gridPos": {"x": 12, "y": 0, "w": 12, "h": 8},
    "fieldConfig": {
        "defaults": {"thresholds": {"mode": "absolute", "steps": _STEPS}},
        "overrides": [
            {
                "matcher": {"id": "byName", "options": f"Value #{ref}"},
                "properties": [{"id": "unit", "value": "watt"}],
            }
            for ref in "AB"
        ],
    },
    "options": {"showHeader": True, "frameIndex": 0},
    "targets": [
        {
            "refId": ref,
            "datasource": _SOURCE,
            "expr": f"topk(5, {metric}{{cluster=~'$cluster'}})",
            "format": "table",
            "instant": True,
        }
        for ref, metric in (
            ("A", "jouled_node_power_watts"),
            ("B", "jouled_cpu_busy_ratio"),
        )
    ],
}

_EXAMPLE: dict[str, Any] = {
    "uid": "example",
    "title": "Example",
    "description": "What a dashboard has to have.",
    "tags": ["jouled"],
    "time": {"from": "now-6h", "to": "now"},
    "refresh": "1m",
    "schemaVersion": 39,
    "links": [
        {
            "title": "Others",
            "type": "dashboards",
            "tags": ["jouled"],
            "keepTime": True,
            "includeVars": True,
            "asDropdown": False,
            "icon": "external link",
            "targetBlank": False,
            "tooltip": "",
            "url": "",
        }
    ],
    "templating": {
        "list": [
            {
                "name": "datasource",
                "type": "datasource",
                "query": "prometheus",
                "label": "Data source",
                "description": "The Prometheus that scrapes jouled.",
            },
            {
                "name": "cluster",
                "type": "query",
                "label": "Cluster",
                "description": "Which clusters to show.",
                "datasource": _SOURCE,
                "query": {
                    "query": "label_values(jouled_build_info, cluster)",
                    "refId": "cluster",
                },
                "refresh": 2,
                "includeAll": True,
                "allValue": ".*",
                "multi": True,
            },
        ]
    },
    "panels": [_POWER, _TABLE],
}


def example() -> dict[str, Any]:
    """Return a copy of it that may be changed."""
    return copy.deepcopy(_EXAMPLE)


def as_dashboard(raw: dict[str, Any]) -> Dashboard:
    """Return it as if it had been read from a file."""
    return Dashboard("example", raw)
