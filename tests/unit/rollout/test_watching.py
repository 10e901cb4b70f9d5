"""Watch finds what nobody told, acts once, and rests when nothing is open."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from crossfade.connect.blue import FreezeRequest, freeze
from crossfade.connect.greenscaling import Twin
from crossfade.connect.memory import MemoryBlues, MemoryGreenScaling, MemoryScaling, MemoryServices
from crossfade.connect.services import MIGRATION_TAG, StoppedTask
from crossfade.errors import ExecutionsBusy, NoticesBusy
from crossfade.events.inbound import TaskStateChanged
from crossfade.events.memory import MemoryNotices, MemorySchedule, MemoryUndelivered
from crossfade.events.outbound import Notice
from crossfade.executions.executions import ExecutionStatus
from crossfade.executions.memory import MemoryExecutions
from crossfade.journal.edges import Detour, EdgeRecord
from crossfade.journal.hold import Hold
from crossfade.journal.memory import MemoryJournal
from crossfade.journal.note import note
from crossfade.judge.memory import MemoryAlarms, MemoryLookMeter, MemoryMetrics, MemoryProxyLogs
from crossfade.judge.proxylog_memory import MemoryProxyFeed
from crossfade.judge.sight import Sight
from crossfade.phases import Phase
from crossfade.plan.memory import MemoryPlanStore
from crossfade.resources import OPEN
from crossfade.rollout.guards import GuardAnswer
from crossfade.rollout.memory import MemoryGatheredAlarms
from crossfade.rollout.tasks import guard_task
from crossfade.rollout.telling import tell_moves
from crossfade.rollout.watching import RETIREMENT_RESTS, Watch, Watched, watch
from crossfade.shift.memory import MemoryEdges
from crossfade.shift.share import Share
from tests.traffic import CLIMB, MIGRATE, NOON, a_plan, a_record

SAMPLE = json.loads((Path(__file__).parents[3] / "events" / "task_state_changed.json").read_text())


class Tower:
    """A migration in mid-climb, green at 5 %, everything as it should be."""

    def __init__(self, phase: Phase = Phase.CLIMBING) -> None:
        self.plan = a_plan()
        plans = MemoryPlanStore()
        self.journal, self.services, self.edges = (
            MemoryJournal(),
            MemoryServices("shop"),
            MemoryEdges.of(*self.plan.edges),
        )
        self.executions = MemoryExecutions(others={MIGRATE: ExecutionStatus.RUNNING, CLIMB: ExecutionStatus.RUNNING})
        self.alarms = MemoryAlarms({"shop-errors": "OK"})
        self.gathered = MemoryGatheredAlarms(self.alarms.found)
        self.feed = MemoryProxyFeed()
        self.feed.subscribe(self.plan.proxy_logs.group, "shop")
        self.metrics, self.proxy_logs = MemoryMetrics(), MemoryProxyLogs("/crossfade/shop")
        self.meter = MemoryLookMeter()
        self.notices, self.schedule, self.undelivered = MemoryNotices(), MemorySchedule(), MemoryUndelivered()
        self.blues, self.scaling = MemoryBlues("web"), MemoryScaling()
        self.green_scaling = MemoryGreenScaling("web")
        self.green_scaling.copy(Twin("shop", "web", "web-green"), least=2, tags={MIGRATION_TAG: "shop"})
        found = self.edges.find(self.plan.edges[0]).owned_by("shop")
        ref = plans.put("plans", "shop.json", self.plan)
        self.journal.open(a_record(phase=phase, climb=CLIMB, plan=ref), [found])
        self.edge = self.edges.make_green_end(found, "web-green", {})
        self.edges.healthy |= {self.edge.resolved.blue_arn: 2, str(self.edge.resolved.green_arn): 2}
        self.hold(Share(500))
        for resource in (OPEN, "service:shop/web", "service:shop/web-green"):
            self.journal.index(resource, "shop")
        self._service("web", None)
        self._service("web-green", "shop")
        self.schedule.enable()
        self.parts = Watch(
            journal=self.journal,
            plans=plans,
            services=self.services,
            edges=self.edges,
            alarms=self.alarms,
            gathered=self.gathered,
            feed=self.feed,
            sight=Sight(metrics=self.metrics, proxy_logs=self.proxy_logs, alarms=self.alarms, services=self.services),
            meter=self.meter,
            scaling=self.scaling,
            green_scaling=self.green_scaling,
            blues=self.blues,
            executions=self.executions,
            notices=self.notices,
            schedule=self.schedule,
            undelivered=self.undelivered,
        )
        freeze(
            FreezeRequest(migration="shop", fence=1),
            journal=self.journal,
            plans=plans,
            scaling=self.scaling,
            blues=self.blues,
            now=NOON,
        )
        self.tell_all()

    def tell_all(self) -> None:
        """Let people be told of every move until now."""
        tell_moves("shop", journal=self.journal, notices=MemoryNotices(), now=NOON)

    def hold(self, share: Share) -> EdgeRecord:
        self.edges.shifter(self.edge).set_green(share)
        kept = self.edge.model_copy(update={"asked_bp": share.bp, "held_bp": share.bp})
        self.journal.put_edge(kept, fence=1)
        return kept

    def _service(self, name: str, migration: str | None) -> None:
        definition = self.services.register({"family": name, "containerDefinitions": [{"name": name}]}, {})
        tags = [{"key": MIGRATION_TAG, "value": migration}] if migration else []
        self.services.create(
            {
                "cluster": "shop",
                "serviceName": name,
                "taskDefinition": definition,
                "desiredCount": 2,
                "tags": tags,
            }
        )
        self.services.complete("shop", name)

    def kill(self, count: int, *, name: str = "web-green", code: str = "EssentialContainerExited") -> None:
        self.services.dead[name] = tuple(
            StoppedTask(arn=f"arn:{number}", at=NOON - timedelta(minutes=number), code=code, reason="exit 1")
            for number in range(count)
        )

    def watch(self, now: datetime = NOON) -> Watched:
        return watch(self.parts, now=now)

    def on_task(self, service: str = "web-green") -> GuardAnswer:
        event = TaskStateChanged.model_validate(
            {**SAMPLE, "detail": {**SAMPLE["detail"], "group": f"service:{service}"}}
        )
        return guard_task(
            event,
            journal=self.journal,
            plans=self.parts.plans,
            services=self.services,
            edges=self.edges,
            executions=self.executions,
            notices=self.notices,
            now=NOON,
        )

    @property
    def rolled_back(self) -> str | None:
        record = self.journal.read("shop")
        return record.reason if record.phase is Phase.ROLLING_BACK else None

    @property
    def held_by(self) -> list[str]:
        return [hold.by for hold in self.journal.holds("shop")]


def test_a_migration_that_is_well_is_left_alone() -> None:
    tower = Tower()

    seen = tower.watch()

    assert seen == Watched(open=1)
    assert (tower.rolled_back, tower.held_by, tower.notices.told) == (None, [], [])
    assert tower.schedule.on


def _dies(arn: str, status: ExecutionStatus) -> Callable[[Tower], None]:
    return lambda tower: tower.executions.others.update({arn: status})


def _late(tower: Tower) -> None:
    tower.journal.expect_look("shop", NOON - timedelta(seconds=301), fence=1)


def _late_at_one_edge(tower: Tower) -> None:
    tower.journal.expect_look("shop", NOON - timedelta(seconds=301), fence=1, edge="admin")
    tower.journal.expect_look("shop", NOON + timedelta(seconds=10), fence=1, edge="web")


TROUBLES: dict[str, tuple[Callable[[Tower], None], str]] = {
    "migrate stopped": (_dies(MIGRATE, ExecutionStatus.ABORTED), "migrate is ABORTED"),
    "migrate timed out": (_dies(MIGRATE, ExecutionStatus.TIMED_OUT), "migrate is TIMED_OUT"),
    "climb failed": (_dies(CLIMB, ExecutionStatus.FAILED), "climb is FAILED"),
    "a look that never comes": (_late, "a look at green is 301 s overdue"),
    "a look that never comes at one of two edges": (_late_at_one_edge, "a look at green is 301 s overdue"),
    "green dies in a row": (lambda tower: tower.kill(3), "3 tasks of web-green died within 10 minutes"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_nobody_told_is_found_and_rolled_back_once(trouble: str) -> None:
    tower = Tower()
    make, said = TROUBLES[trouble]
    make(tower)

    tower.watch()
    tower.watch()

    assert said in str(tower.rolled_back)
    assert [name for name, _ in tower.executions.started] == ["shop-2"]


def test_an_alarm_that_rings_unheard_rolls_back() -> None:
    tower = Tower()
    tower.alarms.found["shop-errors"] = "ALARM"

    tower.watch()

    assert tower.rolled_back == "alarm shop-errors is in ALARM"


def test_a_silenced_alarm_holds_until_it_is_quiet() -> None:
    tower = Tower()
    tower.alarms.found["shop-errors"] = "ALARM"
    _hold(tower, "alarm:shop-errors")

    tower.watch()
    assert (tower.rolled_back, tower.held_by) == (None, ["alarm:shop-errors"])
    tower.alarms.found["shop-errors"] = "OK"
    tower.watch()

    assert tower.held_by == []


def _hold(tower: Tower, by: str) -> None:
    tower.journal.keep_hold(Hold(migration="shop", by=by, why="ordered", at=NOON, fence=1))


@pytest.mark.parametrize("seconds", [0, 300])
def test_a_look_that_is_a_little_late_is_no_trouble(seconds: int) -> None:
    tower = Tower()
    tower.journal.expect_look("shop", NOON - timedelta(seconds=seconds), fence=1)

    tower.watch()

    assert tower.rolled_back is None


def test_no_look_is_due_once_migrate_has_done_its_work() -> None:
    tower = Tower(Phase.WATCHING)
    tower.journal.expect_look("shop", NOON - timedelta(days=1), fence=1)
    tower.executions.others |= {MIGRATE: ExecutionStatus.SUCCEEDED, CLIMB: ExecutionStatus.SUCCEEDED}

    tower.watch()

    assert tower.rolled_back is None


def test_a_migration_parked_for_so_long_that_its_executions_are_forgotten_stays_where_it_is() -> None:
    tower = Tower(Phase.WATCHING)
    tower.executions.others.clear()

    tower.watch(NOON + timedelta(days=100))

    assert tower.rolled_back is None


def test_tasks_that_were_scaled_in_or_died_long_ago_do_not_count() -> None:
    tower = Tower()
    tower.kill(9, code="ServiceSchedulerInitiated")
    tower.watch()
    tower.kill(3)
    tower.watch(NOON + timedelta(minutes=10))

    assert tower.rolled_back is None


def test_a_rollback_that_died_is_carried_on_under_a_higher_fence() -> None:
    tower = Tower()
    tower.journal.raise_fence("shop", seen=1, reason="ordered", at=NOON)
    tower.executions.rollbacks["shop-2"] = ExecutionStatus.FAILED

    tower.watch()

    assert [name for name, _ in tower.executions.started] == ["shop-3"]
    assert tower.journal.read("shop").reason == "ordered"


def test_a_blue_that_lost_a_task_holds_tells_once_and_is_released_when_it_is_back() -> None:
    tower = Tower()
    tower.services.run("shop", "web", 1)

    tower.watch()
    tower.watch()
    held = tower.held_by
    tower.services.run("shop", "web", 2)
    tower.watch()

    assert (held, tower.held_by) == (["way back"], [])
    assert [(notice.what, notice.reason) for notice in tower.notices.told] == [
        ("held", "way back: blue service web runs 1 of 2 tasks")
    ]
    assert tower.rolled_back is None


def test_an_edge_that_someone_else_set_holds() -> None:
    tower = Tower()
    tower.edges.shifter(tower.edge).set_green(Share(3_000))

    tower.watch()

    assert tower.held_by == ["drift:web"]


def test_a_shift_in_flight_is_no_drift() -> None:
    tower = Tower()
    kept = tower.hold(Share(500))
    tower.journal.put_edge(kept.model_copy(update={"asked_bp": 3_000}), fence=1)
    tower.edges.shifter(tower.edge).set_green(Share(3_000))

    tower.watch()

    assert tower.held_by == []


def test_blues_tasks_stay_protected_while_the_migration_is_open() -> None:
    tower = Tower()
    tower.blues.protected["web"] = {"arn:new": 0}

    tower.watch()

    assert tower.blues.protected["web"] == {"arn:new": 120}


def test_events_that_nobody_took_are_told_once_and_again_when_they_are_more() -> None:
    tower = Tower()
    for waiting in (2, 2, 3):
        tower.undelivered.waiting = waiting
        tower.watch()

    assert [notice.what for notice in tower.notices.told] == ["undelivered", "undelivered"]


def test_a_migration_that_is_rolled_back_is_thawed_and_then_watched_no_more() -> None:
    tower = Tower(Phase.ROLLED_BACK)

    tower.watch()

    assert tower.journal.blues("shop") == ()
    assert set(tower.blues.protected["web"].values()) == {0}
    assert tower.journal.migrations_of(OPEN) == ()
    assert not tower.schedule.on


def test_what_nobody_was_told_of_is_told_before_a_migration_is_closed() -> None:
    tower = Tower()
    tower.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)
    tower.journal.enter("shop", Phase.ROLLED_BACK, fence=2, at=NOON)

    class Throttled(MemoryNotices):
        def tell(self, notice: Notice) -> None:
            if len(self.told) == 1:
                raise NoticesBusy("throttled")
            super().tell(notice)

    throttled = Throttled()
    busy = watch(replace(tower.parts, notices=throttled), now=NOON)
    still_open = tower.journal.migrations_of(OPEN)
    tower.watch()

    assert [notice.what for notice in throttled.told] == ["rolling_back"]
    assert (busy.seen[-1], still_open) == ("shop: NoticesBusy: throttled", ("shop",))
    assert [(notice.what, notice.reason) for notice in tower.notices.told] == [("rolled_back", "an alarm")]
    assert tower.journal.migrations_of(OPEN) == ()


def test_a_green_that_was_rolled_back_whole_stays_without_its_scaling() -> None:
    tower = Tower(Phase.ROLLED_BACK)

    tower.watch()

    assert tower.green_scaling.copied == {}
    assert tower.services.describe("shop", "web-green") is not None


def test_a_half_made_green_is_removed_after_the_rollback_and_nothing_else_is() -> None:
    tower = Tower(Phase.ROLLED_BACK)
    tower.services.fail("shop", "web-green", "tasks failed to start")

    tower.watch()

    assert tower.services.describe("shop", "web-green") is None
    assert tower.services.describe("shop", "web") is not None
    assert tower.journal.entries("shop")[-1].what == "remove"


def test_a_green_of_another_migration_is_never_removed() -> None:
    tower = Tower(Phase.ROLLED_BACK)
    tower.services.fail("shop", "web-green", "tasks failed to start")
    tower.services.adopt(tower.services.describe("shop", "web-green").arn, {MIGRATION_TAG: "other"})  # type: ignore[union-attr]

    tower.watch()

    assert tower.services.describe("shop", "web-green") is not None


def test_an_alarm_that_somebody_silenced_holds_though_nobody_was_told() -> None:
    tower = Tower()
    tower.alarms.found["shop-errors"] = "ALARM"
    tower.gathered.muted["shop-errors"] = "arn:mute-rule"

    tower.watch()

    assert (tower.rolled_back, tower.held_by) == (None, ["alarm:shop-errors"])


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.DONE])
def test_what_is_over_leaves_no_alarm_behind(phase: Phase) -> None:
    tower = Tower(phase)
    tower.gathered.gather("shop", ["shop-errors"])
    tower.alarms.found["crossfade-shop-ejections"] = "ALARM"

    tower.watch()
    open_still = tower.journal.migrations_of(OPEN)
    tower.alarms.found["crossfade-shop-ejections"] = "OK"
    tower.watch()

    assert open_still == ("shop",)  # deleted while it rings, it would ring anew in the next try
    assert (tower.gathered.gathered, tower.alarms.found) == ({}, {"shop-errors": "OK"})
    assert tower.journal.migrations_of(OPEN) == ()


def test_what_was_written_down_expires_only_after_blue_is_retired() -> None:
    retired, rolled_back = Tower(Phase.DONE), Tower(Phase.ROLLED_BACK)
    for tower in (retired, rolled_back):
        tower.watch()

    assert len(retired.journal.expires) == len(retired.journal.entries("shop")) > 0
    assert rolled_back.journal.expires == {}


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.DONE])
def test_the_log_of_what_is_over_is_delivered_to_nobody(phase: Phase) -> None:
    tower = Tower(phase)

    tower.watch()

    assert tower.feed.subscribed == {}


def test_the_log_of_what_is_open_goes_on_being_delivered() -> None:
    tower = Tower()

    tower.watch()

    assert list(tower.feed.subscribed.values()) == ["shop"]


def test_a_migration_that_is_opened_anew_while_it_is_closed_is_watched() -> None:
    tower = Tower(Phase.ROLLED_BACK)
    unindex = tower.journal.unindex

    def overtaken(resource: str, migration: str) -> None:
        again = a_record(execution="again", plan=tower.journal.read("shop").plan)
        tower.journal.open(again, tower.journal.edges("shop"))
        tower.journal.index(OPEN, "shop")
        unindex(resource, migration)

    tower.journal.unindex = overtaken  # type: ignore[method-assign]

    tower.watch()

    assert tower.journal.migrations_of(OPEN) == ("shop",)


def test_what_is_opened_while_watch_goes_to_rest_is_watched() -> None:
    tower = Tower(Phase.DONE)
    disable = tower.schedule.disable

    def overtaken() -> None:
        tower.journal.index(OPEN, "other")
        disable()

    tower.schedule.disable = overtaken  # type: ignore[method-assign]

    tower.watch()

    assert tower.schedule.on


def test_what_cannot_be_read_is_no_reason_to_act() -> None:
    tower = Tower()

    def busy(_arn: str) -> None:
        raise ExecutionsBusy("throttled")

    tower.executions.status = busy  # type: ignore[method-assign, assignment]

    seen = tower.watch()

    assert seen.seen == ("shop: ExecutionsBusy: throttled",)
    assert tower.rolled_back is None


# -- on_task -----------------------------------------------------------------------


def test_green_tasks_that_die_in_a_row_roll_back() -> None:
    tower = Tower()
    tower.kill(3)

    answers = [tower.on_task().did, tower.on_task().did]

    assert answers == ["rolled_back", "nothing"]
    assert "died within 10 minutes" in str(tower.rolled_back)


def test_one_green_task_that_dies_is_ecs_to_replace() -> None:
    tower = Tower()
    tower.kill(1)

    assert tower.on_task().did == "nothing"
    assert tower.rolled_back is None


def test_a_blue_task_that_is_lost_holds_and_is_counted_again() -> None:
    tower = Tower()
    tower.services.run("shop", "web", 1)

    assert tower.on_task("web").did == "held"
    tower.services.run("shop", "web", 2)
    assert tower.on_task("web").did == "nothing"
    assert tower.held_by == []


def test_a_task_of_nobody_we_know_is_nothing() -> None:
    assert Tower().on_task("other").did == "nothing"
    assert Tower(Phase.DONE).on_task("web").did == "nothing"


def test_a_detour_is_kept_ready_and_what_it_lacks_is_written_down_once() -> None:
    tower = Tower()
    detour = Detour(name="web-detour", copied=True, arn="targetgroup/web-detour")
    resolved = tower.edge.resolved.model_copy(update={"detour": detour})
    tower.journal.put_edge(tower.hold(Share(500)).model_copy(update={"resolved": resolved}), fence=1)
    lacks = ["", "no target of blue answers", "no target of blue answers", ""]

    class Tended(MemoryEdges):
        def tend(self, edge: EdgeRecord) -> str:
            assert edge.name == "web"
            return lacks.pop(0)

    tower.edges.__class__ = Tended
    seen = [tower.watch().seen for _ in range(4)]

    assert seen == [(), ("shop: no target of blue answers",), ("shop: no target of blue answers",), ()]
    notes = [entry.detail for entry in tower.journal.entries("shop") if entry.what == "detour"]
    assert notes == [{"why": "no target of blue answers"}]
    assert tower.rolled_back is None


def test_a_retirement_that_was_cut_short_is_told_once_and_left_to_a_person() -> None:
    tower = Tower(Phase.RETIRING)
    begun = max(entry.at for entry in tower.journal.entries("shop"))

    in_time = tower.watch(begun + RETIREMENT_RESTS - timedelta(seconds=1))
    late = tower.watch(begun + RETIREMENT_RESTS)
    again = tower.watch(begun + 2 * RETIREMENT_RESTS)

    assert (in_time.seen, again.seen) == ((), ())
    assert len(late.seen) == 1
    [notice] = tower.notices.told
    assert (notice.what, notice.phase) == ("stuck", Phase.RETIRING)
    assert "crossfade retire" in notice.reason
    assert tower.journal.read("shop").phase is Phase.RETIRING


def test_a_retirement_that_goes_on_is_told_of_again_when_it_is_cut_short_again() -> None:
    tower = Tower(Phase.RETIRING)
    begun = max(entry.at for entry in tower.journal.entries("shop"))
    tower.watch(begun + RETIREMENT_RESTS)
    goes_on = begun + 2 * RETIREMENT_RESTS
    tower.journal.append(note("shop", "retiring", {"who": "ann"}, fence=1, at=goes_on))

    quiet = tower.watch(goes_on)
    tower.watch(goes_on + RETIREMENT_RESTS)

    assert quiet.seen == ()
    assert [notice.what for notice in tower.notices.told] == ["stuck", "stuck"]
