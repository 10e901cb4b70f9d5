"""
Redeploy Service: a green service gets new tasks, which know every name there is by now.

A task resolves the endpoints that existed when it started, and no others, for as long as
it lives. Services that call each other in a circle cannot each be created after all they
call, so whoever the plan names in `redeploy` is deployed once more when all are there.

Source: Amazon ECS Developer Guide, "Service Connect deployment order".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crossfade.connect.services import Services, ServiceState
from crossfade.errors import GreenFailed
from crossfade.executions.executions import Executions
from crossfade.frozen import Frozen
from crossfade.green.creation import planned_service, refuse_failed, refuse_foreign
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import Token, entry_of
from crossfade.plan.store import PlanStore, read_plan
from crossfade.request import Request
from crossfade.resources import service_resource

REDEPLOY = "redeploy"
"""What the journal calls it."""


class RedeployRequest(Request):
    """Give a green service new tasks. `token` resumes the state that asks."""

    migration: str
    fence: int
    service: str
    token: str


class Redeployed(Frozen):
    """The deployment begun; unless `complete`, ECS's event will resume the state."""

    deployment: str
    complete: bool


@dataclass(frozen=True, slots=True)
class _Begun:
    """What the journal says of an earlier call: the newest deployment before it, and its own where that is known."""

    replaces: str
    deployment: str | None


def redeploy(
    request: RedeployRequest,
    *,
    journal: Journal,
    plans: PlanStore,
    services: Services,
    executions: Executions,
    now: datetime,
) -> Redeployed:
    """
    Deploy a green service anew, once an attempt, and say how far that is.

    Safe to repeat from wherever it was cut short, and the way to look when ECS's event is
    late: the journal holds which deployment was there before and which was begun. Where
    the answer to the call was lost, a newest deployment other than the one before is the
    one begun. The state's task token is kept before ECS is asked, with the deployment to
    be replaced, so that neither an early event is lost nor a late one of that deployment
    taken for the new one's.

    Raises:
        Fenced: a rollback has begun.
        GreenFailed: the service is gone, its deployment failed, or ECS went back from it.
        ServiceExists: the service is not this migration's.
        EcsBusy: ECS throttles.
    """
    record = read_fenced(journal, request.migration, request.fence)
    plan = read_plan(plans, record.plan)
    name = planned_service(plan, request.service).green.service_name
    resource = service_resource(plan.cluster, name)
    green = services.describe(plan.cluster, name)
    if green is None:
        raise GreenFailed(f"green service {name} is not in {plan.cluster} any more")
    refuse_foreign(green, request.migration)
    begun, intent = _begun(journal, request, resource), None
    if begun is None:
        refuse_failed(green)
        begun = _Begun(_newest(green), None)
        entry = entry_of(request, "intent", REDEPLOY, resource, at=now, detail={"replaces": begun.replaces})
        intent = journal.append(entry, fence=request.fence)
    token = Token(
        migration=request.migration,
        resource=resource,
        token=request.token,
        at=now,
        deployment=begun.deployment,
        replaces=begun.replaces,
    )
    journal.keep_token(token)
    deployment = begun.deployment
    if deployment is None:
        if _newest(green) == begun.replaces:
            green = services.redeploy(plan.cluster, name)
        deployment = _newest(green)
        entry = entry_of(request, "result", REDEPLOY, resource, at=now, detail={"deployment": deployment}, of=intent)
        journal.append(entry, fence=request.fence)
        journal.keep_token(token.model_copy(update={"deployment": deployment}))
    if _newest(green) != deployment:
        raise GreenFailed(f"{name}: ECS went back from deployment {deployment}")
    refuse_failed(green)
    if green.is_complete:
        executions.succeed_task(request.token, {"service_arn": green.arn, "complete": True})
        journal.drop_token(resource, request.token)
    return Redeployed(deployment=deployment, complete=green.is_complete)


def _begun(journal: Journal, request: RedeployRequest, resource: str) -> _Begun | None:
    deployment = None
    for entry in journal.newest_first(request.migration):
        if entry.fence is not None and entry.fence < request.fence:
            break  # an attempt before this one
        if entry.what != REDEPLOY or entry.subject != resource:
            continue
        if entry.kind == "intent":
            return _Begun(entry.detail["replaces"], deployment)
        deployment = entry.detail["deployment"]
    return None


def _newest(green: ServiceState) -> str:
    if green.primary is None:
        raise GreenFailed(f"{green.name} has no deployment")
    return green.primary.id
