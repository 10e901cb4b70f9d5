"""What a task's configuration makes its proxy do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.aws.runtime import NamespaceEndpoint, TaskFailed, TaskSpec
from rehearsal.dataplane import mesh_proxy, service_connect
from rehearsal.dataplane.envoy import EnvoyMissing, find_envoy
from rehearsal.dataplane.proxy import ACCESS_LOG, ACCESS_LOGS, OutlierSettings, Protocol, Sidecar, bootstrap
from rehearsal.dataplane.resource_files import Endpoints
from rehearsal.dataplane.task_shape import LogDestination, log_destination, task_shape
from tests.rehearsal.dataplane.standin_aws import ORDERS, StandInAws, green_task, mesh_task

AWS_FIELDS = (
    "start_time method path protocol response_code bytes_received bytes_sent duration_ms upstream_service_time "
    "forwarded_for user_agent request_id authority upstream_host"
)
ORDERS_NODE = {"virtualNode": "orders", "weight": 1}
MESH: dict[str, dict[str, Any]] = {
    "nodes": {
        "web": {"backends": [{"virtualService": {"virtualServiceName": "orders.shop.local"}}]},
        "orders": {
            "listeners": [
                {
                    "portMapping": {"port": 8080, "protocol": "http"},
                    "outlierDetection": {
                        "maxServerErrors": 3,
                        "interval": {"unit": "ms", "value": 12_000},
                        "baseEjectionDuration": {"unit": "s", "value": 24},
                        "maxEjectionPercent": 60,
                    },
                }
            ]
        },
    },
    "services": {"orders.shop.local": {"virtualRouter": {"virtualRouterName": "orders"}}},
    "routes": {
        "all": {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [ORDERS_NODE]}}},
        "slow": {
            "priority": 1,
            "httpRoute": {
                "match": {"prefix": "/report"},
                "action": {"weightedTargets": [ORDERS_NODE]},
                "timeout": {"perRequest": {"unit": "s", "value": 40}},
                "retryPolicy": {
                    "maxRetries": 4,
                    "perRetryTimeout": {"unit": "ms", "value": 2_500},
                    "httpRetryEvents": ["server-error"],
                    "tcpRetryEvents": ["connection-error"],
                },
            },
        },
    },
}


def green(spec: TaskSpec, folder: Path, outlier: OutlierSettings | None = None) -> Sidecar:
    return service_connect.sidecar(
        spec,
        task_shape(spec),
        {8080: 50_001},
        outlier=outlier or OutlierSettings(),
        merge_seconds=1,
        endpoints=Endpoints(folder).file,
    )


def blue(folder: Path, *, dialled: dict[str, str], time_scale: float = 1) -> Sidecar:
    view = mesh_proxy.read_node(StandInAws(mesh=MESH).client("appmesh"), "shop", "web")
    return mesh_proxy.sidecar(
        view, {8080: 50_001}, dialled, node_id="web/1", time_scale=time_scale, endpoints=Endpoints(folder).file
    )


def cluster(config: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [one for one in config["static_resources"]["clusters"] if one["name"] == name]
    return dict(found)


def test_the_access_log_has_the_fields_aws_documents() -> None:
    assert tuple(ACCESS_LOG) == tuple(AWS_FIELDS.split())


@pytest.mark.parametrize(("protocol", "more"), [("http2", {"stream_id"}), ("grpc", {"stream_id", "grpc_status"})])
def test_other_protocols_spell_the_duration_otherwise_and_have_fields_of_their_own(
    protocol: Protocol, more: set[str]
) -> None:
    assert set(ACCESS_LOGS[protocol]) == {*AWS_FIELDS.split(), "duration", *more} - {"duration_ms"}


def test_a_client_reaches_the_endpoints_it_was_started_with_and_no_others(tmp_path: Path) -> None:
    before, after = green_task("web", 1), green_task("web", 2, endpoints=(ORDERS,))

    assert green(before, tmp_path).egresses == ()
    assert [one.name for one in green(after, tmp_path).egresses] == ["orders.shop.local:8080"]


def test_service_connect_ejects_after_five_failures_and_retries_twice_elsewhere(tmp_path: Path) -> None:
    spec = green_task("web", 1, endpoints=(ORDERS,))

    config = bootstrap(green(spec, tmp_path, OutlierSettings().faster(10)))

    [listener] = config["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    route = manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    assert route["timeout"] == "15.000s"
    assert route["retry_policy"]["num_retries"] == 2
    assert "previous_hosts" in route["retry_policy"]["retry_host_predicate"][0]["name"]
    outlier = cluster(config, "connect_shop-green_orders-green")["outlier_detection"]
    assert (outlier["consecutive_5xx"], outlier["max_ejection_percent"]) == (5, 50)
    assert (outlier["interval"], outlier["base_ejection_time"]) == ("1.000s", "3.000s")


def test_an_endpoints_own_timeout_replaces_the_default(tmp_path: Path) -> None:
    timeout = {"perRequestTimeoutSeconds": 3, "idleTimeoutSeconds": 9}
    endpoint = NamespaceEndpoint("orders", "orders", 80, "http", timeout, "orders", "http", 8080)

    sidecar = green(green_task("web", 1, endpoints=(endpoint,)), tmp_path)

    [route] = sidecar.egresses[0].routes
    assert (route.timeout_seconds, route.idle_seconds) == (3, 9)


def test_a_port_no_endpoint_names_has_no_proxy_in_front_of_it(tmp_path: Path) -> None:
    assert green(green_task("web", 1), tmp_path).ingresses == ()
    assert [one.container_port for one in green(green_task("o", 1, serves="o"), tmp_path).ingresses] == [8080]


def test_without_an_access_log_configuration_no_access_log_is_written(tmp_path: Path) -> None:
    spec = green_task("web", 1)
    assert spec.service_connect is not None
    silent = {key: value for key, value in spec.service_connect.items() if key != "accessLogConfiguration"}

    sidecar = service_connect.sidecar(
        TaskSpec(spec.task_arn, spec.task_id, "shop", "web", spec.task_definition, silent),
        task_shape(spec),
        {8080: 1},
        outlier=OutlierSettings(),
        merge_seconds=1,
        endpoints=Endpoints(tmp_path).file,
    )

    assert not sidecar.logs_access


def test_an_endpoint_of_a_port_without_a_name_fails_the_task(tmp_path: Path) -> None:
    spec = green_task("orders", 1)
    nameless = TaskSpec(
        spec.task_arn,
        spec.task_id,
        "shop",
        "orders",
        {"containerDefinitions": [{"name": "app", "portMappings": [{"containerPort": 8080}]}]},
        {"enabled": True, "services": [{"portName": "http"}]},
    )

    with pytest.raises(TaskFailed, match="http"):
        green(nameless, tmp_path)


def test_a_virtual_node_reaches_its_backends_and_no_other_name(tmp_path: Path) -> None:
    dialled = {"orders.shop.local:80": "orders.shop.local", "elsewhere.local:80": "elsewhere.local"}

    sidecar = blue(tmp_path, dialled=dialled)

    assert [one.name for one in sidecar.egresses] == ["orders.shop.local:8080", "orders.shop.local:80"]


def test_a_route_keeps_its_own_timeout_retries_and_precedence(tmp_path: Path) -> None:
    [egress] = blue(tmp_path, dialled={"orders.shop.local:8080": "orders.shop.local"}).egresses

    slow, rest = egress.routes
    assert slow.match == {"prefix": "/report"}
    assert slow.timeout_seconds == 40
    assert slow.retries is not None
    assert (slow.retries.attempts, slow.retries.per_try_seconds) == (4, 2.5)
    assert slow.retries.conditions == ("connect-failure", "retriable-status-codes")
    assert 500 in slow.retries.codes
    assert rest.match == {"prefix": "/"}
    assert rest.timeout_seconds == 15


def test_callers_apply_the_outlier_detection_of_the_node_they_call(tmp_path: Path) -> None:
    config = bootstrap(blue(tmp_path, dialled={"orders.shop.local:8080": "orders.shop.local"}, time_scale=6))

    outlier = cluster(config, "mesh_shop_orders")["outlier_detection"]
    assert (outlier["consecutive_5xx"], outlier["max_ejection_percent"]) == (3, 60)
    assert (outlier["interval"], outlier["base_ejection_time"]) == ("2.000s", "4.000s")


def test_a_mesh_proxy_is_known_by_its_resource_arn_and_its_own_ports_are_not_the_applications() -> None:
    shape = task_shape(mesh_task("web", 1, "web"))

    assert shape.ports == (8080,)
    assert shape.mesh_proxy is not None
    assert (shape.mesh_proxy.mesh, shape.mesh_proxy.node) == ("shop", "web")
    assert shape.mesh_proxy.logs == LogDestination("/shop/envoy", "blue")


def test_a_mesh_proxy_that_does_not_know_its_node_fails_the_task() -> None:
    spec = mesh_task("web", 1, "web")
    definition = {
        **spec.task_definition,
        "containerDefinitions": [
            {name: value for name, value in container.items() if name != "environment"}
            for container in spec.task_definition["containerDefinitions"]
        ],
    }

    with pytest.raises(TaskFailed, match="APPMESH_RESOURCE_ARN"):
        task_shape(TaskSpec(spec.task_arn, spec.task_id, "shop", "web", definition))


def test_a_driver_other_than_awslogs_is_shipped_nowhere() -> None:
    assert log_destination({"logDriver": "awsfirelens", "options": {}}) is None
    assert log_destination(None) is None


def test_a_set_of_hosts_is_a_file_from_the_moment_it_is_asked_for(tmp_path: Path) -> None:
    endpoints = Endpoints(tmp_path)
    path = endpoints.file("orders")
    empty = path.read_text()

    endpoints.add("orders", 9001)
    endpoints.add("orders", 9000)
    endpoints.remove("orders", 9001)

    assert "9000" not in empty
    assert '"port_value": 9000' in path.read_text()
    assert endpoints.ports("orders") == (9000,)
    assert [one.name for one in tmp_path.iterdir()] == ["orders.json"]


def test_where_envoy_is_named_but_absent_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVOY_BIN", "/nowhere/envoy")

    with pytest.raises(EnvoyMissing, match="ENVOY_BIN names /nowhere/envoy"):
        find_envoy()
