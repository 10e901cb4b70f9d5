"""
The patch that makes an owner's code say what an edge holds: a unified diff of their own file, or nothing.

Pure. Only the action that forwards is rewritten, as text, so that comments, order and intrinsic functions stay. Where
the text cannot be rewritten without a guess (flow style, several target groups that are not told apart, templates of
other tools), there is no diff, and the caller says the exact values instead.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from crossfade.mesh.model import Place

_TERRAFORM = re.compile(
    r'^resource\s+"(?P<kind>aws_(?:lb|alb)_listener(?:_rule)?)"\s+"(?P<name>[^"]+)"\s*\{', re.MULTILINE
)
_TARGET = re.compile(r"^(?P<indent>[ \t]*)target_group_arn\s*=\s*(?P<arn>\S[^\n]*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a forwarding action shall say: green's target group by its ARN, and both weights, which sum to 100."""

    green_arn: str
    blue_weight: int
    green_weight: int


def unified(texts: Mapping[str, str], place: Place, wanted: Wanted) -> str | None:
    """
    Return a unified diff that `git apply` and `patch -p1` take, of the file an action was read from.

    Args:
        texts: The sources by the name that places carry.
        place: Where the action was read.
        wanted: What it shall say.

    Returns:
        The diff; None where the text cannot be rewritten without a guess.
    """
    text = texts.get(place.file)
    if text is None:
        return None
    rewritten = _rewritten(text, place, wanted)
    if rewritten is None or rewritten == text:
        return None
    lines = difflib.unified_diff(
        text.splitlines(keepends=True),
        rewritten.splitlines(keepends=True),
        f"a/{place.file}",
        f"b/{place.file}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _rewritten(text: str, place: Place, wanted: Wanted) -> str | None:
    if place.file.endswith(".tf"):
        return _in_terraform(text, place, wanted)
    if text.lstrip().startswith("{"):
        return _in_json(text, place, wanted)
    return _in_yaml(text, place, wanted)


def _logical_id(place: Place) -> str:
    """Return the resource of a path such as `Resources/Listener/defaultActions`."""
    return place.path.split("/")[1] if place.path.startswith("Resources/") else ""


# -- CloudFormation, YAML --------------------------------------------------------


def _in_yaml(text: str, place: Place, wanted: Wanted) -> str | None:
    properties = _node(yaml.compose(text, Loader=yaml.SafeLoader), "Resources", _logical_id(place), "Properties")
    actions = _node(properties, "DefaultActions") or _node(properties, "Actions")
    if not isinstance(actions, yaml.SequenceNode):
        return None
    forwarding = [each for each in actions.value if isinstance(each, yaml.MappingNode) and _forwards(each)]
    if len(forwarding) != 1 or actions.flow_style or forwarding[0].flow_style:
        return None
    [action] = forwarding
    blue = _blue_in_yaml(text, action, wanted)
    if blue is None:
        return None
    spoken = [(key, value) for key, value in action.value if key.value in ("TargetGroupArn", "ForwardConfig")]
    lines = text.splitlines(keepends=True)
    indent = " " * spoken[0][0].start_mark.column
    said = "".join(f"{indent}{line}\n" for line in _forward_config(blue, wanted))
    for key, value in reversed(spoken):
        first, last = key.start_mark.line, _last_line(lines, value)
        before = lines[first][: key.start_mark.column]
        if before.strip():  # `- TargetGroupArn: …`: the dash stays
            said = before + said[len(indent) :]
        lines[first:last] = [said] if key is spoken[0][0] else []
    return "".join(lines)


def _forward_config(blue: str, wanted: Wanted) -> Iterator[str]:
    yield "ForwardConfig:"
    yield "  TargetGroups:"
    for arn, weight in ((blue, wanted.blue_weight), (wanted.green_arn, wanted.green_weight)):
        yield f"    - TargetGroupArn: {arn}"
        yield f"      Weight: {weight}"


def _forwards(action: yaml.MappingNode) -> bool:
    kind = _node(action, "Type")
    return isinstance(kind, yaml.ScalarNode) and kind.value == "forward"


def _blue_in_yaml(text: str, action: yaml.MappingNode, wanted: Wanted) -> str | None:
    """Return how the text names blue's target group: the only one, or the one beside green's ARN."""
    named = [_node(action, "TargetGroupArn")]
    groups = _node(action, "ForwardConfig", "TargetGroups")
    if isinstance(groups, yaml.SequenceNode):
        named += [_node(group, "TargetGroupArn") for group in groups.value]
    said = {text[each.start_mark.index : each.end_mark.index].strip() for each in named if each is not None}
    others = [each for each in said if each.strip("'\"") != wanted.green_arn]
    return others[0] if len(others) == 1 and "\n" not in others[0] else None


def _node(node: Any, *names: str) -> Any:
    for name in names:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for key, value in node.value if key.value == name), None)
    return node


