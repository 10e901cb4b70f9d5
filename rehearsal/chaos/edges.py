"""
A lane's edge, of whichever kind: what a write gave blue and green, who serves, and how another writer would undo it.

Read from what the embedded AWS holds, and never from what the product says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from crossfade.plan.edges import EdgePlan
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.cloudfront import policy_changes
from rehearsal.aws.elbv2 import healthy_count, target_group_arn
from rehearsal.aws.registry import Call
from rehearsal.aws.route53 import record_changes

_WHOLE = 10_000


class Divider(Protocol):
    """Where users are divided."""

    def given(self, call: Call) -> tuple[int, int] | None:
        """Return what an accepted call gave blue and green; None if it was no write of this edge."""
        ...

    def held(self) -> Any:
        """Return the edge as it is, to be put back."""
        ...

    def put_back(self, held: Any) -> None:
        """Write back what was held, as another writer would."""
        ...


class End:
    """A target group that serves, by its name and its load balancer's; it may not exist yet."""

    def __init__(self, aws: EmbeddedAws, group: str, balancer: str) -> None:
        self._group, self._region = group, aws.region
        found = aws.client("elbv2").describe_load_balancers(Names=[balancer])["LoadBalancers"][0]
        self.balancer_arn: str = found["LoadBalancerArn"]

    @property
    def arn(self) -> str:
        """Its ARN; empty while there is none."""
        return target_group_arn(self._group, self._region)

    @property
    def healthy(self) -> int:
        """How many of its targets are."""
        arn = self.arn
        return healthy_count(arn) if arn else 0


class ListenerDivider:
    """A listener of a load balancer, whose default action divides."""

    def __init__(self, aws: EmbeddedAws, edge: EdgePlan) -> None:
        self._client = aws.client("elbv2")
        balancer = self._client.describe_load_balancers(Names=[edge.rules[0].load_balancer])["LoadBalancers"][0]
        listener = self._client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]
        self._arn: str = listener["ListenerArn"]
        self._green = edge.green.name

    def given(self, call: Call) -> tuple[int, int] | None:
        """See `Divider`."""
        if call.params.get("ListenerArn") != self._arn:
            return None
        blue = green = 0
        for action in call.params.get("DefaultActions") or []:
            for group in action.get("ForwardConfig", {}).get("TargetGroups", []) or [action]:
                if group.get("TargetGroupArn", "").split("/")[1] == self._green:
                    green += group.get("Weight", 1)
                else:
                    blue += group.get("Weight", 1)
        return blue, green

    def held(self) -> Any:
        """See `Divider`."""
        return self._client.describe_listeners(ListenerArns=[self._arn])["Listeners"][0]["DefaultActions"]

    def put_back(self, held: Any) -> None:
        """See `Divider`."""
        self._client.modify_listener(ListenerArn=self._arn, DefaultActions=held)


class RecordDivider:
    """A hosted zone's weighted records."""

    def __init__(self, aws: EmbeddedAws, edge: EdgePlan) -> None:
        assert edge.dns is not None
        self._client = aws.client("route53")
        self._zone = edge.dns.zone_id
        self._names = {(f"{record.name.lower().rstrip('.')}.", str(record.type)) for record in edge.dns.records}
        self._green = f"crossfade-{edge.name}-green"

    def given(self, call: Call) -> tuple[int, int] | None:
        """See `Divider`."""
        if not str(call.params.get("HostedZoneId", "")).endswith(self._zone):
            return None
        batch = [change for change in record_changes() if change.zone == self._zone][-1]
        groups = [weights for key, weights in batch.weights.items() if key in self._names]
        if not groups:
            return None
        green = sum(weights.get(self._green, 0) for weights in groups)
        return sum(sum(weights.values()) for weights in groups) - green, green

    def held(self) -> Any:
        """See `Divider`."""
        found = self._client.list_resource_record_sets(HostedZoneId=self._zone)["ResourceRecordSets"]
        return [each for each in found if (each["Name"], each["Type"]) in self._names]

    def put_back(self, held: Any) -> None:
        """See `Divider`."""
        changes = [{"Action": "DELETE", "ResourceRecordSet": each} for each in self.held()]
        changes += [{"Action": "CREATE", "ResourceRecordSet": each} for each in held]
        self._client.change_resource_record_sets(HostedZoneId=self._zone, ChangeBatch={"Changes": changes})


