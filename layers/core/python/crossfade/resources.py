"""The names of resources in the index: by these an event, an alarm or a log line finds the migration it concerns."""

from __future__ import annotations

OPEN = "open"
"""Under this every open migration is found."""


def service_resource(cluster: str, name: str) -> str:
    """Return the index key of an ECS service; `cluster` may be a name or an ARN."""
    return f"service:{cluster.rsplit('/', 1)[-1]}/{name}"


def alarm_resource(name: str) -> str:
    """Return the index key of a CloudWatch alarm."""
    return f"alarm:{name}"


def target_group_resource(arn: str) -> str:
    """Return the index key of a target group."""
    return f"target-group:{arn}"


def namespace_resource(name: str) -> str:
    """Return the index key of a Cloud Map namespace; `name` may be an ARN."""
    return f"namespace:{name.rsplit('/', 1)[-1]}"


def log_group_resource(name: str) -> str:
    """Return the index key of a CloudWatch log group."""
    return f"log-group:{name}"
