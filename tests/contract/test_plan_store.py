"""What every store of plans promises, asked of S3's and of the one in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Protocol

import boto3
import pytest
from botocore.stub import Stubber

from crossfade.errors import BadInput, JournalBusy, PlanChanged
from crossfade.plan.document import digest
from crossfade.plan.memory import MemoryPlanStore
from crossfade.plan.s3 import S3PlanStore
from crossfade.plan.store import PlanRef, PlanStore, read_plan
from rehearsal.aws import in_process
from tests.traffic import a_plan


class Shelf(Protocol):
    @property
    def store(self) -> PlanStore: ...

    def put(self, key: str, raw: bytes) -> PlanRef: ...


class InMemory:
    def __init__(self) -> None:
        self.store = MemoryPlanStore()

    def put(self, key: str, raw: bytes) -> PlanRef:
        return self.store.put("plans", key, raw)


class InS3:
    def __init__(self) -> None:
        self.client = boto3.client("s3", region_name="eu-west-1")
        self.client.create_bucket(Bucket="plans", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.client.put_bucket_versioning(Bucket="plans", VersioningConfiguration={"Status": "Enabled"})
        self.store = S3PlanStore(self.client)

    def put(self, key: str, raw: bytes) -> PlanRef:
        version = self.client.put_object(Bucket="plans", Key=key, Body=raw)["VersionId"]
        return PlanRef(bucket="plans", key=key, version=version, sha256=digest(raw))


SHELVES: dict[str, Callable[[], Shelf]] = {"memory": InMemory, "s3": InS3}


@pytest.fixture(params=SHELVES)
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    with nullcontext() if request.param == "memory" else in_process():
        yield SHELVES[request.param]()


def test_a_plan_is_read_back_to_the_byte(shelf: Shelf) -> None:
    raw = a_plan().to_json().encode()

    assert shelf.store.get(shelf.put("shop.json", raw)) == raw


def test_the_version_asked_for_is_the_one_given_and_without_one_the_newest(shelf: Shelf) -> None:
    old, new = (shelf.put("shop.json", raw) for raw in (b"old", b"new"))

    assert shelf.store.get(old) == b"old"
    assert shelf.store.get(new) == b"new"
    assert shelf.store.get(old.model_copy(update={"version": None})) == b"new"


def test_a_plan_that_is_not_there_is_bad_input_that_says_where(shelf: Shelf) -> None:
    kept = shelf.put("shop.json", b"{}")

    for ref in (
        kept.model_copy(update={"key": "gone.json"}),
        kept.model_copy(update={"bucket": "nowhere", "version": None}),
        kept.model_copy(update={"version": "no-such-version"}),
    ):
        with pytest.raises(BadInput, match=f"s3://{ref.bucket}/{ref.key}"):
            shelf.store.get(ref)


def test_a_plan_is_given_out_only_with_the_digest_that_was_asked_for(shelf: Shelf) -> None:
    plan = a_plan()
    ref = shelf.put("shop.json", plan.to_json().encode())

    assert read_plan(shelf.store, ref) == plan
    with pytest.raises(PlanChanged):
        read_plan(shelf.store, ref.model_copy(update={"sha256": "0" * 64}))


def test_what_is_no_plan_is_bad_input(shelf: Shelf) -> None:
    ref = shelf.put("shop.json", b'{"schema": 2}')

    with pytest.raises(BadInput, match="schema"):
        read_plan(shelf.store, ref)


def test_a_throttled_bucket_asks_for_patience() -> None:
    client = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="a")  # noqa: S106
    with Stubber(client) as stub:
        stub.add_client_error("get_object", "SlowDown", http_status_code=503)

        with pytest.raises(JournalBusy):
            S3PlanStore(client).get(PlanRef(bucket="plans", key="shop.json", sha256=""))
