"""What stands around a plan, in memory: for tests and for trying things out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from crossfade.preflight.surroundings import Authority, DeploymentGroup, Key, ShiftedService, Surroundings, Vcpus


@dataclass(slots=True)
class MemorySurroundings:
    """Every port of `Surroundings` in memory, with room for all and nobody else; tests change what they need."""

    tagged: dict[str, dict[str, str]] = field(default_factory=dict)
    groups: tuple[DeploymentGroup, ...] = ()
    shifted: dict[str, tuple[ShiftedService, ...]] = field(default_factory=dict)
    filters: dict[str, tuple[str, ...]] = field(default_factory=dict)
    executions: int = 1_000
    free: dict[str, int] = field(default_factory=dict)
    quota: Vcpus = field(default_factory=lambda: Vcpus(quota=4_000, used=None))
    known_authorities: dict[str, Authority] = field(default_factory=dict)
    known_keys: dict[str, Key] = field(default_factory=dict)
    trusts: dict[str, frozenset[str]] = field(default_factory=dict)

    def around(self) -> Surroundings:
        """Return it as what the preflight takes."""
        return Surroundings(
            balancer_tags=self,
            deployment_groups=_Groups(self),
            shifted_services=_Shifted(self),
            subscriptions=self,
            concurrency=self,
            subnets=self,
            vcpus=self,
            authorities=self,
            keys=self,
            roles=self,
        )

    def tags(self, arns: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """See `BalancerTags`."""
        return {arn: self.tagged[arn] for arn in arns if arn in self.tagged}

    def names(self, group: str) -> tuple[str, ...]:
        """See `Subscriptions`."""
        return self.filters.get(group, ())

    def unreserved(self) -> int:
        """See `Concurrency`."""
        return self.executions

    def free_addresses(self, subnets: Sequence[str]) -> Mapping[str, int]:
        """See `Subnets`."""
        return {name: self.free[name] for name in subnets if name in self.free}

    def found(self, now: datetime) -> Vcpus:
        """See `FargateVcpus`."""
        assert now.tzinfo is not None
        return self.quota

    def authority(self, arn: str) -> Authority | None:
        """See `Authorities`."""
        return self.known_authorities.get(arn)

    def key(self, name: str) -> Key | None:
        """See `Keys`."""
        return self.known_keys.get(name)

    def trusted_services(self, arn: str) -> frozenset[str] | None:
        """See `Roles`."""
        return self.trusts.get(arn)


@dataclass(frozen=True, slots=True)
class _Groups:
    kept: MemorySurroundings

    def that_shift(self) -> tuple[DeploymentGroup, ...]:
        return tuple(group for group in self.kept.groups if group.target_groups or group.listeners)


@dataclass(frozen=True, slots=True)
class _Shifted:
    kept: MemorySurroundings

    def that_shift(self, cluster: str) -> tuple[ShiftedService, ...]:
        return self.kept.shifted.get(cluster, ())
