"""What the guard on the proxies' log does: roll back on an ejection in time, and nothing else, ever."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crossfade.events.inbound import AlarmStateChanged, ProxyLogDelivered
from crossfade.events.memory import MemoryNotices
from crossfade.executions.memory import MemoryExecutions
from crossfade.journal.memory import MemoryJournal
from crossfade.journal.model import Entry
from crossfade.judge.judge import judge
from crossfade.judge.look import EVIDENCE, Look
from crossfade.judge.memory import MemoryAlarms
from crossfade.judge.proxylog_feed import ejection_alarm
from crossfade.judge.proxylog_memory import MemoryProxyMeter, MemoryProxyStreams
from crossfade.judge.proxylog_report import BUCKET_MS, Counts
from crossfade.judge.reading import Readings, Window
from crossfade.phases import Phase
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung
from crossfade.resources import alarm_resource, log_group_resource
from crossfade.rollout.guards import GuardAnswer, guard_alarm, guard_proxy_log
from crossfade.rollout.memory import MemoryGatheredAlarms
from tests.traffic import a_record, an_edge

from .lines import NOON, NOON_MS, access, called_in_turn, event

GROUP, STREAM = "/crossfade/shop", "proxy/ecs-service-connect-web/1"
HOSTS = ("10.0.1.1:80", "10.0.1.2:80", "10.0.1.3:80", "10.0.1.4:80")
ALARM = json.loads((Path(__file__).parents[3] / "events" / "alarm_state_changed.json").read_text())
SAMPLE = json.loads((Path(__file__).parents[3] / "events" / "proxy_log_delivered.json").read_text())
SERVING = (Phase.CLIMBING, Phase.BAKING, Phase.WATCHING)


def packed(*lines: str, kind: str = "DATA_MESSAGE", stream: str = STREAM) -> dict[str, Any]:
    events = [{"id": str(at), "timestamp": NOON_MS + at, "message": line} for at, line in enumerate(lines)]
    data = {"messageType": kind, "logGroup": GROUP, "logStream": stream, "logEvents": events, "owner": "1"}
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()}}


class House:
    """A migration in a phase, opened a minute before noon, and the log of its proxies."""

    def __init__(self, phase: Phase = Phase.CLIMBING, *, fault: str = "") -> None:
        self.journal, self.executions = MemoryJournal(), MemoryExecutions()
        self.streams, self.meter = MemoryProxyStreams(GROUP, fault=fault), MemoryProxyMeter()
        self.journal.open(a_record(phase=phase, opened_at=NOON - timedelta(minutes=1)), [an_edge()])
        self.journal.index(log_group_resource(GROUP), "shop")

    def judged(self, row: tuple[int, int, int, int], *, seconds_ago: int) -> None:
        """Keep a look that saw one metric period, which ended so long ago."""
        window = Window(start=NOON - timedelta(seconds=seconds_ago + 60), period_seconds=60, rows=(row,))
        readings, rung, bounds = Readings(window=window), Rung(share_bp=2_500, soak_seconds=300), Bounds()
        judgement = judge(readings, rung, bounds, tests=1)
        look = Look(
            look=0,
            rung=rung,
            bounds=bounds,
            tests=1,
            readings=readings,
            judgement=judgement,
            answered=judgement.answer,
        )
        self.journal.append(
            Entry(
                migration="shop",
                at=NOON - timedelta(seconds=seconds_ago),
                kind="evidence",
                what=EVIDENCE,
                subject="web",
                detail=look.model_dump(mode="json"),
            )
        )

    def write(self, lines: list[str]) -> None:
        for line in lines:
            said = datetime.fromisoformat(json.loads(line)["start_time"])
            self.streams.write(GROUP, STREAM, said, line)

    def hear(self, *lines: str, kind: str = "DATA_MESSAGE", after: int = 20) -> GuardAnswer:
        return guard_proxy_log(
            ProxyLogDelivered.model_validate(packed(*lines, kind=kind)),
            journal=self.journal,
            streams=self.streams,
            meter=self.meter,
            executions=self.executions,
            now=NOON + timedelta(seconds=after),
        )

    @property
    def phase(self) -> Phase:
        return self.journal.read("shop").phase


def failing(*sick: str, seconds: int = 3) -> list[str]:
    return called_in_turn(
        HOSTS, lambda host, ms: 500 if host in sick and ms >= 2_000 else 200, seconds=seconds, is_out=lambda *_: False
    )


def failed(lines: list[str]) -> list[str]:
    return [line for line in lines if json.loads(line)["response_code"] >= 500]


def test_the_sample_event_is_read() -> None:
    found = ProxyLogDelivered.model_validate(SAMPLE)

    assert (found.resource, found.is_data, len(found.log_events)) == ("log-group:/crossfade/shop", True, 3)


@pytest.mark.parametrize("data", ["", "%%%", base64.b64encode(b"plain").decode(), None])
def test_a_broken_delivery_is_refused(data: object) -> None:
    with pytest.raises(ValidationError):
        ProxyLogDelivered.model_validate({"awslogs": {"data": data}})


@pytest.mark.parametrize("phase", SERVING)
def test_an_ejection_rolls_back_a_migration_in_which_green_has_a_share(phase: Phase) -> None:
    house = House(phase)

    answer = house.hear(event(7, HOSTS[0]))

    assert (answer.did, answer.migration) == ("rolled_back", "shop")
    assert answer.why == "the proxies' log tells of an ejection: 10.0.1.1:80 at 12:00:00 (event)"
    assert house.phase is Phase.ROLLING_BACK


@pytest.mark.parametrize("phase", sorted(set(Phase) - set(SERVING)))
def test_in_any_other_phase_it_does_nothing(phase: Phase) -> None:
    house = House(phase)

    assert house.hear(event(7, HOSTS[0])).did == "nothing"
    assert house.phase is phase
    assert house.meter.published == []


def test_heard_again_it_does_nothing() -> None:
    house = House()
    house.hear(event(7, HOSTS[0]))

    assert house.hear(event(7, HOSTS[0])).did == "nothing"
    assert len(house.executions.rollbacks) == 1


@pytest.mark.parametrize(
    ("line", "after"),
    [
        (event(-61_000, HOSTS[0]), 20),
        (event(7, HOSTS[0]), 901),
        (event(7, HOSTS[0], enforced=False), 20),
        (event(7, HOSTS[0], action="UNEJECT"), 20),
        ("{}", 20),
    ],
    ids=["before the migration was opened", "much too late", "only considered", "a return", "no event"],
)
def test_what_is_old_or_no_ejection_changes_nothing(line: str, after: int) -> None:
    house = House()

    assert house.hear(line, after=after).did == "nothing"
    assert house.phase is Phase.CLIMBING


def test_a_question_whether_anybody_is_there_is_no_news() -> None:
    assert House().hear(event(7, HOSTS[0]), kind="CONTROL_MESSAGE").did == "nothing"


def test_failed_requests_make_it_read_the_log_and_rebuild_the_ejection() -> None:
    house = House()
    lines = failing(HOSTS[1])
    house.write(lines)

    answer = house.hear(*failed(lines))

    assert answer.did == "rolled_back"
    assert "10.0.1.2:80" in answer.why
    assert "(egress)" in answer.why


def test_successes_that_were_not_delivered_are_not_forgotten() -> None:
    house = House()
    lines = called_in_turn(HOSTS, lambda _, ms: 500 if ms // 100 % 3 == 0 else 200, seconds=10, is_out=lambda *_: False)
    house.write(lines)

    assert house.hear(*failed(lines)).did == "nothing"


def test_a_log_that_cannot_be_read_is_unknown_and_decides_nothing() -> None:
    house = House(fault="FilterLogEvents: ThrottlingException")
    lines = failing(HOSTS[1])

    answer = house.hear(*failed(lines))

    assert (answer.did, answer.why) == ("nothing", "FilterLogEvents: ThrottlingException")


def test_an_event_needs_no_second_look_at_the_log() -> None:
    house = House(fault="it must not be read")

    house.hear(event(7, HOSTS[0]), *failed(failing(HOSTS[1])))

    assert house.streams.reads == 0
    assert house.phase is Phase.ROLLING_BACK


def test_the_counts_of_a_batch_are_published_by_ten_seconds() -> None:
    house = House()
    line = access(12_000, HOSTS[1], 503, request_id="r")

    house.hear(event(7, HOSTS[0]), event(9_000, HOSTS[1]), json.dumps(line))

    [(migration, counts)] = house.meter.published
    assert migration == "shop"
    assert counts == {NOON_MS: Counts(2, 0, 0, 0), NOON_MS + BUCKET_MS: Counts(0, 0, 0, 1)}


def test_attempts_that_failed_are_counted_by_whom_they_blame() -> None:
    house = House()
    lines = [
        access(1_000, "127.0.0.1:8080", 503, request_id="a"),
        access(2_000, "[::1]:8080", 200, request_id="b", grpc_status="Internal"),
        access(3_000, HOSTS[0], 503, request_id="c"),
    ]

    house.hear(*(json.dumps(line) for line in lines))

    [(_, counts)] = house.meter.published
    assert (counts[NOON_MS].attempts, counts[NOON_MS].grpc) == (1, 1)


def test_a_batch_that_is_delivered_twice_is_counted_once() -> None:
    house = House()
    lines = failed(failing(HOSTS[1]))

    for _ in range(2):
        house.hear(*lines)

    assert len(house.meter.published) == 1


def test_two_batches_of_the_same_words_are_two() -> None:
    house = House()
    raw = ProxyLogDelivered.model_validate(packed(json.dumps(access(1_000, "127.0.0.1:80", 503, request_id="a"))))
    later = raw.model_copy(update={"log_events": (raw.log_events[0].model_copy(update={"id": "later"}),)})

    for batch in (raw, later):
        guard_proxy_log(
            batch,
            journal=house.journal,
            streams=house.streams,
            meter=house.meter,
            executions=house.executions,
            now=NOON,
        )

    assert len(house.meter.published) == 2


SEEN: dict[str, tuple[int, int, str]] = {
    "blue fails too": (200, 60, "nothing"),
    "blue is well": (1, 60, "rolled_back"),
    "blue failed long ago": (200, 600, "rolled_back"),
}


@pytest.mark.parametrize("seen", SEEN)
def test_while_blue_is_seen_to_fail_too_an_ejection_is_left_to_the_judge(seen: str) -> None:
    errors, seconds_ago, does = SEEN[seen]
    house = House()
    house.judged((900, errors, 300, errors // 3), seconds_ago=seconds_ago)

    assert house.hear(event(7, HOSTS[0])).did == does


@pytest.mark.parametrize("seen", SEEN)
def test_so_is_the_alarm_that_counts_ejections_without_our_code(seen: str) -> None:
    errors, seconds_ago, does = SEEN[seen]
    house = House()
    house.judged((900, errors, 300, errors // 3), seconds_ago=seconds_ago)
    name = ejection_alarm("shop")
    house.journal.index(alarm_resource(name), "shop")
    detail = {**ALARM["detail"], "alarmName": name, "state": {"value": "ALARM"}}

    answer = guard_alarm(
        AlarmStateChanged.model_validate({**ALARM, "detail": detail}),
        journal=house.journal,
        alarms=MemoryAlarms({name: "ALARM"}),
        gathered=MemoryGatheredAlarms(),
        executions=house.executions,
        notices=MemoryNotices(),
        now=NOON + timedelta(seconds=20),
    )

    assert answer.did == does


def test_another_groups_log_is_nobodys() -> None:
    house = House()
    house.journal.index(log_group_resource("/crossfade/other"), "other")

    raw = packed(event(7, HOSTS[0]))
    told = ProxyLogDelivered.model_validate(raw).model_copy(update={"log_group": "/crossfade/other"})
    answer = guard_proxy_log(
        told,
        journal=house.journal,
        streams=house.streams,
        meter=house.meter,
        executions=house.executions,
        now=datetime.now(UTC),
    )

    assert answer.did == "nothing"
    assert house.phase is Phase.CLIMBING
