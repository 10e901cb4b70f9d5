from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.model import Shape

from rehearsal.deploy.errors import PropertyRefused
from rehearsal.deploy.request import api_input


def shape(service: str, operation: str) -> Shape:
    model = botocore.session.get_session().get_service_model(service)
    found = model.operation_model(operation).input_shape
    assert isinstance(found, Shape)
    return found


def test_names_are_spelled_as_the_api_spells_them_whatever_their_case() -> None:
    node = {
        "MeshName": "shop",
        "VirtualNodeName": "web",
        "Spec": {
            "ServiceDiscovery": {"AWSCloudMap": {"NamespaceName": "shop.local", "ServiceName": "web"}},
            "BackendDefaults": {"ClientPolicy": {"TLS": {"Enforce": "false", "Validation": {"Trust": {}}}}},
        },
    }

    answer = api_input(node, shape("appmesh", "CreateVirtualNode"), "", {})

    assert answer == {
        "meshName": "shop",
        "virtualNodeName": "web",
        "spec": {
            "serviceDiscovery": {"awsCloudMap": {"namespaceName": "shop.local", "serviceName": "web"}},
            "backendDefaults": {"clientPolicy": {"tls": {"enforce": False, "validation": {"trust": {}}}}},
        },
    }


def test_the_keys_of_a_map_keep_their_case() -> None:
    container = {"Name": "a", "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-Group": 1}}}

    answer = api_input({"ContainerDefinitions": [container]}, shape("ecs", "RegisterTaskDefinition"), "", {})

    assert answer["containerDefinitions"][0]["logConfiguration"]["options"] == {"awslogs-Group": "1"}


def test_a_name_that_differs_by_more_than_case_is_renamed_at_any_depth() -> None:
    proxy = {"Type": "APPMESH", "ProxyConfigurationProperties": [{"Name": "AppPorts", "Value": 8080}]}

    answer = api_input(
        {"ProxyConfiguration": proxy},
        shape("ecs", "RegisterTaskDefinition"),
        "",
        {"ProxyConfigurationProperties": "properties"},
    )

    assert answer["proxyConfiguration"]["properties"] == [{"name": "AppPorts", "value": "8080"}]


def test_numbers_and_booleans_given_as_text_become_what_the_api_takes() -> None:
    answer = api_input({"DesiredCount": "2", "EnableECSManagedTags": "true"}, shape("ecs", "CreateService"), "", {})

    assert answer == {"desiredCount": 2, "enableECSManagedTags": True}


def test_a_mapping_given_for_a_text_becomes_json() -> None:
    answer = api_input({"EventPattern": {"source": ["aws.ecs"]}}, shape("events", "PutRule"), "", {})

    assert answer == {"EventPattern": '{"source":["aws.ecs"]}'}


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"DesiredCuont": 1}, "DesiredCuont is not a property"),
        ({"LoadBalancers": [{"ContainerPort": 1, "Colour": "blue"}]}, "LoadBalancers/0/Colour is not a property"),
        ({"DesiredCount": "two"}, "DesiredCount must be a number"),
        ({"DesiredCount": True}, "DesiredCount must be a number"),
        ({"DesiredCount": 1.5}, "DesiredCount must be a number"),
        ({"EnableECSManagedTags": "yes"}, "EnableECSManagedTags must be true or false"),
        ({"LoadBalancers": {"ContainerPort": 1}}, "LoadBalancers must be a list"),
        ({"NetworkConfiguration": "awsvpc"}, "NetworkConfiguration must be a mapping"),
    ],
)
def test_what_the_api_would_not_take_is_refused_with_its_place(properties: dict[str, Any], says: str) -> None:
    with pytest.raises(PropertyRefused, match=says):
        api_input(properties, shape("ecs", "CreateService"), "", {})
