"""Green's room: enough for Service Connect's proxy, in a size that exists."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.connect.taskdef import FARGATE_SIZES, envoys_daemons, task_size
from crossfade.mesh.model import Container, Place, TaskDefinition

HERE = Place("t.json", "Resources/Task")


def a_container(name: str = "app", **more: Any) -> Container:
    told = {"image": f"{name}:1", "essential": True, "ports": (), "port_names": {}, "environment": {}}
    return Container(**{**told, "name": name, "has_health_check": False, "memory_mib": None, **more})


ENVOY = a_container("envoy", environment={"APPMESH_RESOURCE_ARN": "mesh/m/virtualNode/n"})


def a_task(*containers: Container, **more: Any) -> TaskDefinition:
    told = {"family": "t", "proxy_container": None, "app_ports": (), "network_mode": "awsvpc", "memory": "512"}
    fargate = {"cpu": "256", "launch_types": ("FARGATE",)}
    return TaskDefinition(**{**told, **fargate, "place": HERE, **more, "containers": containers or (a_container(),)})


def size(task: TaskDefinition) -> tuple[str | None, str | None]:
    return task_size(task, [each for each in task.containers if each.name not in task.proxies()])


def test_the_proxy_takes_envoys_room() -> None:
    assert size(a_task(a_container(), ENVOY)) == (None, None)


def test_where_no_envoy_leaves_room_is_made_for_the_proxy() -> None:
    assert size(a_task()) == ("512", "1024")


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        ("0.25 vCPU", "0.5 GB", ("512", "1024")),
        ("1 vcpu", "2GB", ("2048", "4096")),
        ("1024", "8192", ("2048", "9216")),
    ],
)
def test_sizes_in_words_count_like_numbers(cpu: str, memory: str, expected: tuple[str, str]) -> None:
    assert size(a_task(cpu=cpu, memory=memory)) == expected


def test_the_largest_size_of_fargate_cannot_grow() -> None:
    assert size(a_task(cpu="16384", memory="122880")) == (None, None)


def test_containers_that_may_use_all_the_memory_leave_none_for_the_proxy() -> None:
    assert size(a_task(a_container(memory_limit_mib=512), ENVOY)) == (None, "1024")


def test_on_ec2_any_size_will_do() -> None:
    assert size(a_task(cpu="300", memory="700", launch_types=("EC2",))) == ("556", "764")


def test_a_task_without_memory_gets_some() -> None:
    assert size(a_task(a_container(memory_mib=300), ENVOY, cpu=None, memory=None)) == (None, "428")


def test_a_size_only_the_account_knows_is_left_alone() -> None:
    assert size(a_task(cpu="${Size}", memory="${Memory}")) == (None, None)


PAIRS = [(str(cpu), str(memory)) for cpu, sizes in FARGATE_SIZES.items() for memory in sizes]


@given(st.sampled_from(PAIRS), st.booleans(), st.integers(0, 4_096))
def test_greens_size_exists_on_fargate_and_is_never_smaller(pair: tuple[str, str], has_envoy: bool, limit: int) -> None:  # noqa: FBT001
    containers = (a_container(memory_limit_mib=limit), *([ENVOY] if has_envoy else []))
    cpu, memory = pair

    found = size(a_task(*containers, cpu=cpu, memory=memory))

    green = int(found[0] or cpu), int(found[1] or memory)
    assert green[1] in FARGATE_SIZES[green[0]]
    assert green[0] >= int(cpu)
    assert green[1] >= int(memory)


TRACING = a_container("envoy", environment={"APPMESH_RESOURCE_ARN": "x", "ENABLE_ENVOY_XRAY_TRACING": "1"})
DAEMON = a_container("xray-daemon", image="amazon/aws-xray-daemon")


@pytest.mark.parametrize(
    ("app", "envoy", "leaves"),
    [
        (a_container(), TRACING, ("xray-daemon",)),
        (a_container(), ENVOY, ()),
        (a_container(environment={"AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000"}), TRACING, ()),
        (a_container(tied_to=("xray-daemon",)), TRACING, ()),
    ],
)
def test_a_daemon_leaves_with_envoy_when_nobody_else_names_it(
    app: Container, envoy: Container, leaves: tuple[str, ...]
) -> None:
    assert envoys_daemons(a_task(app, envoy, DAEMON)) == leaves
