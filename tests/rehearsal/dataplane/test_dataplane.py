"""Real proxies, real requests: what the data plane promises the rest of a rehearsal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crossfade.plan.services import Call
from rehearsal.aws.runtime import TaskFailed
from rehearsal.dataplane import DataPlane, version
from rehearsal.dataplane.envoy import validate
from rehearsal.dataplane.proxy import Ingress, OutlierSettings, Sidecar, bootstrap, dynamic_bootstrap
from rehearsal.dataplane.resource_files import Endpoints
from rehearsal.dataplane.routing import EdgeListener, edge_clusters, edge_listener, route_config, rule_of
from tests.rehearsal.dataplane.standin_aws import (
    BLUE,
    GREEN,
    GROUP,
    LISTENER,
    LOAD_BALANCER,
    ORDERS,
    StandInAws,
    green_task,
    mesh_task,
    plain_task,
)
from tests.rehearsal.dataplane.test_proxies import blue, green

pytestmark = pytest.mark.rehearsal

TIME_SCALE = 30  # metric periods of 2 s, outlier intervals of a third of a second
RPS = 80
CALLS_ORDERS = (Call(dns_name="orders.shop.local", port=8080, service="orders"),)
CLIENT = {"TargetDiscoveryName": "orders-green", "ServiceName": "web-green", "ClusterName": "shop"}
SERVER = {"DiscoveryName": "orders-green", "ServiceName": "orders-green", "ClusterName": "shop"}


@pytest.fixture
def aws() -> StandInAws:
    return StandInAws()


@pytest.fixture
def plane(aws: StandInAws) -> Iterator[DataPlane]:
    outlier = OutlierSettings(base_ejection_seconds=300)  # 10 s here: one ejection lasts as long as a test
    with DataPlane(time_scale=TIME_SCALE, seed=1, outlier=outlier) as plane:
        plane.attach(aws, {"web": CALLS_ORDERS, "web-green": CALLS_ORDERS})
        yield plane


def green_pair(plane: DataPlane, aws: StandInAws) -> None:
    """Two tasks of orders, then two of web that call them, all of green's share."""
    for number in (1, 2):
        plane.start(green_task("orders-green", number, serves="orders-green"))
    for number in (1, 2):
        aws.register(GREEN, plane.start(green_task("web-green", number, endpoints=(ORDERS,))))
    aws.weights.update({BLUE: 0, GREEN: 1})


def shipped(aws: StandInAws, task: str) -> list[dict[str, Any]]:
    lines = aws.lines.get((GROUP, f"shop/ecs-service-connect/{task}"), [])
    return [json.loads(line) for line in lines if line.startswith("{")]


def enforced_ejections(aws: StandInAws) -> list[dict[str, Any]]:
    lines = [line for task in ("web-green-1", "web-green-2") for line in shipped(aws, task)]
    return [line for line in lines if line.get("action") == "EJECT" and line["enforced"]]


def test_the_split_follows_the_weights_and_every_request_is_counted(plane: DataPlane, aws: StandInAws) -> None:
    aws.register(BLUE, plane.start(plain_task("web-plain", 1)))
    aws.register(GREEN, plane.start(green_task("web", 1, serves="web")))
    plane.dial({"web": ()})
    aws.weights.update({BLUE: 700, GREEN: 300})
    port = plane.edge_port("shop", 80)

    load = plane.drive(port, 2 * RPS)
    load.wait_for_requests(800)
    totals = load.stop()

    assert totals.failed == 0
    assert totals.total == totals.sent == totals.ok == totals.blue + totals.green
    assert totals.green_share == pytest.approx(0.3, abs=0.085)  # five standard deviations


def test_a_change_of_weights_reaches_the_edge_and_none_at_all_is_answered_503(
    plane: DataPlane, aws: StandInAws
) -> None:
    aws.register(BLUE, plane.start(plain_task("web-plain", 1)))
    aws.register(GREEN, plane.start(green_task("web", 1, serves="web")))
    plane.dial({"web": ()})
    port = plane.edge_port("shop", 80)

    only_blue = drive(plane, port)
    aws.weights.update({BLUE: 0, GREEN: 5})
    wait_for_share(plane, GREEN)
    only_green = drive(plane, port)
    aws.weights.update({BLUE: 0, GREEN: 0})
    wait_for_share(plane, None)
    nobody = drive(plane, port)

    assert (only_blue.green, only_blue.failed) == (0, 0)
    assert (only_green.blue, only_green.failed) == (0, 0)
    assert nobody.statuses == ((503, nobody.total),)


