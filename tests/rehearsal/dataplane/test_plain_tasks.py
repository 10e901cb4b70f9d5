"""Tasks without a proxy find each other as on AWS: in Cloud Map, and through load balancers behind DNS records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade.plan.services import Call
from rehearsal.aws import EmbeddedAws
from rehearsal.dataplane import DataPlane
from rehearsal.deploy import Deployer

pytestmark = pytest.mark.rehearsal

BOOKINGS = Path(__file__).parents[3] / "examples" / "bookings"
TIME_SCALE = 60
CALLS = {
    "site": (
        Call(dns_name="rooms.bookings.local", port=8080, service="rooms"),
        Call(dns_name="quotes.bookings.internal", port=80, service="quotes"),
    ),
    "quotes": (Call(dns_name="rates.bookings.local", port=8080, service="rates"),),
}


@pytest.fixture
def plane() -> Iterator[DataPlane]:
    with DataPlane(time_scale=TIME_SCALE) as plane:
        yield plane


@pytest.fixture
def aws(plane: DataPlane) -> Iterator[EmbeddedAws]:
    with EmbeddedAws(runtime=plane, time_scale=TIME_SCALE) as aws:
        plane.attach(aws, CALLS)
        deployer = Deployer(aws, period_scale=TIME_SCALE)
        for name in ("network", "services"):
            deployer.deploy(BOOKINGS / f"{name}.yaml", f"bookings-{name}")
        yield aws


def test_plain_services_are_reached_by_their_names_and_by_their_load_balancer(
    plane: DataPlane, aws: EmbeddedAws
) -> None:
    load = plane.drive(plane.edge_port("bookings", 80), 40)
    load.wait_for_requests(40)

    plane.break_tasks("rates", which="all", code=500)

    load.wait_for_requests(120)
    totals = load.stop()
    assert aws.troubles == []
    assert totals.total > totals.failed_blue > 0
    assert totals.blue > 0
