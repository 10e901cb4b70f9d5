"""
Tells what a source is by looking at it, and has the right reader read it.

Pure: texts in, the mesh model out. What cannot be read is refused by name, with what to
give instead; a file that merely lies in a folder and is plainly something else is left aside.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh.answers import is_answer, read_answers
from crossfade.mesh.cloudformation import Template, read_templates
from crossfade.mesh.dependencies import is_dependencies, read_dependencies
from crossfade.mesh.items import found_of
from crossfade.mesh.model import Found, merge
from crossfade.mesh.plain_ecs import see_plain_services
from crossfade.mesh.taskdefs import rebuild
from crossfade.mesh.template import load_yaml
from crossfade.mesh.terraform import read_configuration
from crossfade.mesh.tfstate import is_state, read_states

SUFFIXES: Final = (
    *(".yaml", ".yml", ".json", ".template"),
    *(".tf", ".tfvars", ".tfstate"),
    *(".tpl", ".tftpl", ".tmpl"),
)
"""Files that are looked at in a folder; the last three are templates that Terraform may read."""

_MESH_ON_KUBERNETES: Final = re.compile(r"^\s*[\"']?apiVersion[\"']?:\s*[\"']?appmesh\.k8s\.aws", re.MULTILINE)
_COPILOT: Final = (
    "Load Balanced Web Service",
    "Request-Driven Web Service",
    "Backend Service",
    "Worker Service",
    "Scheduled Job",
    "Static Site",
    "Environment",
)
"""Types of AWS Copilot's manifests, which are no templates but turn into some."""
_BESIDE: Final = (".tpl", ".tftpl", ".tmpl")
_LINK: Final = re.compile(r"\.{0,2}[\w./-]+\.tf\s*")
"""A link that a checkout has stored as a text."""
_TELLING: Final = re.compile(
    r"AWS::|appmesh|virtualNode|virtual_node|containerDefinitions|taskDefinition", re.IGNORECASE
)
"""Words of a file that may hold what a plan needs; one without any is left aside in a folder when it cannot be read."""


