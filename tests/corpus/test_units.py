"""Every real unit ends in a plan or in one sentence, two forms of one mesh in one plan, no mangled file in a trace."""

from __future__ import annotations

import contextlib
import random
import re

import pytest

from checks.corpus import CORPUS, Outcome, attempt, outcomes, page, told, units
from checks.known import KNOWN
from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.errors import CrossfadeError
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.plan.document import MigrationPlan
from tests.meshes import NOON

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"real inputs not present at {CORPUS}")


@pytest.fixture(scope="module")
def all_outcomes() -> list[Outcome]:
    return list(outcomes(CORPUS))


def test_every_unit_ends_in_a_plan_or_in_one_sentence(all_outcomes: list[Outcome]) -> None:
    plans = [each.plan for each in all_outcomes if each.plan is not None]
    said = [each.said for each in all_outcomes if each.plan is None]

    assert len(all_outcomes) >= 45
    assert len(plans) >= 15
    assert all(MigrationPlan.from_json(plan.to_json()) == plan for plan in plans)
    assert [each for each in said if not each.strip() or "\n" in each or len(each) > 2_000] == []


def test_the_page_names_every_unit_and_no_place_on_this_machine(all_outcomes: list[Outcome]) -> None:
    text = page(all_outcomes)

    assert all(f"| {each.unit} |" in text for each in all_outcomes)
    assert str(CORPUS) not in text


STACK = ("AppMeshMeshName", "ECSServicesDomain")
TWINS = {
    "aws-howto-circuit-breakers": "describe-howto-circuit-breakers",
    "aws-howto-ingress-gateway": "describe-howto-ingress-gateway",
    "aws-howto-match-and-rewrite": "describe-howto-match-and-rewrite",
    "aws-howto-mtls-file": "describe-howto-mtls-file",
}


@pytest.mark.parametrize(("inputs", "answers"), TWINS.items())
def test_a_mesh_as_inputs_of_the_cli_and_as_its_answers_gives_one_plan(inputs: str, answers: str) -> None:
    found = units(CORPUS)
    services = [each for each in found[inputs] if "/mesh/" not in each.path]

    asked = told(inputs, found[inputs])
    of_services = {key: value for key, value in asked.answers.items() if key in STACK or key not in KNOWN[inputs].given}
    answered = attempt("answers", [*found[answers], *services], of_services)

    assert asked.plan is not None
    assert answered.plan is not None
    # App Mesh answers with its defaults, which the input leaves out: a few fields more, the same plan
    assert asked.plan == answered.plan.model_copy(update={"ledger": asked.plan.ledger})
    assert any(service.endpoints for service in asked.plan.services)


def mangled(text: str, chance: random.Random) -> str:
    """A file as a careless hand leaves it: a line gone, doubled, cut, or another in its place."""
    lines = text.splitlines()
    for _ in range(chance.randint(1, 4)):
        if not lines:
            break
        at = chance.randrange(len(lines))
        what = chance.randrange(5)
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(at, lines[at])
        elif what == 2:
            lines[at] = lines[at][: chance.randint(0, len(lines[at]))]
        elif what == 3:
            lines[at] = lines[chance.randrange(len(lines))]
        else:
            lines[at] = re.sub(r"[\w./-]+$", chance.choice(["[]", "null", "{}", "-1", '"x"', "!Ref A"]), lines[at])
    return "\n".join(lines)


def test_no_mangled_file_ends_in_a_traceback() -> None:
    chance = random.Random(20261122)
    texts = [text for unit in units(CORPUS).values() for text in unit if len(text.text) < 20_000]

    tried = 0
    for text in chance.sample(texts, 150):
        broken = SourceText(text.path, mangled(text.text, chance))
        with contextlib.suppress(CrossfadeError):
            draw(read_sources([broken], {}), DrawOptions(), NOON)
        tried += 1

    assert tried == 150
