"""
The SAM template: read it, and check what no linter looks at.

Linters do not see that a handler's file is missing, that a `${Substitution}` has no value,
that an event pattern's value is no list, or that a dead-letter queue is given by its URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from checks.finding import Finding
from checks.machine import Machine

_FUNCTION, _MACHINE = "AWS::Serverless::Function", "AWS::Serverless::StateMachine"
_LAYER, _LOGS = "AWS::Serverless::LayerVersion", "AWS::Logs::LogGroup"
_PATTERN_FIELDS = {"account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version", "$or"}
_PARTITION = re.compile(r"^arn:aws[a-z-]*:(?!states:::)")


@dataclass(frozen=True, slots=True)
class Template:
    """The source template and the folder it stands in; short intrinsic tags are written out as `Fn::` maps."""

    folder: Path
    body: Mapping[str, Any]

    def resources(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield (logical id, properties) of every resource of a type."""
        for name, resource in self.body.get("Resources", {}).items():
            if resource.get("Type") == kind:
                yield name, resource.get("Properties", {})

    def setting(self, properties: Mapping[str, Any], name: str) -> object:
        """Return a function's property, or the one in Globals."""
        return properties.get(name, self.body.get("Globals", {}).get("Function", {}).get(name))


def parse(folder: Path, text: str) -> Template:
    """Read a template; the folder is where its CodeUri, ContentUri and DefinitionUri start."""
    return Template(folder, yaml_parse(text))


def load(path: Path) -> Template:
    """Read the template in this file."""
    return parse(path.parent, path.read_text(encoding="utf-8"))


def every_check(template: Template, machines: Mapping[str, Machine]) -> Iterator[Finding]:
    """Yield all findings; `machines` are those in the DefinitionUri folders, by file name without endings."""
    yield from functions_exist(template)
    yield from substitutions(template, machines)
    yield from event_patterns(template)
    yield from dead_letters(template)
    yield from partitions(template)
    yield from pass_roles(template)
    yield from architectures(template)
    yield from aliases_move(template)
    yield from parameters(template)
    yield from logs_end(template)


def functions_exist(template: Template) -> Iterator[Finding]:
    """Yield each function whose folder, module or handler is missing; SAM builds such a function without a word."""
    for name, properties in template.resources(_FUNCTION):
        folder = template.folder / str(template.setting(properties, "CodeUri"))
        module, _, handler = str(template.setting(properties, "Handler")).rpartition(".")
        source = folder / f"{module}.py"
        if not source.is_file():
            yield Finding(name, f"{source.relative_to(template.folder)} does not exist")
        elif not re.search(rf"^def {handler}\(|^{handler}\s*[:=]", source.read_text(encoding="utf-8"), re.MULTILINE):
            yield Finding(name, f"{source.relative_to(template.folder)} has no {handler}")
        if (folder / "requirements.txt").exists():
            yield Finding(name, "has a requirements.txt: third-party code belongs to the layer")
    declared = {str(properties.get("CodeUri", "")).rstrip("/") for _name, properties in template.resources(_FUNCTION)}
    for path in sorted((template.folder / "functions").glob("*/app.py")):
        uri = path.parent.relative_to(template.folder).as_posix()
        if uri not in declared:
            yield Finding(uri, "no function of the template has this folder")
    for name, properties in template.resources(_LAYER):
        if not (template.folder / str(properties.get("ContentUri"))).is_dir():
            yield Finding(name, f"{properties.get('ContentUri')} does not exist")


def substitutions(template: Template, machines: Mapping[str, Machine]) -> Iterator[Finding]:
    """Yield each `${Name}` of a definition without a value, and each value no definition asks for."""
    used: set[str] = set()
    for name, properties in template.resources(_MACHINE):
        uri = properties.get("DefinitionUri")
        path = template.folder / str(uri)
        if not path.is_file():
            yield Finding(name, f"{uri} does not exist")
            continue
        machine = path.name.removesuffix(".asl.yaml")
        used.add(machine)
        asked = asked_for(machines[machine].text)
        given = set(properties.get("DefinitionSubstitutions", {}))
        yield from (Finding(f"{name} ({machine})", f"${{{key}}} has no value") for key in sorted(asked - given))
        yield from (
            Finding(f"{name} ({machine})", f"{key} is given and not asked for") for key in sorted(given - asked)
        )
    for machine in sorted(set(machines) - used):
        yield Finding(machine, "no state machine of the template has this definition")


