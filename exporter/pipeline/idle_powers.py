"""What each component, and each GPU, would draw with nothing to do.

It is kept in the engine's state by "COMPONENT", or by "gpu/NAME" for a GPU.
"""

from collections.abc import Iterable

from exporter.core.idle import Idle, IdleLearner, idle_power
from exporter.core.model import Component, Device
from exporter.core.units import Joules, Ratio, Seconds, Watts
from exporter.pipeline.state import EngineSettings, EngineState


class IdlePowers:
    """Learns idle power in one tick, and tells it by the best method there is."""

    def __init__(self, state: EngineState, settings: EngineSettings) -> None:
        self._state = state
        self._configured_w = dict(settings.idle_w)

    def of(
        self, component: Component, name: str = "", modelled_w: Watts | None = None
    ) -> Idle:
        """Return and remember the idle power of a component, or of one GPU.

        Args:
            component: the component.
            name: of the GPU; "": of the whole component.
            modelled_w: that of the model its energy comes from, W; ``None``: from none.
        """
        key = f"{component}/{name}" if name else component
        idle = idle_power(
            self._configured_w.get(component),
            self._state.learners.get(key),
            modelled_w,
        )
        self._state.idle[key] = idle
        return idle

    def learn(
        self,
        key: str,
        energy_j: Joules,
        elapsed_s: Seconds,
        utilization: Ratio | None,
    ) -> None:
        """Learn from what was drawn in some time, and how busy that was.

        Args:
            key: whose it was, as in the engine's state.
            energy_j: energy, J, >= 0.
            elapsed_s: time in which it was drawn, s.
            utilization: mean part that was busy; ``None`` teaches nothing.
        """
        if utilization is None or elapsed_s <= 0:
            return
        learner = self._state.learners.get(key)
        if learner is None:
            learner = self._state.learners[key] = IdleLearner()
        learner.observe(energy_j, elapsed_s, utilization)


def modelled_idle_w(devices: Iterable[Device]) -> Watts | None:
    """Idle power of devices that are all modelled, W; ``None`` where one is not."""
    idle_w = [device.idle_power_w for device in devices]
    known_w = [watts for watts in idle_w if watts is not None]
    return Watts(sum(known_w)) if len(known_w) == len(idle_w) else None
