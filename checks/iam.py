"""
Every policy statement of the translated template, held against AWS's Service Authorization Reference.

An Allow whose condition key the action never sets, or whose resource the action does not
act on, allows nothing: it passes every linter and fails on the first call.

Source: the reference as carried by policy_sentry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from policy_sentry.shared.iam_data import get_service_prefix_data

from checks.finding import Finding

_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "111122223333",
    "AWS::StackName": "crossfade",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/crossfade/1",
}
_ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{region}:table/{name}",
    "AWS::Lambda::Alias": "lambda:{region}:function:{name}:live",
    "AWS::Lambda::Function": "lambda:{region}:function:{name}",
    "AWS::Lambda::Version": "lambda:{region}:function:{name}:1",
    "AWS::Logs::LogGroup": "logs:{region}:log-group:{name}:*",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SNS::Topic": "sns:{region}:{name}",
    "AWS::SQS::Queue": "sqs:{region}:{name}",
    "AWS::StepFunctions::StateMachine": "states:{region}:stateMachine:{name}",
    "AWS::StepFunctions::StateMachineAlias": "states:{region}:stateMachine:{name}:live",
    "AWS::StepFunctions::StateMachineVersion": "states:{region}:stateMachine:{name}:1",
}
_REF_IS_ARN = {
    "AWS::Lambda::Alias",
    "AWS::Lambda::Version",
    "AWS::SNS::Topic",
    "AWS::StepFunctions::StateMachine",
    "AWS::StepFunctions::StateMachineAlias",
    "AWS::StepFunctions::StateMachineVersion",
}
_SET_BY_EVERY_REQUEST = [
    "aws:calledvia",
    "aws:currenttime",
    "aws:epochtime",
    "aws:federated",
    "aws:multifactor",
    "aws:principal",
    "aws:referer",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:resourceorg",
    "aws:secure",
    "aws:source",
    "aws:tokenissue",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
]
_OPERATOR = re.compile(
    r"(ForAllValues:|ForAnyValue:)?(?P<family>String(Not)?(Equals|Like|EqualsIgnoreCase)|Arn(Not)?(Equals|Like)|Bool|Null|"
    r"(Not)?IpAddress|(Numeric|Date)(Not)?(Equals|LessThan(Equals)?|GreaterThan(Equals)?))(IfExists)?"
)
_FAMILIES = {
    "String": ("String",),
    "ARN": ("Arn", "String"),
    "Bool": ("Bool", "String"),
    "Numeric": ("Numeric",),
    "Date": ("Date",),
}
_NEWER_THAN_THE_DATA = frozenset({"cloudwatch:ListAlarmMuteRules", "ecs:ContinueServiceDeployment"})
_CHANGING = frozenset({"Write", "Permissions management", "Tagging"})
_OF_OPERATORS = frozenset({"ecs", "elasticloadbalancing", "iam", "route53"})
"""Services whose resources the operator has: what may be changed there is named when the stack is deployed."""

_UNKNOWN = "<unknown>"
_MIXED = "-of-a-parameter"
"""Marks a statement whose resources are one parameter, which may hold ARNs of several kinds."""
_NAMED = "-by-a-parameter"
"""Marks a statement whose resources a parameter says, whole or in part."""
_ARN_PARTS = 6


@dataclass(frozen=True, slots=True)
class Resolver:
    """Gives intrinsic functions the values that a deployment might give them."""

    template: Mapping[str, Any]

    def arn(self, logical_id: str) -> str:
        """Return the ARN a resource would have."""
        kind = self.template["Resources"][logical_id]["Type"]
        if kind == "AWS::IAM::Role":
            return f"arn:aws:iam::111122223333:role/{logical_id}"
        pattern = _ARNS.get(kind)
        return (
            _UNKNOWN
            if pattern is None
            else "arn:aws:" + pattern.format(region="eu-west-1:111122223333", name=logical_id)
        )

    def ref(self, name: str) -> object:
        """Return the value of a Ref."""
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.template.get("Parameters", {}):
            parameter = self.template["Parameters"][name]
            default = str(parameter.get("Default", "")) or _UNKNOWN
            listed = "List" in str(parameter.get("Type"))
            return [part.strip() for part in default.split(",")] if listed else default
        resource = self.template["Resources"].get(name)
        if resource is None:
            return _UNKNOWN
        return self.arn(name) if resource["Type"] in _REF_IS_ARN else name

    def resolve(self, value: object) -> Any:  # noqa: PLR0911 - one return per intrinsic
        """Return a value without intrinsics; what cannot be known becomes `<unknown>`."""
        if isinstance(value, list):
            flat: list[Any] = []
            for part in (self.resolve(part) for part in value):
                flat += part if isinstance(part, list) else [] if part is None else [part]
            return flat
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            [(name, inner)] = value.items()
            match name:
                case "Ref":
                    return None if inner == "AWS::NoValue" else self.ref(inner)
                case "Fn::GetAtt":
                    target, _, attribute = inner.partition(".") if isinstance(inner, str) else (inner[0], ".", inner[1])
                    return self.arn(target) if attribute.endswith("Arn") else target
                case "Fn::Sub":
                    return self._sub(inner)
                case "Fn::Join":
                    return inner[0].join(str(part) for part in self.resolve(inner[1]))
                case "Fn::If":
                    branches = [self.resolve(branch) for branch in inner[1:]]
                    return next((branch for branch in branches if branch is not None), None)
                case "Fn::Split" | "Fn::Select" | "Fn::FindInMap" | "Fn::ImportValue":
                    return _UNKNOWN
        return {key: self.resolve(part) for key, part in value.items()}

    def _sub(self, given: str | list[Any]) -> str:
        text, local = (given[0], self.resolve(given[1])) if isinstance(given, list) else (given, {})

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name in local:
                return str(local[name])
            return str(self.resolve({"Fn::GetAtt": name} if "." in name else {"Ref": name}))

        return re.sub(r"\$\{([^}!]+)\}", value, text)


def statements(translated: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (place, statement) of every identity policy, intrinsics resolved."""
    resolver = Resolver(translated)
    for name, resource in translated["Resources"].items():
        properties = resource.get("Properties", {})
        documents = []
        if resource["Type"] == "AWS::IAM::Role":
            documents = [policy.get("PolicyDocument", {}) for policy in _items(properties.get("Policies"))]
        elif resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
            documents = [properties.get("PolicyDocument", {})]
        for document in documents:
            for raw in _items(document.get("Statement")):
                for statement in _items(resolver.resolve(raw)):
                    of_parameter = isinstance(raw, Mapping) and _is_list_parameter(raw.get("Resource"), translated)
                    named = isinstance(raw, Mapping) and _by_parameter(raw.get("Resource"), translated)
                    marked = {**statement, _MIXED: of_parameter, _NAMED: named}
                    yield f"{name} [{statement.get('Sid', '-')}]", marked


