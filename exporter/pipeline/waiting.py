"""Usage that waits until the energy of its time is told.

A device may tell its energy more seldom than the sources of usage are read. What
was used and held since it last did is kept in the state of the engine, and is
divided with all of that energy when it comes.
"""

from exporter.core.model import Component
from exporter.core.usage_step import UsageStep
from exporter.core.windows import HoldWindow, UsageWindow
from exporter.pipeline.state import EngineState


def window_until_now(
    state: EngineState, step: UsageStep, now: UsageWindow, component: Component
) -> UsageWindow:
    """Return the usage since a component's energy was last settled.

    Args:
        state: keeps what waits.
        step: what this tick tells about usage.
        now: the usage of this tick alone.
        component: the component, CPU or DRAM.
    """
    waiting = state.windows.get(component)
    if waiting is None:
        return now
    return waiting.then(step.window(waiting.elapsed_s))


def holds_until_now(
    state: EngineState, step: UsageStep, name: str
) -> HoldWindow | None:
    """Return who held a GPU since its energy was last settled.

    Args:
        state: keeps what waits.
        step: what this tick tells about holds.
        name: of the GPU, as in its ``DeviceId``.

    Returns:
        The holds; ``None`` if nobody can tell who holds it now.
    """
    if not step.holds_known:
        return None
    elapsed_s = step.elapsed_s
    now = step.holds.get(name)
    if now is None:
        if name in step.unknown_gpus:
            return None
        now = HoldWindow(elapsed_s, 0.0, {})
    waiting = state.holds.get(name)
    if waiting is None:
        return now
    current = step.current
    found = [
        workload
        for workload in now.holds.keys() - waiting.holds.keys()
        if workload in current and current[workload].start_unix_s is not None
    ]
    if found:
        earlier = step.held_before(name, found, waiting.elapsed_s)
        waiting = waiting.held_longer(earlier)
    return waiting.then(now)
