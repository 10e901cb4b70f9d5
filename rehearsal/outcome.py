"""What a rehearsal came to, from what is left of it when it is over."""

from __future__ import annotations

import itertools
import math

from crossfade.plan.edges import EdgePlan
from rehearsal.breaking import Breaking
from rehearsal.dataplane import Totals, version
from rehearsal.disturbing import DISTURBANCES
from rehearsal.pace import Pace
from rehearsal.scene import Scene, rollback_started, shares_of
from rehearsal.summary import AskedAlone, EdgeSummary, Requests, Scenario, Seconds, ShareHeld, Summary

_FAILED = 500


def summary_of(
    scene: Scene,
    scenario: Scenario,
    *,
    pace: Pace,
    breaking: Breaking,
    seed: int,
    totals: Totals,
    total_seconds: float,
) -> Summary:
    """
    Return what a rehearsal came to.

    Args:
        scene: As it is left; everything still runs but the load.
        scenario: What was played.
        pace: At which pace.
        breaking: What failed, where it was `sick`.
        seed: Of the load's order and of which task was broken.
        totals: Of the load, after its end.
        total_seconds: How long all of it took, by the wall clock.
    """
    edge = scene.plan.edges[0]
    shares = shares_of(scene)
    final = shares[-1].green_percent if shares else 0.0
    decided = rollback_started(scene)
    zero_at, everywhere_at = _back_to_zero(shares)
    decision = decided.timestamp() - scene.started if decided else None
    transitions, longest = _histories(scene)
    disturbance = DISTURBANCES.get(scenario)
    ends = breaking.ends if disturbance is None else disturbance.ends
    completes = scenario is Scenario.HEALTHY or ends == "completed"
    wanted = ("completed", 100.0) if completes else ("rolled_back", 0.0)
    clean = scenario is Scenario.HEALTHY or scene.broken_at is not None
    clean = clean and (totals.failed == 0 or scenario not in {Scenario.HEALTHY, Scenario.TLS})
    missed = disturbance.missed(scene) if disturbance is not None and scene.broken_at is not None else ""
    whole = disturbance is None or (not missed and scene.plane.requests_to_nobody == 0)
    alone = _asked_alone(scene, shares)
    refused = tuple(str(refusal) for refusal in scene.aws.iam.take_refused())
    return Summary(
        scenario=scenario,
        fault=breaking.name or None if scenario is Scenario.SICK else None,
        passed=(scene.outcome, final) == wanted and clean and whole and not refused and _enough(alone, edge),
        outcome=scene.outcome,
        reason=f"{scene.reason}; {missed}" if missed else scene.reason,
        edges=(
            EdgeSummary(
                name=edge.name,
                kind=edge.kind,
                shares=shares,
                final_green_percent=final,
                propagation_seconds=_rounded(scene.slowness.propagation),
                ttl_seconds=_rounded(scene.slowness.ttl),
                connection_seconds=_rounded(scene.slowness.longest_connection),
                asked_alone=alone,
            ),
        ),
        requests=Requests(
            total=totals.total,
            failed=totals.failed,
            blue=totals.blue,
            green=totals.green,
            failed_blue=totals.failed_blue,
            failed_green=totals.failed_green,
            to_nobody=scene.plane.requests_to_nobody,
        ),
        seconds=Seconds(
            total=round(total_seconds, 1),
            fault_to_decision=_between(scene.broken_at and scene.broken_at - scene.started, decision),
            decision_to_zero=_between(decision, zero_at) if scene.broken_at else None,
            decision_to_everywhere=_between(decision, everywhere_at) if scene.broken_at else None,
            decision_to_last_green=_last_green(scene, decision, totals),
        ),
        state_transitions=transitions,
        history_events_max=longest,
        time_scale=pace.time_scale,
        requests_per_second=pace.requests_per_second,
        seed=seed,
        envoy_version=version(),
        services_created=_services_created(scene),
        refused=refused,
        migration=scene.plan.migration,
    )


def _asked_alone(scene: Scene, shares: tuple[ShareHeld, ...]) -> AskedAlone | None:
    """Return what staging answered before green had a share; None where no distribution divides users."""
    edge = scene.plan.edges[0]
    if edge.cdn is None:
        return None
    first = next((share.at for share in shares if share.green_percent > 0), math.inf)
    found = [each.code for each in scene.plane.staged(edge.cdn.distribution_id) if each.at < scene.started + first]
    return AskedAlone(requests=len(found), failed=sum(code >= _FAILED for code in found))


def _enough(alone: AskedAlone | None, edge: EdgePlan) -> bool:
    """Say whether green was asked alone as often as the plan says, where it says so, and answered well."""
    return alone is None or edge.probe is None or alone.requests - alone.failed >= edge.probe.per_look


def _last_green(scene: Scene, decision: float | None, totals: Totals) -> float | None:
    if scene.broken_at is None or decision is None or totals.last_green_at is None:
        return None
    return max(0.0, round(totals.last_green_at - scene.started - decision, 2))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def _back_to_zero(shares: tuple[ShareHeld, ...]) -> tuple[float, float] | tuple[None, None]:
    """Return when green was first given nothing after something, and when that was so everywhere."""
    for before, after in itertools.pairwise(shares):
        if after.green_percent == 0 < before.green_percent:
            return after.at, after.everywhere_at
    return None, None


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 2)


def _histories(scene: Scene) -> tuple[int, int]:
    """Return the state transitions of all executions, and the events of the longest history."""
    states = scene.aws.client("stepfunctions")
    transitions, longest = 0, 0
    for machine in ("MigrateArn", "ClimbArn", "RollBackArn"):
        for page in states.get_paginator("list_executions").paginate(stateMachineArn=scene.arns[machine]):
            for execution in page["executions"]:
                events = [
                    event["type"]
                    for events in states.get_paginator("get_execution_history").paginate(
                        executionArn=execution["executionArn"]
                    )
                    for event in events["events"]
                ]
                transitions += sum(1 for kind in events if kind.endswith("StateEntered"))
                longest = max(longest, len(events))
    return transitions, longest


def _services_created(scene: Scene) -> int:
    names = [service.green.service_name for service in scene.plan.services]
    found = scene.aws.client("ecs").describe_services(cluster=scene.plan.cluster, services=names)
    return len(found["services"])
