from __future__ import annotations

import re
from typing import Any

import cfnlint.api
import pytest

from crossfade.connect.gaps import TABLE
from crossfade.connect.services import ServiceState
from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput, MeshNotFound
from crossfade.green.creation import creation_request
from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import CdnRef, DnsRef, EdgePlan, RecordRef, Rung, RungKind
from crossfade.plan.infrastructure import cloudformation, terraform
from crossfade.plan.parameters import forwarding_parameters, parameters
from crossfade.plan.report import report
from tests.meshes import NOON, Resources, a_mesh, a_name, a_node, a_service, an_edge, behind, drawn, ids, two_services


def test_the_plan_survives_its_own_json() -> None:
    plan = drawn(two_services())

    assert MigrationPlan.from_json(plan.to_json()) == plan


def test_the_edge_is_every_listener_and_rule_that_leads_to_blue() -> None:
    rule = {
        "Type": "AWS::ElasticLoadBalancingV2::ListenerRule",
        "Properties": {
            "ListenerArn": {"Ref": "Listener"},
            "Priority": 10,
            "Actions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}],
        },
    }

    (edge,) = drawn({**two_services(), "Rule": rule}).edges

    assert (edge.name, edge.service, edge.blue.name, edge.green.name) == ("web", "web", "web", "web-sc")
    assert [(each.load_balancer, each.listener_port, each.priority) for each in edge.rules] == [
        ("lb", 80, "default"),
        ("lb", 80, "10"),
    ]


def test_a_network_load_balancer_divides_connections_and_settles_with_the_longest() -> None:
    plan = drawn({**two_services(), **an_edge(kind="network")})

    (edge,) = plan.edges
    assert (edge.kind, edge.settle_seconds) == ("nlb", 350)
    assert ids(plan) == ["EDGE_KIND targetgroup/web"]
    assert plan.open_blocking_gaps() == ()


def test_greens_target_group_fits_in_32_characters_and_stays_its_own() -> None:
    names = [f"{'a' * 30}-{letter}" for letter in "xy"]

    greens = [drawn({**two_services(), **an_edge(name)}).edges[0].green.name for name in names]

    assert all(len(green) <= 32 and green.endswith("-sc") for green in greens)
    assert len(set(greens)) == 2


def test_the_ladder_climbs_bakes_beside_a_live_control_and_is_watched() -> None:
    ladder = drawn(two_services()).edges[0].ladder

    assert [(rung.share_bp, rung.kind) for rung in ladder] == [
        (100, RungKind.CLIMB),
        (500, RungKind.CLIMB),
        (1_500, RungKind.CLIMB),
        (5_000, RungKind.CLIMB),
        (9_500, RungKind.BAKE),
        (10_000, RungKind.WATCH),
    ]


def test_green_takes_the_suffix_the_operator_chose() -> None:
    plan = drawn(two_services(), options=DrawOptions(suffix="-next"))

    api = plan.service("api")
    assert plan.namespace.name == "m-next"
    assert (api.green.service_name, api.green.task_definition.family) == ("api-next", "api-next")
    assert api.endpoints[0].discovery_name == "api-next"


@pytest.mark.parametrize("suffix", ["", "sc", "-", "-SC", "-much-too-long"])
def test_a_suffix_that_names_cannot_bear_is_refused(suffix: str) -> None:
    with pytest.raises(BadInput, match="suffix"):
        drawn(two_services(), options=DrawOptions(suffix=suffix))


def test_the_entry_service_keeps_its_grace_and_its_container_behind_the_edge() -> None:
    web = drawn(two_services(), a_service("web", LoadBalancers=behind(), HealthCheckGracePeriodSeconds=7)).service(
        "web"
    )

    assert (web.green.health_check_grace_seconds, web.green.container_name, web.green.container_port) == (
        7,
        "app",
        8080,
    )
    assert web.blue.target_group
    assert web.green.target_group


def test_a_target_group_that_points_at_envoy_points_at_the_application_in_green() -> None:
    targets = [{**behind()[0], "ContainerName": "envoy"}]

    plan = drawn(two_services(), a_service("web", LoadBalancers=targets))

    assert plan.service("web").green.container_name == "app"


