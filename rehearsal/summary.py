"""What a rehearsal says at its end; the shape of `crossfade rehearse --json`."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from crossfade.frozen import Frozen
from rehearsal.staging import Staging


class Scenario(StrEnum):
    """
    `healthy`: green is as good as blue. `sick`: green's tasks begin to fail once it has a share.

    In the others green is well, and in mid-climb: `abort`, a person gives everything back; `unwatched`, `migrate` is
    stopped and nobody is told; `throttled`, Lambda refuses the way back; `blue-loss`, blue loses a task; `tls`, the
    certificates of calls that are encrypted are rotated.
    """

    HEALTHY = "healthy"
    SICK = "sick"
    ABORT = "abort"
    UNWATCHED = "unwatched"
    THROTTLED = "throttled"
    BLUE_LOSS = "blue-loss"
    TLS = "tls"


class ShareHeld(Frozen):
    """
    What green was given, and when: seconds since the migration was started.

    `at` is when AWS accepted it, `everywhere_at` when every place that answers users had it.
    """

    at: float
    green_percent: float
    everywhere_at: float


class AskedAlone(Frozen):
    """
    Requests of the product's own that only staging's header could lead to green: those it answered before any share.

    `failed` are those of them that were answered 500 or above.
    """

    requests: int
    failed: int


class EdgeSummary(Frozen):
    """
    An edge's way: every change of its weights, in order, and how slow it is by nature.

    Seconds are the rehearsal's own: times `time_scale` they are AWS's. `propagation_seconds` is how long a change takes
    to be everywhere, `ttl_seconds` how long users may keep an answer of DNS, `connection_seconds` how long the longest
    connection lasts; None where the edge knows no such thing, and so is `asked_alone` but at a distribution.
    """

    name: str
    kind: str
    shares: tuple[ShareHeld, ...]
    final_green_percent: float
    propagation_seconds: float | None = None
    ttl_seconds: float | None = None
    connection_seconds: float | None = None
    asked_alone: AskedAlone | None = None


class Requests(Frozen):
    """Every request the driver sent. `failed` is any answer of 500 and above, any other fault, and no answer at all."""

    total: int
    failed: int
    blue: int
    green: int
    failed_blue: int
    failed_green: int
    to_nobody: int = 0


class Seconds(Frozen):
    """
    Durations by the wall clock; all but the first are None where nothing was broken.

    From the decision to roll back: `decision_to_zero` until AWS had accepted that green holds nothing,
    `decision_to_everywhere` until every place that answers users had it, `decision_to_last_green` until the last
    request that green answered was sent: 0 where that was before.
    """

    total: float
    fault_to_decision: float | None = None
    decision_to_zero: float | None = None
    decision_to_everywhere: float | None = None
    decision_to_last_green: float | None = None


class Summary(Frozen):
    """
    A rehearsal's result. `passed` says whether the scenario ended as it should, and IAM refused nothing on its way.

    `staging` says what of the operator's plan was rehearsed; None where all of it was, with the templates at hand.
    `refused` says what the roles of the stack, deployed with the plan's parameters, were not allowed to do.
    """

    scenario: Scenario
    fault: str | None = None
    passed: bool
    outcome: Literal["completed", "rolled_back", "held", "failed"]
    reason: str
    edges: tuple[EdgeSummary, ...]
    requests: Requests
    seconds: Seconds
    state_transitions: int
    history_events_max: int
    time_scale: int
    requests_per_second: int
    seed: int
    envoy_version: str
    services_created: int
    migration: str
    staging: Staging | None = None
    refused: tuple[str, ...] = ()
