"""A plan whose calls between services are encrypted, and what that leans on: an authority, a role and a key."""

from __future__ import annotations

import json

from crossfade.plan.document import MigrationPlan
from crossfade.plan.services import Tls
from rehearsal.dataplane.certificates import make_authority
from rehearsal.deploy.making import Aws

_ROLE = "rehearsal-service-connect-tls"


def encrypted(plan: MigrationPlan, aws: Aws) -> MigrationPlan:
    """
    Return the plan with TLS at every endpoint but those of services at an edge, whose load balancer speaks plainly.

    The authority, the role and the key are made in the embedded AWS.
    """
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName=_ROLE, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    tls = Tls(authority_arn=make_authority(aws.client("acm-pca")), role_arn=role, kms_key=key)
    at_edges = {edge.service for edge in plan.edges}
    services = tuple(
        service
        if service.name in at_edges
        else service.model_copy(
            update={"endpoints": tuple(each.model_copy(update={"tls": tls}) for each in service.endpoints)}
        )
        for service in plan.services
    )
    return plan.model_copy(update={"services": services})
