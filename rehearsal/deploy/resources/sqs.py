"""SQS: queues and their policies."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rehearsal.deploy.making import Made, Maker, New, listed
from rehearsal.deploy.request import as_text

_QUEUE = (
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)


def queue(new: New) -> Made:
    """Make a queue."""
    name = new.name("QueueName", longest=80)
    attributes = {key: as_text(value) for key in _QUEUE if (value := new.take(key)) is not None}
    client = new.client("sqs")
    url = new.call("sqs", "create_queue", QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return Made(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})


def queue_policy(new: New) -> Made:
    """Set the policy of queues."""
    document = json.dumps(new.need("PolicyDocument"))
    queues = listed(new.need("Queues"))
    new.nothing_left()
    for url in queues:
        new.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    name = new.made_up(longest=128)
    return Made(name, {"Id": name})


MAKERS: Mapping[str, Maker] = {
    "AWS::SQS::Queue": queue,
    "AWS::SQS::QueuePolicy": queue_policy,
}
