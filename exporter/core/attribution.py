"""An energy divided among the workloads that caused it.

In every function the parts add up to the whole, because what no workload is
charged for is computed as the rest, never estimated a second time.

A divisor is always the larger of the whole and the sum of its parts: counters
read microseconds apart, and reservations that are oversubscribed, can make the
parts exceed the whole, and nobody may be charged for energy never measured.
"""

from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import NamedTuple

from exporter.core.model import IdlePolicy, PlatformPolicy, Reason
from exporter.core.units import Joules
from exporter.core.windows import HoldWindow, UsageWindow
from exporter.core.workload import WorkloadId

Shares = Mapping[WorkloadId, float]
_NOBODY: Shares = MappingProxyType({})


class Attribution(NamedTuple):
    """Parts of one energy, in J: per workload, and the rest by reason."""

    shares_j: Shares
    unattributed_j: Mapping[Reason, float]


def nobody(energy_j: Joules, reason: Reason) -> Attribution:
    """Charge no workload, and say why."""
    return Attribution(_NOBODY, {reason: energy_j})


def attribute_cpu(
    energy_j: Joules, idle_j: Joules, window: UsageWindow, policy: IdlePolicy
) -> Attribution:
    """Divide CPU energy: dynamic by CPU time, idle by policy.

    Args:
        energy_j: measured energy, J, >= 0.
        idle_j: the part drawn with nothing to do, J, 0 <= idle_j <= energy_j.
        window: usage in the time that the energy covers.
        policy: who pays for idle energy.

    Returns:
        The parts; CPU time that is no workload's is "system".
    """
    if window.node is not None and not window.usages:
        return _unused(energy_j, idle_j, complete=window.complete)
    node = window.node_inside()
    if node is None:
        return nobody(energy_j, "unknown")
    busy_s = {w: u.cpu_s for w, u in window.usages.items()}
    reserved = {w: u.reserved_cpu_s for w, u in window.usages.items()}
    return _divide(
        energy_j,
        idle_j,
        used=_Part(busy_s, node.busy_s),
        reserved=_Part(reserved, node.capacity_s),
        policy=policy,
        complete=window.complete,
    )


def attribute_dram(
    energy_j: Joules, idle_j: Joules, window: UsageWindow, policy: IdlePolicy
) -> Attribution:
    """Divide DRAM energy: dynamic by anonymous memory, idle by policy.

    Arguments and result are those of ``attribute_cpu``.
    """
    if window.node is not None and not window.usages:
        return _unused(energy_j, idle_j, complete=window.complete)
    node = window.node_inside()
    if node is None:
        return nobody(energy_j, "unknown")
    used = {w: u.memory_byte_s for w, u in window.usages.items()}
    reserved = {w: u.reserved_memory_byte_s for w, u in window.usages.items()}
    return _divide(
        energy_j,
        idle_j,
        used=_Part(used, node.memory_used_byte_s),
        reserved=_Part(reserved, node.memory_total_byte_s),
        policy=policy,
        complete=window.complete,
    )


def attribute_gpu(
    energy_j: Joules, idle_j: Joules, holds: HoldWindow | None
) -> Attribution:
    """Divide one GPU's energy among those who hold it.

    Idle energy goes by the shares held, and the share nobody holds is
    "unallocated". Dynamic energy goes by activity where all holders' activity
    is known and anything was done, and that of an instance nobody holds is
    "unallocated"; else it goes by the shares held: what nobody holds is not known
    to be busy. So a single owner of a whole GPU pays for all of it.

    Args:
        energy_j: measured energy, J, >= 0.
        idle_j: the part drawn with nothing to do, J, 0 <= idle_j <= energy_j.
        holds: who held it while that energy was drawn; ``None``: unknown.

    Returns:
        The parts.
    """
    if holds is None:
        return nobody(energy_j, "unknown")
    shares = {w: h.share_s for w, h in holds.holds.items()}
    held_s = sum(shares.values())
    if held_s <= 0:
        return nobody(energy_j, "unallocated")

    # Held for a part of the time only: that part of the energy is theirs.
    whole_s = max(holds.elapsed_s, held_s)
    in_use = min(1.0, holds.held_s / holds.elapsed_s) if holds.elapsed_s > 0 else 1.0
    dynamic_j = (energy_j - idle_j) * in_use
    by_activity = _activity(holds)
    weights = by_activity or shares
    weight = sum(weights.values())
    if by_activity is not None:
        weight = max(weight, holds.activity_s)
    parts = {
        w: idle_j * (share_s / whole_s) + dynamic_j * (weights[w] / weight)
        for w, share_s in shares.items()
    }
    return Attribution(parts, {"unallocated": _rest(energy_j, parts)})


