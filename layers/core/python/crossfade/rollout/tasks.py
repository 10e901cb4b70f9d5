"""On Task: tasks of green that die in a row roll back; a task of blue that is lost holds."""

from __future__ import annotations

from datetime import datetime

from crossfade.connect.services import Services
from crossfade.errors import UnknownMigration
from crossfade.events.inbound import TaskStateChanged
from crossfade.events.outbound import Notices
from crossfade.executions.executions import Executions
from crossfade.journal.journal import Journal
from crossfade.plan.store import PlanStore, read_plan
from crossfade.rollout.guards import GuardAnswer
from crossfade.rollout.holding import GOING, recount
from crossfade.rollout.rollback import begin_rollback
from crossfade.rollout.watching import dying
from crossfade.shift.shifter import Edges


def guard_task(
    event: TaskStateChanged,
    *,
    journal: Journal,
    plans: PlanStore,
    services: Services,
    edges: Edges,
    executions: Executions,
    notices: Notices,
    now: datetime,
) -> GuardAnswer:
    """
    Count a service's tasks again after one of them stopped, as ECS has them and not as the event says.

    Green's dying in a row begin a rollback; while blue has fewer than it wants, the
    migration holds and a person is told. Idempotent: what ECS says now decides.

    Raises:
        EcsBusy, EdgeBusy, ExecutionsBusy, JournalBusy, NoticesBusy: AWS throttles; the event comes again.
    """
    cluster, name, resource = event.cluster, event.service, event.resource
    if resource is None or name is None:
        return _nothing(f"{event.detail.task_arn} is no service's")
    answers = [_nothing(f"no open migration knows {resource}")]
    for migration in journal.migrations_of(resource):
        try:
            record = journal.read(migration)
        except UnknownMigration:
            continue
        if record.phase not in GOING:
            continue
        state = services.describe(cluster, name)
        if state is not None and state.migration == migration:
            reason = dying(name, services.stopped(cluster, name), now)
            if reason is None:
                answers.append(_nothing(f"{name} lost a task, and {state.running} run", migration))
                continue
            begin_rollback(migration, reason, journal=journal, executions=executions, now=now)
            answers.append(GuardAnswer(did="rolled_back", why=reason, migration=migration))
            continue
        plan = read_plan(plans, record.plan)
        missing = recount(record, plan, journal=journal, services=services, edges=edges, notices=notices, now=now)
        did = GuardAnswer(did="held", why=missing, migration=migration)
        answers.append(did if missing else _nothing(f"{name} has all its tasks", migration))
    return next((answer for answer in answers if answer.did != "nothing"), answers[-1])


def _nothing(why: str, migration: str | None = None) -> GuardAnswer:
    return GuardAnswer(did="nothing", why=why, migration=migration)
