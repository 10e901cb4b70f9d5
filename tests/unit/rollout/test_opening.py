"""Opening a migration: what is refused, what is written down first, what the machines are told."""

from __future__ import annotations

import pytest

from crossfade.errors import (
    BadInput,
    BlockedByGap,
    EdgeChanged,
    EdgeOwned,
    Fenced,
    PlanChanged,
    PreflightRefused,
    UnknownMigration,
)
from crossfade.events.memory import MemorySchedule
from crossfade.journal.memory import MemoryJournal
from crossfade.phases import Phase
from crossfade.plan.document import Acceptance, Gap, MigrationPlan, Severity
from crossfade.plan.edges import RungKind
from crossfade.plan.memory import MemoryPlanStore
from crossfade.resources import OPEN
from crossfade.rollout.memory import MemoryGatheredAlarms
from crossfade.rollout.opening import Opened, OpenRequest, open_migration
from crossfade.shift.memory import MemoryEdges
from crossfade.shift.share import Share
from tests.traffic import MIGRATE, NOON, a_plan, an_edge_plan

GAP = Gap(id="mtls", resource="orders", severity=Severity.BLOCKING, detail="no client certificates", source="https://")


class Desk:
    """Where a migration is opened: a stored plan, an account that is as the plan says, an empty journal."""

    def __init__(self, plan: MigrationPlan | None = None) -> None:
        self.plan = plan or a_plan()
        self.journal: MemoryJournal = MemoryJournal()
        self.plans = MemoryPlanStore()
        self.edges = MemoryEdges.of(*self.plan.edges)
        self.schedule = MemorySchedule()
        self.gathered = MemoryGatheredAlarms({"shop-errors": "OK"})
        self.ref = self.plans.put("plans", "shop.json", self.plan)

    def open(self, migration: str = "shop", execution: str = MIGRATE) -> Opened:
        request = OpenRequest(migration=migration, plan=self.ref, execution=execution)
        return open_migration(
            request,
            journal=self.journal,
            plans=self.plans,
            edges=self.edges,
            gathered=self.gathered,
            schedule=self.schedule,
            now=NOON,
        )


def test_the_machines_are_told_all_they_need_of_the_plan() -> None:
    gaps = (GAP.model_copy(update={"severity": Severity.DEGRADING}),)
    opened = Desk(a_plan(gaps=gaps, redeploy=("web",))).open()

    assert (opened.migration, opened.fence, opened.waves, opened.gaps) == ("shop", 1, (("web",),), 1)
    assert opened.redeploy == ("web",)
    [edge] = opened.edges
    assert [(rung.index, rung.share_bp, rung.kind) for rung in edge.rungs] == [
        (0, 500, RungKind.CLIMB),
        (1, 9_500, RungKind.BAKE),
        (2, 10_000, RungKind.WATCH),
    ]
    assert opened.timings == a_plan().timings


def test_the_plans_alarms_are_gathered_in_one_and_its_news_find_the_migration() -> None:
    desk = Desk()

    desk.open()

    assert desk.gathered.gathered == {"crossfade-shop": ("shop-errors",)}
    assert desk.journal.migrations_of("alarm:crossfade-shop") == ("shop",)


class _KilledJournal(MemoryJournal):
    """The process is killed right after the migration was opened."""

    def index(self, resource: str, migration: str) -> None:
        if resource.startswith(("alarm:", "service:")):
            raise KeyboardInterrupt
        super().index(resource, migration)


def test_an_opening_that_is_cut_short_is_found_by_its_execution_and_by_watch() -> None:
    desk = Desk()
    desk.journal = _KilledJournal()

    with pytest.raises(KeyboardInterrupt):
        desk.open()

    assert desk.journal.migrations_of(OPEN) == desk.journal.migrations_of(MIGRATE) == ("shop",)
    assert desk.schedule.on


def test_alarms_that_cannot_be_gathered_are_refused_by_name() -> None:
    desk = Desk()
    desk.gathered.refusal = "the rule holds more than 100 alarms"

    with pytest.raises(PreflightRefused, match="alarm crossfade-shop over the plan's alarms cannot be made: the rule"):
        desk.open()


@pytest.mark.parametrize(("climb", "at_once"), [("one_by_one", 1), ("together", 0)])
def test_several_edges_climb_in_order_or_together_as_the_plan_says(climb: str, at_once: int) -> None:
    edges = (an_edge_plan(), an_edge_plan("admin", kind="alb"))
    desk = Desk(a_plan(edges=edges, edges_climb=climb))

    opened = desk.open()

    assert [(edge.edge, edge.kind) for edge in opened.edges] == [("web", "alb"), ("admin", "alb")]
    assert opened.edges_at_once == at_once


