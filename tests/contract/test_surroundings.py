"""What the surroundings of a plan promise us, asked of the adapters on the embedded AWS and of the fake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

import boto3
import pytest
from botocore.stub import Stubber

from crossfade.errors import EcsBusy
from crossfade.preflight.acmpca import PrivateAuthorities
from crossfade.preflight.awslambda import LambdaConcurrency
from crossfade.preflight.codedeploy import CodeDeployGroups
from crossfade.preflight.ec2 import Ec2Subnets
from crossfade.preflight.ecs import EcsShiftedServices
from crossfade.preflight.elbv2 import Elbv2Tags
from crossfade.preflight.iam import IamRoles
from crossfade.preflight.kms import KmsKeys
from crossfade.preflight.logs import LogsSubscriptions
from crossfade.preflight.memory import MemorySurroundings
from crossfade.preflight.servicequotas import QuotaOfFargate
from crossfade.preflight.surroundings import Authority, DeploymentGroup, Key, ShiftedService, Surroundings, Vcpus
from rehearsal.aws import in_process

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@cache  # reading a service's model takes boto3 longer than the test takes
def a_client(service: str) -> Any:
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="a")  # type: ignore[call-overload]  # noqa: S106


class Place(Protocol):
    """Somewhere things can be laid, and the ports that find them there."""

    @property
    def ports(self) -> Surroundings: ...

    def tagged_group(self) -> str: ...

    def deployment_group(self) -> DeploymentGroup: ...

    def shifted_service(self) -> ShiftedService: ...

    def subscribed_group(self) -> str: ...

    def subnet(self) -> str: ...

    def active_authority(self) -> str: ...

    def disabled_key(self) -> str: ...

    def infrastructure_role(self) -> str: ...


class InMemory:
    def __init__(self) -> None:
        self._kept = MemorySurroundings()
        self.ports = self._kept.around()

    def tagged_group(self) -> str:
        self._kept.tagged["arn:group"] = {"elbv2.k8s.aws/cluster": "east"}
        return "arn:group"

    def deployment_group(self) -> DeploymentGroup:
        group = DeploymentGroup("shop", "web", frozenset({"web-a", "web-b"}), frozenset({"arn:listener"}))
        self._kept.groups = (DeploymentGroup("shop", "in-place"), group)
        return group

    def shifted_service(self) -> ShiftedService:
        service = ShiftedService("web", frozenset({"arn:a", "arn:b", "arn:rule"}))
        self._kept.shifted["shop"] = (service,)
        return service

    def subscribed_group(self) -> str:
        self._kept.filters["/crossfade/shop"] = ("to-splunk",)
        return "/crossfade/shop"

    def subnet(self) -> str:
        self._kept.free["subnet-1"] = 251
        return "subnet-1"

    def active_authority(self) -> str:
        self._kept.known_authorities["arn:ca"] = Authority("ACTIVE", {"AmazonECSManaged": "true"})
        return "arn:ca"

    def disabled_key(self) -> str:
        self._kept.known_keys["key-1"] = Key("Disabled", "SYMMETRIC_DEFAULT")
        return "key-1"

    def infrastructure_role(self) -> str:
        self._kept.trusts["arn:aws:iam::1:role/ecs"] = frozenset({"ecs.amazonaws.com"})
        return "arn:aws:iam::1:role/ecs"


class OnAws:
    def __init__(self) -> None:
        self.stubs: list[Stubber] = []
        a_client("ecs").create_cluster(clusterName="shop")
        self.ports = Surroundings(
            balancer_tags=Elbv2Tags(a_client("elbv2")),
            deployment_groups=CodeDeployGroups(a_client("codedeploy")),
            shifted_services=EcsShiftedServices(a_client("ecs")),
            subscriptions=LogsSubscriptions(a_client("logs")),
            concurrency=LambdaConcurrency(a_client("lambda")),
            subnets=Ec2Subnets(a_client("ec2")),
            vcpus=QuotaOfFargate(a_client("service-quotas"), a_client("cloudwatch")),
            authorities=PrivateAuthorities(a_client("acm-pca")),
            keys=KmsKeys(a_client("kms")),
            roles=IamRoles(a_client("iam")),
        )

    def tagged_group(self) -> str:
        made = a_client("elbv2").create_target_group(
            Name="web",
            Protocol="HTTP",
            Port=80,
            VpcId=a_client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"],
            Tags=[{"Key": "elbv2.k8s.aws/cluster", "Value": "east"}],
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def deployment_group(self) -> DeploymentGroup:
        a_client("codedeploy").create_application(applicationName="shop", computePlatform="ECS")
        role = "arn:aws:iam::123456789012:role/deploys"
        for name, moved in (("in-place", {}), ("web", {"targetGroupPairInfoList": [_PAIR]})):
            a_client("codedeploy").create_deployment_group(
                applicationName="shop", deploymentGroupName=name, serviceRoleArn=role, loadBalancerInfo=moved
            )
        return DeploymentGroup("shop", "web", frozenset({"web-a", "web-b"}), frozenset({"arn:listener"}))

    def shifted_service(self) -> ShiftedService:
        stub = Stubber(a_client("ecs"))
        named = {"alternateTargetGroupArn": "arn:b", "productionListenerRule": "arn:rule", "roleArn": "arn:role"}
        arns = [f"arn:aws:ecs:eu-west-1:123456789012:service/shop/{name}" for name in ("web", "plain")]
        stub.add_response("list_services", {"serviceArns": arns})
        answered = [
            {
                "serviceName": "web",
                "loadBalancers": [{"targetGroupArn": "arn:a", "advancedConfiguration": named}],
            },
            {"serviceName": "plain", "loadBalancers": [{"targetGroupArn": "arn:c"}]},
        ]
        stub.add_response("describe_services", {"services": answered})
        stub.activate()
        self.stubs.append(stub)
        return ShiftedService("web", frozenset({"arn:a", "arn:b", "arn:rule"}))

    def subscribed_group(self) -> str:
        a_client("logs").create_log_group(logGroupName="/crossfade/shop")
        stub = Stubber(a_client("logs"))
        stub.add_response("describe_subscription_filters", {"subscriptionFilters": [{"filterName": "to-splunk"}]})
        stub.activate()
        self.stubs.append(stub)
        return "/crossfade/shop"

    def subnet(self) -> str:
        return str(a_client("ec2").describe_subnets()["Subnets"][0]["SubnetId"])

    def active_authority(self) -> str:
        made = a_client("acm-pca").create_certificate_authority(
            CertificateAuthorityConfiguration={
                "KeyAlgorithm": "EC_prime256v1",
                "SigningAlgorithm": "SHA256WITHECDSA",
                "Subject": {"CommonName": "shop"},
            },
            CertificateAuthorityType="ROOT",
            Tags=[{"Key": "AmazonECSManaged", "Value": "true"}],
        )
        arn = str(made["CertificateAuthorityArn"])
        a_client("acm-pca").update_certificate_authority(CertificateAuthorityArn=arn, Status="ACTIVE")
        return arn

    def disabled_key(self) -> str:
        name = str(a_client("kms").create_key()["KeyMetadata"]["KeyId"])
        a_client("kms").disable_key(KeyId=name)
        return name

    def infrastructure_role(self) -> str:
        trust = {
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"},
                {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"},
                {"Effect": "Deny", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
            ]
        }
        made = a_client("iam").create_role(RoleName="ecs", AssumeRolePolicyDocument=json.dumps(trust))
        return str(made["Role"]["Arn"])


_PAIR = {
    "targetGroups": [{"name": "web-a"}, {"name": "web-b"}],
    "prodTrafficRoute": {"listenerArns": ["arn:listener"]},
}

PLACES: dict[str, Callable[[], Place]] = {"memory": InMemory, "aws": OnAws}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        yield InMemory()
        return
    with in_process():
        place = OnAws()
        yield place
        for stub in place.stubs:
            stub.deactivate()


def test_tags_are_found_by_arn_and_what_is_gone_has_none(place: Place) -> None:
    arn = place.tagged_group()
    gone = f"{arn}-gone"

    found = place.ports.balancer_tags.tags([arn, gone])

    assert found[arn] == {"elbv2.k8s.aws/cluster": "east"}
    assert not found.get(gone)


def test_one_thing_that_is_gone_keeps_no_other_from_being_found() -> None:
    client = a_client("elbv2")
    stub = Stubber(client)
    tags: Any = {"TagDescriptions": [{"ResourceArn": "arn:b", "Tags": [{"Key": "team", "Value": "shop"}]}]}
    stub.add_client_error("describe_tags", "RuleNotFound", expected_params={"ResourceArns": ["arn:a", "arn:b"]})
    stub.add_client_error("describe_tags", "RuleNotFound", expected_params={"ResourceArns": ["arn:a"]})
    stub.add_response("describe_tags", tags, expected_params={"ResourceArns": ["arn:b"]})

    with stub:
        found = Elbv2Tags(client).tags(["arn:a", "arn:b"])

    assert found == {"arn:b": {"team": "shop"}}


def test_deployment_groups_that_move_traffic_are_found_and_others_not(place: Place) -> None:
    moving = place.deployment_group()

    assert place.ports.deployment_groups.that_shift() == (moving,)


def test_services_that_move_traffic_are_found_with_all_they_move(place: Place) -> None:
    moving = place.shifted_service()

    assert place.ports.shifted_services.that_shift("shop") == (moving,)


def test_no_cluster_has_no_service_that_moves_traffic(place: Place) -> None:
    assert place.ports.shifted_services.that_shift("gone") == ()


def test_subscription_filters_are_named(place: Place) -> None:
    group = place.subscribed_group()

    assert place.ports.subscriptions.names(group) == ("to-splunk",)


def test_a_group_that_is_not_there_has_no_subscription_filter(place: Place) -> None:
    assert place.ports.subscriptions.names("/crossfade/none") == ()


def test_concurrency_is_what_no_function_has_reserved(place: Place) -> None:
    assert place.ports.concurrency.unreserved() == 1_000


def test_free_addresses_are_counted_by_subnet_and_one_that_is_gone_left_out(place: Place) -> None:
    subnet = place.subnet()

    free = place.ports.subnets.free_addresses([subnet, "subnet-0123456789abcdef0"])

    assert list(free) == [subnet]
    assert free[subnet] > 0


def test_vcpus_say_the_quota_and_none_where_nothing_was_counted(place: Place) -> None:
    assert place.ports.vcpus.found(NOW) == Vcpus(quota=4_000, used=None)


def test_an_authority_says_its_status_and_tags(place: Place) -> None:
    arn = place.active_authority()

    assert place.ports.authorities.authority(arn) == Authority("ACTIVE", {"AmazonECSManaged": "true"})
    assert place.ports.authorities.authority(f"{arn[:-4]}0000") is None


def test_a_key_says_its_state(place: Place) -> None:
    name = place.disabled_key()

    assert place.ports.keys.key(name) == Key("Disabled", "SYMMETRIC_DEFAULT")
    assert place.ports.keys.key("00000000-0000-0000-0000-000000000000") is None


def test_a_role_says_which_services_it_trusts(place: Place) -> None:
    arn = place.infrastructure_role()

    assert place.ports.roles.trusted_services(arn) == frozenset({"ecs.amazonaws.com"})
    assert place.ports.roles.trusted_services(f"{arn}-none") is None


def test_the_most_that_ran_in_the_last_hour_is_what_is_used() -> None:
    with in_process():
        quotas, metrics = a_client("service-quotas"), a_client("cloudwatch")
        names = {"Class": "Standard/OnDemand", "Resource": "vCPU", "Service": "Fargate", "Type": "Resource"}
        dimensions = [{"Name": name, "Value": value} for name, value in names.items()]
        for minute, value in ((50, 12.0), (20, 30.0), (10, 18.0)):
            datum: Any = {"MetricName": "ResourceCount", "Dimensions": dimensions, "Value": value}
            at = NOW.replace(hour=11, minute=minute)
            metrics.put_metric_data(Namespace="AWS/Usage", MetricData=[{**datum, "Timestamp": at}])

        found = QuotaOfFargate(quotas, metrics).found(NOW)

    assert found == Vcpus(quota=4_000, used=30)


THROTTLED: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "tags": ("elbv2", "describe_tags", lambda client: Elbv2Tags(client).tags(["arn"])),
    "groups": ("codedeploy", "list_applications", lambda client: CodeDeployGroups(client).that_shift()),
    "services": ("ecs", "list_services", lambda client: EcsShiftedServices(client).that_shift("shop")),
    "filters": ("logs", "describe_subscription_filters", lambda client: LogsSubscriptions(client).names("group")),
    "concurrency": ("lambda", "get_account_settings", lambda client: LambdaConcurrency(client).unreserved()),
    "subnets": ("ec2", "describe_subnets", lambda client: Ec2Subnets(client).free_addresses(["subnet-1"])),
    "quota": ("service-quotas", "get_service_quota", lambda client: QuotaOfFargate(client, client).found(NOW)),
    "authority": (
        "acm-pca",
        "describe_certificate_authority",
        lambda client: PrivateAuthorities(client).authority("arn:ca"),
    ),
    "key": ("kms", "describe_key", lambda client: KmsKeys(client).key("key-1")),
    "role": ("iam", "get_role", lambda client: IamRoles(client).trusted_services("arn:aws:iam::1:role/ecs")),
}


@pytest.mark.parametrize("name", THROTTLED)
def test_a_throttled_call_asks_for_patience(name: str) -> None:
    service, operation, ask = THROTTLED[name]
    client = a_client(service)
    stub = Stubber(client)
    stub.add_client_error(operation, "ThrottlingException")

    with stub, pytest.raises(EcsBusy):
        ask(client)
