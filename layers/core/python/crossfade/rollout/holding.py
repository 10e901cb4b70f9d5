"""Hold a migration and tell people; count again what the way back needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossfade.connect.services import Services
from crossfade.errors import BlueChanged, EdgeChanged, UnknownEdge
from crossfade.events.outbound import Notices
from crossfade.journal.hold import Hold
from crossfade.journal.journal import Journal
from crossfade.journal.model import MigrationRecord, bounded_reason
from crossfade.journal.note import note
from crossfade.phases import BEYOND_RETURN, CLOSED, Phase
from crossfade.plan.document import MigrationPlan
from crossfade.rollout.telling import tell_moves
from crossfade.shift.shifter import Edges

WAY_BACK = "way back"
"""`by` of the hold that stands while blue could not take all traffic back."""

GOING = frozenset(set(Phase) - BEYOND_RETURN - CLOSED - {Phase.ROLLING_BACK, Phase.PLANNED})
"""The phases in which a migration may go forward."""


def hold(record: MigrationRecord, by: str, why: str, *, journal: Journal, notices: Notices, now: datetime) -> bool:
    """
    Let green get no larger share until this hold ends, and tell people; return whether it is new.

    A hold that stands for the same reason is left as it is and told to nobody again.

    Raises:
        NoticesBusy, JournalBusy: as the ports; the hold stands all the same once it is kept.
    """
    why = bounded_reason(why)
    if any((kept.by, kept.why) == (by, why) for kept in journal.holds(record.migration)):
        return False
    journal.keep_hold(Hold(migration=record.migration, by=by, why=why, at=now, fence=record.fence))
    journal.append(note(record.migration, "held", {"by": by, "why": why}, fence=record.fence, at=now))
    tell_moves(record.migration, journal=journal, notices=notices, now=now)
    return True


def release(record: MigrationRecord, by: str, *, journal: Journal, now: datetime) -> bool:
    """End a hold, and note it; return whether one stood."""
    if all(kept.by != by for kept in journal.holds(record.migration)):
        return False
    journal.drop_hold(record.migration, by)
    journal.append(note(record.migration, "released", {"by": by}, fence=record.fence, at=now))
    return True


def missing_for_the_way_back(
    plan: MigrationPlan, *, journal: Journal, services: Services, edges: Edges
) -> tuple[str, ...]:
    """
    Return why blue could not take all traffic back now, in words; nothing when it could.

    Raises:
        EcsBusy, EdgeBusy, JournalBusy: AWS throttles.
    """
    return (*_blue_tasks(plan, services), *_blue_targets(plan.migration, journal, edges))


def recount(
    record: MigrationRecord,
    plan: MigrationPlan,
    *,
    journal: Journal,
    services: Services,
    edges: Edges,
    notices: Notices,
    now: datetime,
) -> str:
    """
    Hold while blue could not take all traffic back, and release when it could; return what was missing.

    Raises:
        EcsBusy, EdgeBusy, JournalBusy, NoticesBusy: AWS throttles.
    """
    missing = "; ".join(missing_for_the_way_back(plan, journal=journal, services=services, edges=edges))
    if missing:
        hold(record, WAY_BACK, missing, journal=journal, notices=notices, now=now)
    else:
        release(record, WAY_BACK, journal=journal, now=now)
    return missing


def _blue_tasks(plan: MigrationPlan, services: Services) -> Iterator[str]:
    for service in plan.services:
        name = service.blue.service_name
        try:
            blue = services.describe(plan.cluster, name)
        except BlueChanged as gone:
            yield str(gone)
            continue
        if blue is None:
            yield f"blue service {name} is gone"
        elif blue.running < blue.desired or blue.running == 0 < service.blue.desired_count:
            yield f"blue service {name} runs {blue.running} of {max(blue.desired, 1)} tasks"


def _blue_targets(migration: str, journal: Journal, edges: Edges) -> Iterator[str]:
    for edge in journal.edges(migration):
        try:
            if edges.healthy_targets(edge.resolved.blue_arn) < 1:
                yield f"blue has no healthy target at edge {edge.name}"
        except (EdgeChanged, UnknownEdge) as changed:
            yield f"edge {edge.name}: {changed}"
