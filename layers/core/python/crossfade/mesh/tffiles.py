"""
The files of a Terraform tree: which folders are roots, what blocks they hold, and the values their variables are given.

python-hcl2 is imported when first needed: plans are drawn where it is installed, and the layer does not carry it. Pure.

Source: Terraform Language, "Modules", "Input Variables" (their precedence).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from crossfade.errors import BadInput
from crossfade.mesh.hcl import plain
from crossfade.mesh.items import Item
from crossfade.mesh.template import load_yaml
from crossfade.mesh.tfexpressions import Nowhere, evaluated, is_remark, unquoted

DEEPEST: Final = 25
"""Modules that call each other."""
_LARGEST_CHARACTERS: Final = 300_000
"""Of one file; python-hcl2 takes seconds for this many."""


@dataclass(slots=True)
class Configuration:
    """What Terraform files hold together; `unknown` and `notes` are as in `model.Found`, `used` are parameters."""

    items: list[Item] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    modules_elsewhere: dict[str, str] = field(default_factory=dict)


class FileTree:
    """The files of all modules, and what is gathered from them."""

    def __init__(
        self, files: Sequence[tuple[str, str]], beside: Mapping[str, str], parameters: Mapping[str, str]
    ) -> None:
        self.found = Configuration()
        self.parameters = parameters
        self.beside = beside
        self.folders: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        self._values: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        for path, text in files:
            folder = str(PurePosixPath(path).parent)
            body = _parsed(path, text)
            if PurePosixPath(path).suffix == ".tfvars" or path.endswith(".tfvars.json"):
                self._values.setdefault(folder, []).append((path, body))
            else:
                self.folders.setdefault(folder, []).append((path, body))

    def roots(self) -> list[str]:
        """Return the folders that no other folder calls."""
        called = {
            target
            for folder in self.folders
            for _path, _name, call in self.blocks(folder, "module")
            if (target := self.local(folder, unquoted(call.get("source", "")))) is not None
        }
        return [folder for folder in self.folders if folder not in called] or list(self.folders)

    def local(self, folder: str, source: str) -> str | None:
        """Return the folder of a module's source when it is among the files."""
        if not source.startswith(("./", "../")):
            return None
        parts: list[str] = []
        for each in PurePosixPath(folder, source).parts:
            if each == ".." and parts and parts[-1] != "..":
                parts.pop()
            elif each != ".":
                parts.append(each)
        target = str(PurePosixPath(*parts)) if parts else "."
        return target if target in self.folders and target != folder else None

    def blocks(self, folder: str, kind: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Yield (file, label, body) of each block of one label."""
        for path, body in self.folders.get(folder, ()):
            for block in body.get(kind, ()):
                for label, inner in block.items() if isinstance(block, Mapping) else ():
                    if not is_remark(label) and isinstance(inner, Mapping):
                        yield path, unquoted(label), inner

    def given(self, folder: str) -> Mapping[str, object]:
        """Return the values of a root's variables: from its tfvars files, in their order, then from the operator."""
        values: dict[str, object] = {}
        sources = self._values.get(folder, [])
        if not sources and len(self.roots()) == 1:
            sources = [each for every in self._values.values() for each in every]
        nowhere = Nowhere()
        for _path, body in sorted(sources, key=lambda each: not each[0].endswith("terraform.tfvars")):
            for name, value in body.items():
                if not is_remark(name):
                    values[unquoted(name)] = plain(evaluated(value, nowhere))
        return values


def _parsed(path: str, text: str) -> Mapping[str, Any]:
    if path.endswith(".json"):
        body = load_yaml(text, path)
        if not isinstance(body, Mapping):
            raise BadInput(f"{path}: not Terraform; a mapping was expected")
        return body
    import hcl2
    from lark.exceptions import LarkError, UnexpectedInput

    if len(text) > _LARGEST_CHARACTERS:
        raise BadInput(f"{path}: larger than {_LARGEST_CHARACTERS:,} characters; give `terraform show -json` instead")
    _refuse_depth(path, text)
    try:
        found = hcl2.loads(on_one_line(text if text.endswith("\n") else text + "\n"))
    except UnexpectedInput as error:
        raise BadInput(f"{path}:{error.line}: not readable as Terraform's HCL 2") from error
    except (LarkError, RecursionError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"{path}: not readable as Terraform's HCL 2") from error
    return found if isinstance(found, Mapping) else {}


_OUTSIDE: Final = re.compile(r"""(?P<line>\#|//)|(?P<block>/\*)|<<-?(?P<mark>\w+)\n|(?P<text>")""")
_INSIDE: Final = re.compile(r"""\\.|\$\$\{|%%\{|[$%]\{|[{}"]|\n""", re.DOTALL)


def on_one_line(text: str) -> str:
    """
    Return a file with each interpolation of a quoted text on one line.

    Terraform lets `"${...}"` run over several lines, python-hcl2 does not. Heredocs and comments stay as they are.
    """
    made: list[str] = []
    at = 0
    while (found := _OUTSIDE.search(text, at)) is not None:
        if found["text"] is None:
            end = _end_of_rest(text, found)
            made.append(text[at:end])
        else:
            end = _end_of_text(text, found.end())
            made += [text[at : found.start()], text[found.start() : end].replace("\n", " ")]
        at = end
    return "".join([*made, text[at:]])


def _end_of_rest(text: str, found: re.Match[str]) -> int:
    """Return where a comment or a heredoc ends; one that never does ends with the file."""
    if found["mark"] is not None:
        closing = re.compile(rf"\n[ \t]*{found['mark']}\n").search(text, found.end() - 1)
        return closing.end() - 1 if closing is not None else len(text)
    mark = "\n" if found["line"] is not None else "*/"
    end = text.find(mark, found.end())
    return end + len(mark) if end >= 0 else len(text)


def _end_of_text(text: str, start: int) -> int:
    """Return where a quoted text ends; one that never does, or whose line ends outside an interpolation, ends there."""
    nested = ['"']
    for found in _INSIDE.finditer(text, start):
        said = found[0]
        if said == "\n" and nested[-1] == '"':
            return found.start()
        if said in ("${", "%{") or (said == "{" and nested[-1] == "{"):
            nested.append("{")
        elif said == '"' and nested[-1] == "{":
            nested.append('"')
        elif (said == "}" and nested[-1] == "{") or (said == '"' and nested[-1] == '"'):
            nested.pop()
            if not nested:
                return found.end()
    return len(text)


def _refuse_depth(path: str, text: str) -> None:
    depth = 0
    for each in re.finditer(r"[\[{(]|[\]})]", text):
        depth += 1 if each[0] in "[{(" else -1
        if depth > DEEPEST * 3:
            raise BadInput(f"{path}: nested more than {DEEPEST * 3} levels deep")
