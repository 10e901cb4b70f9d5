"""
Real meshes rehearsed with real proxies: which, by which command, and what came of it.

`python -m checks.rehearsed` plays them and writes the figures into `docs/corpus.md`; it takes some minutes. Every
blocking gap is accepted and background work shared, as somebody would who wants to see the rest move.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from checks.corpus import CORPUS, PAGE, REHEARSED_BEGIN, REHEARSED_END, Outcome, told, units
from crossfade.errors import BadInput
from crossfade.plan.answers import AcceptedGap, Answers, accept
from crossfade.plan.document import MigrationPlan
from rehearsal.application import stand_ins
from rehearsal.breaking import Breaking
from rehearsal.pace import BRIEF
from rehearsal.rehearsal import rehearse
from rehearsal.staging import machine_holds
from rehearsal.summary import Scenario, Summary

PLAYED: Final[dict[str, tuple[Scenario, ...]]] = {
    "subfuzion-demo": (Scenario.HEALTHY, Scenario.SICK),
    "cdk-aws-weighted-routing": (Scenario.HEALTHY,),
    "aws-tls-with-acm": (Scenario.HEALTHY,),
}
"""A load balancer before two tiers, CDK's output, and a load balancer before an Envoy gateway."""


_HEADINGS: Final = (
    "unit",
    "scenario",
    "services",
    "edge",
    "outcome",
    "requests",
    "failed",
    "fault to decision",
    "decision to 0 %",
    "as it should",
)


@dataclass(frozen=True, slots=True)
class Played:
    """A unit's rehearsals and the command that plays them."""

    unit: str
    command: str
    summaries: tuple[Summary, ...]


def answered(unit: str, corpus: Path = CORPUS) -> tuple[MigrationPlan, str]:
    """Return a unit's plan with every gap accepted, and the command that plays it from its folder."""
    sources = units(corpus)[unit]
    first = told(unit, sources)
    background = {each.name: "share" for each in _plan(first).services if each.background is not None}
    plan = _plan(told(unit, sources, background=background))
    gaps = tuple(AcceptedGap(id=each, who="the rehearsal", why="to see it") for each in {gap.id for gap in plan.gaps})
    accepted = accept(plan, Answers(accept=gaps), datetime.now(UTC)).plan
    words = ["crossfade", "rehearse"]
    for path in first.kept:
        words += ["--source", re.sub(r"^files/[^/]+/", "", path)]
    for name, value in sorted(first.answers.items()):
        words += ["--param", f"{name}={value}"]
    for name, answer in sorted(background.items()):
        words += ["--background", f"{name}={answer}"]
    return accepted, shlex.join([*words, "--accept", "yes.yaml", "--brief"])


def _plan(outcome: Outcome) -> MigrationPlan:
    if outcome.plan is None:
        raise BadInput(f"{outcome.unit} is refused: {outcome.said}")
    return outcome.plan


def play(unit: str, scenarios: Sequence[Scenario]) -> Played:
    """
    Rehearse a unit of the corpus with real proxies, about a minute a scenario.

    Raises:
        RehearsalFailed: it could not be carried out.
    """
    plan, command = answered(unit)
    application = stand_ins(plan, edge_of=None, most_tasks=machine_holds())
    breaking = Breaking(sickly(application.plan))
    summaries = [rehearse(application, scenario, pace=BRIEF, breaking=breaking) for scenario in scenarios]
    return Played(unit, command, tuple(summaries))


def sickly(plan: MigrationPlan) -> str:
    """Return the green service that breaks: what the one at the edge calls first, or itself when it calls none."""
    entry = plan.service(plan.edges[0].service)
    called = next((call.service for call in entry.calls if call.service is not None), entry.name)
    return plan.service(called).green.service_name


def section(played: Sequence[Played]) -> str:
    """Return the page's section: a table, then each command."""
    rows = [
        f"| {' | '.join(_HEADINGS)} |\n|{'---|' * len(_HEADINGS)}\n",
    ]
    for each in played:
        rows += [_row(each.unit, summary) for summary in each.summaries]
    commands = [f"\n`{each.unit}`:\n\n```\n{each.command}\n```\n" for each in played]
    differences = [
        f"- {each.unit}: {difference}\n"
        for each in played
        for difference in (each.summaries[0].staging.differences if each.summaries[0].staging else ())
    ]
    said = ["\nWhat differed from the plan:\n\n", *differences] if differences else []
    return "".join([*rows, *said, *commands])


def _row(unit: str, summary: Summary) -> str:
    staging = summary.staging
    edge = "" if staging is None else ("a stand-in" if staging.stand_in_edge else "its own")
    seconds = summary.seconds
    cells = (
        unit,
        str(summary.scenario),
        str(len(staging.services)) if staging else "",
        edge,
        summary.outcome,
        str(summary.requests.total),
        f"{summary.requests.failed_blue} blue, {summary.requests.failed_green} green",
        "" if seconds.fault_to_decision is None else f"{seconds.fault_to_decision:g} s",
        "" if seconds.decision_to_zero is None else f"{seconds.decision_to_zero:g} s",
        "yes" if summary.passed else "NO",
    )
    return f"| {' | '.join(cells)} |\n"


def main(root: Path) -> int:
    """Play every unit, print what came of it and write the section; 1 when a scenario did not end as it should."""
    if not CORPUS.is_dir():
        print(f"{PAGE} stays as it is: the inputs are not at hand")
        return 0
    played = []
    for unit, scenarios in PLAYED.items():
        played.append(play(unit, scenarios))
        print(section(played[-1:]), flush=True)
        keep(played, root / PAGE)
    return 0 if all(summary.passed for each in played for summary in each.summaries) else 1


def keep(played: Sequence[Played], page: Path) -> None:
    """Write the section into the page; what was played before stands there no more."""
    before, _, rest = page.read_text(encoding="utf-8").partition(REHEARSED_BEGIN)
    after = rest.partition(REHEARSED_END)[2]
    page.write_text(f"{before}{REHEARSED_BEGIN}{section(played)}{REHEARSED_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1]))
