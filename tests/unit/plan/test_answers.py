from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput
from crossfade.plan.answers import AcceptedGap, Answers, accept, earlier_answers, read_answers, together
from crossfade.plan.document import MigrationPlan
from crossfade.plan.services import BackgroundAnswer
from tests.meshes import NOON, a_mesh, a_node, a_service, drawn, two_services

LATER = NOON + timedelta(days=1)
WHO = {"who": "ada", "why": "a firewall does it"}


def a_closed_mesh() -> MigrationPlan:
    return drawn({**two_services(), **a_mesh(egress="DROP_ALL")})


def test_a_gap_that_is_accepted_no_longer_stops_the_plan_and_says_who_and_why() -> None:
    answers = read_answers(json.dumps({"accept": [{"id": "EGRESS_FILTER", "resource": "mesh/m", **WHO}]}), "a.json")

    answered = accept(a_closed_mesh(), answers, NOON)

    assert answered.plan.open_blocking_gaps() == ()
    (gap,) = answered.plan.gaps
    assert gap.accepted
    assert (gap.accepted.who, gap.accepted.why, gap.accepted.at) == ("ada", "a firewall does it", NOON)


def test_answers_may_be_a_plain_list_in_yaml() -> None:
    answers = read_answers("- id: EGRESS_FILTER\n  who: ada\n  why: because\n", "a.yaml")

    assert answers == Answers(accept=(AcceptedGap(id="EGRESS_FILTER", who="ada", why="because"),))


def test_an_answer_that_meets_no_gap_is_told() -> None:
    answers = Answers(accept=(AcceptedGap(id="EGRESS_FILTER", resource="mesh/other", **WHO),))

    answered = accept(a_closed_mesh(), answers, NOON)

    assert answered.unmet == answers.accept
    assert answered.plan.open_blocking_gaps()


def test_what_was_accepted_outlives_a_new_drawing() -> None:
    given = Answers(accept=(AcceptedGap(id="EGRESS_FILTER", **WHO),))
    earlier = accept(a_closed_mesh(), given, NOON).plan

    again = accept(a_closed_mesh(), read_answers(earlier.to_json(), "plan.json"), LATER)

    assert again.plan == earlier


def test_a_gap_that_says_something_else_now_is_asked_again() -> None:
    answers = Answers(accept=(AcceptedGap(id="EGRESS_FILTER", detail="another sentence", **WHO),))

    assert accept(a_closed_mesh(), answers, NOON).plan.open_blocking_gaps()


def test_of_two_answers_the_later_counts() -> None:
    first = Answers(accept=(AcceptedGap(id="EGRESS_FILTER", **WHO),), background={"a": "share", "b": "share"})
    second = Answers(accept=(AcceptedGap(id="EGRESS_FILTER", who="bob", why="no"),), background={"b": "leave_out"})

    both = together([first, second])

    (gap,) = accept(a_closed_mesh(), both, NOON).plan.gaps
    assert gap.accepted
    assert gap.accepted.who == "bob"
    assert both.background == {"a": "share", "b": "leave_out"}


@pytest.mark.parametrize("text", ["3", '{"accept": [{"id": "X"}]}', '{"other": 1}', '{"migration": 1, "waves": []}'])
def test_what_are_no_answers_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(BadInput, match=r"^a\.json: "):
        read_answers(text, "a.json")


def worker(answer: str | None = None, **more: Any) -> MigrationPlan:
    options = DrawOptions(background={"worker": answer} if answer else {})
    return drawn({**two_services(), **a_node("worker"), **a_service("worker", **more)}, options=options)


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({}, "degrading"),
        ({"environment": {"SQS_QUEUE_URL": "x"}}, "blocking"),
        ({"DesiredCount": 1, "DeploymentConfiguration": {"MaximumPercent": 100}}, "blocking"),
    ],
)
def test_work_that_would_surely_run_twice_stops_the_plan_until_it_is_answered(
    more: dict[str, Any], severity: str
) -> None:
    plan = worker(**more)

    (gap,) = [each for each in plan.gaps if each.id == "BACKGROUND_WORK"]
    assert gap.severity == severity
    work = plan.service("worker").background
    assert work
    assert work.answer is None


@pytest.mark.parametrize(("answer", "count"), [("share", 2), ("create_at_zero", 0)])
def test_an_answer_says_how_many_tasks_green_starts_with(answer: str, count: int) -> None:
    plan = worker(answer, environment={"SQS_QUEUE_URL": "x"})

    service = plan.service("worker")
    assert service.background
    assert (service.background.answer, service.green.desired_count) == (BackgroundAnswer(answer), count)
    assert plan.open_blocking_gaps() == ()
    assert earlier_answers(plan).background == {"worker": answer}


def test_a_service_left_out_stays_as_it_is() -> None:
    plan = worker("leave_out")

    assert [each.name for each in plan.services] == ["api", "web"]
    assert [each.what for each in plan.not_migrated][:1] == ["ecsService/worker"]


@pytest.mark.parametrize(("service", "answer", "said"), [("x", "share", "no service"), ("web", "maybe", "no answer")])
def test_an_answer_nobody_asked_for_is_refused(service: str, answer: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        drawn(two_services(), options=DrawOptions(background={service: answer}))


def test_a_service_that_others_call_cannot_be_left_out() -> None:
    with pytest.raises(BadInput, match="web calls it"):
        drawn(two_services(), options=DrawOptions(background={"api": "leave_out"}))
