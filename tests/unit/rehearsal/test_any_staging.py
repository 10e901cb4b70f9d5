"""What holds of the rehearsal of any plan whatever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crossfade.plan.answers import AcceptedGap, Answers, accept
from crossfade.plan.document import MigrationPlan
from crossfade.plan.services import BackgroundAnswer
from rehearsal.application import stand_ins
from tests.meshes import NOON
from tests.unit.draw.test_any_mesh import drawn_from, few, meshes


def answered(plan: MigrationPlan) -> MigrationPlan:
    """The plan with every gap accepted and background work shared."""
    gaps = tuple(AcceptedGap(id=gap.id, who="me", why="to see") for gap in plan.gaps)
    services = tuple(
        each
        if each.background is None
        else each.model_copy(
            update={"background": each.background.model_copy(update={"answer": BackgroundAnswer.SHARE})}
        )
        for each in plan.services
    )
    return accept(plan.model_copy(update={"services": services}), Answers(accept=gaps), NOON).plan


@few
@given(meshes().map(drawn_from).map(answered), st.integers(1, 20))
def test_what_is_staged_is_closed_in_itself_and_says_what_it_leaves_out(plan: MigrationPlan, room: int) -> None:
    played = stand_ins(plan, edge_of=None, most_tasks=room)

    assert played.staging is not None
    names = {each.name for each in played.plan.services}
    made = played.stacks[0][1]
    assert isinstance(made, dict)
    services = [each for each in made["Resources"].values() if each["Type"] == "AWS::ECS::Service"]
    assert played.staging.tasks <= max(room, sum(each.blue.desired_count for each in plan.services))
    assert len(names) <= room or played.staging.left_out == ()
    assert names | set(played.staging.left_out) == {each.name for each in plan.services}
    assert bool(played.staging.left_out) <= any("cut to" in said for said in played.staging.differences)
    assert [edge.service in names for edge in played.plan.edges] == [True]
    assert {call.service for each in played.plan.services for call in each.calls} <= names
    assert sorted(name for wave in played.plan.waves for name in wave) == sorted(names)
    assert sorted(each["Properties"]["ServiceName"] for each in services) == sorted(
        each.blue.service_name for each in played.plan.services
    )