class DistributionDivider:
    """A distribution, with a staging distribution beside it while there is one."""

    def __init__(self, aws: EmbeddedAws, edge: EdgePlan) -> None:
        assert edge.cdn is not None
        self._client = aws.client("cloudfront")
        self._id = edge.cdn.distribution_id

    def given(self, call: Call) -> tuple[int, int] | None:
        """See `Divider`."""
        told = policy_changes()
        if call.params.get("Id") not in {self._id, self._policy()} or not told:
            return None
        last = [change for change in told if change.resource in {self._id, self._policy()}]
        if not last:
            return None
        green = round(_WHOLE * last[-1].weight)
        return _WHOLE - green, green

    def held(self) -> Any:
        """See `Divider`."""
        policy = self._policy()
        config = self._client.get_distribution_config(Id=self._id)["DistributionConfig"]
        traffic = self._client.get_continuous_deployment_policy_config(Id=policy) if policy else None
        return config, traffic and traffic["ContinuousDeploymentPolicyConfig"]

    def put_back(self, held: Any) -> None:
        """See `Divider`."""
        config, traffic = held
        now = self._client.get_distribution_config(Id=self._id)
        if now["DistributionConfig"] != config:
            self._client.update_distribution(Id=self._id, DistributionConfig=config, IfMatch=now["ETag"])
        policy = self._policy()
        if policy and traffic:
            found = self._client.get_continuous_deployment_policy_config(Id=policy)
            self._client.update_continuous_deployment_policy(
                Id=policy, ContinuousDeploymentPolicyConfig=traffic, IfMatch=found["ETag"]
            )

    def sweep(self) -> None:
        """Delete the staging distributions and policies that no distribution has any more."""
        listed = self._client.list_distributions()["DistributionList"].get("Items", [])
        policies = self._client.list_continuous_deployment_policies()["ContinuousDeploymentPolicyList"]["Items"]
        configs = {each["Id"]: self._client.get_distribution_config(Id=each["Id"]) for each in listed}
        used = {config["DistributionConfig"].get("ContinuousDeploymentPolicyId") for config in configs.values()}
        kept: set[str] = set()
        for each in policies:
            policy = each["ContinuousDeploymentPolicy"]
            found = self._client.get_continuous_deployment_policy(Id=policy["Id"])
            if policy["Id"] in used:
                names = found["ContinuousDeploymentPolicy"]["ContinuousDeploymentPolicyConfig"]
                kept.update(names["StagingDistributionDnsNames"].get("Items", []))
            else:
                self._client.delete_continuous_deployment_policy(Id=policy["Id"], IfMatch=found["ETag"])
        for each in listed:
            config = configs[each["Id"]]
            if not config["DistributionConfig"].get("Staging") or each["DomainName"] in kept:
                continue
            disabled = {**config["DistributionConfig"], "Enabled": False}
            done = self._client.update_distribution(Id=each["Id"], DistributionConfig=disabled, IfMatch=config["ETag"])
            self._client.delete_distribution(Id=each["Id"], IfMatch=done["ETag"])

    def _policy(self) -> str:
        config = self._client.get_distribution_config(Id=self._id)["DistributionConfig"]
        return str(config.get("ContinuousDeploymentPolicyId") or "")


_DIVIDERS: Mapping[str, type[ListenerDivider | RecordDivider | DistributionDivider]] = {
    "alb": ListenerDivider,
    "nlb": ListenerDivider,
    "route53": RecordDivider,
    "cloudfront": DistributionDivider,
}


class LaneEdge:
    """A lane's only edge: where users are divided, and the two ends they come to."""

    def __init__(self, aws: EmbeddedAws, edge: EdgePlan, *, blue: End, green: End) -> None:
        self.divider: Divider = _DIVIDERS[edge.kind](aws, edge)
        self.blue, self.green = blue, green
        self._found = self.divider.held()

    @property
    def ends(self) -> dict[str, End]:
        """Both, by colour."""
        return {"blue": self.blue, "green": self.green}

    def healthy(self) -> tuple[int, int]:
        """Return how many healthy targets blue has, and green."""
        return self.blue.healthy, self.green.healthy

    def lay_anew(self) -> None:
        """Make the edge what it was when the lane was laid."""
        self.divider.put_back(self._found)
        if isinstance(self.divider, DistributionDivider):
            self.divider.sweep()
