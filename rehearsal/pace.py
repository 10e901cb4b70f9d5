"""
How fast a rehearsal goes, and how its plan follows from the plan an operator would use.

Clocks are real. Every duration of the plan, the metric period and Envoy's intervals are
divided by one factor, so that what takes minutes on AWS takes seconds here while the
order of things stays. State machine timeouts and heartbeats of AWS itself stay as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from crossfade.errors import BadInput
from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import EdgeKind, EdgePlan, Rung, RungKind

RECORD_TTL_SECONDS = 60  # of an alias to a load balancer

LEGAL_PERIODS = (1, 5, 10, 30, 60)
"""Seconds; what CloudWatch takes for a high-resolution metric. Source: API reference, MetricStat.Period."""

_JITTER_SECONDS = 0.5
"""What a busy laptop takes for an answer now and then; nothing faster is called slow there."""


@dataclass(frozen=True, slots=True)
class Pace:
    """
    A rehearsal's load, ladder and bake, in the plan's own time: before it is divided.

    `climb_shares_bp` replaces the plan's climbing rungs, since a laptop carries too few
    requests to prove 1 % in seconds; `tolerance` and `minimum_requests` replace the
    plan's bounds for the same reason. All of it is printed with the result. For
    `creation_seconds`, by the wall clock, green is waited for however busy a machine is.
    """

    time_scale: int = 6
    requests_per_second: int = 80
    climb_shares_bp: tuple[int, ...] = (1_000, 5_000)
    control_share_bp: int = 9_000
    climb_soak_seconds: int = 60
    bake_soak_seconds: int = 60
    watch_soak_seconds: int = 120
    settle_seconds: int = 12
    metric_lag_seconds: int = 18
    confirm_seconds: int = 30
    tolerance: float = 0.05
    minimum_requests: int = 30
    cdn_shares_bp: tuple[int, ...] = (500, 1_500)
    dns_propagation_seconds: int = 20
    cdn_propagation_seconds: int = 180
    connection_seconds: int = 120
    patience: float = 3.0
    creation_seconds: int = 60

    def settle_of(self, kind: EdgeKind) -> int:
        """Return how long some users still follow the split before, once a change of this kind of edge has spread."""
        settles: dict[EdgeKind, int] = {"nlb": self.connection_seconds, "route53": RECORD_TTL_SECONDS}
        return settles.get(kind, self.settle_seconds)


FULL = Pace(creation_seconds=300)
BRIEF = Pace(
    time_scale=12,
    climb_shares_bp=(2_500,),
    control_share_bp=8_000,
    settle_seconds=12,
    metric_lag_seconds=12,
    watch_soak_seconds=60,
    cdn_shares_bp=(1_500,),
    cdn_propagation_seconds=60,
    connection_seconds=60,
    patience=2.0,
    creation_seconds=300,
)
"""For tests: half a minute a scenario."""


def quickened(plan: MigrationPlan, pace: Pace) -> MigrationPlan:
    """
    Return the plan at this pace: the same services, edges and rules, its durations divided.

    Raises:
        BadInput: the metric period divided by the factor is none that CloudWatch takes.
    """
    period, rest = divmod(plan.timings.period_seconds, pace.time_scale)
    if rest or period not in LEGAL_PERIODS:
        raise BadInput(
            f"time scale {pace.time_scale}: a metric period of {plan.timings.period_seconds} s becomes "
            f"{plan.timings.period_seconds / pace.time_scale:g} s; choose a factor that makes it one of {LEGAL_PERIODS}"
        )
    timings = plan.timings.model_copy(
        update={
            "period_seconds": period,
            "metric_lag_seconds": _divided(pace.metric_lag_seconds, pace),
            "look_seconds": max(1, _divided(plan.timings.look_seconds, pace)),
            "create_heartbeat_seconds": max(5, _divided(plan.timings.create_heartbeat_seconds, pace)),
            "create_deadline_seconds": max(pace.creation_seconds, _divided(plan.timings.create_deadline_seconds, pace)),
            "confirm_seconds": _divided(pace.confirm_seconds, pace),
            "overdue_seconds": max(30, _divided(plan.timings.overdue_seconds, pace)),
            "spread_seconds": max(60, _divided(plan.timings.spread_seconds, pace)),
            "restore_retry_seconds": max(1, _divided(plan.timings.restore_retry_seconds, pace)),
        }
    )
    bounds = plan.bounds.model_copy(
        update={
            "tolerance": pace.tolerance,
            "minimum_requests": pace.minimum_requests,
            "lost_data_seconds": _divided(plan.bounds.lost_data_seconds, pace),
            "below_desired_seconds": _divided(plan.bounds.below_desired_seconds, pace),
            "slow_floor_seconds": max(plan.bounds.slow_floor_seconds, _JITTER_SECONDS),
        }
    )
    edges = tuple(paced(edge, pace) for edge in plan.edges)
    retirement = plan.retirement.model_copy(
        update={
            "parked_seconds": _divided(plan.retirement.parked_seconds, pace),
            "quiet_seconds": _divided(plan.retirement.quiet_seconds, pace),
        }
    )
    return plan.model_copy(update={"timings": timings, "bounds": bounds, "edges": edges, "retirement": retirement})


def paced(edge: EdgePlan, pace: Pace) -> EdgePlan:
    """Return an edge with the ladder and the settling of this pace."""
    climbs = [
        Rung(share_bp=share, soak_seconds=_divided(pace.climb_soak_seconds, pace), kind=RungKind.CLIMB)
        for share in (pace.cdn_shares_bp if edge.kind == "cloudfront" else pace.climb_shares_bp)
    ]
    bake = Rung(share_bp=pace.control_share_bp, soak_seconds=_divided(pace.bake_soak_seconds, pace), kind=RungKind.BAKE)
    watch = Rung(share_bp=10_000, soak_seconds=_divided(pace.watch_soak_seconds, pace), kind=RungKind.WATCH)
    held = [] if edge.kind == "cloudfront" else [bake]  # above 15 % there is only everything
    return edge.model_copy(
        update={
            "ladder": (*climbs, *held, watch),
            "control_share_bp": pace.control_share_bp,
            "settle_seconds": _divided(pace.settle_of(edge.kind), pace),
        }
    )


def _divided(seconds: int, pace: Pace) -> int:
    return math.ceil(seconds / pace.time_scale)
