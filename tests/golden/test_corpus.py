"""Real templates, as people published them: each ends in a plan or in one clear sentence, never in a traceback."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint.api
import hcl2
import pytest
from botocore.validate import ParamValidator

from crossfade.connect.choices import Choices
from crossfade.connect.fields import leaves
from crossfade.connect.services import ServiceState
from crossfade.connect.translate import Translation, translate
from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.errors import CrossfadeError
from crossfade.green.creation import creation_request
from crossfade.mesh.model import Found
from crossfade.mesh.sources import SUFFIXES, SourceText, read_sources
from crossfade.plan.document import MigrationPlan
from crossfade.plan.infrastructure import cloudformation, terraform
from tests.meshes import NOON

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"real inputs not present at {CORPUS}")
_MOST_HINTS = 60
_HINT = re.compile(r"--param '([^']+)=(?:VALUE|NAME)'")


def texts() -> Iterator[SourceText]:
    for path in sorted(CORPUS.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            yield SourceText(str(path.relative_to(CORPUS)), path.read_text(encoding="utf-8"))


def units() -> Iterator[list[SourceText]]:
    """The templates of each folder, as one would name them together."""
    folders: dict[str, list[SourceText]] = {}
    for text in texts():
        if "Resources" in text.text and "AWS::" in text.text:
            folders.setdefault(text.path.rpartition("/")[0], []).append(text)
    yield from folders.values()


def attempt(sources: list[SourceText]) -> MigrationPlan | str:
    """A plan, or the sentence that refuses it; every parameter a refusal asks for is given."""
    given: dict[str, str] = {}
    for _ in range(_MOST_HINTS):
        try:
            return draw(read_sources(sources, given), DrawOptions(), NOON)
        except CrossfadeError as refused:
            said = str(refused)
            hint = _HINT.search(said)
            if hint is None or hint[1] in given:
                return said
            name = hint[1].rpartition(":")[2].lower()
            given[hint[1]] = "8080" if "port" in name else re.sub(r"[^a-z0-9-]", "-", name)
    return said


@cache
def answers() -> tuple[MigrationPlan | str, ...]:
    """What became of every folder of templates."""
    return tuple(attempt(unit) for unit in units())


@needs_corpus
def test_every_file_alone_ends_in_a_plan_or_one_sentence() -> None:
    refusals = [answer for text in texts() if isinstance(answer := attempt([text]), str)]

    assert refusals
    assert [said for said in refusals if not said.strip() or "\n" in said] == []


@needs_corpus
def test_every_folder_of_templates_ends_in_a_plan_or_one_sentence() -> None:
    plans = [answer for answer in answers() if isinstance(answer, MigrationPlan)]

    assert len(plans) >= 6
    assert all(MigrationPlan.from_json(plan.to_json()) == plan for plan in plans)
    assert [said for said in answers() if isinstance(said, str) and "\n" in said] == []


def reading(sources: list[SourceText]) -> Found | None:
    """What a unit holds, every parameter a refusal asks for given; None when it cannot be read."""
    given: dict[str, str] = {}
    for _ in range(_MOST_HINTS):
        try:
            return read_sources(sources, given)
        except CrossfadeError as refused:
            hint = _HINT.search(str(refused))
            if hint is None or hint[1] in given:
                return None
            given[hint[1]] = "8080" if "port" in hint[1].lower() else "x"
    return None


def translations(found: Found) -> Iterator[tuple[Found, Translation]]:
    """Each mesh translated: with its ECS services, or without where a source of theirs is missing."""
    choices = Choices(suffix="-sc", namespace="n", log_group="l")
    for mesh in found.mesh_names():
        for here in (found, replace(found, services=(), task_definitions=())):
            try:
                yield found.in_mesh(mesh), translate(here, mesh, choices)
                break
            except CrossfadeError:
                continue


def fields_of(found: Found) -> int:
    groups = (found.meshes, found.nodes, found.routers, found.routes, found.virtual_services)
    borders = (found.gateways, found.gateway_routes)
    return sum(1 for group in (*groups, *borders) for each in group for _leaf in leaves(each.spec))


def metadata_of(found: Found) -> int:
    groups = (found.meshes, found.nodes, found.routers, found.routes, found.virtual_services)
    borders = (found.gateways, found.gateway_routes)
    return sum(1 for group in (*groups, *borders) for each in group for _leaf in leaves(each.beside.said))


@needs_corpus
def test_every_ledger_closes() -> None:
    singles = ([text] for text in texts() if "Resources" not in text.text)
    readings = [found for unit in [*units(), *singles] if (found := reading(unit)) is not None]

    closed = [each for found in readings for each in translations(found)]
    counts = [(fields_of(found), translation.ledger) for found, translation in closed]
    assert sum(fields for fields, _ledger in counts) > 1_000
    assert [fields - ledger.used - ledger.named_in_a_gap - ledger.without_effect for fields, ledger in counts] == [
        0
    ] * len(counts)
    beside = [(metadata_of(found), translation.ledger.metadata) for found, translation in closed]
    assert sum(fields for fields, _ledger in beside) > 500
    assert [fields - ledger.used - ledger.named_in_a_gap - ledger.without_effect for fields, ledger in beside] == [
        0
    ] * len(beside)
    unread = {gap.detail for _found, each in closed for gap in each.gaps if gap.id == "FIELD_NOT_READ"}
    assert unread == set()


ONCE = "once"
ECS: Any = botocore.session.get_session().get_service_model("ecs")
BLUE = ServiceState(
    name="blue",
    arn="arn:aws:ecs:eu-west-1:111122223333:service/c/blue",
    status="ACTIVE",
    task_definition="blue:1",
    desired=2,
    running=2,
    settings={"launchType": "FARGATE"},
    deployments=(),
    tags={},
)


def limits(plan: MigrationPlan) -> Iterator[str]:
    """What of a plan AWS would not take, by its documented limits."""
    names = [each.discovery_name for service in plan.services for each in service.endpoints]
    aliases = [(each.dns_name, each.port) for service in plan.services for each in service.endpoints]
    yield from (f"{name} twice" for name, count in Counter([*names, *aliases]).items() if count > 1)
    for service in plan.services:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", service.green.service_name):
            yield f"service name {service.green.service_name}"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", service.green.task_definition.family):
            yield f"family {service.green.task_definition.family}"
        for each in service.endpoints:
            if not re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,63}", each.discovery_name):
                yield f"discovery name {each.discovery_name}"
            if not re.fullmatch(r"[a-z0-9_.-]{1,127}", each.dns_name):
                yield f"alias {each.dns_name}"
            if not re.fullmatch(r"[a-z0-9_-]{1,64}", each.port_name):
                yield f"port name {each.port_name}"
            if each.app_protocol is None and each.timeout and each.timeout.per_request_seconds is not None:
                yield f"{each.discovery_name}: a timeout per request on TCP"


def requests(plan: MigrationPlan) -> Iterator[Mapping[str, Any]]:
    """CreateService's input for every service of a plan."""
    for service in plan.services:
        groups = ["arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/g/1"]
        ends = groups if service.green.target_group else []
        yield creation_request(
            plan, service, BLUE, task_definition="t:1", namespace="n", target_groups=ends, client_token=ONCE
        )


@needs_corpus
def test_every_plan_is_one_that_aws_takes() -> None:
    plans = [answer for answer in answers() if isinstance(answer, MigrationPlan)]

    shape = ECS.operation_model("CreateService").input_shape
    reports = [ParamValidator().validate(each, shape).generate_report() for plan in plans for each in requests(plan)]
    assert {report for report in reports if report} == set()
    assert [said for plan in plans for said in limits(plan)] == []
    serving = [plan for plan in plans if any(service.endpoints for service in plan.services)]
    assert serving
    lint = [each for plan in serving for each in cfnlint.api.lint_all(cloudformation(plan))]
    assert {str(each) for each in lint if not each.rule.id.startswith("I")} == set()
    assert all(hcl2.loads(terraform(plan))["resource"] for plan in plans)
