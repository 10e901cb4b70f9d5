"""One look: what it reads, what it keeps, and what it does when a source is gone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from crossfade.errors import Fenced, PlanChanged, UnknownEdge
from crossfade.journal.memory import MemoryJournal
from crossfade.journal.model import Entry
from crossfade.judge.action import Judged, JudgeRequest, Look, judge_again, judge_green, next_look_seconds
from crossfade.judge.feeds import LogRead
from crossfade.judge.memory import MemoryAlarms, MemoryLookMeter, MemoryMetrics, MemoryProxyLogs
from crossfade.judge.probing import MemoryProber
from crossfade.judge.reading import AlarmState
from crossfade.judge.replay import evidence_digest, replay
from crossfade.judge.sight import Sight
from crossfade.judge.verdict import Answer, Verdict
from crossfade.plan.document import Bounds, Timings
from crossfade.plan.edges import RungKind
from crossfade.plan.memory import MemoryPlanStore
from crossfade.shift.action import RungRef
from tests.traffic import NOON, a_plan, a_record, an_edge, green_services

SETTLED = NOON.replace(microsecond=0)
PERIODS = 5
NOW = SETTLED + timedelta(seconds=60 * PERIODS + 60)
DAILY = {0.1: 900, 0.3: 90, 0.9: 10}  # seconds -> answers; the 99th percentile is 0.3 s
GROUP = "/crossfade/shop"
EJECTION = json.dumps(
    {
        "type": "CONSECUTIVE_5XX",
        "cluster_name": "orders",
        "upstream_url": "10.0.1.5:8080",
        "action": "EJECT",
        "enforced": True,
        "timestamp": "2026-11-22T12:02:00Z",
    }
)


class World:
    """A migration in mid-climb whose green has been well for its whole soak."""

    def __init__(self, *, green_end: str | None = "green", lost_data_seconds: int = 120, **plan: Any) -> None:
        self.plans = MemoryPlanStore()
        self.journal = MemoryJournal()
        self.metrics: Any = MemoryMetrics()
        self.logs: Any = MemoryProxyLogs(GROUP)
        self.alarms: Any = MemoryAlarms({"shop-errors": AlarmState.OK})
        self.services: Any = green_services()
        self.meter = MemoryLookMeter()
        self.prober = MemoryProber(200)
        ref = self.plans.put("plans", "shop.json", a_plan(bounds=Bounds(lost_data_seconds=lost_data_seconds), **plan))
        edge = an_edge()
        edge = edge.model_copy(update={"resolved": edge.resolved.model_copy(update={"green_arn": green_end})})
        self.journal.open(a_record(plan=ref, opened_at=NOON - timedelta(hours=1)), [edge])
        self.metrics.record("blue", SETTLED - timedelta(minutes=10), answers=DAILY)
        for period in range(PERIODS):
            at = SETTLED + timedelta(seconds=60 * period + 5)
            self.metrics.record("blue", at, requests=900, errors=1, answers={0.1: 892, 0.4: 8})
            self.metrics.record("green", at, requests=300, answers={0.1: 297, 0.4: 3})

    def look(self, *, at: datetime = NOW, look: int = 0, fence: int = 1, **rung: Any) -> Judged:
        request = JudgeRequest(
            migration="shop",
            fence=fence,
            edge="web",
            rung=RungRef(**{"index": 0, "share_bp": 2500, "kind": RungKind.CLIMB, "soak_seconds": 300, **rung}),
            since=SETTLED,
            look=look,
        )
        return judge_green(
            request,
            journal=self.journal,
            plans=self.plans,
            sight=Sight(
                metrics=self.metrics,
                proxy_logs=self.logs,
                alarms=self.alarms,
                services=self.services,
                prober=self.prober,
            ),
            meter=self.meter,
            now=at,
        )

    @property
    def looks(self) -> list[Look]:
        return [Look.model_validate(entry.detail) for entry in self.evidence]

    @property
    def evidence(self) -> list[Entry]:
        return [entry for entry in self.journal.entries("shop") if entry.kind == "evidence"]


def test_a_green_that_is_well_may_have_more() -> None:
    said = World().look()

    assert (said.answer, said.verdict) == (Answer.ADVANCE, Verdict.HEALTHY)


def test_an_edge_that_may_have_more_is_waited_for_by_no_further_look_while_others_climb_on() -> None:
    world = World()
    world.journal.expect_look("shop", NOW + timedelta(hours=1), fence=1, edge="admin")

    world.look(soak_seconds=3_600)
    assert world.journal.look_due("shop") == NOW + timedelta(seconds=10)
    world.look()

    assert world.journal.look_due("shop") == NOW + timedelta(hours=1)


def test_an_ejection_in_the_proxies_log_gives_everything_back() -> None:
    world = World()
    world.logs.write(GROUP, SETTLED + timedelta(seconds=120), EJECTION)

    said = world.look()

    assert said.answer == Answer.ROLL_BACK
    assert "ejected 1 task" in said.reason


def test_an_ejection_from_just_before_the_shift_was_on_its_way_and_counts() -> None:
    world = World()
    world.logs.write(GROUP, SETTLED - timedelta(seconds=100), EJECTION)

    assert world.look().answer == Answer.ROLL_BACK


def test_an_ejection_of_long_ago_was_anothers() -> None:
    world = World()
    world.logs.write(GROUP, SETTLED - timedelta(seconds=1000), EJECTION)

    assert world.look().answer == Answer.ADVANCE


def test_a_long_hold_does_not_read_its_whole_log_again() -> None:
    world = World()
    asked: list[timedelta] = []

    class Asked(MemoryProxyLogs):
        def read(self, group: str, *, since: datetime, until: datetime) -> LogRead:
            asked.append(until - since)
            return super().read(group, since=since, until=until)

    world.logs = Asked(GROUP)

    world.look(at=SETTLED + timedelta(days=2))

    assert asked == [timedelta(seconds=900)]


FAULTS: dict[str, tuple[str, Any, str]] = {
    "throttled metrics": ("metrics", MemoryMetrics(busy="Throttling"), "the metrics could not be read: Throttling"),
    "a throttled log": (
        "logs",
        MemoryProxyLogs(GROUP, busy="ThrottlingException"),
        "the proxies' log could not be read: ThrottlingException",
    ),
    "a log group that is gone": ("logs", MemoryProxyLogs(), "there is no log group /crossfade/shop"),
    "throttled alarms": ("alarms", MemoryAlarms(busy="Throttling"), "the alarms could not be read: Throttling"),
    "an alarm that is gone": ("alarms", MemoryAlarms(), "the alarm shop-errors does not exist"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_source_that_cannot_be_read_holds_and_in_the_end_goes_back(name: str) -> None:
    port, source, reason = FAULTS[name]
    world = World()
    setattr(world, port, source)

    answers = [world.look(at=NOW + timedelta(seconds=61 * minute), look=minute) for minute in range(3)]

    assert [said.answer for said in answers] == [Answer.HOLD, Answer.HOLD, Answer.ROLL_BACK]
    assert all(said.verdict == Verdict.UNKNOWN for said in answers)
    assert all(reason in said.reason for said in answers)
    assert "lost data" in answers[-1].reason


def test_a_look_that_saw_everything_ends_the_time_without_sight() -> None:
    world = World()
    calm, gone = world.alarms, MemoryAlarms()

    answers = []
    for minute, alarms in enumerate([gone, calm, gone, gone]):
        world.alarms = alarms
        answers.append(world.look(at=NOW + timedelta(seconds=61 * minute), look=minute).answer)

    assert Answer.ROLL_BACK not in answers


def test_a_ringing_alarm_gives_everything_back() -> None:
    world = World()
    world.alarms = MemoryAlarms({"shop-errors": AlarmState.ALARM})

    assert world.look().answer == Answer.ROLL_BACK


def test_every_look_keeps_what_it_saw_and_can_be_judged_again_from_that() -> None:
    world = World()

    said = world.look(look=3)

    [entry] = world.evidence
    look = Look.model_validate(json.loads(json.dumps(entry.detail)))
    assert (entry.subject, entry.fence, look.look) == ("web", 1, 3)
    assert look.judgement.reason == said.reason
    assert look.readings.window.rows == ((900, 1, 300, 0),) * PERIODS
    kept, again = judge_again(entry)
    assert kept == again


def test_what_is_slow_was_settled_by_blue_before_the_climb_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.look()
    monkeypatch.delattr(MemoryMetrics, "blue_p99")  # nobody asks again

    world.look(look=1)

    assert [look.readings.window.slow_over for look in world.looks] == [0.3, 0.3]


def test_without_response_times_of_blue_nothing_promotes() -> None:
    world = World()
    world.metrics = MemoryMetrics()
    for period in range(PERIODS):
        at = SETTLED + timedelta(seconds=60 * period + 5)
        world.metrics.record("blue", at, requests=900, errors=1)
        world.metrics.record("green", at, requests=300)

    said = world.look()

    assert said.answer == Answer.HOLD
    assert "blue's response times before the climb are not known" in said.reason


def test_a_green_that_never_answers_goes_back() -> None:
    world = World()
    world.metrics.record("blue", SETTLED + timedelta(seconds=60 * PERIODS), requests=900, answers={0.1: 895})
    world.metrics.record("green", SETTLED + timedelta(seconds=60 * PERIODS), requests=300)

    said = world.look(at=NOW + timedelta(seconds=60))

    assert said.answer == Answer.ROLL_BACK
    assert "green is slow more often than 3 times blue" in said.reason


def test_every_look_names_the_one_before_it() -> None:
    world = World()

    for look in range(3):
        world.look(at=NOW + timedelta(seconds=look), look=look)

    first, second, third = world.evidence
    assert [look.previous for look in world.looks] == ["", evidence_digest(first), evidence_digest(second)]
    assert [look.broken for look in replay([first, second, third])] == [None] * 3


def test_in_shadow_the_judge_records_what_it_thinks_and_time_alone_moves_green() -> None:
    world = World(judging="shadow")
    world.logs.write(GROUP, SETTLED + timedelta(seconds=30), EJECTION)

    early, late = world.look(at=SETTLED + timedelta(seconds=200)), world.look(look=1)

    assert [early.answer, late.answer] == [Answer.HOLD, Answer.ADVANCE]
    assert "in shadow; the judge said roll_back: green's proxies ejected" in late.reason
    assert [look.judgement.answer for look in world.looks] == [Answer.ROLL_BACK] * 2
    assert [look.broken for look in replay(world.evidence)] == [None, None]


def test_in_shadow_the_operators_own_alarms_still_act() -> None:
    world = World(judging="shadow")
    world.alarms = MemoryAlarms({"shop-errors": AlarmState.ALARM})

    assert world.look().answer == Answer.ROLL_BACK


def test_evidence_that_was_tampered_with_no_longer_leads_to_its_judgement() -> None:
    world = World()
    world.look()
    [entry] = world.evidence
    detail = json.loads(json.dumps(entry.detail))
    detail["readings"]["window"]["rows"][2][3] = 40

    kept, again = judge_again(entry.model_copy(update={"detail": detail}))

    assert kept != again


def test_alpha_is_split_over_the_rungs_of_every_edge_climbed_and_waited_on() -> None:
    world = World()

    world.look()

    assert Look.model_validate(world.evidence[0].detail).tests == 2 * len(a_plan().edges[0].ladder)


def test_a_stale_executor_is_shut_out_before_it_reads_anything() -> None:
    world = World()
    world.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOW)

    with pytest.raises(Fenced):
        world.look(fence=1)

    assert world.evidence == []


def test_a_plan_that_is_not_the_one_opened_is_refused() -> None:
    world = World()
    record = world.journal.read("shop")
    world.plans = MemoryPlanStore()
    world.plans.put(record.plan.bucket, record.plan.key, a_plan(bounds=Bounds(alpha=0.9)))

    with pytest.raises(PlanChanged):
        world.look()


def test_an_edge_without_a_green_end_is_refused() -> None:
    with pytest.raises(UnknownEdge):
        World(green_end=None).look()


def test_looks_grow_rarer_while_it_holds() -> None:
    timings = Timings(look_seconds=10)

    assert [next_look_seconds(timings, look) for look in (0, 11, 12, 59, 60, 10_000)] == [10, 10, 60, 60, 300, 300]


def test_the_evidence_of_a_long_hold_stays_small() -> None:
    world = World()
    for minute in range(36 * 60):
        at = SETTLED + timedelta(seconds=60 * minute)
        world.metrics.record("blue", at, requests=90_000, errors=100, answers={0.1: 10})
        world.metrics.record("green", at, requests=90_000, errors=100, answers={0.1: 10})

    world.look(at=SETTLED + timedelta(hours=36))

    [entry] = world.evidence
    assert len(json.dumps(entry.detail)) < 110_000
    assert "too_large_bytes" not in entry.detail


def test_every_look_is_measured_by_migration_and_edge() -> None:
    world = World()
    world.metrics.record("green", SETTLED + timedelta(seconds=61), errors=60)

    world.look()

    [(migration, edge, at, measured)] = world.meter.published
    assert (migration, edge, at) == ("shop", "web", NOW)
    assert {name: (each.value, each.unit) for name, each in measured.items() if name != "LogE"} == {
        "Share": (25, "Percent"),
        "Verdict": (0, "None"),
        "ExposedFailures": (60, "Count"),
    }
    assert measured["LogE"].value >= 100  # it rolled back
