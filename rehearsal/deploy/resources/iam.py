"""IAM: roles and policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.making import Made, Maker, New, listed, only


def role(new: New) -> Made:
    """Make a role with the policies it is born with."""
    name = new.name("RoleName", longest=64)
    inline = [only(each, "Policies", "PolicyName", "PolicyDocument") for each in listed(new.take("Policies"))]
    attached = listed(new.take("ManagedPolicyArns"))
    made = new.call("iam", "create_role", RoleName=name)["Role"]
    client = new.client("iam")
    for policy in inline:
        client.put_role_policy(
            RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=_document(policy["PolicyDocument"])
        )
    for arn in attached:
        client.attach_role_policy(RoleName=name, PolicyArn=arn)
    return Made(name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})


def inline_policy(new: New) -> Made:
    """Put a policy into roles that exist."""
    name, document = new.need("PolicyName"), _document(new.need("PolicyDocument"))
    roles = listed(new.take("Roles"))
    new.nothing_left()
    for each in roles:
        new.client("iam").put_role_policy(RoleName=each, PolicyName=name, PolicyDocument=document)
    return Made(name, {"Id": name})


def managed_policy(new: New) -> Made:
    """Make a policy of its own and attach it to roles that exist."""
    name = new.name("ManagedPolicyName", longest=128)
    document = _document(new.need("PolicyDocument"))
    roles = listed(new.take("Roles"))
    arn = new.call("iam", "create_policy", PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
    for each in roles:
        new.client("iam").attach_role_policy(RoleName=each, PolicyArn=arn)
    return Made(arn, {"PolicyArn": arn})


def instance_profile(new: New) -> Made:
    """Make an instance profile and add its role."""
    name = new.name("InstanceProfileName", longest=128)
    roles = listed(new.take("Roles"))
    arn = new.call("iam", "create_instance_profile", InstanceProfileName=name)["InstanceProfile"]["Arn"]
    for each in roles:
        new.client("iam").add_role_to_instance_profile(InstanceProfileName=name, RoleName=each)
    return Made(name, {"Arn": arn})


def _document(policy: Mapping[str, Any] | str) -> str:
    """Return a policy as JSON; the embedded IAM wants the Version that AWS lets templates leave out."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    return json.dumps({"Version": "2012-10-17", **document})


MAKERS: Mapping[str, Maker] = {
    "AWS::IAM::InstanceProfile": instance_profile,
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::IAM::Policy": inline_policy,
    "AWS::IAM::Role": role,
}
