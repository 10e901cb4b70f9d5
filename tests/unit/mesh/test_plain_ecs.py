"""Plain ECS services: names from Cloud Map and load balancers, calls from environments, and no mesh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput, MeshNotFound
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.plan.document import MigrationPlan
from crossfade_cli.files import read_files
from tests.meshes import NOON, Resources, text_of

BOOKINGS = Path(__file__).resolve().parents[3] / "examples" / "bookings"


def a_namespace() -> Resources:
    return {"Space": {"Type": "AWS::ServiceDiscovery::PrivateDnsNamespace", "Properties": {"Name": "b.local"}}}


def plain(name: str, *, port: int = 8080, calls: Mapping[str, str] | None = None, **more: Any) -> Resources:
    """A service without a sidecar, registered in Cloud Map under its name."""
    environment = [{"Name": key, "Value": value} for key, value in (calls or {}).items()]
    ports = [{"ContainerPort": port}]
    container = {"Name": "app", "Image": "a", "PortMappings": ports, "Environment": environment}
    registry = {"Name": name, "DnsConfig": {"NamespaceId": {"Ref": "Space"}}}
    service = {
        "ServiceName": name,
        "Cluster": "b",
        "TaskDefinition": {"Ref": f"Task{name}"},
        "DesiredCount": 2,
        "ServiceRegistries": [{"RegistryArn": {"Fn::GetAtt": [f"Name{name}", "Arn"]}}],
        **more,
    }
    task = {"Family": name, "Memory": "512", "ContainerDefinitions": [container]}
    return {
        f"Name{name}": {"Type": "AWS::ServiceDiscovery::Service", "Properties": registry},
        f"Task{name}": {"Type": "AWS::ECS::TaskDefinition", "Properties": task},
        f"Service{name}": {"Type": "AWS::ECS::Service", "Properties": service},
    }


def plan_of(*parts: Resources, calls: str | None = None) -> MigrationPlan:
    resources = {key: item for part in (a_namespace(), *parts) for key, item in part.items()}
    written = [SourceText("calls.yaml", calls)] if calls else []
    return draw(read_sources([text_of(resources), *written], {}), DrawOptions(), NOON)


def aliases(plan: MigrationPlan, service: str) -> list[str]:
    found = plan.service(service).endpoints
    return [f"{each.dns_name}:{each.port}>{each.container_port} {each.app_protocol}" for each in found]


def test_a_name_in_cloud_map_that_somebody_dials_makes_a_server() -> None:
    plan = plan_of(plain("site", calls={"API": "http://api.b.local:8080"}), plain("api"))

    assert (plan.mesh, plan.migration, plan.waves) == (None, "b", (("api",), ("site",)))
    assert aliases(plan, "api") == ["api.b.local:8080>8080 http"]
    assert aliases(plan, "site") == []


@pytest.mark.parametrize(
    ("dialled", "protocol"),
    [
        ("http://api.b.local:9999/x", "http"),
        ("grpc://api.b.local:9999", "grpc"),
        ("redis://api.b.local:9999", "None"),
        ("api.b.local:9999", "None"),
    ],
)
def test_what_is_spoken_is_what_callers_say_and_tcp_when_they_do_not(dialled: str, protocol: str) -> None:
    plan = plan_of(plain("site", calls={"API": dialled}), plain("api", port=9999))

    assert aliases(plan, "api") == [f"api.b.local:9999>9999 {protocol}"]


def test_a_call_that_no_environment_shows_can_be_written_down() -> None:
    plan = plan_of(plain("site"), plain("api"), calls="calls:\n  site: [api]\n")

    assert plan.service("site").calls[0].dns_name == "api.b.local"
    assert plan.waves == (("api",), ("site",))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("calls:\n  nobody: [api]\n", "no ECS service nobody"),
        ("calls:\n  site: [elsewhere.local]\n", "neither an ECS service of the sources nor a name"),
        ("calls:\n  site: ['a b']\n", "write NAME or NAME:PORT"),
    ],
)
def test_a_call_written_down_wrongly_is_refused(written: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        plan_of(plain("site"), plain("api"), calls=written)


def test_services_on_service_connect_already_leave_nothing_to_migrate() -> None:
    with pytest.raises(MeshNotFound, match="on Service Connect already"):
        plan_of(plain("api", ServiceConnectConfiguration={"Enabled": True}))


@pytest.fixture(scope="module")
def bookings() -> MigrationPlan:
    return draw(read_sources(read_files([str(BOOKINGS)]), {}), DrawOptions(), NOON)


def test_a_name_of_an_internal_load_balancer_leads_past_it_to_the_service_behind(bookings: MigrationPlan) -> None:
    assert aliases(bookings, "quotes") == ["quotes.bookings.internal:80>9000 http"]
    assert [edge.name for edge in bookings.edges] == ["site"]
    assert bookings.service("quotes").green.target_group is None


def test_the_second_example_needs_no_persons_answer(bookings: MigrationPlan) -> None:
    assert bookings.open_blocking_gaps() == ()
    assert bookings.waves == (("rates", "rooms"), ("quotes",), ("site",))


def test_rules_of_an_internal_load_balancer_that_look_at_paths_are_a_gap() -> None:
    rule = """
  PremiumTargets:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {Name: bookings-premium, Protocol: HTTP, Port: 9000}
  PremiumRule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref QuotesListener
      Priority: 1
      Conditions: [{Field: path-pattern, Values: [/premium/*]}]
      Actions: [{Type: forward, TargetGroupArn: !Ref PremiumTargets}]
  Premium:
    Type: AWS::ECS::Service
    Properties:
      ServiceName: premium
      Cluster: !Ref Cluster
      TaskDefinition: !Ref QuotesTask
      LoadBalancers: [{ContainerName: app, ContainerPort: 9000, TargetGroupArn: !Ref PremiumTargets}]

Outputs:
"""
    texts = [
        SourceText(each.path, each.text.replace("\nOutputs:\n", rule) if "services" in each.path else each.text)
        for each in read_files([str(BOOKINGS)])
    ]

    plan = draw(read_sources(texts, {}), DrawOptions(), NOON)

    assert "ROUTE_MATCH_PATH" in {gap.id for gap in plan.open_blocking_gaps()}
