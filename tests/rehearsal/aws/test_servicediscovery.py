"""Cloud Map of the embedded AWS, in both modes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.aws.lab import MODES, Lab, labs


@pytest.fixture(scope="module", params=MODES)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from labs(request.param)


def code_of(act: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act(**request)
    return str(refused.value.response["Error"]["Code"])


def http_namespace(lab: Lab, name: str, **more: Any) -> str:
    """Create an HTTP namespace, and return its id as the operation tells it."""
    cloudmap = lab.client("servicediscovery")
    operation = cloudmap.create_http_namespace(Name=name, **more)["OperationId"]
    done = cloudmap.get_operation(OperationId=operation)["Operation"]
    assert done["Status"] == "SUCCESS"
    return str(done["Targets"]["NAMESPACE"])


def test_a_namespace_is_found_by_its_name(lab: Lab) -> None:
    name = lab.name("green")
    http_namespace(lab, lab.name("other"))
    identity = http_namespace(lab, name, Tags=[{"Key": "crossfade:migration", "Value": "m-1"}])

    [found] = lab.client("servicediscovery").list_namespaces(Filters=[{"Name": "NAME", "Values": [name]}])["Namespaces"]

    [tag] = lab.client("servicediscovery").list_tags_for_resource(ResourceARN=found["Arn"])["Tags"]
    whole = lab.client("servicediscovery").get_namespace(Id=identity)["Namespace"]
    assert (found["Id"], found["Type"], found["Name"]) == (identity, "HTTP", name)
    assert whole["Arn"] == found["Arn"]
    assert tag == {"Key": "crossfade:migration", "Value": "m-1"}


def test_a_namespace_name_is_taken_once(lab: Lab) -> None:
    name = lab.name("green")
    http_namespace(lab, name)

    assert code_of(lab.client("servicediscovery").create_http_namespace, Name=name) == "NamespaceAlreadyExists"


def test_the_same_creator_request_makes_one_namespace(lab: Lab) -> None:
    name = lab.name("green")
    first = http_namespace(lab, name, CreatorRequestId=name)

    assert http_namespace(lab, name, CreatorRequestId=name) == first


def test_a_network_has_several_private_namespaces(lab: Lab) -> None:
    cloudmap, names = lab.client("servicediscovery"), [f"{lab.name('shop')}.local" for _ in range(2)]
    vpc = lab.aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    for name in names:
        cloudmap.create_private_dns_namespace(Name=name, Vpc=vpc)

    found = cloudmap.list_namespaces(Filters=[{"Name": "TYPE", "Values": ["DNS_PRIVATE"], "Condition": "EQ"}])
    zones = {each["Name"] for each in lab.aws.client("route53").list_hosted_zones()["HostedZones"]}
    assert [each["Name"] for each in found["Namespaces"]] == names
    assert {f"{name}." for name in names} <= zones
    assert code_of(cloudmap.create_private_dns_namespace, Name=names[0], Vpc=vpc) == "NamespaceAlreadyExists"


def test_services_are_listed_by_namespace_and_hold_instances(lab: Lab) -> None:
    cloudmap = lab.client("servicediscovery")
    one, other = http_namespace(lab, lab.name("one")), http_namespace(lab, lab.name("other"))
    service = cloudmap.create_service(Name="orders", NamespaceId=one)["Service"]["Id"]
    cloudmap.create_service(Name="orders", NamespaceId=other)
    for _ in range(2):
        cloudmap.register_instance(ServiceId=service, InstanceId="i-1", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.1"})

    [found] = cloudmap.list_services(Filters=[{"Name": "NAMESPACE_ID", "Values": [one]}])["Services"]

    assert (found["Id"], found["InstanceCount"]) == (service, 1)
    assert code_of(cloudmap.create_service, Name="orders", NamespaceId=one) == "ServiceAlreadyExists"
    assert code_of(cloudmap.delete_service, Id=service) == "ResourceInUse"
    assert code_of(cloudmap.delete_namespace, Id=one) == "ResourceInUse"


def test_a_service_needs_a_namespace_that_exists(lab: Lab) -> None:
    create = lab.client("servicediscovery").create_service

    assert code_of(create, Name="orders", NamespaceId="ns-nobody") == "NamespaceNotFound"


def test_namespaces_are_listed_in_pages(lab: Lab) -> None:
    for _ in range(3):
        http_namespace(lab, lab.name("paged"))

    pages = (
        lab.client("servicediscovery")
        .get_paginator("list_namespaces")
        .paginate(
            Filters=[{"Name": "NAME", "Values": ["paged"], "Condition": "BEGINS_WITH"}],
            PaginationConfig={"PageSize": 2},
        )
    )

    assert [len(page["Namespaces"]) for page in pages] == [2, 1]


def test_an_instance_that_its_owner_registered_is_discovered(lab: Lab) -> None:
    cloudmap, name = lab.client("servicediscovery"), lab.name("own")
    service = cloudmap.create_service(Name="orders", NamespaceId=http_namespace(lab, name))["Service"]["Id"]
    cloudmap.register_instance(ServiceId=service, InstanceId="i-1", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.1"})

    [found] = cloudmap.discover_instances(NamespaceName=name, ServiceName="orders")["Instances"]

    assert (found["InstanceId"], found["HealthStatus"]) == ("i-1", "HEALTHY")
    assert code_of(cloudmap.discover_instances, NamespaceName=name, ServiceName="nobody") == "ServiceNotFound"
    assert code_of(cloudmap.discover_instances, NamespaceName=f"{name}-not", ServiceName="x") == "NamespaceNotFound"
