"""What holds of the plan of any mesh whatever."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.connect.fields import leaves
from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.mesh.model import Found
from crossfade.plan.document import MigrationPlan
from crossfade.plan.services import Role
from tests.meshes import (
    NOON,
    Resources,
    a_gateway,
    a_mesh,
    a_name,
    a_node,
    a_route,
    a_router,
    a_service,
    an_edge,
    behind,
    found,
)

MOST = 6
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

LISTENERS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "HealthCheck": st.just(
            {"Protocol": "http", "Path": "/h", "IntervalMillis": 5000, "TimeoutMillis": 2000}
            | {"HealthyThreshold": 2, "UnhealthyThreshold": 2}
        ),
        "OutlierDetection": st.just(
            {"MaxServerErrors": 5, "MaxEjectionPercent": 50}
            | {"Interval": {"Unit": "s", "Value": 10}, "BaseEjectionDuration": {"Unit": "s", "Value": 30}}
        ),
        "ConnectionPool": st.just({"HTTP": {"MaxConnections": 10, "MaxPendingRequests": 5}}),
        "Timeout": st.just({"HTTP": {"PerRequest": {"Unit": "s", "Value": 3}, "Idle": {"Unit": "s", "Value": 9}}}),
        "TLS": st.sampled_from(["DISABLED", "PERMISSIVE", "STRICT"]).map(
            lambda mode: {"Mode": mode, "Certificate": {"ACM": {"CertificateArn": "arn:aws:acm:eu-west-1:1:x"}}}
        ),
    },
)
MATCHES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"Prefix": "/"},
        {"Prefix": "/a"},
        {"Path": {"Exact": "/a"}},
        {"Prefix": "/", "Method": "GET"},
        {"Prefix": "/", "Headers": [{"Name": "x", "Invert": True, "Match": {"Range": {"Start": 1, "End": 2}}}]},
    ]
)
SPECS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "Logging": st.just({"AccessLog": {"File": {"Path": "/dev/stdout"}}}),
        "BackendDefaults": st.just(
            {"ClientPolicy": {"TLS": {"Enforce": False, "Validation": {"Trust": {"File": {"CertificateChain": "/c"}}}}}}
        ),
    },
)


@st.composite
def meshes(draw_from: st.DrawFn) -> Found:
    """Services of one mesh that call each other at random, through nodes or routers, some of them outside ECS."""
    names = [f"s{number}" for number in range(draw_from(st.integers(1, MOST)))]
    some = st.lists(st.sampled_from(names), max_size=3, unique=True)
    resources: Resources = {**a_mesh(egress=draw_from(st.sampled_from(["ALLOW_ALL", "DROP_ALL"]))), **an_edge()}
    for number, name in enumerate(names):
        called = draw_from(some)
        extra: dict[str, Any] = {**draw_from(SPECS), "listener": draw_from(LISTENERS)}
        resources |= a_node(name, backends=[f"{each.upper()}.m.local" for each in called], **extra)
        resources |= _behind_a_name(name, names, draw_from)
        if number == 0 or draw_from(st.integers(0, 4)):
            environment = {f"URL_{each}": f"http://{each}.m.local:8080" for each in draw_from(some)}
            more: dict[str, Any] = {"LoadBalancers": behind()} if number == 0 else {}
            resources |= a_service(name, environment=environment, **more)
    if draw_from(st.booleans()):
        ways = {f"w{number}": f"{each.upper()}.m.local" for number, each in enumerate(draw_from(some))}
        resources |= a_gateway(**ways)
    return found(resources)


def _behind_a_name(name: str, names: list[str], draw_from: st.DrawFn) -> Resources:
    if draw_from(st.booleans()):
        return a_name(f"{name.upper()}.m.local", node=name)
    made = {**a_name(f"{name.upper()}.m.local", router=name), **a_router(name, draw_from(st.sampled_from([80, 8080])))}
    for number in range(draw_from(st.integers(1, 3))):
        targets = {each: draw_from(st.integers(0, 2)) for each in {name, draw_from(st.sampled_from(names))}}
        retry = (
            {"RetryPolicy": {"MaxRetries": 1, "HttpRetryEvents": ["server-error"]}} if draw_from(st.booleans()) else {}
        )
        made |= a_route(f"r{number}", name, targets, match=draw_from(MATCHES), priority=number, **retry)
    return made


def drawn_from(here: Found) -> MigrationPlan:
    return draw(here, DrawOptions(), NOON)


@few
@given(meshes())
def test_every_callee_comes_first_or_shares_the_wave_and_is_deployed_again(here: Found) -> None:
    plan = drawn_from(here)

    wave_of = {name: number for number, wave in enumerate(plan.waves) for name in wave}
    assert sorted(wave_of) == sorted(service.name for service in plan.services)
    for service in plan.services:
        for call in service.calls:
            if call.service is not None:
                together = {call.service, service.name} <= set(plan.redeploy)
                assert wave_of[call.service] < wave_of[service.name] or together


@few
@given(meshes())
def test_no_name_is_given_twice_and_every_name_is_legal(here: Found) -> None:
    endpoints = [endpoint for service in drawn_from(here).services for endpoint in service.endpoints]

    aliases = [(endpoint.dns_name, endpoint.port) for endpoint in endpoints]
    assert len(set(aliases)) == len(aliases)
    names = [endpoint.discovery_name for endpoint in endpoints]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,63}", name) for name in names)
    assert all(re.fullmatch(r"[a-z0-9_.-]{1,127}", name) for name, _port in aliases)


@few
@given(meshes())
def test_the_ledger_closes(here: Found) -> None:
    plan = drawn_from(here)

    of_names = (here.nodes, here.routers, here.routes, here.virtual_services)
    groups = (here.meshes, *of_names, here.gateways, here.gateway_routes)
    fields = sum(1 for group in groups for each in group for _leaf in leaves(each.spec))
    ledger = plan.ledger
    assert ledger.used + ledger.named_in_a_gap + ledger.without_effect == fields
    assert [gap.detail for gap in plan.gaps if gap.id == "FIELD_NOT_READ"] == []


@few
@given(meshes())
def test_the_same_sources_give_the_same_bytes_which_read_as_the_same_plan(here: Found) -> None:
    plan = drawn_from(here)

    assert drawn_from(here).to_json() == plan.to_json()
    assert MigrationPlan.from_json(plan.to_json()) == plan


@few
@given(meshes())
def test_a_service_is_a_server_exactly_when_it_has_an_endpoint(here: Found) -> None:
    for service in drawn_from(here).services:
        assert (service.role is not Role.CLIENT) == bool(service.endpoints)
        assert {endpoint.container_port for endpoint in service.endpoints} == {
            port.container_port for port in service.green.task_definition.name_ports
        }
