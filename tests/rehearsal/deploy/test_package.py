from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from crossfade.mesh.template import load_template
from rehearsal.deploy.errors import TemplateRefused
from rehearsal.deploy.package import package

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Handler: app.handler}}
Resources:
  Core:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: makefile}
    Properties: {ContentUri: layers/core}
  Greet: {Type: AWS::Serverless::Function, Properties: {CodeUri: functions/greet}}
  Move: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: statemachines/move.asl.yaml}}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source tree as a developer's machine holds it, caches and all."""
    files = {
        "functions/greet/app.py": "def handler(event, context):\n    return event\n",
        "functions/greet/__pycache__/app.cpython-311.pyc": "stale",
        "layers/core/Makefile": "build-Core:\n",
        "layers/core/requirements.txt": "pydantic\n",
        "layers/core/python/crossfade/__init__.py": "",
        "layers/core/python/crossfade/shift/share.py": "FULL = 1\n",
        "layers/core/python/crossfade/__pycache__/x.pyc": "stale",
        "statemachines/move.asl.yaml": "# the whole of it\nStartAt: Go\nStates:\n  Go: {Type: Pass, End: true}\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def packed(aws: Any, source: Path, text: str = TEMPLATE) -> Mapping[str, Any]:
    packaged = package(
        load_template(text, "template.yaml"), source, aws.client("s3"), bucket="packages", region="eu-west-1"
    )
    resources: Mapping[str, Any] = packaged["Resources"]
    return resources


def body(aws: Any, place: Mapping[str, str]) -> bytes:
    found: bytes = aws.client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"])["Body"].read()
    return found


def inside(aws: Any, place: Mapping[str, str]) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(body(aws, place))).namelist()


def test_a_function_is_its_folder_without_caches(aws: Any, source: Path) -> None:
    resources = packed(aws, source)

    assert inside(aws, resources["Greet"]["Properties"]["CodeUri"]) == ["app.py"]


def test_a_layer_is_our_own_package_under_python(aws: Any, source: Path) -> None:
    resources = packed(aws, source)

    assert inside(aws, resources["Core"]["Properties"]["ContentUri"]) == [
        "python/crossfade/__init__.py",
        "python/crossfade/shift/share.py",
    ]


def test_a_state_machine_is_its_definition_as_json(aws: Any, source: Path) -> None:
    resources = packed(aws, source)

    definition = json.loads(body(aws, resources["Move"]["Properties"]["DefinitionUri"]))
    assert definition == {"StartAt": "Go", "States": {"Go": {"Type": "Pass", "End": True}}}


def test_the_same_source_has_the_same_keys_whenever_it_was_written(aws: Any, source: Path) -> None:
    first = packed(aws, source)
    for path in source.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o600)

    assert packed(aws, source) == first


def test_a_change_of_one_file_changes_that_key_alone(aws: Any, source: Path) -> None:
    first = packed(aws, source)
    (source / "functions/greet/app.py").write_text("def handler(event, context):\n    return 2\n")

    second = packed(aws, source)

    assert [name for name in first if first[name] != second[name]] == ["Greet"]


def test_the_document_given_is_left_as_it_was(aws: Any, source: Path) -> None:
    document = load_template(TEMPLATE, "template.yaml")

    package(document, source, aws.client("s3"), bucket="packages", region="eu-west-1")

    assert document == load_template(TEMPLATE, "template.yaml")


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("functions/greet/app.py", "Greet: handler app.handler needs functions/greet/app.py, which is missing"),
        ("statemachines/move.asl.yaml", "Move: the definition cannot be read"),
    ],
)
def test_a_missing_file_is_named(aws: Any, source: Path, missing: str, says: str) -> None:
    (source / missing).unlink()

    with pytest.raises(TemplateRefused, match=says):
        packed(aws, source)


def test_a_missing_layer_folder_is_named(aws: Any, source: Path) -> None:
    with pytest.raises(TemplateRefused, match=r"Core: the layer's folder .*elsewhere.* is missing"):
        packed(aws, source, TEMPLATE.replace("layers/core", "elsewhere"))
