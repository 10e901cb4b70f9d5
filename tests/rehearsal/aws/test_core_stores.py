"""DynamoDB, S3 and SNS of the embedded AWS, as the journal, the plan store and the notices use them, in both modes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.aws.registry import Call
from tests.rehearsal.aws.lab import MODES, Lab, labs


@pytest.fixture(scope="module", params=MODES)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from labs(request.param)


@pytest.fixture
def table(lab: Lab) -> str:
    name = lab.name("journal")
    lab.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def item(sk: str, **numbers: int) -> dict[str, Any]:
    return {"pk": {"S": "migration#m"}, "sk": {"S": sk}, **{name: {"N": str(n)} for name, n in numbers.items()}}


# -- the journal --------------------------------------------------------------


def test_a_condition_that_does_not_hold_changes_nothing_and_shows_what_is_there(lab: Lab, table: str) -> None:
    client = lab.client("dynamodb")
    client.put_item(TableName=table, Item=item("record", fence=2))

    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as refused:
        client.update_item(
            TableName=table,
            Key=item("record"),
            UpdateExpression="SET fence = :new",
            ConditionExpression="fence = :seen",
            ExpressionAttributeValues={":new": {"N": "9"}, ":seen": {"N": "1"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    assert refused.value.response["Item"]["fence"] == {"N": "2"}
    assert client.get_item(TableName=table, Key=item("record"), ConsistentRead=True)["Item"]["fence"] == {"N": "2"}


def test_a_transaction_is_whole_or_not_at_all_and_says_why(lab: Lab, table: str) -> None:
    client = lab.client("dynamodb")
    client.put_item(TableName=table, Item=item("record", fence=2))
    stale = {
        "TableName": table,
        "Key": item("record"),
        "ConditionExpression": "fence = :seen",
        "ExpressionAttributeValues": {":seen": {"N": "1"}},
    }

    with pytest.raises(client.exceptions.TransactionCanceledException) as refused:
        client.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": item("entry#1")}}, {"ConditionCheck": stale}]
        )

    assert [why["Code"] for why in refused.value.response["CancellationReasons"]] == ["None", "ConditionalCheckFailed"]
    assert "Item" not in client.get_item(TableName=table, Key=item("entry#1"), ConsistentRead=True)


def test_a_transaction_sent_twice_with_one_token_counts_once(lab: Lab, table: str) -> None:
    client = lab.client("dynamodb")
    add = {
        "TableName": table,
        "Key": item("record"),
        "UpdateExpression": "ADD fence :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }

    for _ in range(2):
        client.transact_write_items(TransactItems=[{"Update": add}], ClientRequestToken=f"token-{table}")

    assert client.get_item(TableName=table, Key=item("record"))["Item"]["fence"] == {"N": "1"}


def test_a_token_is_not_for_another_transaction(lab: Lab, table: str) -> None:
    client = lab.client("dynamodb")
    for number in (1, 2):
        asked = {"TransactItems": [{"Put": {"TableName": table, "Item": item(f"entry#{number}")}}]}
        if number == 1:
            client.transact_write_items(**asked, ClientRequestToken=f"other-{table}")
            continue
        with pytest.raises(client.exceptions.IdempotentParameterMismatchException):
            client.transact_write_items(**asked, ClientRequestToken=f"other-{table}")


def test_of_many_who_raise_a_fence_at_once_one_succeeds(lab: Lab, table: str) -> None:
    client = lab.client("dynamodb")
    client.put_item(TableName=table, Item=item("record", fence=1))
    raised: list[bool] = []

    def raise_fence() -> None:
        try:
            client.update_item(
                TableName=table,
                Key=item("record"),
                UpdateExpression="SET fence = fence + :one",
                ConditionExpression="fence = :seen",
                ExpressionAttributeValues={":one": {"N": "1"}, ":seen": {"N": "1"}},
            )
            raised.append(True)
        except client.exceptions.ConditionalCheckFailedException:
            raised.append(False)

    threads = [threading.Thread(target=raise_fence) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(raised) == [False] * 7 + [True]


def test_a_transaction_that_fails_takes_nothing_of_others_with_it(lab: Lab, table: str) -> None:
    client = lab.client("dynamodb")
    never = {"TableName": table, "Key": item("nothing"), "ConditionExpression": "attribute_exists(pk)"}
    stop = threading.Event()

    def fail_again_and_again() -> None:
        while not stop.is_set():
            with pytest.raises(client.exceptions.TransactionCanceledException):
                client.transact_write_items(TransactItems=[{"ConditionCheck": never}])

    failing = threading.Thread(target=fail_again_and_again)
    failing.start()
    for number in range(60):
        client.put_item(TableName=table, Item=item(f"entry#{number}"))
    stop.set()
    failing.join()

    assert client.scan(TableName=table, ConsistentRead=True)["Count"] == 60


def test_a_transaction_that_fails_puts_back_what_its_writes_changed(lab: Lab, table: str) -> None:
    client = lab.client("dynamodb")
    nested = {**item("changed", fence=2), "nested": {"M": {"few": {"L": [{"N": "1"}]}}}}
    for each in (nested, item("replaced", fence=3), item("deleted", fence=4)):
        client.put_item(TableName=table, Item=each)
    before = client.scan(TableName=table)["Items"]
    change = {
        "Key": item("changed"),
        "UpdateExpression": "SET nested.few = :new, fence = :new",
        "ExpressionAttributeValues": {":new": {"N": "9"}},
    }
    refused_one = {"Item": item("record"), "ConditionExpression": "attribute_exists(pk)"}

    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(
            TransactItems=[
                {"Update": {"TableName": table, **change}},
                {"Put": {"TableName": table, "Item": item("replaced", fence=9)}},
                {"Put": {"TableName": table, "Item": {**item("made"), "pk": {"S": "another"}}}},
                {"Delete": {"TableName": table, "Key": item("deleted")}},
                {"Put": {"TableName": table, **refused_one}},
            ]
        )

    assert client.scan(TableName=table)["Items"] == before


def test_binary_attributes_come_back_as_they_went(lab: Lab, table: str) -> None:
    client, blob = lab.client("dynamodb"), bytes(range(256))

    client.put_item(TableName=table, Item={**item("record"), "blob": {"B": blob}})

    assert client.get_item(TableName=table, Key=item("record"))["Item"]["blob"] == {"B": blob}


def test_entries_are_queried_in_order_page_by_page(lab: Lab, table: str) -> None:
    client = lab.client("dynamodb")
    for number in (3, 1, 2):
        client.put_item(TableName=table, Item=item(f"entry#{number}"))
    asked = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
        "ExpressionAttributeValues": {":pk": {"S": "migration#m"}, ":sk": {"S": "entry#"}},
        "ConsistentRead": True,
        "Limit": 2,
    }

    pages = list(client.get_paginator("query").paginate(**asked))

    assert [[found["sk"]["S"] for found in page["Items"]] for page in pages][:2] == [
        ["entry#1", "entry#2"],
        ["entry#3"],
    ]


# -- the plan store -----------------------------------------------------------


def a_bucket(lab: Lab) -> str:
    name, s3 = lab.name("plans"), lab.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def test_an_older_version_of_a_plan_can_be_read(lab: Lab) -> None:
    s3, bucket = lab.client("s3"), a_bucket(lab)
    first = s3.put_object(Bucket=bucket, Key="m/plan.json", Body=b"first")["VersionId"]
    s3.put_object(Bucket=bucket, Key="m/plan.json", Body=b"second")

    old = s3.get_object(Bucket=bucket, Key="m/plan.json", VersionId=first)["Body"].read()
    new = s3.get_object(Bucket=bucket, Key="m/plan.json")["Body"].read()

    assert (old, new) == (b"first", b"second")


def test_a_plan_that_is_not_there_has_no_such_key(lab: Lab) -> None:
    s3, bucket = lab.client("s3"), a_bucket(lab)

    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="m/plan.json")


# -- notices ------------------------------------------------------------------


def test_a_notice_reaches_its_subscriber_with_subject_and_attributes(lab: Lab) -> None:
    sns, (url, queue) = lab.client("sns"), lab.queue()
    topic = sns.create_topic(Name=lab.name("notices"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)

    attributes = {"what": {"DataType": "String", "StringValue": "rolled_back"}}
    published = sns.publish(TopicArn=topic, Subject="Rolled back", Message='{"m":1}', MessageAttributes=attributes)

    [notice] = [json.loads(body) for body in lab.messages(url, 1)]
    assert (notice["Subject"], notice["Message"], notice["MessageId"]) == (
        "Rolled back",
        '{"m":1}',
        published["MessageId"],
    )
    assert notice["MessageAttributes"]["what"]["Value"] == "rolled_back"


# -- faults -------------------------------------------------------------------


def refuse(code: str) -> Any:
    def fault(call: Call) -> None:
        raise call.error(code, "ordered by a test")

    return fault


def test_a_call_that_is_refused_before_has_no_effect(lab: Lab, table: str) -> None:
    client = lab.client("dynamodb")
    lab.aws.faults.before_call("dynamodb", "PutItem", refuse("ValidationException"))

    with pytest.raises(client.exceptions.ClientError, match="ordered by a test"):
        client.put_item(TableName=table, Item=item("record"))

    assert "Item" not in client.get_item(TableName=table, Key=item("record"))


def test_a_call_whose_answer_is_lost_has_had_its_effect(lab: Lab, table: str) -> None:
    client = lab.client("dynamodb")
    lab.aws.faults.after_call("dynamodb", "PutItem", refuse("ValidationException"))

    with pytest.raises(client.exceptions.ClientError, match="ordered by a test"):
        client.put_item(TableName=table, Item=item("record", fence=1))

    assert client.get_item(TableName=table, Key=item("record"))["Item"]["fence"] == {"N": "1"}


def test_a_throttled_client_asks_again_by_itself(lab: Lab, table: str) -> None:
    client, asked = lab.client("dynamodb"), []

    def throttle(call: Call) -> None:
        asked.append(call.params["TableName"])
        if len(asked) == 1:
            raise call.error("ThrottlingException", "Rate exceeded")

    lab.aws.faults.before_call("dynamodb", "PutItem", throttle, times=2)

    client.put_item(TableName=table, Item=item("record"))

    assert asked == [table, table]


@pytest.mark.parametrize("action", ["GetObject", "PutObject"])
def test_s3_has_its_faults_too(lab: Lab, action: str) -> None:
    s3, bucket = lab.client("s3"), a_bucket(lab)
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    lab.aws.faults.before_call("s3", action, refuse("AccessDenied"))

    with pytest.raises(s3.exceptions.ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="k") if action == "GetObject" else s3.put_object(Bucket=bucket, Key="k")

    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
