"""Load balancers with one edge of two rules, in the embedded AWS."""

from __future__ import annotations

from typing import Any

from crossfade.shift.alb import AlbEdges
from crossfade.shift.nlb import NlbEdges
from crossfade.shift.share import Share
from rehearsal.aws.elbv2 import check_targets
from tests.aws import Clients, a_client

PORT = 8080


class LoadBalancer:
    """
    Listener 80: its default action and rule 10 forward to blue, rule 20 elsewhere.

    `front` is for tests that need a closer look than the ports allow.
    """

    def __init__(self, client: Clients = a_client, *, name: str = "front") -> None:
        ec2 = client("ec2")
        self.client = client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{place}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]
            for place, zone in enumerate("ab")
        ]
        self._vpc = vpc
        self._subnets = [subnet["SubnetId"] for subnet in subnets]
        self.arn = self.add_load_balancer(name)["LoadBalancerArn"]
        own = "" if name == "front" else f"{name}-"
        self.blue = self.target_group(f"{own}web-blue")
        self.other = self.target_group(f"{own}static")
        self.listener = self.client.create_listener(
            LoadBalancerArn=self.arn, Protocol="HTTP", Port=80, DefaultActions=[forward({self.blue: 1})]
        )["Listeners"][0]["ListenerArn"]
        self.rule = self.add_rule(10, forward({self.blue: 1}))
        self.elsewhere = self.add_rule(20, forward({self.other: 1}))
        self.set_healthy(self.blue, 2)
        self.edges = AlbEdges(self.client)

    def add_load_balancer(self, name: str, *, forwards_to: str | None = None) -> dict[str, Any]:
        """Make a load balancer; one that forwards does so from its port 80."""
        made = self.client.create_load_balancer(Name=name, Subnets=self._subnets)["LoadBalancers"][0]
        if forwards_to is not None:
            self.client.create_listener(
                LoadBalancerArn=made["LoadBalancerArn"],
                Protocol="HTTP",
                Port=80,
                DefaultActions=[forward({forwards_to: 1})],
            )
        return dict(made)

    def target_group(self, name: str) -> str:
        made = self.client.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=PORT,
            VpcId=self._vpc,
            TargetType="ip",
            HealthCheckPath="/healthz",
            HealthCheckIntervalSeconds=7,
            Matcher={"HttpCode": "200-204"},
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def arn_of(self, name: str) -> str:
        return str(self.client.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"])

    def add_rule(self, priority: int, *actions: dict[str, Any]) -> str:
        conditions = [{"Field": "path-pattern", "Values": [f"/{priority}/*"]}]
        made = self.client.create_rule(
            ListenerArn=self.listener, Priority=priority, Conditions=conditions, Actions=list(actions)
        )
        return str(made["Rules"][0]["RuleArn"])

    def set_healthy(self, target_group: str, count: int) -> None:
        set_healthy(self.client, target_group, count)

    def actions(self, rule: str) -> list[dict[str, Any]]:
        rules = self.client.describe_rules(ListenerArn=self.listener)["Rules"]
        return next(
            list(found["Actions"])
            for found in rules
            if rule == (self.listener if found["IsDefault"] else found["RuleArn"])
        )

    def weights(self, rule: str) -> dict[str, int]:
        for action in self.actions(rule):
            if action["Type"] == "forward":
                return {g["TargetGroupArn"]: g.get("Weight", 1) for g in action["ForwardConfig"]["TargetGroups"]}
        return {}

    def put(self, rule: str, *actions: dict[str, Any]) -> None:
        if rule == self.listener:
            self.client.modify_listener(ListenerArn=rule, DefaultActions=list(actions))
        else:
            self.client.modify_rule(RuleArn=rule, Actions=list(actions))

    def give(self, rule: str, green: str, share: Share) -> None:
        self.put(rule, forward({self.blue: (10_000 - share.bp) // 20, green: share.bp // 20}))


class NetworkLoadBalancer:
    """Listeners 80 and 443 forward to blue."""

    def __init__(self, client: Clients = a_client, *, blue: str = "web-blue") -> None:
        ec2 = client("ec2")
        self.client = client("elbv2")
        self._vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=self._vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        made = self.client.create_load_balancer(Name="flows", Type="network", Subnets=[subnet])
        self.arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        group = self.client.create_target_group(Name=blue, Protocol="TCP", Port=PORT, VpcId=self._vpc, TargetType="ip")
        self.blue = str(group["TargetGroups"][0]["TargetGroupArn"])
        self.listeners = [
            str(
                self.client.create_listener(
                    LoadBalancerArn=self.arn, Protocol="TCP", Port=port, DefaultActions=[forward({self.blue: 1})]
                )["Listeners"][0]["ListenerArn"]
            )
            for port in (80, 443)
        ]
        self.set_healthy(self.blue, 2)
        self.edges = NlbEdges(self.client)

    def set_healthy(self, target_group: str, count: int) -> None:
        set_healthy(self.client, target_group, count)

    def put(self, listener: str, *actions: dict[str, Any]) -> None:
        self.client.modify_listener(ListenerArn=listener, DefaultActions=list(actions))

    def give(self, listener: str, green: str, share: Share) -> None:
        self.put(listener, forward({self.blue: (10_000 - share.bp) // 20, green: share.bp // 20}))


def set_healthy(client: Any, target_group: str, count: int) -> None:
    """Make so many targets of a target group answer, and no others be there."""
    described = client.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
    if described:
        client.deregister_targets(TargetGroupArn=target_group, Targets=[d["Target"] for d in described])
    if count:
        targets = [{"Id": f"10.0.0.{place + 10}", "Port": PORT} for place in range(count)]
        client.register_targets(TargetGroupArn=target_group, Targets=targets)
        check_targets()


def forward(weights: dict[str, int], *, sticky: bool = False) -> dict[str, Any]:
    return {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()],
            "TargetGroupStickinessConfig": {"Enabled": sticky, **({"DurationSeconds": 60} if sticky else {})},
        },
    }
