"""A mesh without its ECS side gives a draft: names, order and losses, and nothing that could be migrated by."""

from __future__ import annotations

from crossfade.plan.document import MigrationPlan, Severity
from crossfade.plan.report import summary
from crossfade.plan.services import Role
from tests.meshes import Resources, a_gateway, a_mesh, a_name, a_node, a_route, a_router, a_service, drawn, ids

RETRIES = {"RetryPolicy": {"MaxRetries": 5, "HttpRetryEvents": ["server-error"]}}


def only_a_mesh() -> Resources:
    return {
        **a_mesh(egress="DROP_ALL"),
        **a_node("web", backends=["api.m.local"]),
        **a_node("api", 9000, backends=["db.m.local"]),
        **a_node("db", 5432, ServiceDiscovery={"DNS": {"Hostname": "shop.1a2b.eu-west-1.rds.amazonaws.com"}}),
        **a_name("db.m.local", node="db"),
        **a_name("api.m.local", router="api"),
        **a_router("api", 80),
        **a_route("all", "api", {"api": 1}, **RETRIES),
    }


def test_the_names_the_ports_and_the_order_are_the_meshes_own() -> None:
    plan = drawn(only_a_mesh())

    assert plan.waves == (("api",), ("web",))
    assert [(each.virtual_node, each.ecs_service, each.role) for each in plan.services] == [
        ("api", None, Role.SERVER),
        ("web", None, Role.CLIENT),
    ]
    (endpoint,) = plan.service("api").endpoints
    assert (endpoint.dns_name, endpoint.port, endpoint.container_port, endpoint.container) == (
        "api.m.local",
        80,
        9000,
        None,
    )


def test_what_is_lost_is_named_and_nothing_is_made_up_of_ecs() -> None:
    plan = drawn(only_a_mesh())

    assert ids(plan) == [
        "EDGE_MISSING mesh/m",
        "EGRESS_FILTER mesh/m",
        "EXTERNAL_NODE virtualNode/db",
        "NODE_WITHOUT_ECS_SERVICE virtualNode/api",
        "NODE_WITHOUT_ECS_SERVICE virtualNode/web",
        "RETRY_POLICY route/api/all",
    ]
    (missing,) = (each for each in plan.gaps if each.resource == "virtualNode/api")
    assert missing.severity is Severity.BLOCKING
    assert "Add the source that holds the service" in missing.detail


def test_it_says_that_it_is_a_draft_also_when_read_again() -> None:
    plan = MigrationPlan.from_json(drawn(only_a_mesh()).to_json())

    assert plan.unready() == "no source held the ECS services of api, web; draw it again with the one that does"
    assert "A draft: no source held the ECS services of api, web" in summary(plan)
    assert drawn({**a_mesh(), **a_node("web"), **a_service("web")}).unready() is None


def test_a_task_definition_of_a_node_is_read_though_no_service_runs_it() -> None:
    metrics = {"Environment": [{"Name": "ENABLE_ENVOY_STATS_TAGS", "Value": "1"}]}
    made = a_service("api", port=9000, envoy={"Image": "aws-appmesh-envoy"}, app={"Name": "teller"})
    made["Taskapi"]["Properties"]["ContainerDefinitions"][1]["Environment"] += metrics["Environment"]

    plan = drawn({**only_a_mesh(), "Taskapi": made["Taskapi"]})

    assert plan.service("api").endpoints[0].container == "teller"
    assert plan.service("api").ecs_service is None
    assert "ENVOY_METRICS taskDefinition/api" in ids(plan)
    assert not [each for each in ids(plan) if each.startswith(("STANDALONE_TASK", "SINGLE_TASK", "BACKGROUND"))]


def test_a_gateway_is_no_service_that_is_missing() -> None:
    made = {key: value for key, value in a_gateway(all="api.m.local").items() if key in ("Door", "Wayall")}

    plan = drawn({**only_a_mesh(), **made})

    assert "VIRTUAL_GATEWAY virtualGateway/door" in ids(plan)
    assert sorted(each.name for each in plan.services) == ["api", "web"]