def asked_for(text: str) -> set[str]:
    """Return the names of the substitutions that a definition's text asks for, comments left out."""
    return set(re.findall(r"\$\{([A-Za-z0-9]+)\}", re.sub(r"(^|\s)#.*", "", text)))


def event_patterns(template: Template) -> Iterator[Finding]:
    """Yield each event pattern that would never match: a value that is no list, a field EventBridge does not send."""
    for name, resource in template.body.get("Resources", {}).items():
        properties = resource.get("Properties", {})
        patterns = [
            (f"{name}.{event}", body.get("Properties", {}).get("Pattern"))
            for event, body in (properties.get("Events") or {}).items()
            if body.get("Type") in ("EventBridgeRule", "CloudWatchEvent")
        ]
        if resource.get("Type") == "AWS::Events::Rule":
            patterns.append((name, properties.get("EventPattern")))
        for place, pattern in patterns:
            if pattern is None:
                continue
            for field in sorted(set(pattern) - _PATTERN_FIELDS):
                yield Finding(place, f"an event has no field {field!r}")
            yield from _lists(place, pattern)


def _lists(place: str, pattern: Mapping[str, Any]) -> Iterator[Finding]:
    for field, value in pattern.items():
        if isinstance(value, Mapping) and not _intrinsic(value):
            yield from _lists(f"{place}.{field}", value)
        elif not isinstance(value, list) and not _intrinsic(value):
            yield Finding(f"{place}.{field}", "a pattern's value must be a list")
        elif value == []:
            yield Finding(f"{place}.{field}", "an empty list matches no event")