def _last_line(lines: list[str], value: yaml.Node) -> int:
    """Return the line after a value; a block ends where its last line with anything on it does."""
    if isinstance(value, yaml.ScalarNode):
        return int(value.end_mark.line) + 1
    last = int(value.end_mark.line)
    while last > value.start_mark.line and not lines[last - 1].strip():
        last -= 1
    return last


# -- CloudFormation, JSON --------------------------------------------------------


def _in_json(text: str, place: Place, wanted: Wanted) -> str | None:
    template = json.loads(text)
    indented = re.match(r"\{\r?\n( +)", text)
    indent = len(indented[1]) if indented else None
    end = "\n" if text.endswith("\n") else ""
    if json.dumps(template, indent=indent, ensure_ascii=False) + end != text:
        return None  # to write it anew would change more than this
    properties = template.get("Resources", {}).get(_logical_id(place), {}).get("Properties", {})
    actions = properties.get("DefaultActions") or properties.get("Actions") or []
    forwarding = [each for each in actions if isinstance(each, dict) and each.get("Type") == "forward"]
    if len(forwarding) != 1:
        return None
    [action] = forwarding
    named = [action.pop("TargetGroupArn", None)]
    named += [each.get("TargetGroupArn") for each in action.get("ForwardConfig", {}).get("TargetGroups", [])]
    others = {json.dumps(each): each for each in named if each not in (None, wanted.green_arn)}
    if len(others) != 1:
        return None
    [blue] = others.values()
    pairs = ((blue, wanted.blue_weight), (wanted.green_arn, wanted.green_weight))
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in pairs]
    action["ForwardConfig"] = {**action.get("ForwardConfig", {}), "TargetGroups": groups}
    return json.dumps(template, indent=indent, ensure_ascii=False) + end


# -- Terraform -------------------------------------------------------------------


def _in_terraform(text: str, place: Place, wanted: Wanted) -> str | None:
    for found in _TERRAFORM.finditer(text):
        if f"{found['kind']}.{found['name']}" not in place.path:
            continue
        start, end = found.end(), _closing(text, found.end())
        targets = list(_TARGET.finditer(text, start, end))
        if len(targets) != 1:
            return None
        [target] = targets
        said = "\n".join(f"{target['indent']}{line}" for line in _forward_block(target["arn"], wanted))
        return text[: target.start()] + said + text[target.end() :]
    return None


def _forward_block(blue: str, wanted: Wanted) -> Iterator[str]:
    yield "forward {"
    for arn, weight in ((blue, wanted.blue_weight), (json.dumps(wanted.green_arn), wanted.green_weight)):
        yield "  target_group {"
        yield f"    arn    = {arn}"
        yield f"    weight = {weight}"
        yield "  }"
    yield "}"


def _closing(text: str, position: int) -> int:
    """Return where the block ends that is open at a position; braces in strings come in pairs."""
    depth = 1
    while depth and position < len(text):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return position
