"""What an operator chose for Service Connect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choices:
    """
    What an operator chose for Service Connect.

    Attributes:
        suffix: Ends the names of green's Cloud Map services, so that they never collide with blue's.
        namespace: Green's namespace, by name or, where it is shared by another account, by ARN.
        log_group: Where green's proxies log.
        authority: ARN of the AWS Private CA that issues certificates; None takes the one the mesh's callers trust.
        tls_role: ARN of the infrastructure role with which ECS has certificates issued.
        tls_key: ARN of the KMS key for their private keys.
    """

    suffix: str
    namespace: str
    log_group: str
    authority: str | None = None
    tls_role: str | None = None
    tls_key: str | None = None
