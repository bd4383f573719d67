"""Quantities as Kubernetes writes them, and what a pod requests in all.

Source: Kubernetes' pages on resource quantities (``100m``, ``1.5``, ``64Mi``, ``2e3``)
and on sidecar containers, which tells how requests add up: containers run side by
side, those of the beginning one after the other before them, but sidecars go on.
"""

import re
from collections.abc import Iterable, Mapping
from math import isfinite

_QUANTITY = re.compile(
    r"(\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d{1,2})?",
    re.ASCII,
)
_FACTORS = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    **{unit: 10.0 ** (3 * power) for power, unit in enumerate("MGTPE", 2)},
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", 1)},
}


def quantity(text: object) -> float | None:
    """Read a quantity; ``None`` if it is none."""
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    number, suffix = float(match[1]), match[2] or ""
    factor = _FACTORS.get(suffix)
    if factor is None:
        factor = float(f"1{suffix}") if suffix else 1.0
    value = number * factor
    return value if isfinite(value) else None


def requested(spec: Mapping[str, object], resource: str) -> float | None:
    """Add up what a pod requests of a resource.

    Args:
        spec: of the pod.
        resource: "cpu", in CPUs, or "memory", in bytes.

    Returns:
        ``None`` if it requests nothing.
    """
    # Since 1.34 a pod may request as a whole.
    whole = _request(spec, resource)
    if whole is None:
        running = _total(_requests(spec, "containers", resource))
        sidecars = 0.0
        most = 0.0
        for is_sidecar, amount in _requests(spec, "initContainers", resource):
            if is_sidecar:
                sidecars += amount
                most = max(most, sidecars)
            else:
                most = max(most, sidecars + amount)
        whole = max(running + sidecars, most)
    overhead = _mapping(spec.get("overhead")).get(resource)
    whole += quantity(overhead) or 0.0
    return whole or None


def _requests(
    spec: Mapping[str, object], containers: str, resource: str
) -> list[tuple[bool, float]]:
    """Return of each container whether it goes on for ever, and what it requests."""
    listed = spec.get(containers)
    found = []
    for each in listed if isinstance(listed, list) else ():
        container = _mapping(each)
        is_sidecar = container.get("restartPolicy") == "Always"
        found.append((is_sidecar, _request(container, resource) or 0.0))
    return found


def _request(holder: Mapping[str, object], resource: str) -> float | None:
    requests = _mapping(_mapping(holder.get("resources")).get("requests"))
    return quantity(requests.get(resource))


def _total(requests: Iterable[tuple[bool, float]]) -> float:
    return sum(amount for _, amount in requests)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