@pytest.mark.parametrize(
    ("dimension", "watched"),
    [
        ({"Name": "LoadBalancer", "Value": {"Fn::GetAtt": ["Balancer", "LoadBalancerFullName"]}}, True),
        ({"Name": "TargetGroup", "Value": {"Fn::GetAtt": ["Targets", "TargetGroupFullName"]}}, True),
        ({"Name": "LoadBalancer", "Value": "app/other/1"}, False),
        ({"Name": "ClusterName", "Value": "c"}, False),
    ],
)
def test_the_operators_alarms_on_the_edge_are_found(dimension: dict[str, Any], watched: bool) -> None:  # noqa: FBT001
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "errors", "Dimensions": [dimension]}}

    plan = drawn({**two_services(), "Alarm": alarm})

    assert plan.alarms == (("errors",) if watched else ())


def test_a_cycle_is_one_wave_whose_services_are_deployed_once_more() -> None:
    cycle = {**a_node("api", backends=["web.m.local"]), **a_name("web.m.local", node="web")}

    plan = drawn({**two_services(), **cycle})

    assert plan.waves == (("api", "web"),)
    assert plan.redeploy == ("api", "web")
    assert ids(plan) == ["CALL_CYCLE mesh/m"]
    assert plan.open_blocking_gaps() == ()


def test_without_a_way_in_there_is_nothing_to_shift() -> None:
    plan = drawn({**two_services(), **a_service("web")})

    assert plan.edges == ()
    assert "EDGE_MISSING mesh/m" in ids(plan)
    assert plan.open_blocking_gaps()


def test_work_that_no_call_reaches_is_named() -> None:
    plan = drawn({**two_services(), **a_node("worker"), **a_service("worker")})

    assert ids(plan) == ["BACKGROUND_WORK ecsService/worker"]