def _intrinsic(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


def dead_letters(template: Template) -> Iterator[Finding]:
    """
    Yield each event without retry policy or dead-letter queue, and each queue given by URL or without a policy.

    A queue named by `Arn` gets no queue policy from SAM: the template must have one.
    """
    with_policy = str([properties.get("Queues") for _n, properties in template.resources("AWS::SQS::QueuePolicy")])
    for name, resource in template.body.get("Resources", {}).items():
        for event, body in (resource.get("Properties", {}).get("Events") or {}).items():
            place, properties = f"{name}.{event}", body.get("Properties", {})
            if body.get("Type") not in ("EventBridgeRule", "CloudWatchEvent", "Schedule", "ScheduleV2"):
                continue
            if "RetryPolicy" not in properties:
                yield Finding(place, "has no RetryPolicy")
            queue = properties.get("DeadLetterConfig", {}).get("Arn")
            if queue is None:
                yield Finding(place, "has no DeadLetterConfig with an Arn")
            elif "Ref" in queue:
                yield Finding(place, "a queue's Ref is its URL: use GetAtt …Arn")
            elif "Fn::GetAtt" in queue:
                target = (
                    queue["Fn::GetAtt"][0]
                    if isinstance(queue["Fn::GetAtt"], list)
                    else queue["Fn::GetAtt"].split(".")[0]
                )
                if f"'{target}'" not in with_policy:
                    yield Finding(place, f"no AWS::SQS::QueuePolicy lets EventBridge write to {target}")


def partitions(template: Template) -> Iterator[Finding]:
    """Yield each ARN that names the partition: it would be wrong in China and GovCloud."""
    for path, text in _strings(template.body.get("Resources", {})):
        if _PARTITION.match(text):
            yield Finding(path, f"{text.split(':')[0]}:{text.split(':')[1]}: write ${{AWS::Partition}}")


def pass_roles(template: Template) -> Iterator[Finding]:
    """Yield each statement that passes any role, or to any service."""
    for path, statement in _statements(template.body.get("Resources", {})):
        actions = statement.get("Action", [])
        if "iam:PassRole" not in (actions if isinstance(actions, list) else [actions]):
            continue
        resources = statement.get("Resource")
        if "*" in (resources if isinstance(resources, list) else [resources]):
            yield Finding(path, "iam:PassRole on every role")
        if "iam:PassedToService" not in str(statement.get("Condition")):
            yield Finding(path, "iam:PassRole without iam:PassedToService")


def _statements(part: object, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(part, Mapping):
        if "Effect" in part and "Action" in part:
            yield path, part
        for name, inner in part.items():
            yield from _statements(inner, f"{path}.{name}" if path else name)
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from _statements(inner, f"{path}[{number}]")


def _strings(part: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(part, Mapping):
        for name, inner in part.items():
            yield from _strings(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from _strings(inner, f"{path}[{number}]")
    elif isinstance(part, str):
        yield path, part


def architectures(template: Template) -> Iterator[Finding]:
    """Yield where functions, layer, build and the layer's Makefile name different processors or Pythons."""
    functions = template.body.get("Globals", {}).get("Function", {})
    wanted, runtime = functions.get("Architectures", ["x86_64"]), str(functions.get("Runtime"))
    for name, properties in template.resources(_LAYER):
        metadata = template.body["Resources"][name].get("Metadata", {})
        makefile = template.folder / str(properties.get("ContentUri")) / "Makefile"
        recipe = makefile.read_text(encoding="utf-8") if makefile.is_file() else ""
        agreed = {
            f"CompatibleArchitectures is {wanted}": properties.get("CompatibleArchitectures") == wanted,
            f"BuildArchitecture is {wanted[0]}": metadata.get("BuildArchitecture", "x86_64") == wanted[0],
            f"CompatibleRuntimes is [{runtime}]": properties.get("CompatibleRuntimes") == [runtime],
            "BuildMethod is makefile": metadata.get("BuildMethod") == "makefile",
            f"its Makefile has a target build-{name}": f"build-{name}:" in recipe,
            f"its Makefile builds for {wanted[0]}": f"ARCHITECTURE ?= {wanted[0]}\n" in recipe,
            f"its Makefile builds for {runtime}": f"PYTHON_VERSION := {runtime.removeprefix('python')}\n" in recipe,
        }
        yield from (Finding(name, f"it does not hold that {what}") for what, holds in agreed.items() if not holds)
    for name, properties in template.resources(_FUNCTION):
        for setting in {"Architectures", "Runtime"} & set(properties):
            yield Finding(name, f"has its own {setting}; it belongs in Globals")


def aliases_move(template: Template) -> Iterator[Finding]:
    """
    Yield what would leave old code behind an alias after a deployment.

    SAM names a new version after what it sees of a function: only with
    AutoPublishAliasAllProperties and a layer with PublishLambdaVersion does it see the layer.
    """
    published = False
    for name, properties in template.resources(_FUNCTION):
        if template.setting(properties, "AutoPublishAlias"):
            published = True
            if not template.setting(properties, "AutoPublishAliasAllProperties"):
                yield Finding(name, "AutoPublishAlias without AutoPublishAliasAllProperties keeps the old layer")
    for name, properties in template.resources(_LAYER):
        if published and properties.get("PublishLambdaVersion") is not True:
            yield Finding(name, "without PublishLambdaVersion a new layer does not move the functions' alias")


def parameters(template: Template) -> Iterator[Finding]:
    """Yield each parameter that is not described, or stands in no group of the console's form."""
    interface = template.body.get("Metadata", {}).get("AWS::CloudFormation::Interface", {})
    grouped = {name for group in interface.get("ParameterGroups", []) for name in group.get("Parameters", [])}
    declared = template.body.get("Parameters", {})
    for name, parameter in declared.items():
        if not parameter.get("Description"):
            yield Finding(name, "a parameter without Description")
        if name not in grouped:
            yield Finding(name, "a parameter in no group of AWS::CloudFormation::Interface")
    for name in sorted(grouped - set(declared)):
        yield Finding(name, "is grouped in AWS::CloudFormation::Interface and is no parameter")


def logs_end(template: Template) -> Iterator[Finding]:
    """Yield each log group that keeps its events for ever, and each function that would make a group of its own."""
    for name, properties in template.resources(_LOGS):
        if "RetentionInDays" not in properties:
            yield Finding(name, "a log group without RetentionInDays")
    for name, properties in template.resources(_FUNCTION):
        config = template.setting(properties, "LoggingConfig")
        if not isinstance(config, Mapping) or "LogGroup" not in config:
            yield Finding(name, "has no LoggingConfig.LogGroup: Lambda would make a group that never expires")