@dataclass(frozen=True, slots=True)
class SourceText:
    """One source: its path as the operator gave it, its text, and whether it was merely found in a folder."""

    path: str
    text: str
    by_chance: bool = False

    def digest(self) -> str:
        """Return the SHA-256 of its text, as a plan records it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(slots=True)
class _Sorted:
    """The sources by what they are."""

    templates: list[Template] = field(default_factory=list)
    answers: list[tuple[str, object]] = field(default_factory=list)
    dependencies: list[tuple[str, object]] = field(default_factory=list)
    states: list[tuple[str, object]] = field(default_factory=list)
    configuration: list[tuple[str, str]] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)
    aside: list[str] = field(default_factory=list)


def read_sources(sources: Sequence[SourceText], parameters: Mapping[str, str]) -> Found:
    """
    Return what the sources hold together, sorted by name.

    Args:
        sources: The texts, in any order.
        parameters: See `crossfade.mesh.cloudformation.read_templates` and `crossfade.mesh.answers.read_answers`.

    Raises:
        BadInput: a source is none that can be read, or is not as it should be.
    """
    if not sources:
        raise BadInput("no source given")
    by_form = _sorted(sources)
    configuration = read_configuration(by_form.configuration, by_form.beside, parameters)
    answers = read_answers(by_form.answers, parameters)
    answers.refuse_undescribed()
    items = [*answers.items, *read_states(by_form.states), *configuration.items]
    notes = [*(f"left aside: {each}" for each in by_form.aside), *answers.notes, *configuration.notes]
    unknown = {**answers.unknown, **configuration.unknown}
    parts = [
        read_templates(by_form.templates, parameters, answers.used | configuration.used),
        found_of(items),
        Found(unknown=unknown, dependencies=read_dependencies(by_form.dependencies), notes=tuple(notes)),
    ]
    found = see_plain_services(rebuild(merge(parts))).in_order()
    if not found.services and not found.mesh_names() and configuration.modules_elsewhere:
        named = ", ".join(f"{name} ({source})" for name, source in sorted(configuration.modules_elsewhere.items()))
        raise BadInput(
            f"{by_form.configuration[0][0]}: all it makes comes from modules that are not among the sources: {named}; "
            "give `terraform show -json` instead"
        )
    return found


def _sorted(sources: Sequence[SourceText]) -> _Sorted:
    by_form = _Sorted()
    has_terraform = any(_is_configuration(source.path) for source in sources)
    for source in sources:
        by_form.beside[str(PurePath(source.path))] = source.text
        try:
            _put(source, by_form)
        except BadInput as refused:
            is_telling = not isinstance(refused, _Something) and _TELLING.search(source.text) and not has_terraform
            if _is_configuration(source.path) or not source.by_chance or is_telling:
                raise
            by_form.aside.append(str(refused))
    if not (by_form.templates or by_form.answers or by_form.configuration or by_form.states):
        raise BadInput(by_form.aside[0] if by_form.aside else "the sources hold neither a mesh nor an ECS service")
    return by_form


class _Something(BadInput):
    """A text was read and is something else."""


def _is_configuration(path: str) -> bool:
    return path.endswith((".tf", ".tfvars", ".tf.json", ".tfvars.json"))


def _put(source: SourceText, by_form: _Sorted) -> None:
    path = source.path
    if PurePath(path).suffix in _BESIDE:
        return
    if _is_configuration(path):
        if _LINK.fullmatch(source.text):
            by_form.aside.append(f"{path}: a link to {source.text.strip()}, stored as a text")
        else:
            by_form.configuration.append((path, source.text))
        return
    if _MESH_ON_KUBERNETES.search(source.text):
        raise BadInput(
            f"{path}: an App Mesh resource of Kubernetes; Service Connect is a feature of Amazon ECS, so a mesh on "
            "Kubernetes has no way there (Amazon VPC Lattice is AWS's answer for it)"
        )
    body = load_yaml(source.text, path)
    if isinstance(body, Mapping) and isinstance(body.get("Resources"), Mapping):
        by_form.templates.append(Template(path=path, body={str(key): value for key, value in body.items()}))
    elif is_state(body):
        by_form.states.append((path, body))
    elif is_dependencies(body):
        by_form.dependencies.append((path, body))
    elif body == {} and PurePath(path).stem == "mesh":  # what `aws appmesh create-mesh` takes for a mesh of defaults
        by_form.answers.append((path, {"spec": {}}))
    elif is_answer(body):
        by_form.answers.append((path, body))
    else:
        raise _Something(f"{path}: {_what(body)}")


def _what(body: object) -> str:
    """Return what a text is that cannot be read."""
    if isinstance(body, Mapping):
        if "apiVersion" in body and "kind" in body:
            return "a Kubernetes resource; Service Connect is a feature of Amazon ECS"
        if str(body.get("type")) in _COPILOT:
            return "a manifest of AWS Copilot; give the templates that `copilot svc package` and `env package` write"
        if "terraform_version" in body or "format_version" in body:
            return "Terraform's, but neither a state nor what `terraform show -json` prints"
    return "neither a CloudFormation template (it has no Resources), nor Terraform's, nor an answer of the AWS CLI"


def read_parameters(text: str, path: str) -> dict[str, str]:
    """
    Return the parameters of a file, in any form the AWS tools write.

    A list of `{ParameterKey, ParameterValue}`, an object under `Parameters`, or plain
    `NAME: VALUE` in JSON or YAML.

    Raises:
        BadInput: it is none of these.
    """
    data = load_yaml(text, path)
    if isinstance(data, Mapping) and isinstance(data.get("Parameters"), Mapping):
        data = data["Parameters"]
    if isinstance(data, list):
        pairs = [(item.get("ParameterKey"), item.get("ParameterValue")) for item in data if isinstance(item, Mapping)]
        if len(pairs) != len(data) or any(key is None or value is None for key, value in pairs):
            raise BadInput(f"{path}: each parameter needs a ParameterKey and a ParameterValue")
        return {str(key): _text(value) for key, value in pairs}
    if isinstance(data, Mapping) and not any(isinstance(value, Mapping) for value in data.values()):
        return {str(key): _text(value) for key, value in data.items()}
    raise BadInput(f"{path}: not a file of parameters; write NAME: VALUE")


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)