@pytest.mark.parametrize(
    ("resources", "options", "error", "said"),
    [
        ({}, DrawOptions(), BadInput, "neither a mesh nor an ECS service"),
        (a_mesh(), DrawOptions(), BadInput, "the mesh m and no ECS service"),
        ({**a_mesh(), **a_service("web", node="")}, DrawOptions(), MeshNotFound, "nothing to migrate"),
        (two_services(), DrawOptions(mesh="x"), BadInput, "no mesh named x; they hold m"),
        (two_services(), DrawOptions(migration="9"), BadInput, "cannot name a migration"),
        ({**two_services(), **a_node("x", mesh="other")}, DrawOptions(), BadInput, r"several meshes \(m, other\)"),
        (
            {**two_services(), **a_service("api", Cluster="d")},
            DrawOptions(),
            BadInput,
            r"several clusters \(c, d\)",
        ),
    ],
)
def test_what_no_plan_can_be_drawn_from_is_refused_by_name(
    resources: Any, options: DrawOptions, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        drawn(resources, options=options)


@pytest.mark.parametrize("name", ["ServiceName", "Cluster"])
def test_a_plan_that_would_need_a_name_nobody_knows_is_refused(name: str) -> None:
    resources = two_services()
    resources["Serviceapi"]["Properties"][name] = {"Fn::Sub": "x-${AWS::StackName}"}

    with pytest.raises(
        BadInput, match=r"AWS::StackName is not known from files; give --param 't\.json:AWS::StackName="
    ):
        drawn(resources)


def test_the_same_sources_give_the_same_document() -> None:
    assert drawn(two_services()).to_json() == drawn(two_services()).to_json()


def test_the_report_says_every_gap_and_every_service() -> None:
    plan = drawn({**two_services(), **a_mesh(egress="DROP_ALL"), **a_service("api", DesiredCount=1)})

    text = report(plan)

    assert "1 blocking gap open" in text
    assert text.index("EGRESS_FILTER") < text.index("SINGLE_TASK") < text.index("| 1 | api | server | api-sc |")
    assert all(gap.detail in text and gap.source in text for gap in plan.gaps)
    assert f"Drawn {NOON:%Y-%m-%d}" in text


def test_the_stacks_parameters_name_what_the_plan_touches_and_nothing_else() -> None:
    plan = drawn(two_services(), options=DrawOptions(region="eu-west-1"))

    assert parameters(plan, ["arn:aws:iam::1:role/b", "arn:aws:iam::1:role/a"]) == {
        "EdgeArns": "arn:aws:elasticloadbalancing:eu-west-1:*:listener/app/lb/*,"
        "arn:aws:elasticloadbalancing:eu-west-1:*:listener-rule/app/lb/*",
        "TargetGroupArns": "arn:aws:elasticloadbalancing:eu-west-1:*:targetgroup/web-sc/*",
        "ServiceArns": "arn:aws:ecs:eu-west-1:*:service/c/api-sc,arn:aws:ecs:eu-west-1:*:service/c/web-sc",
        "BlueServiceArns": "arn:aws:ecs:eu-west-1:*:service/c/api,arn:aws:ecs:eu-west-1:*:service/c/web",
        "BlueTaskArns": "arn:aws:ecs:eu-west-1:*:task/c/*",
        "TaskDefinitionArns": "arn:aws:ecs:eu-west-1:*:task-definition/api-sc:*,"
        "arn:aws:ecs:eu-west-1:*:task-definition/web-sc:*",
        "PassRoleArns": "arn:aws:iam::1:role/a,arn:aws:iam::1:role/b",
    }


def test_the_stacks_parameters_name_the_zones_and_records_of_an_edge_in_route_53() -> None:
    dns = DnsRef(
        zone_id="Z1",
        records=(RecordRef(name="Shop.example.", type="A"), RecordRef(name="*.shop.example", type="CNAME")),
        green_load_balancer="green",
    )
    plan = drawn(two_services())
    edge = EdgePlan.model_validate({**plan.edges[0].model_dump(), "kind": "route53", "rules": (), "dns": dns})

    named = parameters(plan.model_copy(update={"edges": (edge,)}))

    assert named["HostedZoneArns"] == "arn:aws:route53:::hostedzone/Z1"
    assert named["RecordNames"] == "\\052.shop.example,shop.example"


def test_the_report_says_where_users_are_divided_at_each_kind_of_edge() -> None:
    plan = drawn(two_services())
    dns = DnsRef(zone_id="Z1", records=(RecordRef(name="shop.example", type="A"),), green_load_balancer="green")
    cdn = CdnRef(distribution_id="E1", origin_id="app", green_domain="g.example", green_load_balancer="green")
    ladder = (Rung(share_bp=10_000, soak_seconds=60),)
    base = {**plan.edges[0].model_dump(), "rules": (), "ladder": ladder}
    edges = tuple(
        EdgePlan.model_validate({**base, **members})
        for members in ({"kind": "route53", "dns": dns}, {"kind": "cloudfront", "cdn": cdn})
    )

    text = report(plan.model_copy(update={"edges": edges}))
    named = parameters(plan.model_copy(update={"edges": edges}))

    assert "- shop.example A in zone Z1, to green for green" in text
    assert "- origin app of distribution E1, g.example for green" in text
    assert named["DistributionArns"] == "arn:aws:cloudfront::*:distribution/E1"


@pytest.mark.parametrize(
    ("kind", "region", "alarms", "named"),
    [
        ("cloudfront", "eu-west-1", ("a", "b"), {"HomeRegion": "eu-west-1", "AlarmNames": "a,b"}),
        ("cloudfront", "eu-west-1", (), {}),
        ("cloudfront", "us-east-1", ("a",), {}),
        ("cloudfront", None, ("a",), {}),
        ("alb", "eu-west-1", ("a",), {}),
    ],
)
def test_alarms_of_cloudfront_are_led_to_the_stacks_region_where_that_is_another(
    kind: str, region: str | None, alarms: tuple[str, ...], named: dict[str, str]
) -> None:
    plan = drawn(two_services()).model_copy(update={"region": region, "alarms": alarms})
    cdn = CdnRef(distribution_id="E1", origin_id="app", green_domain="g.example", green_load_balancer="green")
    where = {"kind": kind, "rules": (), "cdn": cdn} if kind == "cloudfront" else {}
    ladder = (Rung(share_bp=10_000, soak_seconds=60),)
    edge = EdgePlan.model_validate({**plan.edges[0].model_dump(), "ladder": ladder, **where})

    assert forwarding_parameters(plan.model_copy(update={"edges": (edge,)})) == named


def test_parameters_leave_out_what_is_not_known() -> None:
    assert "PassRoleArns" not in parameters(drawn(two_services()))


def test_every_row_of_the_table_has_its_own_id_and_a_page_of_aws() -> None:
    assert all(row.id == key and row.source.startswith("https://docs.aws.amazon.com/") for key, row in TABLE.items())


def test_greens_services_take_the_names_the_operator_wants() -> None:
    plan = drawn(two_services(), options=DrawOptions(green_name="next-{service}"))

    assert [each.green.service_name for each in plan.services] == ["next-api", "next-web"]


@pytest.mark.parametrize("template", ["green", "{service}", "{service} green"])
def test_names_that_ecs_or_blue_would_not_bear_are_refused(template: str) -> None:
    with pytest.raises(BadInput, match="green"):
        drawn(two_services(), options=DrawOptions(green_name=template))


def test_a_namespace_arn_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="no Cloud Map namespace"):
        drawn(two_services(), options=DrawOptions(namespace="arn:aws:ecs:eu-west-1:1:cluster/x"))


