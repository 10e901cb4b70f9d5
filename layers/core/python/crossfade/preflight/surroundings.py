"""
What stands around a plan in an account: who else owns its edges, how much room there is, what TLS leans on.

Ports for the preflight. All of them only look, and every one raises EcsBusy when AWS
throttles it. Every implementation must pass `tests/contract/test_surroundings.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DeploymentGroup:
    """A deployment group of CodeDeploy that moves traffic: of target groups by name, of listeners by ARN."""

    application: str
    name: str
    target_groups: frozenset[str] = frozenset()
    listeners: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ShiftedService:
    """
    An ECS service whose own deployments move traffic, by `advancedConfiguration`.

    `arns` are the target groups, rules and listeners it moves.
    """

    name: str
    arns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Vcpus:
    """Fargate On-Demand vCPUs: how many the account may run at once, and runs; None where AWS does not say."""

    quota: float | None
    used: float | None


@dataclass(frozen=True, slots=True)
class Authority:
    """A private certificate authority."""

    status: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of KMS."""

    state: str
    spec: str


class BalancerTags(Protocol):
    """Tags in Elastic Load Balancing."""

    def tags(self, arns: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of load balancers, listeners, rules and target groups, by ARN; none of one that is gone."""
        ...


class DeploymentGroups(Protocol):
    """CodeDeploy's deployment groups."""

    def that_shift(self) -> tuple[DeploymentGroup, ...]:
        """Return every deployment group that names a target group or a listener."""
        ...


class ShiftedServices(Protocol):
    """ECS services that move traffic by themselves."""

    def that_shift(self, cluster: str) -> tuple[ShiftedService, ...]:
        """Return every service of a cluster that has an `advancedConfiguration`; none for no cluster."""
        ...


class Subscriptions(Protocol):
    """Subscription filters of log groups."""

    def names(self, group: str) -> tuple[str, ...]:
        """Return the names of a log group's subscription filters; none for no group."""
        ...


class Concurrency(Protocol):
    """Lambda's concurrency in the account."""

    def unreserved(self) -> int:
        """Return how many executions at once are reserved for no function, and so shared by all others."""
        ...


class Subnets(Protocol):
    """Subnets."""

    def free_addresses(self, subnets: Sequence[str]) -> Mapping[str, int]:
        """Return how many addresses are free in each subnet; one that does not exist is left out."""
        ...


class FargateVcpus(Protocol):
    """Fargate's vCPUs in the account."""

    def found(self, now: datetime) -> Vcpus:
        """Return the quota of On-Demand vCPUs, and the most that ran in the hour before `now`."""
        ...


class Authorities(Protocol):
    """Private certificate authorities."""

    def authority(self, arn: str) -> Authority | None:
        """Return an authority; None when there is none."""
        ...


class Keys(Protocol):
    """Keys of KMS."""

    def key(self, name: str) -> Key | None:
        """Return a key by id, ARN or alias; None when there is none."""
        ...


class Roles(Protocol):
    """Roles of IAM."""

    def trusted_services(self, arn: str) -> frozenset[str] | None:
        """Return the service principals that may assume a role; None when there is no such role."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything around a plan that the preflight looks at."""

    balancer_tags: BalancerTags
    deployment_groups: DeploymentGroups
    shifted_services: ShiftedServices
    subscriptions: Subscriptions
    concurrency: Concurrency
    subnets: Subnets
    vcpus: FargateVcpus
    authorities: Authorities
    keys: Keys
    roles: Roles