def attribute_platform(
    energy_j: Joules,
    other_j: Shares,
    other_total_j: Joules,
    policy: PlatformPolicy,
) -> Attribution:
    """Divide what is left of the node in proportion to the other energy.

    Args:
        energy_j: node minus CPU, DRAM and GPU, J, >= 0.
        other_j: other energy per workload in the same time, J, each >= 0.
        other_total_j: other energy of the whole node, J, >= 0.
        policy: "none" charges nobody.

    Returns:
        The parts; what is nobody's is "system".
    """
    whole_j = max(other_total_j, sum(other_j.values()))
    if policy == "none" or whole_j <= 0:
        return nobody(energy_j, "system")
    parts = {w: energy_j * (part_j / whole_j) for w, part_j in other_j.items()}
    return Attribution(parts, {"system": _rest(energy_j, parts)})


class _Part(NamedTuple):
    """Quantities of workloads, and of the whole they are parts of."""

    of: Shares
    whole: float

    @property
    def divisor(self) -> float:
        # Of nothing, everybody had nothing.
        return max(self.whole, sum(self.of.values())) or inf


def _divide(  # noqa: PLR0913 - two quantities with two ways to divide each
    energy_j: Joules,
    idle_j: Joules,
    *,
    used: _Part,
    reserved: _Part,
    policy: IdlePolicy,
    complete: bool,
) -> Attribution:
    used_divisor, reserved_divisor = used.divisor, reserved.divisor
    by_use_j: float = energy_j - idle_j
    by_reservation_j = 0.0
    idle_rest_j: float = idle_j
    if policy == "reserved":
        by_reservation_j = idle_j
        idle_rest_j = idle_j * (1 - sum(reserved.of.values()) / reserved_divisor)
    elif policy == "used" and used_divisor < inf:
        by_use_j, idle_rest_j = energy_j, 0.0
    parts = {
        w: by_use_j * (quantity / used_divisor)
        + by_reservation_j * (reserved.of[w] / reserved_divisor)
        for w, quantity in used.of.items()
    }
    left_j = _rest(energy_j, parts)
    idle_rest_j = min(max(0.0, idle_rest_j), left_j)
    rest = _rest_reason(complete=complete)
    return Attribution(parts, {"idle": idle_rest_j, rest: left_j - idle_rest_j})


def _unused(energy_j: Joules, idle_j: Joules, *, complete: bool) -> Attribution:
    rest = _rest_reason(complete=complete)
    return Attribution(_NOBODY, {"idle": idle_j, rest: energy_j - idle_j})


def _rest_reason(*, complete: bool) -> Reason:
    # What a scheduler that could not be read would have claimed is unknown.
    return "system" if complete else "unknown"


def _rest(energy_j: float, parts: Shares) -> float:
    # Rounding can leave the remainder a hair below zero.
    return max(0.0, energy_j - sum(parts.values()))


def _activity(holds: HoldWindow) -> Shares | None:
    activity: dict[WorkloadId, float] = {}
    for workload, hold in holds.holds.items():
        if hold.activity_s is None:
            return None
        activity[workload] = hold.activity_s
    # Where only an instance was busy that nobody holds, none of its holders was.
    return activity if max(holds.activity_s, *activity.values()) > 0 else None