def test_a_bad_task_is_ejected_and_the_ejection_is_in_the_log_and_the_errors_in_the_metrics(
    plane: DataPlane, aws: StandInAws
) -> None:
    green_pair(plane, aws)
    load = plane.drive(plane.edge_port("shop", 80), RPS)
    load.wait_for_requests(RPS)

    [broken] = plane.break_tasks("orders-green", code=500)

    assert aws.wait_for(lambda: enforced_ejections(aws))
    assert aws.wait_for(lambda: aws.total("HTTPCode_Target_5XX_Count", **CLIENT) > 0)
    totals = load.stop()
    assert broken.startswith("orders-green")
    assert totals.failed_green == totals.failed > 0
    assert {line["response_code"] for line in shipped(aws, broken) if "response_code" in line} == {200, 500}


def test_a_retried_failure_fails_no_request_and_is_no_final_error(plane: DataPlane, aws: StandInAws) -> None:
    green_pair(plane, aws)
    load = plane.drive(plane.edge_port("shop", 80), RPS)
    [broken] = plane.break_tasks("orders-green", code=503)
    assert aws.wait_for(lambda: [line for line in shipped(aws, broken) if line.get("response_code") == 503])

    load.wait_for_requests(3 * RPS)
    totals = load.stop()

    assert totals.failed == 0
    assert aws.wait_for(lambda: aws.total("HTTPCode_Target_2XX_Count", **CLIENT) == totals.total)
    assert not aws.has("HTTPCode_Target_5XX_Count")
    assert aws.total("RequestCount", **SERVER) > totals.total  # the server saw the attempts


def test_the_load_balancers_metrics_hold_exactly_the_requests_sent(plane: DataPlane, aws: StandInAws) -> None:
    aws.register(BLUE, plane.start(plain_task("web-plain", 1)))
    aws.register(GREEN, plane.start(plain_task("web-spare", 1)))
    group = {"TargetGroup": "targetgroup/web-blue/aaaaaaaaaaaaaaaa", "LoadBalancer": LOAD_BALANCER}
    spare = {"TargetGroup": "targetgroup/web-green/bbbbbbbbbbbbbbbb", "LoadBalancer": LOAD_BALANCER}
    load = plane.drive(plane.edge_port("shop", 80), RPS)
    plane.break_tasks("web-plain", code=500, probability=0.5)
    load.wait_for_requests(2 * RPS)

    totals = load.stop()

    assert aws.wait_for(lambda: aws.total("RequestCount", **group) == totals.total)
    assert aws.total("HTTPCode_Target_5XX_Count", **group) == totals.failed > 0
    assert aws.total("HTTPCode_Target_2XX_Count", **group) == totals.ok
    assert [d for _, d in aws.data if d["MetricName"] == "RequestCount" and d["Value"] == 0]
    assert aws.total("RequestCount", **spare) == 0


def test_blue_calls_through_the_mesh_and_its_proxy_writes_where_its_container_logs(
    plane: DataPlane, aws: StandInAws
) -> None:
    aws.mesh = {
        "nodes": {
            "web": {"backends": [{"virtualService": {"virtualServiceName": "orders.shop.local"}}]},
            "orders": {"logging": {"accessLog": {"file": {"path": "/dev/stdout"}}}},
        },
        "services": {"orders.shop.local": {"virtualNode": {"virtualNodeName": "orders"}}},
    }
    aws.register(BLUE, plane.start(mesh_task("web", 1, "web")))
    plane.start(mesh_task("orders", 1, "orders"))

    totals = drive(plane, plane.edge_port("shop", 80))

    assert (totals.failed, totals.green) == (0, 0)
    assert aws.wait_for(lambda: len(aws.lines["/shop/envoy", "blue/envoy/orders-1"]) >= totals.total)


def test_a_task_that_is_stopped_costs_no_request(plane: DataPlane, aws: StandInAws) -> None:
    green_pair(plane, aws)
    load = plane.drive(plane.edge_port("shop", 80), RPS)
    load.wait_for_requests(RPS)

    for service in ("orders-green", "web-green"):
        plane.stop(green_task(service, 1).task_arn)
    load.wait_for_requests(load.snapshot().totals.total + RPS)

    assert load.stop().failed == 0
    assert not plane.healthy(green_task("web-green", 1).task_arn)
    assert plane.healthy(green_task("web-green", 2).task_arn)


