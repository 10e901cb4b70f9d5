"""
What encrypted endpoints lean on: the authority, the role and the key that ECS makes certificates with.

Source: Amazon ECS Developer Guide, "Encrypt Amazon ECS Service Connect traffic": the tag on the authority, the
infrastructure role, symmetric keys.
"""

from __future__ import annotations

from collections.abc import Iterator

from crossfade.plan.document import MigrationPlan
from crossfade.plan.finding import Finding
from crossfade.preflight.surroundings import Surroundings

MANAGED_TAG = "AmazonECSManaged"
"""ECS uses only an authority that carries this tag with the value "true"."""

ECS = "ecs.amazonaws.com"


def tls(plan: MigrationPlan, surroundings: Surroundings) -> Iterator[Finding]:
    """
    Yield a finding for each authority, role and key of the plan's endpoints.

    Raises:
        EcsBusy: AWS throttles.
    """
    wanted = [endpoint.tls for service in plan.services for endpoint in service.endpoints if endpoint.tls]
    for arn in sorted({each.authority_arn for each in wanted}):
        yield _authority(arn, surroundings)
    if any(each.role_arn is None for each in wanted):
        yield Finding(check="", subject="TLS of the plan's endpoints").refuse(
            "names no role with which ECS would issue certificates",
            "say in the plan the infrastructure role (tls.role_arn), with AWS's policy for Service Connect TLS",
        )
    for role in sorted({each.role_arn for each in wanted if each.role_arn}):
        yield _role(role, surroundings)
    for key in sorted({each.kms_key for each in wanted if each.kms_key}):
        yield _key(key, surroundings)


def _authority(arn: str, surroundings: Surroundings) -> Finding:
    finding = Finding(check="is active and ECS may use it", subject=f"certificate authority {arn}")
    found = surroundings.authorities.authority(arn)
    if found is None:
        return finding.refuse("does not exist", "name in the plan one that does")
    if found.status != "ACTIVE":
        return finding.refuse(f"is {found.status}", "activate it first")
    if found.tags.get(MANAGED_TAG) != "true":
        return finding.refuse(f"does not carry the tag {MANAGED_TAG} = true", "tag it, or ECS does not use it")
    return finding


def _role(arn: str, surroundings: Surroundings) -> Finding:
    finding = Finding(check="may be assumed by ECS", subject=f"role {arn}")
    trusted = surroundings.roles.trusted_services(arn)
    if trusted is None:
        return finding.refuse("does not exist", "make it, with AWS's policy for Service Connect TLS")
    if ECS not in trusted:
        return finding.refuse(f"does not trust {ECS}", "let its trust policy name that service")
    return finding


def _key(name: str, surroundings: Surroundings) -> Finding:
    finding = Finding(check="is enabled and symmetric", subject=f"key {name}")
    found = surroundings.keys.key(name)
    if found is None:
        return finding.refuse("does not exist", "name in the plan one that does")
    if found.state != "Enabled":
        return finding.refuse(f"is {found.state}", "enable it first")
    if found.spec != "SYMMETRIC_DEFAULT":
        return finding.refuse(f"is of {found.spec}", "Service Connect takes symmetric keys only: name one")
    return finding
