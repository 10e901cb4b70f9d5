"""CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.deploy.making import Made, Maker, New


def log_group(new: New) -> Made:
    """Make a log group with its retention."""
    name = new.name("LogGroupName", longest=512)
    days = new.take("RetentionInDays")
    new.call("logs", "create_log_group", logGroupName=name)
    if days is not None:
        new.client("logs").put_retention_policy(logGroupName=name, retentionInDays=int(days))
    return Made(name, {"Arn": new.arn("logs", f"log-group:{name}:*")})


def log_stream(new: New) -> Made:
    """Make a log stream."""
    name = new.name("LogStreamName", longest=512)
    new.call("logs", "create_log_stream", logStreamName=name)
    return Made(name)


def metric_filter(new: New) -> Made:
    """Have lines of a log group counted."""
    name = new.name("FilterName", longest=512)
    new.call("logs", "put_metric_filter", filterName=name)
    return Made(name)


def subscription_filter(new: New) -> Made:
    """Have lines of a log group delivered."""
    name = new.name("FilterName", longest=512)
    new.call("logs", "put_subscription_filter", filterName=name)
    return Made(name)


def resource_policy(new: New) -> Made:
    """Allow AWS services to write to log groups."""
    name = new.look("PolicyName")
    new.call("logs", "put_resource_policy")
    return Made(str(name))


MAKERS: Mapping[str, Maker] = {
    "AWS::Logs::LogGroup": log_group,
    "AWS::Logs::LogStream": log_stream,
    "AWS::Logs::MetricFilter": metric_filter,
    "AWS::Logs::ResourcePolicy": resource_policy,
    "AWS::Logs::SubscriptionFilter": subscription_filter,
}
