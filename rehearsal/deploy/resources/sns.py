"""SNS: topics, their policies and subscriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rehearsal.deploy.making import Made, Maker, New, listed, only
from rehearsal.deploy.request import as_text

_TOPIC = (
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoTopic",
    "KmsMasterKeyId",
    "SignatureVersion",
    "TracingConfig",
)
_SUBSCRIPTION = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "SubscriptionRoleArn",
)


def topic(new: New) -> Made:
    """Make a topic with the subscriptions it names."""
    name = new.name("TopicName", longest=256)
    subscriptions = [only(each, "Subscription", "Protocol", "Endpoint") for each in listed(new.take("Subscription"))]
    attributes = {key: as_text(value) for key in _TOPIC if (value := new.take(key)) is not None}
    arn = new.call("sns", "create_topic", Name=name, Attributes=attributes)["TopicArn"]
    for each in subscriptions:
        new.client("sns").subscribe(TopicArn=arn, **each)
    return Made(arn, {"TopicArn": arn, "TopicName": name})


def topic_policy(new: New) -> Made:
    """Set the policy of topics."""
    document = json.dumps(new.need("PolicyDocument"))
    topics = listed(new.need("Topics"))
    new.nothing_left()
    for arn in topics:
        new.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document)
    name = new.made_up(longest=128)
    return Made(name, {"Id": name})


def subscription(new: New) -> Made:
    """Subscribe to a topic."""
    attributes = {key: as_text(value) for key in _SUBSCRIPTION if (value := new.take(key)) is not None}
    arn = new.call("sns", "subscribe", Attributes=attributes, ReturnSubscriptionArn=True)["SubscriptionArn"]
    return Made(arn, {"Arn": arn})


MAKERS: Mapping[str, Maker] = {
    "AWS::SNS::Subscription": subscription,
    "AWS::SNS::Topic": topic,
    "AWS::SNS::TopicPolicy": topic_policy,
}
