"""Who may import what, how long a handler is, and which words a module's name may not be."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "layers" / "core" / "python"
PRODUCT = sorted((PACKAGE / "crossfade").rglob("*.py"))
HANDLERS = sorted((ROOT / "functions").glob("*/app.py"))
AWS_SERVICES = {
    "acmpca",
    "alb",
    "autoscaling",
    "appmesh",
    "awslambda",
    "cloudformation",
    "cloudfront",
    "cloudmap",
    "cloudwatch",
    "codedeploy",
    "dynamodb",
    "ec2",
    "ecs",
    "eventbridge",
    "elbv2",
    "iam",
    "kms",
    "logs",
    "nlb",
    "route53",
    "s3",
    "servicequotas",
    "sns",
    "sqs",
    "stepfunctions",
}
ADAPTERS = AWS_SERVICES - {"cloudformation"}  # mesh/cloudformation.py reads texts that it is given
FLOORS = (
    {"errors"},
    {"frozen", "phases", "resources", "throttles"},
    {"mesh", "request"},
    {"plan", "events", "executions"},
    {"journal"},
    {"connect"},
    {"shift", "draw"},
    {"judge"},
    {"green", "preflight"},
    {"rollout"},
    {"runtime"},
)
"""The product's packages, and the modules beside them, from the ground up: each rests on lower floors only."""
SAYS_NOTHING = {"utils", "util", "common", "manager", "service", "data", "info", "helpers", "misc"}
LONGEST_HANDLER = 30
CARRIED = {"aws_lambda_powertools", "boto3", "botocore", "pydantic", "pydantic_core"}
CUT_OFF = {"botocore.exceptions.ConnectionError", "botocore.exceptions.HTTPClientError"}
NAMES_ERRORS_ONLY = {"crossfade.throttles": {"botocore.exceptions.ClientError"} | CUT_OFF}
DOES_IO = {"boto3", "botocore", "socket", "http", "urllib", "subprocess", "os", "shutil", "tempfile"}


def imports(path: Path) -> Iterator[str]:
    """Yield each module that a file imports at run time, dotted; what stands under TYPE_CHECKING does not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("path", PRODUCT, ids=dotted)
def test_a_module_needs_only_what_the_layer_carries_to_be_imported(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    later = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for inner in ast.walk(node)
    }
    at_once = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in later
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)])
    }

    assert at_once - sys.stdlib_module_names - {"crossfade"} <= CARRIED


@pytest.mark.parametrize("path", PRODUCT, ids=dotted)
def test_only_modules_named_after_an_aws_service_do_io(path: Path) -> None:
    if path.stem in AWS_SERVICES or path.parent.name == "runtime":
        return

    doing_io = {name for name in imports(path) if name.split(".")[0] in DOES_IO}

    assert doing_io <= NAMES_ERRORS_ONLY.get(dotted(path), set())


@pytest.mark.parametrize("path", PRODUCT, ids=dotted)
def test_what_a_call_that_was_cut_off_is_called_is_said_in_one_place(path: Path) -> None:
    if dotted(path) == "crossfade.throttles":
        return

    assert CUT_OFF & set(imports(path)) == set()


@pytest.mark.parametrize("path", PRODUCT, ids=dotted)
def test_boto3_itself_is_imported_in_one_place(path: Path) -> None:
    if dotted(path) == "crossfade.runtime.clients":
        return

    assert "boto3" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", PRODUCT, ids=dotted)
def test_the_product_imports_neither_its_command_nor_its_rehearsal_nor_its_checks(path: Path) -> None:
    outer = {
        name
        for name in imports(path)
        if name.split(".")[0] in {"crossfade_cli", "rehearsal", "checks", "tests", "functions"}
    }

    assert outer == set()


@pytest.mark.parametrize("path", PRODUCT, ids=dotted)
def test_a_package_rests_on_lower_floors_only(path: Path) -> None:
    floor_of = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    package = path.relative_to(PACKAGE).with_suffix("").parts[1]
    used = {name.split(".")[1] for name in imports(path) if name.startswith("crossfade.")} - {package}

    beside_or_above = {name for name in used if floor_of[name] >= floor_of.get(package, 0)}

    assert beside_or_above == set()


def test_every_package_has_a_floor() -> None:
    packages = {path.relative_to(PACKAGE).with_suffix("").parts[1] for path in PRODUCT} - {"__init__"}

    assert packages == set().union(*FLOORS)


@pytest.mark.parametrize("path", PRODUCT, ids=dotted)
def test_a_decider_imports_no_adapter(path: Path) -> None:
    if path.parent.name == "runtime":
        return

    adapters = {
        name
        for name in imports(path)
        if name.startswith("crossfade.") and ADAPTERS & set(name.split(".")[1:-1]) and path.stem not in AWS_SERVICES
    }

    assert adapters == set()


@pytest.mark.parametrize("path", PRODUCT, ids=dotted)
def test_time_comes_in_as_an_argument(path: Path) -> None:
    if path.parent.name == "runtime":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))

    clocks = {
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"datetime.now", "datetime.utcnow", "time.time", "time.monotonic", "time.sleep"}
    }

    assert clocks == set()


@pytest.mark.parametrize("path", PRODUCT, ids=dotted)
def test_errors_are_caught_by_name(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))

    broad = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    ]

    assert broad == []


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_handler_is_one_call(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    modules = {name.split(".")[0] for name in imports(path)}

    assert len(text.splitlines()) <= LONGEST_HANDLER
    assert modules <= {"__future__", "crossfade", "pydantic", "typing"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.Try | ast.For | ast.While)]
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] == ["handler"]


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_functions_folder_is_a_verb_and_a_noun_and_holds_its_handler_only(path: Path) -> None:
    inside = sorted(found.name for found in path.parent.iterdir() if found.name != "__pycache__")

    assert path.parent.name.isidentifier()
    assert path.parent.name == path.parent.name.lower()
    assert inside == ["app.py"]


@pytest.mark.parametrize("path", PRODUCT, ids=dotted)
def test_a_modules_name_says_what_is_in_it(path: Path) -> None:
    assert path.stem not in SAYS_NOTHING
