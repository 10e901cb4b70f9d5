"""Encrypted calls between real proxies: certificates of the embedded authority, checked, and rotated under load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossfade.plan.services import Call
from rehearsal.aws import in_process
from rehearsal.aws.runtime import TaskSpec
from rehearsal.dataplane import DataPlane
from rehearsal.dataplane.certificates import Certificates, make_authority

from .standin_aws import BLUE, GREEN, ORDERS, StandInAws, green_task

pytestmark = pytest.mark.rehearsal

BALANCER, PORT, RPS = "shop", 80, 80
CALLS_ORDERS = (Call(dns_name="orders.shop.local", port=8080, service="orders"),)
NAME = "orders-green.shop-green"


class Encrypting(StandInAws):
    """The stand-in, with the embedded AWS's own authorities."""

    authorities: Any = None

    def client(self, service_name: str, _region: str | None = None) -> Any:
        return self.authorities if service_name == "acm-pca" else self


@pytest.fixture(scope="module")
def authorities() -> Iterator[Any]:
    with in_process() as embedded:
        yield embedded.client("acm-pca")


@pytest.fixture(scope="module")
def authority(authorities: Any) -> str:
    return make_authority(authorities)


@pytest.fixture
def aws(authorities: Any) -> Encrypting:
    aws = Encrypting()
    aws.authorities = authorities
    return aws


@pytest.fixture
def plane(aws: Encrypting) -> Iterator[DataPlane]:
    with DataPlane(time_scale=30, seed=1) as plane:
        plane.attach(aws, {"web-green": CALLS_ORDERS})
        yield plane


def encrypted(task: TaskSpec, authority: str) -> TaskSpec:
    tls = {"tls": {"issuerCertificateAuthority": {"awsPcaAuthorityArn": authority}}}
    assert task.service_connect is not None
    services = [{**one, **tls} for one in task.service_connect["services"]]
    return replace(task, service_connect={**task.service_connect, "services": services})


def green_pair(plane: DataPlane, aws: Encrypting, *, by: str, believed: str) -> int:
    """Start two tasks of orders, encrypted by one authority, and one of web that believes another or the same."""
    for number in (1, 2):
        plane.start(encrypted(green_task("orders-green", number, serves="orders-green"), by))
    endpoint = replace(ORDERS, authority=believed)
    aws.register(GREEN, plane.start(green_task("web-green", 1, endpoints=(endpoint,))))
    aws.weights.update({BLUE: 0, GREEN: 1})
    return plane.edge_port(BALANCER, PORT)


def test_a_rotation_under_load_fails_no_request_and_every_task_serves_the_new_certificate(
    plane: DataPlane, aws: Encrypting, authority: str
) -> None:
    load = plane.drive(green_pair(plane, aws, by=authority, believed=authority), RPS)
    load.wait_for_requests(60)
    before = plane.serving_old_certificates()

    rotated = plane.rotate_certificates()
    load.wait_for_requests(180)
    totals = load.stop()

    assert (plane.encrypted_tasks, before, rotated) == (2, (), 1)
    assert plane.serving_old_certificates() == ()
    assert totals.failed == 0
    assert totals.green > 0


def test_a_server_that_another_authority_vouches_for_is_not_believed(
    plane: DataPlane, aws: Encrypting, authority: str, authorities: Any
) -> None:
    port = green_pair(plane, aws, by=authority, believed=make_authority(authorities))

    load = plane.drive(port, RPS)
    load.wait_for_requests(60)
    totals = load.stop()

    assert totals.failed_green > 0
    assert totals.failed == totals.total


def test_a_rotation_makes_a_new_certificate_for_each_name(authorities: Any, authority: str, tmp_path: Path) -> None:
    certificates = Certificates(authorities, tmp_path)
    file = certificates.secret(authority, NAME)
    before, was = certificates.newest(), file.read_text()

    assert certificates.rotate() == 1

    assert certificates.newest().keys() == before.keys() == {NAME}
    assert certificates.newest() != before
    assert file.read_text() != was
    assert certificates.secret(authority, NAME) == file