def test_names_under_which_dns_knows_blue_are_listed() -> None:
    registry: dict[str, Any] = {
        "ServiceRegistries": [{"RegistryArn": "arn:aws:servicediscovery:eu-west-1:1:service/srv-1"}]
    }

    plan = drawn({**two_services(), **a_service("api", **registry)})

    assert [(each.name, each.service) for each in plan.outside_names] == [("api.m.local", "api")]


def behind_two_load_balancers() -> Resources:
    """web answers users on 8080 by one load balancer and partners on 9000 by another."""
    elb = "AWS::ElasticLoadBalancingV2::"
    action = {"Type": "forward", "TargetGroupArn": {"Ref": "Partners"}}
    listener = {"LoadBalancerArn": {"Ref": "Second"}, "Port": 443, "DefaultActions": [action]}
    attached = [*behind(), {"TargetGroupArn": {"Ref": "Partners"}, "ContainerName": "app", "ContainerPort": 9000}]
    ports = [{"ContainerPort": 8080}, {"ContainerPort": 9000}]
    return {
        **two_services(),
        **a_service("web", LoadBalancers=attached, app={"PortMappings": ports}),
        "Second": {"Type": f"{elb}LoadBalancer", "Properties": {"Name": "second"}},
        "Partners": {"Type": f"{elb}TargetGroup", "Properties": {"Name": "partners", "Port": 9000}},
        "SecondListener": {"Type": f"{elb}Listener", "Properties": listener},
    }


def test_a_service_behind_two_load_balancers_answers_each_on_its_own_port() -> None:
    plan = drawn(behind_two_load_balancers())

    assert (plan.service("web").green.container_name, plan.service("web").green.container_port) == ("app", 8080)
    assert [(edge.green.name, edge.green.container_name, edge.green.container_port) for edge in plan.edges] == [
        ("web-sc", None, None),
        ("partners-sc", "app", 9000),
    ]
    for side in (cloudformation(plan), terraform(plan)):
        ports = re.findall(r"(?:ContainerPort\"|container_port) *[:=] *(\d+)", side)
        assert sorted(ports) == ["8080", "9000"]
    found = cfnlint.api.lint_all(cloudformation(plan))
    assert [str(each) for each in found if not each.rule.id.startswith("I")] == []


def test_green_is_created_behind_each_target_group_on_the_port_that_answers_it() -> None:
    plan = drawn(behind_two_load_balancers())
    arns = [f"arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{name}/1" for name in ("web-sc", "partners-sc")]
    arn = "arn:aws:ecs:eu-west-1:1:service/c/web"
    blue = ServiceState(arn=arn, name="web", status="ACTIVE", desired=2, running=2, task_definition="web:1")

    request = creation_request(
        plan,
        plan.service("web"),
        blue,
        task_definition="t",
        namespace="n",
        target_groups=arns,
        client_token=plan.migration,
    )

    assert [(each["targetGroupArn"], each["containerPort"]) for each in request["loadBalancers"]] == [
        (arns[0], 8080),
        (arns[1], 9000),
    ]
