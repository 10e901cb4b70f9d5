"""A green service is deployed anew once an attempt, however often the call is cut short and made again."""

from __future__ import annotations

import pytest

from crossfade.errors import Fenced, GreenFailed, ServiceExists
from crossfade.green.redeploying import Redeployed, RedeployRequest, redeploy
from crossfade.resources import service_resource
from tests.traffic import NOON, a_record
from tests.unit.green.world import FIRST, SECOND, Cut, Killed, World

ORDERS = service_resource("shop", "orders-green")


class Circle(World):
    """Both services made and complete; ECS has completed nothing of theirs since."""

    def __init__(self, *, eager: bool = False, made: bool = True) -> None:
        super().__init__()
        if made:
            self.make_green()
        self.executions.answers.clear()
        self.executions.waiting = {FIRST, SECOND}
        self.services.eager = eager

    def newest(self) -> str:
        primary = self.services.describe("shop", "orders-green").primary
        return str(primary.id)


def calls_of_a_whole_redeployment() -> list[str]:
    cut = Cut()
    Circle().redeploy(cut=cut)
    return cut.calls


CALLS = calls_of_a_whole_redeployment()


def test_the_deployment_before_is_written_down_and_the_token_kept_before_ecs_is_asked() -> None:
    assert CALLS.index("append") < CALLS.index("keep_token") < CALLS.index("redeploy")


def test_it_says_which_deployment_it_began_and_leaves_the_token_waiting_for_it() -> None:
    circle = Circle()
    before = circle.newest()

    answer = circle.redeploy()

    assert answer == Redeployed(deployment=circle.newest(), complete=False)
    assert circle.newest() != before
    token = circle.journal.token(ORDERS)
    assert token is not None
    assert (token.token, token.replaces, token.deployment) == (FIRST, before, answer.deployment)


def test_one_that_is_complete_at_once_resumes_the_state_itself() -> None:
    circle = Circle(eager=True)

    answer = circle.redeploy()

    assert answer.complete is True
    assert list(circle.executions.answers) == [FIRST]
    assert circle.journal.token(ORDERS) is None


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(len(CALLS)))
def test_wherever_it_is_cut_short_the_next_call_begins_no_second_deployment(at: int, *, after: bool) -> None:
    circle = Circle()
    with pytest.raises(Killed):
        circle.redeploy(cut=Cut(at, after=after))

    circle.redeploy(resume=SECOND)

    assert circle.services.redeployed == ["orders-green"]
    token = circle.journal.token(ORDERS)
    assert token is not None
    assert (token.token, token.deployment) == (SECOND, circle.newest())


def test_asked_again_it_looks_and_finds_the_deployment_complete() -> None:
    circle = Circle()
    circle.redeploy()
    circle.services.complete("shop", "orders-green")

    answer = circle.redeploy(resume=SECOND)

    assert answer.complete is True
    assert circle.services.redeployed == ["orders-green"]
    assert list(circle.executions.answers) == [SECOND]


def test_another_attempt_deploys_anew() -> None:
    circle = Circle()
    circle.redeploy()
    circle.services.complete("shop", "orders-green")
    circle.journal.raise_fence("shop", seen=1, reason="a test", at=NOON)

    circle.redeploy(fence=2, resume=SECOND)

    assert circle.services.redeployed == ["orders-green", "orders-green"]


def test_a_deployment_that_fails_fails_green() -> None:
    circle = Circle()
    circle.redeploy()
    circle.services.fail("shop", "orders-green", "tasks failed to start")

    with pytest.raises(GreenFailed, match="tasks failed to start"):
        circle.redeploy(resume=SECOND)


def test_a_deployment_that_ecs_takes_back_fails_green_though_the_old_tasks_are_well() -> None:
    circle = Circle()
    circle.redeploy()
    circle.services.go_back("shop", "orders-green")
    assert circle.services.describe("shop", "orders-green").is_complete

    with pytest.raises(GreenFailed, match="went back"):
        circle.redeploy(resume=SECOND)


def test_nothing_is_deployed_once_a_rollback_has_begun() -> None:
    circle = Circle()
    circle.journal.raise_fence("shop", seen=1, reason="a test", at=NOON)

    with pytest.raises(Fenced):
        circle.redeploy()

    assert circle.services.redeployed == []


def test_a_service_of_another_migration_is_left_alone() -> None:
    circle = Circle()
    ref = circle.plans.put("plans", "other.json", circle.plan.model_copy(update={"migration": "other"}))
    circle.journal.open(a_record("other", plan=ref), ())
    request = RedeployRequest(migration="other", fence=1, service="orders", token=FIRST)

    with pytest.raises(ServiceExists):
        redeploy(
            request,
            journal=circle.journal,
            plans=circle.plans,
            services=circle.services,
            executions=circle.executions,
            now=NOON,
        )

    assert circle.services.redeployed == []


def test_a_service_that_is_gone_fails_green() -> None:
    circle = Circle(made=False)

    with pytest.raises(GreenFailed, match="orders-green"):
        circle.redeploy()
