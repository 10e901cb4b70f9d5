"""The documents say what the code does: every name in one is in the other, and one version stands for all."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade import errors
from crossfade.connect import gaps
from crossfade.judge.signal import SIGNALS
from crossfade.phases import Phase

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGE = ROOT / "layers" / "core" / "python" / "crossfade"
EVENTS = sorted((ROOT / "events").glob("*.json"))


def tracked() -> Iterator[Path]:
    """Yield every file of the project that is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    yield from (ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def leaves() -> list[str]:
    """The errors of `errors.py` that it refines no further; what other modules refine keeps its parent's meaning."""
    found = [errors.CrossfadeError]
    for kind in found:
        found += [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
    return sorted(
        {kind.__name__ for kind in found if not any(issubclass(each, kind) for each in found if each != kind)}
    )


def headings(document: str) -> set[str]:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    return set(re.findall(r"^#+ `?([\w -]+?)`?$", text, re.MULTILINE))


@pytest.mark.parametrize("error", leaves())
def test_the_runbook_says_what_to_do_about_every_error(error: str) -> None:
    assert error in headings("runbook.md")


def test_the_runbook_names_no_error_that_is_gone() -> None:
    section = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8").split("\n## By error\n")[1].split("\n## ")[0]
    named = set(re.findall(r"^### `(\w+)`$", section, re.MULTILINE))

    assert named == set(leaves())


def test_the_errors_are_drawn_as_they_are() -> None:
    drawn = re.findall(r"^ +[x+] (\w+) ", str(errors.__doc__), re.MULTILINE)

    assert sorted(set(drawn) - {"Refused", "TryAgain"}) == leaves()


def test_the_runbook_says_what_each_phase_means() -> None:
    assert {str(phase) for phase in Phase} <= headings("runbook.md")


@pytest.mark.parametrize("row", sorted(gaps.TABLE))
def test_every_gap_is_explained(row: str) -> None:
    explained = (ROOT / "docs" / "gaps.md").read_text(encoding="utf-8")

    assert f"`{row}`" in explained


def test_every_edge_is_explained() -> None:
    edges = {path.stem for path in (PACKAGE / "shift").glob("*.py")} & {"alb", "nlb", "route53", "cloudfront"}

    assert edges
    assert edges <= {heading.lower() for heading in headings("edges.md")}


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_every_sample_event_parses(path: Path) -> None:
    sample = json.loads(path.read_text(encoding="utf-8"))

    assert isinstance(sample, dict)


def test_the_version_is_one() -> None:
    version = PROJECT["project"]["version"]
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert re.findall(r"SemanticVersion: (\S+)", template) in ([version], [])
    assert re.findall(r"^## \[([\d.]+)\]", changelog, re.MULTILINE)[:1] == [version]


def test_what_the_layer_carries_is_what_the_package_declares() -> None:
    declared = set(PROJECT["project"]["dependencies"])

    for requirements in ("layers/core/requirements.in", "requirements-dev.in"):
        lines = (ROOT / requirements).read_text(encoding="utf-8").splitlines()
        assert declared <= set(lines), requirements
    layer = {line for line in (ROOT / "layers/core/requirements.in").read_text().splitlines() if "==" in line}
    assert layer == declared


def test_the_layer_and_development_have_the_same_versions() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([\w.\[\]-]+==[^\s;]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))

    assert pins("layers/core/requirements.txt") <= pins("requirements-dev.txt")


def test_no_file_names_a_registry_or_a_machine() -> None:
    names = (("py" + "pi", "org"), ("python" + "hosted", "org"), ("npm" + "js", "org"), ("conda", "io"))
    hosts = [".".join(parts) for parts in names]
    paths = [
        "/".join(("", *parts)) for parts in (("root", ""), ("work", ""), ("tmp", "w"), ("opt", "pypi"), ("home", ""))
    ]
    forbidden = re.compile(
        "|".join(re.escape(text) for text in hosts) + "|" + "|".join(rf"(?<![\w.$)}}]){p}" for p in paths)
    )

    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked()
        if path.suffix not in {".png", ".xz", ".gz"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if forbidden.search(line)
    ]

    assert found == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_every_folder_is_said_what_it_is_for_in_one_place() -> None:
    said = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Where things are")[2].partition("##")[0]
    top = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT} - {".ci"}
    packages = {f"crossfade/{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
    inner = {
        f"{whole}/{path.relative_to(ROOT / whole).parts[0]}"
        for whole in ("rehearsal", "tests")
        for path in tracked()
        if path.is_relative_to(ROOT / whole) and len(path.relative_to(ROOT / whole).parts) > 1
    } - {"tests/fixtures"}

    assert [folder for folder in sorted(top | packages | inner) if f"`{folder}" not in said] == []


def test_every_decision_has_a_number_of_its_own_and_is_listed() -> None:
    decisions = sorted(path.name for path in (ROOT / "docs/decisions").glob("0*.md"))
    listed = (ROOT / "docs/decisions/README.md").read_text()

    assert [name[:4] for name in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    assert all((ROOT / "docs/decisions" / name).read_text().startswith(f"# {name[:4]} ") for name in decisions)
    assert [name for name in decisions if f"[{name[:4]}]({name})" not in listed] == []


def test_every_target_a_document_tells_to_make_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    told = {
        target
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"`make ([a-z-]+)`", page.read_text(encoding="utf-8"))
    }

    assert told <= targets


@pytest.mark.parametrize("signal", [signal.name for signal in SIGNALS])
def test_every_signal_is_explained(signal: str) -> None:
    explained = (ROOT / "docs" / "signals.md").read_text(encoding="utf-8")

    assert f"`{signal}`" in explained
