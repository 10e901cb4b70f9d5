"""Step Functions: state machines, their versions and aliases."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from crossfade.errors import BadInput
from crossfade.mesh.template import load_yaml
from rehearsal.deploy.errors import PropertyRefused
from rehearsal.deploy.making import Made, Maker, New
from rehearsal.deploy.request import as_text

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


def state_machine(new: New) -> Made:
    """Make a state machine from its definition, whatever form that has, with its substitutions made."""
    name = new.name("StateMachineName", longest=80)
    substitutions = new.take("DefinitionSubstitutions", {})
    definition = substituted(_definition(new), substitutions)
    made = new.call(
        "stepfunctions",
        "create_state_machine",
        renames={"StateMachineType": "type"},
        name=name,
        definition=definition,
    )["stateMachineArn"]
    found = new.client("stepfunctions").describe_state_machine(stateMachineArn=made)
    revision = found.get("revisionId") or "INITIAL"
    return Made(made, {"Arn": made, "Name": name, "StateMachineRevisionId": revision})


def _definition(new: New) -> str:
    forms = {name: new.take(name) for name in ("Definition", "DefinitionString", "DefinitionS3Location")}
    given = {name: value for name, value in forms.items() if value is not None}
    if len(given) != 1:
        raise PropertyRefused("exactly one of Definition, DefinitionString and DefinitionS3Location must be given")
    [(form, value)] = given.items()
    if form != "DefinitionS3Location":
        return as_text(value)
    strange = sorted(value.keys() - {"Bucket", "Key", "Version"})
    if strange:
        raise PropertyRefused(f"DefinitionS3Location/{strange[0]} is not a property the deployer knows")
    version = {"VersionId": value["Version"]} if "Version" in value else {}
    body = new.client("s3").get_object(Bucket=value["Bucket"], Key=value["Key"], **version)["Body"].read()
    try:
        return json.dumps(load_yaml(body.decode(), str(value["Key"])))
    except (BadInput, TypeError) as error:
        raise PropertyRefused(f"DefinitionS3Location: {error}") from error


def substituted(definition: str, substitutions: Mapping[str, Any]) -> str:
    """
    Return a definition with its `${placeholders}` replaced, as text, as AWS does.

    Raises:
        PropertyRefused: a placeholder has no value, or the result is no JSON.
    """
    missing = sorted({name for name in _PLACEHOLDER.findall(definition) if name not in substitutions})
    if missing:
        raise PropertyRefused(f"DefinitionSubstitutions has no value for {', '.join(missing)}")
    text = _PLACEHOLDER.sub(lambda match: as_text(substitutions[match[1]]), definition)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise PropertyRefused(f"the definition is no JSON once its substitutions are made: {error}") from error
    return text


def state_machine_version(new: New) -> Made:
    """Publish what the state machine is now."""
    revision = new.take("StateMachineRevisionId")
    fixed = {"revisionId": revision} if revision not in (None, "INITIAL") else {}
    arn = new.call("stepfunctions", "publish_state_machine_version", **fixed)["stateMachineVersionArn"]
    return Made(arn, {"Arn": arn})


def state_machine_alias(new: New) -> Made:
    """Make an alias; a new one goes to its version at once, whatever its deployment preference."""
    name = new.name("Name", longest=80)
    preference, routing = new.take("DeploymentPreference"), new.take("RoutingConfiguration")
    if routing is None:
        if preference is None:
            raise PropertyRefused("property RoutingConfiguration or DeploymentPreference is missing")
        routing = [{"StateMachineVersionArn": preference["StateMachineVersionArn"], "Weight": 100}]
    wanted = new.shaped("stepfunctions", "create_state_machine_alias", "routingConfiguration", routing)
    arn = new.call("stepfunctions", "create_state_machine_alias", name=name, routingConfiguration=wanted)[
        "stateMachineAliasArn"
    ]
    return Made(arn, {"Arn": arn})


def activity(new: New) -> Made:
    """Make an activity."""
    name = new.name("Name", longest=80)
    arn = new.call("stepfunctions", "create_activity", name=name)["activityArn"]
    return Made(arn, {"Arn": arn, "Name": name})


MAKERS: Mapping[str, Maker] = {
    "AWS::StepFunctions::Activity": activity,
    "AWS::StepFunctions::StateMachine": state_machine,
    "AWS::StepFunctions::StateMachineAlias": state_machine_alias,
    "AWS::StepFunctions::StateMachineVersion": state_machine_version,
}
