"""What each job did on the GPUs that several share.

NVML tells what was done on such a GPU: by its processes, or by its MIG instances. A
process belongs to the job in whose cgroup it is. That takes the node's own process ids:
in a container without ``hostPID`` they mean nothing, and no process can be traced.

What cannot be traced is divided by the shares held, since somebody did it: a process
that is gone before its cgroup could be read, a server that computes for others as that
of MPS, somebody without a hold. Where nothing at all can be traced, all of the GPU is
divided by shares; so is one of whose instances one is held of which nothing is told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from exporter.core.gpu_activity import GpuActivity
from exporter.core.ports import GpuInventory
from exporter.core.units import Ratio
from exporter.core.workload import NO_ACTIVITY, GpuHold
from exporter.workloads.doubts import Doubts
from exporter.workloads.environ import cgroup_of

_CHECK_EVERY_S = 10.0


class Holder(Protocol):
    """A job or a pod that holds GPUs."""

    @property
    def holds(self) -> tuple[GpuHold, ...]:
        """What it holds, whatever it does with it."""

    def show_activity(self, holds: tuple[GpuHold, ...]) -> None:
        """Report these: the same holds, with what it did in this tick."""


HolderT = TypeVar("HolderT", bound=Holder)

_Told = dict[tuple[HolderT, GpuHold], Ratio]


@dataclass(slots=True)
class _Shared(Generic[HolderT]):
    """A GPU that several hold.

    Attributes:
        holders: all of them.
        seen: the activity that was told of last.
        traced: activity whose owner was found since the last check, in ticks.
        untraced: the rest.
    """

    holders: list[HolderT] = field(default_factory=list)
    seen: GpuActivity | None = None
    traced: float = 0.0
    untraced: float = 0.0


class SharedGpus(Generic[HolderT]):
    """Tells the activity of those who share GPUs under one scheduler.

    Args:
        inventory: knows what was done on each GPU.
        procfs: where processes are looked up.
        key_in_path: names the owner in the paths of a process' cgroups.
        doubts: is told if processes cannot be traced.
        remedy: what an operator does then.
    """

    def __init__(
        self,
        inventory: GpuInventory,
        procfs: Path,
        key_in_path: Callable[[str], str | None],
        doubts: Doubts,
        remedy: str,
    ) -> None:
        self._inventory = inventory
        self._procfs = procfs
        self._key_in_path = key_in_path
        self._doubts = doubts
        self._remedy = remedy
        self._shared: dict[str, _Shared[HolderT]] = {}
        self._by_key: Mapping[str, HolderT] = {}
        self._keys: dict[int, str] = {}
        self._check_due_s = 0.0

    def follow(self, by_key: Mapping[str, HolderT]) -> None:
        """Take note of who holds what.

        Args:
            by_key: whoever holds GPUs, by the keys that paths of cgroups name.
        """
        self._by_key = by_key
        by_device: dict[str, list[HolderT]] = {}
        for holder in dict.fromkeys(by_key.values()):
            holder.show_activity(holder.holds)
            for device in dict.fromkeys(hold.device for hold in holder.holds):
                by_device.setdefault(device, []).append(holder)
        before, self._shared = self._shared, {}
        for device, holders in by_device.items():
            if not _is_held_alone(device, holders):
                one = before.pop(device) if device in before else _Shared()
                one.holders = holders
                self._shared[device] = one
        for device in before:
            self._doubts.settle(f"activity {device}")

    def tell(self, now_s: float) -> Mapping[str, float]:
        """Let all of them report what they did in this tick; once a tick.

        Args:
            now_s: CLOCK_MONOTONIC, s.

        Returns:
            The part of each GPU that was busy, where that is told.
        """
        if not self._shared:
            return NO_ACTIVITY
        if now_s >= self._check_due_s:
            self._check_due_s = now_s + _CHECK_EVERY_S
            # A process may have been moved, and its id been given to another.
            self._keys.clear()
            self._check()
        told: _Told[HolderT] = {}
        busy: dict[str, float] = {}
        for device, one in self._shared.items():
            activity = self._inventory.activity(device)
            # What was told in an earlier tick is counted.
            if activity is None or activity is one.seen:
                continue
            one.seen = activity
            if activity.instances:
                busy[device] = self._divide_by_instance(device, one, activity, told)
            else:
                self._divide_by_process(device, one, activity, told)
        holders = (holder for one in self._shared.values() for holder in one.holders)
        for holder in dict.fromkeys(holders):
            holder.show_activity(
                tuple(
                    replace(hold, activity=told.get((holder, hold)))
                    for hold in holder.holds
                )
            )
        return busy

    def _divide_by_instance(
        self,
        device: str,
        one: _Shared[HolderT],
        activity: GpuActivity,
        told: _Told[HolderT],
    ) -> float:
        """Divide each instance among its holders; return what all of them did."""
        held = [(h, hold) for h in one.holders for hold in h.holds]
        held = [(h, hold) for h, hold in held if hold.device == device]
        busy = {
            instance.uuid: instance.share * activity.instances[instance.uuid]
            for instance in self._inventory.instances()
            if instance.uuid in activity.instances
        }
        if all(hold.instance in busy for _, hold in held):
            # An instance, too, may be held by several.
            shares = dict.fromkeys((hold.instance for _, hold in held), 0.0)
            for _, hold in held:
                shares[hold.instance] += hold.share
            for holder, hold in held:
                part = hold.share / shares[hold.instance]
                told[holder, hold] = Ratio(busy[hold.instance] * part)
        return sum(busy.values())

    def _divide_by_process(
        self,
        device: str,
        one: _Shared[HolderT],
        activity: GpuActivity,
        told: _Told[HolderT],
    ) -> None:
        shares = {
            holder: sum(hold.share for hold in holder.holds if hold.device == device)
            for holder in one.holders
        }
        traced = dict.fromkeys(one.holders, 0.0)
        untraced = 0.0
        for pid, part in activity.processes.items():
            holder = self._owner(pid) if part > 0 else None
            if holder in traced:
                traced[holder] += part
            else:
                untraced += part
        all_traced, share = sum(traced.values()), sum(shares.values())
        one.traced += all_traced
        one.untraced += untraced
        if (untraced and not all_traced) or not share:
            return
        for holder in one.holders:
            for hold in holder.holds:
                if hold.device == device:
                    own = traced[holder] * (hold.share / shares[holder])
                    other = untraced * (hold.share / share)
                    told[holder, hold] = Ratio(own + other)

    def _owner(self, pid: int) -> HolderT | None:
        key = self._keys.get(pid)
        if key is None:
            path = cgroup_of(self._procfs, pid)
            key = self._keys[pid] = self._key_in_path(path) or ""
        return self._by_key.get(key)

    def _check(self) -> None:
        """Say so if most of what was done since the last check was not traced."""
        for device, one in self._shared.items():
            about = f"activity {device}"
            if one.untraced > one.traced:
                self._doubts.tell(
                    "untraced",
                    about,
                    f"most of what is done on GPU {device} is done by processes that "
                    "belong to none of those who share it, as far as is known; it is "
                    f"divided by shares: {self._remedy}",
                )
            elif one.traced > 0:
                self._doubts.settle(about)
            one.traced = one.untraced = 0.0


def _is_held_alone(device: str, holders: Sequence[Holder]) -> bool:
    """Whether there is nothing to divide: one holds it, and no part of it by name."""
    return len(holders) == 1 and not any(
        hold.instance for hold in holders[0].holds if hold.device == device
    )
