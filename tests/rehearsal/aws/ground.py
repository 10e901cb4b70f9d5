"""Ground for ECS services: a network, a load balancer, a namespace, a cluster, and tasks that a test can break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock
from rehearsal.aws.runtime import StillRuntime
from rehearsal.aws.server import InProcess
from rehearsal.timeless import HANDLERS_CLOCK
from tests.rehearsal.aws.lab import Lab, until

FAST = 200.0  # divides health intervals: thirty seconds become 0.15


class Ground(Lab):
    def __init__(self, aws: EmbeddedAws, runtime: StillRuntime) -> None:
        super().__init__(aws)
        self.runtime = runtime
        self.ecs, self.elbv2, self.cloudmap = (self.client(each) for each in ("ecs", "elbv2", "servicediscovery"))
        ec2 = aws.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"eu-west-1{zone}")[
                "Subnet"
            ]["SubnetId"]
            for i, zone in enumerate("ab")
        ]
        self.ecs.create_cluster(clusterName="shop")

    def balancer(self) -> str:
        made = self.elbv2.create_load_balancer(Name=self.name("lb"), Subnets=self.subnets)
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def group(self, **settings: Any) -> str:
        asked = {"Name": self.name("tg"), "Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, "TargetType": "ip"}
        return str(self.elbv2.create_target_group(**{**asked, **settings})["TargetGroups"][0]["TargetGroupArn"])

    def listener(self, *groups: str, balancer: str | None = None) -> str:
        weighted = [{"TargetGroupArn": arn, "Weight": int(index == 0)} for index, arn in enumerate(groups)]
        made = self.elbv2.create_listener(
            LoadBalancerArn=balancer or self.balancer(),
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weighted}}],
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def namespace(self) -> str:
        name = self.name("green")
        self.cloudmap.create_http_namespace(Name=name)
        return name

    def definition(self, **container: Any) -> str:
        ports = [{"containerPort": 8080, "name": "http", "appProtocol": "http"}]
        made = self.ecs.register_task_definition(
            family=self.name("web"),
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "app", "image": "app:1", "portMappings": ports, **container}],
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def request(self, **changes: Any) -> dict[str, Any]:
        """A CreateService request that is accepted as it is; a change to None leaves a member out."""
        asked = {
            "cluster": "shop",
            "serviceName": self.name("service"),
            "taskDefinition": changes.get("taskDefinition") or self.definition(),
            "desiredCount": 2,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": self.subnets}},
            **changes,
        }
        return {member: value for member, value in asked.items() if value is not None}

    def service(self, **changes: Any) -> str:
        """Create a service, and return its name."""
        made = self.ecs.create_service(**self.request(**changes))
        return str(made["service"]["serviceName"])

    def described(self, service: str) -> dict[str, Any]:
        [found] = self.ecs.describe_services(cluster="shop", services=[service])["services"]
        return dict(found)

    def rolled(self, service: str, state: str = "COMPLETED") -> dict[str, Any]:
        """Wait until the service's newest deployment, or one of them, is in this state alone."""

        def look() -> dict[str, Any] | None:
            found = self.described(service)
            return found if found["deployments"][0]["rolloutState"] == state else None

        return until(look)

    def tasks(self, service: str, **filters: Any) -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster="shop", serviceName=service, **filters)["taskArns"]
        return list(self.ecs.describe_tasks(cluster="shop", tasks=arns)["tasks"]) if arns else []

    def health(self, group: str) -> list[str]:
        found = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [each["TargetHealth"]["State"] for each in found]


def connect(namespace: str, name: str, **entry: Any) -> dict[str, Any]:
    """A Service Connect configuration that serves one name on port 80."""
    served = {"portName": "http", "discoveryName": name, "clientAliases": [{"port": 80, "dnsName": f"{name}.local"}]}
    return {"enabled": True, "namespace": namespace, "services": [{**served, **entry}]}


def grounds(mode: str) -> Iterator[Ground]:
    """
    Run the embedded AWS in this mode with tasks a test can break, and see that nothing went wrong inside it.

    Time stands still while anything works, the tests included, and leaps while they look in vain.
    """
    runtime = StillRuntime()
    made = EmbeddedAws if mode == "server" else InProcess
    with clock.working(), made(runtime=runtime, time_scale=FAST, handlers_clock=HANDLERS_CLOCK) as aws:
        yield Ground(aws, runtime)
        assert aws.troubles == []
