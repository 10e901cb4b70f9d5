"""
Run the checks: `python -m checks all`, as `make check` does.

`draw` and `smoke` are for `make docs` and `make build`; `corpus` writes what becomes of real inputs; `unused` lists
what policies allow and no test asked for, from the ledger that tests write where CROSSFADE_IAM_LEDGER says.

Every finding is one line on standard output. The exit code is 0 when there is none, else 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from checks import corpus, diagrams, iam, iam_usage, smoke, templates, translation
from checks.expressions import expressions
from checks.finding import Finding
from checks.integrations import busy_is_retried, integrations, named_errors
from checks.machine import Machine, load_all
from checks.structure import retries_agree, structure, tasks

ROOT = Path(__file__).resolve().parent.parent


def check_machines(root: Path) -> Iterator[Finding]:
    """Yield what is wrong in the state machines."""
    machines = load_all(root / "statemachines")
    for machine in machines:
        for check in (structure, tasks, expressions, integrations, named_errors):
            yield from check(machine)
    yield from retries_agree(machines)
    yield from busy_is_retried(machines)


def check_template(root: Path) -> Iterator[Finding]:
    """Yield what is wrong in the template, as written and as SAM translates it."""
    template = templates.load(root / "template.yaml")
    yield from templates.every_check(template, _machines(root))
    yield from translation.lint(root / "template.yaml")
    try:
        translated = translation.translate(template)
    except translation.Untranslatable as refused:
        yield Finding("template.yaml", f"SAM refuses it: {refused}")
        return
    yield from iam.permissions(translated)
    yield from translation.lint_translated(translated)


def check_forwarding(root: Path) -> Iterator[Finding]:
    """Yield what is wrong in the template that leads CloudFront's alarms to another Region; it has no functions."""
    path = root / "template-us-east-1.yaml"
    template = templates.load(path)
    for check in (templates.event_patterns, templates.dead_letters, templates.partitions, templates.parameters):
        yield from check(template)
    yield from translation.lint(path)
    yield from iam.permissions(translation.translate(template))


def check_diagrams(root: Path) -> Iterator[Finding]:
    """Yield each diagram in the docs that is stale."""
    yield from diagrams.stale(root, _machines(root))


def check_everything(root: Path) -> Iterator[Finding]:
    """Yield the findings of every check that starts nothing."""
    return chain(check_machines(root), check_template(root), check_forwarding(root), check_diagrams(root))


def draw(root: Path) -> Iterator[Finding]:
    """Redraw the diagrams; there is nothing to find."""
    for path, text, redrawn in diagrams.draw(root, _machines(root)):
        if text != redrawn:
            path.write_text(redrawn, encoding="utf-8")
            print(f"redrawn: {path.relative_to(root)}")
    yield from ()


def _machines(root: Path) -> Mapping[str, Machine]:
    return {machine.name: machine for machine in load_all(root / "statemachines")}


COMMANDS: dict[str, Callable[[Path], Iterator[Finding]]] = {
    "all": check_everything,
    "machines": check_machines,
    "template": check_template,
    "forwarding": check_forwarding,
    "diagrams": check_diagrams,
    "draw": draw,
    "smoke": smoke.built_functions_start,
    "corpus": corpus.write,
    "unused": iam_usage.against_ledger,
}


def main(arguments: list[str]) -> int:
    """Run one command and print its findings."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m checks {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    findings = sorted(set(COMMANDS[arguments[0]](ROOT)))
    for finding in findings:
        print(finding)
    if arguments[0] not in ("draw", "smoke", "corpus"):
        print(f"checks {arguments[0]}: {len(findings)} finding(s)")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