def test_the_way_back_is_written_down_before_anything_is_changed() -> None:
    desk = Desk()

    desk.open()

    record = desk.journal.read("shop")
    assert (record.phase, record.plan, record.execution) == (Phase.CREATING, desk.ref, MIGRATE)
    assert (record.settle_seconds, record.confirm_seconds, record.restore_retry_seconds) == (30, 60, 10)
    [edge] = desk.journal.edges("shop")
    assert edge.way_back == desk.edges.shifter(edge).way_back()
    assert desk.edges.laid["web"].shifts == []


def test_news_of_its_alarms_services_and_execution_find_the_migration() -> None:
    desk = Desk()

    desk.open()

    for resource in (MIGRATE, "alarm:shop-errors", "service:shop/web", "service:shop/web-green"):
        assert desk.journal.migrations_of(resource) == ("shop",)


def test_opening_again_keeps_the_first_way_back_whatever_the_edge_is_by_then() -> None:
    desk = Desk()
    first = desk.open()
    kept = desk.journal.edges("shop")
    made = desk.edges.make_green_end(kept[0], "web-green", {})
    desk.edges.healthy[str(made.resolved.green_arn)] = 1
    desk.edges.shifter(made).set_green(Share(500))

    second = desk.open()

    assert first == second
    assert desk.journal.edges("shop") == kept


def test_a_migration_cut_short_in_its_opening_is_opened_by_repeating_it() -> None:
    class Killed(BaseException):
        pass

    class Dying(MemoryJournal):
        dying = True

        def index(self, resource: str, migration: str) -> None:
            if self.dying:
                raise Killed
            super().index(resource, migration)

    desk = Desk()
    desk.journal = Dying()
    with pytest.raises(Killed):
        desk.open()
    desk.journal.dying = False

    desk.open()

    assert desk.journal.migrations_of("alarm:shop-errors") == ("shop",)


def test_an_opening_that_a_rollback_ended_is_over() -> None:
    desk = Desk()
    desk.open()
    desk.journal.raise_fence("shop", seen=1, reason="by hand", at=NOON)

    with pytest.raises(Fenced):
        desk.open()


def test_after_a_rollback_another_execution_opens_it_above_the_old_fence() -> None:
    desk = Desk()
    desk.open()
    desk.journal.raise_fence("shop", seen=1, reason="by hand", at=NOON)
    desk.journal.enter("shop", Phase.ROLLED_BACK, fence=2, at=NOON)

    opened = desk.open(execution="second")

    assert opened.fence == 3
    assert desk.journal.read("shop").phase is Phase.CREATING


def test_an_edge_of_another_open_migration_is_refused_by_name() -> None:
    desk = Desk()
    desk.open()
    other = Desk(a_plan(migration="other"))
    other.journal, other.edges = desk.journal, desk.edges

    with pytest.raises(EdgeOwned, match="shop"):
        other.open("other")


def test_a_plan_with_another_digest_is_refused() -> None:
    desk = Desk()
    desk.ref = desk.ref.model_copy(update={"sha256": "0" * 64})

    with pytest.raises(PlanChanged):
        desk.open()


def test_the_plan_of_another_migration_is_refused() -> None:
    with pytest.raises(BadInput, match="other was asked for"):
        Desk().open("other")


def test_an_open_blocking_gap_is_refused_by_name() -> None:
    desk = Desk(a_plan(gaps=(GAP,)))

    with pytest.raises(BlockedByGap, match="mtls at orders"):
        desk.open()

    with pytest.raises(UnknownMigration):
        desk.journal.read("shop")


@pytest.mark.parametrize("said", ["holds nothing to migrate", "no source held the ECS services of web"])
def test_a_draft_is_refused_whatever_was_accepted(said: str) -> None:
    web = a_plan().services[0]
    guessed = web.model_copy(update={"blue": web.blue.model_copy(update={"is_assumed": True})})
    desk = Desk(a_plan(services=(guessed,) if "ECS" in said else ()))

    with pytest.raises(BadInput, match=said):
        desk.open()

    with pytest.raises(UnknownMigration):
        desk.journal.read("shop")


def test_an_accepted_gap_is_no_hindrance() -> None:
    accepted = GAP.model_copy(update={"accepted": Acceptance(who="ann", why="internal only", at=NOON)})

    assert Desk(a_plan(gaps=(accepted,))).open().fence == 1


def test_an_edge_that_is_not_as_planned_is_refused_before_anything_is_written() -> None:
    desk = Desk()
    desk.edges.laid["web"].rules["front/443/default"] = None

    with pytest.raises(EdgeChanged):
        desk.open()

    with pytest.raises(UnknownMigration):
        desk.journal.read("shop")


def test_the_longest_edge_says_how_long_a_shift_settles() -> None:
    slow = an_edge_plan("slow", settle_seconds=90)

    desk = Desk(a_plan(edges=(an_edge_plan(), slow)))
    desk.open()

    assert desk.journal.read("shop").settle_seconds == 90
