"""One application in every form a team may hold it in: the plan is the same, but for where it was read."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.errors import CrossfadeError
from crossfade.mesh.export import export_document
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.mesh.template import load_template
from crossfade.plan.document import MetadataLedger, MigrationPlan
from crossfade.plan.services import Endpoint
from crossfade_cli.export import read_account
from crossfade_cli.files import read_files
from rehearsal.aws import in_process
from rehearsal.aws.runtime import StillRuntime
from rehearsal.deploy import Deployer
from tests.golden import tfstate
from tests.meshes import NOON

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
STACKS = {"shop": ("mesh", "services"), "bookings": ("network", "services")}


@dataclass(frozen=True)
class Held:
    """An example: what AWS answers of it once it is deployed, what lies beside its templates, and their plan."""

    example: str
    answers: list[Any]
    beside: list[SourceText]
    plan: MigrationPlan

    def plan_of(self, *sources: SourceText) -> MigrationPlan:
        return whatever_the_form(draw(read_sources([*sources, *self.beside], {}), DrawOptions(), NOON))


def whatever_the_form(plan: MigrationPlan) -> MigrationPlan:
    """Leave out how much a form says beside the specifications: only App Mesh's own answers tell ARNs and times."""
    return plan.model_copy(update={"ledger": plan.ledger.model_copy(update={"metadata": MetadataLedger()})})


@pytest.fixture(scope="module", params=sorted(STACKS))
def held(request: pytest.FixtureRequest) -> Held:
    folder = EXAMPLES / request.param
    with in_process(runtime=StillRuntime(), time_scale=200) as aws:
        deployer = Deployer(aws)
        for name in STACKS[request.param]:
            deployer.deploy(folder / f"{name}.yaml", f"{request.param}-{name}")
        found, notes = read_account(aws.client, [request.param])
    document = export_document(found, region="eu-west-1", now=datetime(2026, 11, 22, tzinfo=UTC), notes=notes)
    beside = [text for text in read_files([str(folder)]) if text.path.endswith("calls.yaml")]
    plan = whatever_the_form(draw(read_sources(read_files([str(folder)]), {}), DrawOptions(), NOON))
    return Held(request.param, json.loads(document)["answers"], beside, plan)


def test_what_aws_answers_gives_the_plan_of_the_templates(held: Held) -> None:
    document = json.dumps({"crossfade_export": 1, "answers": held.answers})

    assert held.plan_of(SourceText("export.json", document)) == held.plan


def test_terraform_gives_the_plan_of_the_templates(held: Held) -> None:
    folder = Path(__file__).parent / f"{held.example}_terraform"

    assert held.plan_of(*read_files([str(folder)])) == held.plan


def test_a_state_of_terraform_gives_the_plan_of_the_templates(held: Held) -> None:
    assert held.plan_of(SourceText("terraform.tfstate", tfstate.state(held.answers))) == held.plan


def test_what_terraform_shows_gives_the_plan_of_the_templates(held: Held) -> None:
    assert held.plan_of(SourceText("show.json", tfstate.shown(held.answers))) == held.plan


def test_answers_in_files_of_their_own_wrapped_and_dated_as_cli_v1_does_give_the_same_plan(held: Held) -> None:
    sources = [
        SourceText(f"{at}.json", json.dumps({"status_code": 200, "data": dated(answer)}))
        for at, answer in enumerate(held.answers)
    ]

    assert held.plan_of(*sources) == held.plan


def dated(value: Any) -> Any:
    """Times as the first version of the CLI writes them: seconds since 1970."""
    if isinstance(value, dict):
        return {key: 1711149247.869 if key.endswith("At") else dated(item) for key, item in value.items()}
    return [dated(each) for each in value] if isinstance(value, list) else value


def test_inputs_of_the_cli_give_the_plan_of_the_templates(held: Held) -> None:
    inputs = [SourceText(f"{at}.json", json.dumps(as_input(answer))) for at, answer in enumerate(held.answers)]

    assert held.plan_of(*inputs) == held.plan


def as_input(answer: dict[str, Any]) -> dict[str, Any]:
    """What was given to the command that made a resource of the mesh; any other answer as it is."""
    for value in answer.values():
        if isinstance(value, dict) and "spec" in value:
            return {key: item for key, item in value.items() if key not in ("metadata", "status")}
    return answer


def test_templates_as_a_cdk_application_synthesises_them_give_the_same_plan(held: Held) -> None:
    sources = [
        SourceText(f"cdk.out/{name}.template.json", json.dumps(load_template(text, "t")))
        for name in STACKS[held.example]
        for text in [(EXAMPLES / held.example / f"{name}.yaml").read_text()]
    ]

    assert held.plan_of(*sources) == held.plan


TORN: tuple[Any, ...] = (None, [], {}, -1, "x", True, 10**40, "", "${x}", [None], 1.5)


def torn(value: Any, chance: random.Random) -> Any:
    """A document with something else at one place, as a careless hand leaves it."""
    if isinstance(value, dict) and value and chance.random() < DEEPER:
        key = chance.choice(list(value))
        return {**value, key: torn(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < DEEPER:
        at = chance.randrange(len(value))
        return [*value[:at], torn(value[at], chance), *value[at + 1 :]]
    return chance.choice(TORN)


DEEPER = 0.85


def test_no_torn_form_ends_in_anything_but_a_plan_or_a_refusal(held: Held) -> None:
    chance = random.Random(20261122)
    export = json.dumps({"crossfade_export": 1, "answers": held.answers})
    whole = {
        "terraform.tfstate": tfstate.state(held.answers),
        "show.json": tfstate.shown(held.answers),
        "export.json": export,
    }
    ended = Counter[str]()

    for path, text in whole.items():
        document = json.loads(text)
        for _ in range(40):
            try:
                held.plan_of(SourceText(path, json.dumps(torn(document, chance))))
                ended["a plan"] += 1
            except CrossfadeError as refused:
                ended["a refusal" if str(refused) else "silence"] += 1

    assert set(ended) == {"a plan", "a refusal"}
    assert ended.total() == 3 * 40


@pytest.mark.parametrize("held", ["bookings"], indirect=True)
def test_plain_ecs_has_no_mesh_and_plays_no_part_in_one(held: Held) -> None:
    assert held.plan.mesh is None
    assert {service.virtual_node for service in held.plan.services} == {None}


MESH_ONLY = ("mesh", "virtualNode", "virtualRouter", "route", "virtualService")


@pytest.mark.parametrize("held", ["shop"], indirect=True)
def test_task_definitions_alone_give_names_order_and_edge_and_say_what_only_the_mesh_knew(held: Held) -> None:
    without_mesh = [answer for answer in held.answers if not set(answer) & set(MESH_ONLY)]

    plan = held.plan_of(SourceText("export.json", json.dumps({"crossfade_export": 1, "answers": without_mesh})))

    assert [each.id for each in plan.open_blocking_gaps()] == ["MESH_REBUILT"]
    assert (plan.waves, plan.edges, plan.mesh) == (held.plan.waves, held.plan.edges, "shop")
    for mine, theirs in zip(plan.services, held.plan.services, strict=True):
        assert (mine.role, mine.calls) == (theirs.role, theirs.calls)
        assert [dialled(each) for each in mine.endpoints] == [dialled(each) for each in theirs.endpoints]


def dialled(endpoint: Endpoint) -> tuple[object, ...]:
    return endpoint.dns_name, endpoint.port, endpoint.container_port, endpoint.app_protocol, endpoint.discovery_name
