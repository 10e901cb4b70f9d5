"""Guards: what is true is acted on, what is old, foreign, doubled or false is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from crossfade.connect.memory import MemoryServices
from crossfade.connect.services import MIGRATION_TAG
from crossfade.errors import ExecutionsBusy
from crossfade.events.inbound import AlarmStateChanged, DeploymentStateChanged, ExecutionStatusChanged
from crossfade.events.memory import MemoryNotices
from crossfade.executions.executions import ExecutionStatus, RollbackInput
from crossfade.executions.memory import MemoryExecutions
from crossfade.journal.memory import MemoryJournal
from crossfade.journal.model import Token
from crossfade.judge.memory import MemoryAlarms
from crossfade.phases import BEYOND_RETURN, CLOSED, Phase
from crossfade.rollout.guards import GuardAnswer, guard_alarm, guard_execution, resume_service
from crossfade.rollout.memory import MemoryGatheredAlarms
from crossfade.rollout.telling import tell_moves
from tests.traffic import CLIMB, MIGRATE, NOON, a_record, an_edge

SAMPLES = Path(__file__).parents[3] / "events"
OPEN = sorted(set(Phase) - BEYOND_RETURN - CLOSED - {Phase.ROLLING_BACK})
WEB = "service:shop/web-green"


def sample(name: str, **detail: object) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return {**raw, "detail": {**raw["detail"], **detail}}


class House:
    """A migration in a phase, with whatever the guards ask."""

    def __init__(self, phase: Phase = Phase.CLIMBING) -> None:
        self.journal, self.executions = MemoryJournal(), MemoryExecutions()
        self.alarms = MemoryAlarms({"shop-errors": "ALARM"})
        self.gathered = MemoryGatheredAlarms(self.alarms.found)
        self.services = MemoryServices("shop")
        self.notices = MemoryNotices()
        self.journal.open(a_record(phase=phase, climb=CLIMB), [an_edge()])
        for resource in (MIGRATE, CLIMB, "alarm:shop-errors", "service:shop/web", WEB):
            self.journal.index(resource, "shop")
        tell_moves("shop", journal=self.journal, notices=MemoryNotices(), now=NOON)

    def create(self, *, migration: str | None = "shop") -> None:
        family: Mapping[str, object] = {"family": "web-green", "containerDefinitions": [{"name": "web"}]}
        definition = self.services.register(family, {})
        tags = [] if migration is None else [{"key": MIGRATION_TAG, "value": migration}]
        self.services.create(
            {
                "cluster": "shop",
                "serviceName": "web-green",
                "taskDefinition": definition,
                "desiredCount": 2,
                "tags": tags,
            }
        )

    def wait(self, token: str) -> None:
        self.executions.waiting.add(token)
        self.journal.keep_token(Token(migration="shop", resource=WEB, token=token, at=NOON))

    def on_alarm(self, *, name: str = "shop-errors", value: str = "ALARM", **detail: object) -> GuardAnswer:
        raw = sample("alarm_state_changed", **{"alarmName": name, "state": {"value": value}, **detail})
        event = AlarmStateChanged.model_validate(raw)
        return guard_alarm(
            event,
            journal=self.journal,
            alarms=self.alarms,
            gathered=self.gathered,
            executions=self.executions,
            notices=self.notices,
            now=NOON,
        )

    def on_execution(self, arn: str = MIGRATE, **detail: object) -> GuardAnswer:
        raw = sample("execution_status_changed", executionArn=arn, **detail)
        event = ExecutionStatusChanged.model_validate(raw)
        return guard_execution(event, journal=self.journal, executions=self.executions, now=NOON)

    def on_deployment(
        self, what: str = "COMPLETED", arn: str = "", *, time: str = "2026-11-22T12:30:00Z"
    ) -> GuardAnswer:
        raw = sample("deployment_state_changed", eventName=f"SERVICE_DEPLOYMENT_{what}")
        raw["time"] = time
        event = DeploymentStateChanged.model_validate({**raw, "resources": [arn or raw["resources"][0]]})
        return resume_service(
            event,
            journal=self.journal,
            services=self.services,
            executions=self.executions,
            notices=self.notices,
            now=NOON,
        )


# -- alarms ----------------------------------------------------------------------------


@pytest.mark.parametrize("phase", OPEN)
def test_an_alarm_rolls_back_whatever_is_open(phase: Phase) -> None:
    house = House(phase)

    answer = house.on_alarm()

    assert (answer.did, answer.migration) == ("rolled_back", "shop")
    assert house.journal.read("shop").reason == "alarm shop-errors is in ALARM"
    assert [name for name, _ in house.executions.started] == ["shop-2"]


def a_gathered_house(*silenced: str) -> House:
    house = House()
    house.alarms.found |= {"crossfade-shop": "ALARM", "shop-slow": "OK"}
    house.gathered.gathered["crossfade-shop"] = ("shop-slow", "shop-errors")
    house.gathered.muted |= dict.fromkeys(silenced, "arn:nightly")
    house.journal.index("alarm:crossfade-shop", "shop")
    return house


def test_the_alarm_over_the_plans_alarms_rolls_back_and_says_which_of_them_rings() -> None:
    house = a_gathered_house()

    answer = house.on_alarm(name="crossfade-shop")

    assert (answer.did, answer.why) == ("rolled_back", "alarm shop-errors is in ALARM")


def test_the_alarm_over_alarms_that_somebody_muted_only_holds() -> None:
    house = a_gathered_house("shop-errors")

    answer = house.on_alarm(name="crossfade-shop")

    assert answer.did == "held"
    assert [held.by for held in house.journal.holds("shop")] == ["alarm:shop-errors"]


def test_one_muted_alarm_does_not_silence_another() -> None:
    house = a_gathered_house("shop-errors")
    house.alarms.found["shop-slow"] = "ALARM"

    assert house.on_alarm(name="crossfade-shop").why == "alarm shop-slow is in ALARM"


def test_an_alarm_told_twice_rolls_back_once() -> None:
    house = House()
    house.on_alarm()

    again = house.on_alarm()

    assert (again.did, again.why) == ("nothing", "a rollback of shop runs already")
    assert len(house.executions.started) == 1


@pytest.mark.parametrize(
    "silence",
    [
        {"muteDetail": {"mutedByArn": "arn:nightly"}},
        {"state": {"value": "ALARM", "actionsSuppressedBy": "Alarm"}},
    ],
)
def test_an_alarm_that_a_person_silenced_holds_and_does_not_roll_back(silence: dict[str, Any]) -> None:
    house = House()

    answer = house.on_alarm(**silence)

    assert answer.did == "held"
    assert [hold.by for hold in house.journal.holds("shop")] == ["alarm:shop-errors"]
    assert house.executions.started == []


def test_a_contributor_of_an_alarm_is_believed_only_when_the_alarm_itself_is_in_alarm() -> None:
    house = House()

    assert house.on_alarm(state={}).did == "rolled_back"
    assert House().on_alarm(name="shop-latency", state={}).did == "nothing"


@pytest.mark.parametrize("value", ["OK", "INSUFFICIENT_DATA"])
def test_an_alarm_that_went_elsewhere_does_nothing(value: str) -> None:
    house = House()

    answer = house.on_alarm(value=value)

    assert answer.did == "nothing"
    assert house.journal.read("shop").fence == 1


def test_an_alarm_that_has_recovered_since_does_nothing() -> None:
    house = House()
    house.alarms = MemoryAlarms({"shop-errors": "OK"})

    answer = house.on_alarm()

    assert (answer.did, answer.why) == ("nothing", "alarm shop-errors is no longer in ALARM")
    assert house.journal.read("shop").fence == 1


def test_an_alarm_of_somebody_else_does_nothing() -> None:
    house = House()
    house.alarms = MemoryAlarms({"theirs": "ALARM"})

    assert house.on_alarm(name="theirs").did == "nothing"
    assert house.journal.read("shop").fence == 1


def test_a_migration_that_is_rolled_back_stays_so() -> None:
    house = House(Phase.ROLLED_BACK)

    answer = house.on_alarm()

    assert (answer.did, answer.why) == ("nothing", "shop is rolled back already")
    assert house.executions.started == []


@pytest.mark.parametrize("phase", sorted(BEYOND_RETURN))
@pytest.mark.parametrize("guard", ["on_alarm", "on_execution"])
def test_beyond_the_point_of_no_return_guards_touch_nothing_and_say_why(phase: Phase, guard: str) -> None:
    house = House(phase)

    answer: GuardAnswer = getattr(house, guard)()

    assert answer.did == "nothing"
    assert "BlueIsGone" in answer.why
    assert house.executions.started == []
    assert house.journal.read("shop").fence == 1


def test_every_migration_that_watches_an_alarm_is_rolled_back() -> None:
    house = House()
    house.journal.open(a_record("other", phase=Phase.WATCHING), [an_edge("other", rules=("rule-9",))])
    house.journal.index("alarm:shop-errors", "other")
    house.journal.index("alarm:shop-errors", "never-opened")

    answer = house.on_alarm()

    assert (answer.did, answer.migration) == ("rolled_back", "other, shop")
    assert {name for name, _ in house.executions.started} == {"other-2", "shop-2"}


def test_one_migration_that_cannot_be_rolled_back_now_does_not_keep_another_waiting() -> None:
    class Throttled(MemoryExecutions):
        def start_rollback(self, name: str, given: RollbackInput) -> str | None:
            if name == "other-2":
                raise ExecutionsBusy(name)
            return super().start_rollback(name, given)

    house = House()
    house.executions = Throttled()
    house.journal.open(a_record("other", phase=Phase.WATCHING), [an_edge("other", rules=("rule-9",))])
    house.journal.index("alarm:shop-errors", "other")

    with pytest.raises(ExecutionsBusy):
        house.on_alarm()

    assert [name for name, _ in house.executions.started] == ["shop-2"]


# -- executions -------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
@pytest.mark.parametrize("arn", [MIGRATE, CLIMB])
def test_a_migrate_or_climb_that_ends_badly_is_rolled_back(arn: str, status: str) -> None:
    house = House()
    house.executions.others[arn] = ExecutionStatus(status)

    answer = house.on_execution(arn, status=status, error="States.Timeout")

    assert answer.did == "rolled_back"
    assert status in str(house.journal.read("shop").reason)


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "PENDING_REDRIVE", "SOMETHING_NEW"])
def test_an_execution_that_has_not_ended_badly_does_nothing(status: str) -> None:
    house = House()

    assert house.on_execution(status=status).did == "nothing"
    assert house.journal.read("shop").fence == 1


def test_the_late_news_of_an_execution_that_was_redriven_do_nothing() -> None:
    house = House()
    house.executions.others[MIGRATE] = ExecutionStatus.RUNNING

    assert house.on_execution(status="FAILED").did == "nothing"
    assert house.journal.read("shop").fence == 1


def test_the_end_of_an_earlier_attempt_or_rung_does_nothing() -> None:
    house = House()
    house.journal.index("an-earlier-climb", "shop")

    assert house.on_execution("an-earlier-climb", status="ABORTED").did == "nothing"
    assert house.on_execution("nobodys", status="ABORTED").did == "nothing"
    assert house.journal.read("shop").fence == 1


def test_a_migrate_stopped_by_the_rollback_is_no_reason_for_another() -> None:
    house = House()
    house.on_alarm()

    answer = house.on_execution(status="ABORTED", error="RolledBack")

    assert answer.did == "nothing"
    assert house.journal.read("shop").fence == 2


def test_a_migrate_that_raised_the_fence_and_could_not_start_the_rollback_is_followed_up() -> None:
    house = House()
    house.journal.raise_fence("shop", seen=1, reason="sick", at=NOON)

    answer = house.on_execution(status="FAILED", error="StepFunctions.ThrottlingException")

    assert answer.did == "rolled_back"
    assert [name for name, _ in house.executions.started] == ["shop-2"]
    assert house.journal.read("shop").reason == "sick"


# -- deployments ----------------------------------------------------------------------------


def test_a_service_that_is_complete_resumes_who_waits_for_it() -> None:
    house = House(Phase.CREATING)
    house.create()
    house.wait("t-1")
    house.services.complete("shop", "web-green")

    answer = house.on_deployment()

    assert (answer.did, answer.migration) == ("resumed", "shop")
    assert house.executions.answers["t-1"]["complete"] is True
    assert house.journal.token(WEB) is None


def test_a_service_that_failed_fails_who_waits_for_it() -> None:
    house = House(Phase.CREATING)
    house.create()
    house.wait("t-1")
    house.services.fail("shop", "web-green", "tasks failed to start")

    answer = house.on_deployment("FAILED")

    assert answer.did == "resumed"
    assert house.executions.answers["t-1"] == {"error": "GreenFailed", "cause": "web-green: tasks failed to start"}
    assert house.journal.read("shop").fence == 1


def test_news_told_twice_resume_once() -> None:
    house = House(Phase.CREATING)
    house.create()
    house.wait("t-1")
    house.services.complete("shop", "web-green")
    house.on_deployment()

    again = house.on_deployment()

    assert again.did == "nothing"
    assert list(house.executions.answers) == ["t-1"]


def a_service_to_be_deployed_anew() -> House:
    house = House(Phase.CREATING)
    house.create()
    house.services.complete("shop", "web-green")
    return house


def newest(house: House) -> str:
    state = house.services.describe("shop", "web-green")
    assert state is not None
    assert state.primary is not None
    return state.primary.id


def wait_for_another(house: House, *, replaces: str, deployment: str | None = None) -> None:
    house.executions.waiting.add("t-1")
    house.journal.keep_token(
        Token(migration="shop", resource=WEB, token="t-1", at=NOON, replaces=replaces, deployment=deployment)  # noqa: S106
    )


def test_late_news_of_the_deployment_that_is_to_be_replaced_resume_nobody() -> None:
    house = a_service_to_be_deployed_anew()
    wait_for_another(house, replaces=newest(house))

    answer = house.on_deployment()

    assert answer.did == "nothing"
    assert house.executions.answers == {}
    assert house.journal.token(WEB) is not None


@pytest.mark.parametrize("is_known", [False, True])
def test_the_new_deployment_resumes_who_waits_for_it(*, is_known: bool) -> None:
    house = a_service_to_be_deployed_anew()
    before = newest(house)
    house.services.redeploy("shop", "web-green")
    wait_for_another(house, replaces=before, deployment=newest(house) if is_known else None)
    house.services.complete("shop", "web-green")

    answer = house.on_deployment()

    assert answer.did == "resumed"
    assert house.executions.answers["t-1"]["complete"] is True


def test_a_deployment_that_ecs_took_back_fails_who_waits_for_it() -> None:
    house = a_service_to_be_deployed_anew()
    before = newest(house)
    house.services.redeploy("shop", "web-green")
    wait_for_another(house, replaces=before, deployment=newest(house))
    house.services.go_back("shop", "web-green")

    answer = house.on_deployment()

    assert answer.did == "resumed"
    assert house.executions.answers["t-1"]["error"] == "GreenFailed"


def test_news_ahead_of_the_truth_do_nothing_yet() -> None:
    house = House(Phase.CREATING)
    house.create()
    house.wait("t-1")

    for what in ("COMPLETED", "FAILED"):
        assert house.on_deployment(what).did == "nothing"

    assert house.executions.answers == {}
    assert house.journal.token(WEB) is not None


def test_a_completed_that_comes_after_a_failure_is_judged_by_the_failure() -> None:
    house = House(Phase.CREATING)
    house.create()
    house.wait("t-1")
    house.services.fail("shop", "web-green", "circuit breaker")

    house.on_deployment("COMPLETED")

    assert house.executions.answers["t-1"]["error"] == "GreenFailed"


def test_a_token_whose_task_is_over_is_let_go() -> None:
    house = House(Phase.CREATING)
    house.create()
    house.wait("t-1")
    house.executions.waiting.clear()
    house.services.complete("shop", "web-green")

    answer = house.on_deployment()

    assert answer.did == "nothing"
    assert house.journal.token(WEB) is None


def test_a_deployment_in_progress_is_no_news() -> None:
    house = House(Phase.CREATING)
    house.create()
    house.wait("t-1")
    house.services.complete("shop", "web-green")

    assert house.on_deployment("IN_PROGRESS").did == "nothing"
    assert house.executions.answers == {}


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:ecs:eu-west-1:123456789012:service/shop/unknown",
        "arn:aws:ecs:eu-west-1:123456789012:service/elsewhere/web-green",
        "arn:aws:ecs:eu-west-1:123456789012:service/web-green",
    ],
)
def test_a_service_nobody_here_knows_does_nothing(arn: str) -> None:
    house = House()

    for what in ("COMPLETED", "FAILED"):
        assert house.on_deployment(what, arn).did == "nothing"

    assert house.journal.read("shop").fence == 1


def test_a_service_that_is_gone_does_nothing() -> None:
    house = House()

    assert house.on_deployment("FAILED").did == "nothing"


def test_a_deployment_of_green_that_fails_under_traffic_is_rolled_back() -> None:
    house = House(Phase.CLIMBING)
    house.create()
    house.services.fail("shop", "web-green", "tasks failed to start")

    answer = house.on_deployment("FAILED")

    assert answer.did == "rolled_back"
    assert "tasks failed to start" in str(house.journal.read("shop").reason)


def test_a_deployment_of_what_another_migration_made_is_not_greens() -> None:
    house = House(Phase.CLIMBING)
    house.create(migration="other")
    house.services.fail("shop", "web-green", "tasks failed to start")

    assert house.on_deployment("FAILED").did == "nothing"
    assert house.journal.read("shop").fence == 1


@pytest.mark.parametrize("what", ["COMPLETED", "FAILED"])
def test_a_deployment_of_blue_holds_and_people_are_told_once(what: str) -> None:
    house = House(Phase.CLIMBING)
    house.create(migration=None)  # whatever its name, nobody made it for a migration
    house.services.complete("shop", "web-green")

    answers = [house.on_deployment(what).did for _ in range(2)]

    assert answers == ["held", "held"]
    assert [hold.by for hold in house.journal.holds("shop")] == [WEB]
    assert [notice.what for notice in house.notices.told] == ["held"]
    assert house.journal.read("shop").fence == 1


def test_a_deployment_of_blue_from_before_the_migration_is_old_news() -> None:
    house = House(Phase.CLIMBING)
    house.create(migration=None)

    answer = house.on_deployment(time="2026-11-22T11:00:00Z")

    assert answer.did == "nothing"
    assert house.journal.holds("shop") == ()


def test_a_deployment_of_green_that_completes_under_traffic_is_no_news() -> None:
    house = House(Phase.CLIMBING)
    house.create()
    house.services.complete("shop", "web-green")

    assert house.on_deployment().did == "nothing"
