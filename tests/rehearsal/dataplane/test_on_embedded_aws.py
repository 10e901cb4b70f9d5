"""The data plane under the embedded ECS: AWS's API is the only way in and out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossfade.plan.services import Call
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.runtime import StillRuntime
from rehearsal.dataplane import DataPlane, OutlierSettings
from tests.rehearsal.aws.ground import Ground, connect
from tests.rehearsal.aws.lab import until

pytestmark = pytest.mark.rehearsal

TIME_SCALE = 30
CALLS = (Call(dns_name="orders.local", port=80, service="orders"),)
LOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "/proxies", "awslogs-stream-prefix": "green"}}


@pytest.fixture
def plane() -> Iterator[DataPlane]:
    with DataPlane(time_scale=TIME_SCALE, seed=2, outlier=OutlierSettings(base_ejection_seconds=300)) as plane:
        yield plane


@pytest.fixture
def ground(plane: DataPlane) -> Iterator[Ground]:
    with EmbeddedAws(runtime=plane, time_scale=TIME_SCALE) as aws:
        plane.attach(aws)
        yield Ground(aws, StillRuntime())
        assert aws.troubles == []


def metric(ground: Ground, name: str, namespace: str, **dimensions: str) -> float:
    now = datetime.now(UTC)
    answer = ground.client("cloudwatch").get_metric_data(
        StartTime=now - timedelta(minutes=50),
        EndTime=now + timedelta(minutes=1),
        MetricDataQueries=[
            {
                "Id": "it",
                "MetricStat": {
                    "Metric": {
                        "Namespace": namespace,
                        "MetricName": name,
                        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                    },
                    "Period": 1,
                    "Stat": "Sum",
                },
            }
        ],
    )
    return float(sum(answer["MetricDataResults"][0]["Values"]))


def ejections(ground: Ground) -> list[dict[str, Any]]:
    found = ground.client("logs").filter_log_events(
        logGroupName="/proxies", filterPattern='{ ($.action = "EJECT") && ($.enforced IS TRUE) }'
    )
    return list(found["events"])


def test_what_a_broken_task_does_to_users_is_what_the_metrics_and_the_log_say(plane: DataPlane, ground: Ground) -> None:
    ground.client("logs").create_log_group(logGroupName="/proxies")
    namespace, group, balancer = ground.namespace(), ground.group(), ground.balancer()
    ground.listener(group, balancer=balancer)
    server = {**connect(namespace, "orders"), "logConfiguration": LOGS}
    ground.rolled(ground.service(serviceConnectConfiguration=server))
    [orders] = ground.ecs.list_services(cluster="shop")["serviceArns"]
    client = {"enabled": True, "namespace": namespace, "logConfiguration": LOGS}
    behind = [{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}]
    request = ground.request(serviceConnectConfiguration=client, loadBalancers=behind)
    plane.dial({request["serviceName"]: CALLS})
    ground.service(**request)
    ground.rolled(request["serviceName"])
    until(lambda: ground.health(group) == ["healthy", "healthy"])
    load = plane.drive(plane.edge_port(balancer, 80), 80)
    load.wait_for_requests(80)
    before = load.snapshot().totals

    plane.break_tasks(orders.rpartition("/")[2], code=500)

    until(lambda: ejections(ground))
    totals = load.stop()
    dimensions = {
        "TargetGroup": group.rpartition(":")[2],
        "LoadBalancer": balancer.rpartition(":")[2].removeprefix("loadbalancer/"),
    }
    assert before.failed == 0
    assert totals.failed > 0
    assert until(lambda: metric(ground, "RequestCount", "AWS/ApplicationELB", **dimensions) == totals.total)
    assert until(
        lambda: metric(ground, "HTTPCode_Target_5XX_Count", "AWS/ApplicationELB", **dimensions) == totals.failed
    )
    assert until(
        lambda: metric(ground, "HTTPCode_Target_5XX_Count", "AWS/ECS", TargetDiscoveryName="orders") == totals.failed
    )