def _is_list_parameter(resource: object, translated: Mapping[str, Any]) -> bool:
    return isinstance(resource, Mapping) and resource.get("Ref") in translated.get("Parameters", {})


def _by_parameter(resource: object, translated: Mapping[str, Any]) -> bool:
    """Say whether every resource has a parameter's value in it."""
    names = translated.get("Parameters", {})
    if isinstance(resource, list):
        return all(_by_parameter(each, translated) for each in resource)
    if not isinstance(resource, Mapping):
        return False
    if "Fn::Sub" in resource:
        text = resource["Fn::Sub"] if isinstance(resource["Fn::Sub"], str) else resource["Fn::Sub"][0]
        return any(found in names for found in re.findall(r"\$\{([^}!]+)\}", text))
    return resource.get("Ref") in names


def _items(value: object) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def permissions(translated: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield each statement that allows nothing, or more than it says."""
    for place, statement in statements(translated):
        if statement.get("Effect") not in ("Allow", "Deny"):
            yield Finding(place, f"Effect {statement.get('Effect')!r} does not exist")
        for action in _items(statement.get("Action")):
            yield from (Finding(place, what) for what in _action(str(action), statement))


def _action(action: str, statement: Mapping[str, Any]) -> Iterator[str]:
    if action == "*" or action.endswith(":*"):
        yield f"{action}: too wide; name the actions"
        return
    prefix, _, name = action.partition(":")
    reference = get_service_prefix_data(prefix)
    if not reference:
        yield f"{action}: no such service"
        return
    privileges = [row for known, row in reference["privileges"].items() if fnmatchcase(known.lower(), name.lower())]
    if not privileges and action not in _NEWER_THAN_THE_DATA:
        yield f"{action}: no such action"
    conditions = statement.get("Condition") or {}
    for privilege in privileges:
        yield from _too_wide(action, statement, privilege, reference)
        yield from _resources(action, statement, privilege, reference)
        yield from _conditions(action, conditions, privilege, reference)
    if action.lower() == "iam:passrole":
        keys = {key.lower() for pairs in conditions.values() for key in pairs}
        if "iam:passedtoservice" not in keys:
            yield "iam:PassRole: no condition iam:PassedToService"
        if "*" in _items(statement.get("Resource")):
            yield "iam:PassRole: on every role"


def _too_wide(
    action: str, statement: Mapping[str, Any], privilege: Mapping[str, Any], reference: Mapping[str, Any]
) -> Iterator[str]:
    if statement.get("Effect") != "Allow" or privilege["access_level"] not in _CHANGING:
        return
    kinds = [kind for kind in privilege["resource_types"] if kind in reference["resources"]]
    if kinds and "*" in _items(statement.get("Resource")):
        yield f"{action}: changes things, on every resource there is; name them"
    if kinds and action.partition(":")[0] in _OF_OPERATORS and not statement.get(_NAMED):
        yield f"{action}: changes what is the operator's, and no parameter says which"


def _resources(
    action: str, statement: Mapping[str, Any], privilege: Mapping[str, Any], reference: Mapping[str, Any]
) -> Iterator[str]:
    patterns = [
        reference["resources"][kind]["arn"] for kind in privilege["resource_types"] if kind in reference["resources"]
    ]
    resources = [str(resource) for resource in _items(statement.get("Resource"))]
    wrong = [
        resource
        for resource in resources
        if not resource.startswith(_UNKNOWN)
        and resource != "*"
        and not any(_fits(pattern, resource) for pattern in patterns)
    ]
    if statement.get(_MIXED) and len(wrong) < len(resources):
        return
    for resource in wrong:
        what = "does not act on" if patterns else "takes no resource but *, not"
        yield f"{action}: {what} {resource}"


def _fits(pattern: str, arn: str) -> bool:
    wanted, given = _without_variables(pattern).split(":", 5), arn.split(":", 5)
    if len(given) < _ARN_PARTS:
        return False
    return all(_meet(want, give) for want, give in zip(wanted, given, strict=True))


def _meet(one: str, other: str) -> bool:
    """Tell whether some text matches both patterns, in which `*` stands for any text."""
    reachable = {(0, 0)}
    ahead = [(0, 0)]
    while ahead:
        i, j = ahead.pop()
        steps = set()
        if i < len(one) and one[i] == "*":
            steps |= {(i + 1, j)} | ({(i, j + 1)} if j < len(other) else set())
        if j < len(other) and other[j] == "*":
            steps |= {(i, j + 1)} | ({(i + 1, j)} if i < len(one) else set())
        if i < len(one) and j < len(other) and one[i] == other[j]:
            steps.add((i + 1, j + 1))
        ahead += steps - reachable
        reachable |= steps
    return (len(one), len(other)) in reachable


def _without_variables(pattern: str) -> str:
    return re.sub(r"\$\{[^}]+\}", "*", pattern)


def _conditions(
    action: str, conditions: Mapping[str, Mapping[str, Any]], privilege: Mapping[str, Any], reference: Mapping[str, Any]
) -> Iterator[str]:
    rows = privilege["resource_types"].values()
    resources = [reference["resources"].get(kind, {}) for kind in privilege["resource_types"]]  # their tags, mostly
    settable = {
        _without_variables(key).lower() for row in (*rows, *resources) for key in row.get("condition_keys") or []
    }
    types = {_without_variables(key).lower(): str(row.get("type", "")) for key, row in reference["conditions"].items()}
    for operator, pairs in conditions.items():
        known = _OPERATOR.fullmatch(operator)
        if known is None:
            yield f"{action}: no condition operator {operator} exists"
            continue
        for key in pairs:
            lower = key.lower()
            if not lower.startswith(tuple(_SET_BY_EVERY_REQUEST)) and not any(fnmatchcase(lower, s) for s in settable):
                yield f"{action}: condition {key} is never set for it, so the statement never applies"
            kind = next((kind for pattern, kind in types.items() if fnmatchcase(lower, pattern)), "").removeprefix(
                "ArrayOf"
            )
            if known["family"] != "Null" and kind in _FAMILIES and not known["family"].startswith(_FAMILIES[kind]):
                yield f"{action}: {key} is a {kind} key, {operator} does not fit it"
