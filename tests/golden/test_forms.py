"""One application in every form a team may hold it in: the plan is the same, but for where it was read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crossfade.mesh.export import export_document
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.mesh.template import load_template
from crossfade.plan.document import Endpoint, MigrationPlan
from crossfade.plan.draw import DrawOptions, draw
from crossfade_cli.export import read_account
from crossfade_cli.files import read_files
from rehearsal.aws import EmbeddedAws, in_process
from rehearsal.aws.runtime import StillRuntime
from rehearsal.deploy import Deployer
from tests.golden import tfstate
from tests.meshes import NOON

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "examples" / "shop"


def plan_of(*sources: SourceText, **parameters: str) -> MigrationPlan:
    return draw(read_sources(sources, parameters), DrawOptions(), NOON)


@pytest.fixture(scope="module")
def answers() -> Iterator[list[Any]]:
    """What AWS answers of the shop once it is deployed, as JSON."""
    with in_process(runtime=StillRuntime(), time_scale=200) as aws:
        deployer = Deployer(aws)
        for name in ("mesh", "services"):
            deployer.deploy(SHOP / f"{name}.yaml", f"shop-{name}")
        yield json.loads(exported(aws))["answers"]


def exported(aws: EmbeddedAws) -> str:
    found, notes = read_account(aws.client, ["shop"])
    return export_document(found, region="eu-west-1", now=datetime(2026, 11, 22, tzinfo=UTC), notes=notes)


@pytest.fixture(scope="module")
def as_templates() -> MigrationPlan:
    return plan_of(*read_files([str(SHOP)]))


def test_what_aws_answers_gives_the_plan_of_the_templates(answers: list[Any], as_templates: MigrationPlan) -> None:
    document = json.dumps({"crossfade_export": 1, "answers": answers})

    assert plan_of(SourceText("export.json", document)) == as_templates


def test_terraform_gives_the_plan_of_the_templates(as_templates: MigrationPlan) -> None:
    assert plan_of(*read_files([str(Path(__file__).parent / "shop_terraform")])) == as_templates


def test_a_state_of_terraform_gives_the_plan_of_the_templates(answers: list[Any], as_templates: MigrationPlan) -> None:
    assert plan_of(SourceText("terraform.tfstate", tfstate.state(answers))) == as_templates


def test_what_terraform_shows_gives_the_plan_of_the_templates(answers: list[Any], as_templates: MigrationPlan) -> None:
    assert plan_of(SourceText("show.json", tfstate.shown(answers))) == as_templates


def test_answers_in_files_of_their_own_wrapped_and_dated_as_cli_v1_does_give_the_same_plan(
    answers: list[Any], as_templates: MigrationPlan
) -> None:
    sources = [
        SourceText(f"{at}.json", json.dumps({"status_code": 200, "data": dated(answer)}))
        for at, answer in enumerate(answers)
    ]

    assert plan_of(*sources) == as_templates


def dated(value: Any) -> Any:
    """Times as the first version of the CLI writes them: seconds since 1970."""
    if isinstance(value, dict):
        return {key: 1711149247.869 if key.endswith("At") else dated(item) for key, item in value.items()}
    return [dated(each) for each in value] if isinstance(value, list) else value


def test_inputs_of_the_cli_give_the_plan_of_the_templates(answers: list[Any], as_templates: MigrationPlan) -> None:
    inputs = [SourceText(f"{at}.json", json.dumps(as_input(answer))) for at, answer in enumerate(answers)]

    assert plan_of(*inputs) == as_templates


def as_input(answer: dict[str, Any]) -> dict[str, Any]:
    """What was given to the command that made a resource of the mesh; any other answer as it is."""
    for value in answer.values():
        if isinstance(value, dict) and "spec" in value:
            return {key: item for key, item in value.items() if key not in ("metadata", "status")}
    return answer


def test_templates_as_a_cdk_application_synthesises_them_give_the_same_plan(as_templates: MigrationPlan) -> None:
    sources = [
        SourceText(f"cdk.out/{text.path.rpartition('/')[2]}.template.json", json.dumps(load_template(text.text, "t")))
        for text in read_files([str(SHOP)])
    ]

    assert plan_of(*sources) == as_templates


MESH_ONLY = ("mesh", "virtualNode", "virtualRouter", "route", "virtualService")


def test_task_definitions_alone_give_names_order_and_edge_and_say_what_only_the_mesh_knew(
    answers: list[Any], as_templates: MigrationPlan
) -> None:
    without_mesh = [answer for answer in answers if not set(answer) & set(MESH_ONLY)]

    plan = plan_of(SourceText("export.json", json.dumps({"crossfade_export": 1, "answers": without_mesh})))

    assert [each.id for each in plan.open_blocking_gaps()] == ["MESH_REBUILT"]
    assert (plan.waves, plan.edges, plan.mesh) == (as_templates.waves, as_templates.edges, "shop")
    for mine, theirs in zip(plan.services, as_templates.services, strict=True):
        assert (mine.role, mine.calls) == (theirs.role, theirs.calls)
        assert [dialled(each) for each in mine.endpoints] == [dialled(each) for each in theirs.endpoints]


def dialled(endpoint: Endpoint) -> tuple[object, ...]:
    return endpoint.dns_name, endpoint.port, endpoint.container_port, endpoint.app_protocol, endpoint.discovery_name
