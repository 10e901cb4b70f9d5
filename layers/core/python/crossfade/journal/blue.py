"""What was found on a blue service before it was frozen: all that thawing it needs."""

from __future__ import annotations

from crossfade.frozen import Frozen


class ScalingFound(Frozen):
    """A scalable target's `SuspendedState`, as it was found: what is true here was off already."""

    resource_id: str
    dimension: str
    scaling_in: bool = False
    scaling_out: bool = False
    scheduled: bool = False


class BlueFound(Frozen):
    """
    A blue service as it was found, with the only three things that are ever changed on it.

    `rebalancing` is `availabilityZoneRebalancing` where the service has it. `protected` are
    the tasks that somebody else protects: they are left alone.
    """

    migration: str
    cluster: str
    service: str
    scaling: tuple[ScalingFound, ...] = ()
    rebalancing: str | None = None
    protected: tuple[str, ...] = ()
