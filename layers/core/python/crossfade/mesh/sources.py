"""
Tells what a source is by looking at it, and has the right reader read it.

Pure: texts in, the mesh model out. What cannot be read is refused by name, with what to
give instead.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh.cloudformation import Template, read_templates
from crossfade.mesh.model import Found
from crossfade.mesh.template import load_yaml
from crossfade.plan.document import SourceFile

SUFFIXES: Final = (".yaml", ".yml", ".json", ".template")
"""Files that are looked at in a folder."""

_MESH_ON_KUBERNETES: Final = re.compile(r"^\s*[\"']?apiVersion[\"']?:\s*[\"']?appmesh\.k8s\.aws", re.MULTILINE)
_TERRAFORM: Final = (".tf", ".tfvars", ".tfstate", ".hcl")
_DESCRIBED: Final = frozenset(
    {"mesh", "virtualNode", "virtualRouter", "virtualService", "route", "virtualGateway", "gatewayRoute", "meshName"}
    | {"meshes", "virtualNodes", "virtualRouters", "virtualServices", "routes", "taskDefinition", "services"}
)


@dataclass(frozen=True, slots=True)
class SourceText:
    """One source: its path as the operator gave it, and its text."""

    path: str
    text: str

    def file(self) -> SourceFile:
        """Return the source as a plan records it."""
        return SourceFile(path=self.path, sha256=hashlib.sha256(self.text.encode()).hexdigest())


def read_sources(sources: Sequence[SourceText], parameters: Mapping[str, str]) -> Found:
    """
    Return what the sources hold together.

    Args:
        sources: The texts, in any order.
        parameters: See `crossfade.mesh.cloudformation.read_templates`.

    Raises:
        BadInput: a source is no CloudFormation template, or is not as it should be.
    """
    if not sources:
        raise BadInput("no source given")
    return read_templates([_template(source) for source in sources], parameters).in_order()


def _template(source: SourceText) -> Template:
    path = source.path
    if PurePath(path).suffix in _TERRAFORM or path.endswith(".tf.json"):
        raise BadInput(f"{path}: Terraform cannot be read yet; give the mesh as a CloudFormation template")
    if _MESH_ON_KUBERNETES.search(source.text):
        raise BadInput(
            f"{path}: an App Mesh resource of Kubernetes; Service Connect is a feature of Amazon ECS, so a mesh on "
            "Kubernetes has no way there (Amazon VPC Lattice is AWS's answer for it)"
        )
    body = load_yaml(source.text, path)
    if isinstance(body, Mapping) and isinstance(body.get("Resources"), Mapping):
        return Template(path=path, body={str(key): value for key, value in body.items()})
    raise BadInput(f"{path}: {_what(body)}")


def _what(body: object) -> str:
    """Return what a text is that is no template."""
    if isinstance(body, Mapping):
        if "apiVersion" in body and "kind" in body:
            return "a Kubernetes resource; Service Connect is a feature of Amazon ECS"
        if "terraform_version" in body or "format_version" in body:
            return "Terraform's state or plan, which cannot be read yet; give a CloudFormation template"
        if _DESCRIBED & set(body):
            return "an answer or input of the AWS CLI, which cannot be read yet; give a CloudFormation template"
    return "not a CloudFormation template; it has no Resources"


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
