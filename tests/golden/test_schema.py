"""The published schema of plans, kept to the letter; `make golden` rewrites it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from crossfade.plan.document import MigrationPlan, schema
from tests.golden.test_shop import GOLDEN, ROOT, kept

SHOP = json.loads((GOLDEN / "shop.plan.json").read_text(encoding="utf-8"))


def test_the_published_schema_is_the_models_own() -> None:
    assert schema() == kept("plan.schema.json", schema(), ROOT / "docs")


def keys(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{path}.{key}".lstrip(".")
            yield from keys(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from keys(item, f"{path}[]")


@pytest.mark.parametrize(
    "member",
    [
        "schema",
        "namespace",
        *(f"services[].{name}" for name in ("name", "ecs_service", "virtual_node", "role", "endpoints")),
        *(f"services[].endpoints[].{name}" for name in ("container", "container_port", "app_protocol")),
        *(f"services[].endpoints[].{name}" for name in ("discovery_name", "client_alias", "timeout", "tls")),
        *(f"services[].endpoints[].client_alias.{name}" for name in ("dns_name", "port")),
        *(f"services[].endpoints[].timeout.{name}" for name in ("per_request_seconds", "idle_seconds")),
        *(f"gaps[].{name}" for name in ("id", "resource", "severity", "detail", "source", "accepted")),
        *("waves", "redeploy", "edges[].name", "edges[].entry", "edges[].kind", "edges[].load_balancer"),
        *("not_migrated[].what", "not_migrated[].why"),
    ],
)
def test_a_plan_says_what_its_readers_were_promised(member: str) -> None:
    assert member in set(keys(SHOP))


def test_a_plan_drawn_before_endpoints_named_their_alias_is_still_read() -> None:
    old = json.loads(json.dumps(SHOP))
    for service in old["services"]:
        del service["ecs_service"], service["virtual_node"]
        for endpoint in service["endpoints"]:
            endpoint.update(endpoint.pop("client_alias"))

    assert MigrationPlan.from_json(json.dumps(old)) == MigrationPlan.from_json(json.dumps(SHOP))


def test_a_plan_that_would_deploy_a_stranger_anew_is_refused() -> None:
    with pytest.raises(ValueError, match="redeploy names parcels"):
        MigrationPlan.from_json(json.dumps({**SHOP, "redeploy": ["orders", "parcels"]}))


def test_a_plan_that_says_one_thing_in_two_ways_is_refused() -> None:
    torn = json.loads(json.dumps(SHOP))
    torn["services"][0]["ecs_service"] = "another"

    with pytest.raises(ValueError, match="ecs_service"):
        MigrationPlan.from_json(json.dumps(torn))