def test_a_task_whose_log_group_is_missing_fails_with_the_reason(plane: DataPlane, aws: StandInAws) -> None:
    def refuse(**_: str) -> None:
        raise TaskFailed("ResourceInitializationError: no such group")

    aws.create_log_stream = refuse  # type: ignore[method-assign]

    with pytest.raises(TaskFailed, match="ResourceInitializationError"):
        plane.start(green_task("orders-green", 1, serves="orders-green"))


def test_after_close_no_process_no_thread_and_no_file_is_left(aws: StandInAws) -> None:
    plane = DataPlane(time_scale=TIME_SCALE)
    plane.attach(aws)
    plane.start(green_task("web", 1, serves="web"))
    plane.drive(plane.edge_port("shop", 80), RPS)
    pids, folder = plane.pids(), plane.folder

    plane.close()

    assert len(pids) == 5  # the keeper, the edge, one task, the application, the driver
    assert [pid for pid in pids if is_alive(pid)] == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("data plane", "proxy output"))]
    assert not folder.exists()


def test_no_process_and_no_file_outlives_a_rehearsal_that_is_killed() -> None:
    script = (
        "import time; from rehearsal.dataplane import DataPlane; "
        "from tests.rehearsal.dataplane.standin_aws import StandInAws, green_task; "
        "plane = DataPlane(); plane.attach(StandInAws()); plane.start(green_task('web', 1, serves='web')); "
        "print(plane.folder, *plane.pids(), flush=True); time.sleep(60)"
    )
    rehearsal = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert rehearsal.stdout is not None
    folder, *pids = rehearsal.stdout.readline().split()

    rehearsal.kill()
    rehearsal.wait(120)
    rehearsal.stdout.close()

    assert len(pids) == 4  # the keeper, the edge, one task, the application
    assert soon(lambda: not any(is_alive(int(pid)) for pid in pids))
    assert soon(lambda: not Path(folder).exists())


def test_envoy_takes_every_kind_of_configuration(tmp_path: Path) -> None:
    dialled = {"orders.shop.local:8080": "orders.shop.local"}
    tcp = Sidecar(node="t", colour="green", ingresses=(Ingress(5432, 50_001, is_tcp=True),))
    empty = tmp_path / "empty.json"
    empty.write_text('{"version_info": "0", "resources": []}')
    for config in (
        bootstrap(green(green_task("web", 1, endpoints=(ORDERS,), serves="web"), tmp_path)),
        bootstrap(blue(tmp_path, dialled=dialled)),
        bootstrap(tcp),
        dynamic_bootstrap("edge", listeners=empty, clusters=empty),
        edge_as_static(tmp_path),
    ):
        validate(config)


def test_the_version_of_envoy_is_known() -> None:
    assert version().count(".") == 2


def edge_as_static(folder: Path) -> dict[str, Any]:
    groups = [{"TargetGroupArn": BLUE, "Weight": 1}, {"TargetGroupArn": GREEN, "Weight": 0}]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    pattern = {"Field": "path-pattern", "Values": ["/api/*"]}
    host = {"Field": "host-header", "HostHeaderConfig": {"Values": ["shop.example"]}}
    rule = rule_of({"RuleArn": LISTENER + "/1", "Conditions": [pattern, host], "Actions": [action]})
    edge = EdgeListener(LISTENER, LOAD_BALANCER, 80, (rule,))
    config = dynamic_bootstrap("edge", listeners=folder / "l", clusters=folder / "c")
    del config["dynamic_resources"]
    listener = edge_listener(edge, folder / "routes.json")
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"]
    manager["route_config"] = route_config(edge)
    files = Endpoints(folder / "targets")
    clusters = edge_clusters({BLUE: files.file("blue"), GREEN: files.file("green")})
    return {**config, "static_resources": {"listeners": [listener], "clusters": clusters}}


def drive(plane: DataPlane, port: int, count: int = 60) -> Any:
    load = plane.drive(port, RPS)
    load.wait_for_requests(count)
    return load.stop()


def wait_for_share(plane: DataPlane, wanted: str | None) -> None:
    def alone() -> bool:
        return [arn for arn, weight in plane.shares_seen[-1].weights.items() if weight] == ([wanted] if wanted else [])

    assert soon(alone)


def soon(promise: Callable[[], bool]) -> bool:
    for _ in range(2_400):
        if promise():
            return True
        time.sleep(0.05)
    return False


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
