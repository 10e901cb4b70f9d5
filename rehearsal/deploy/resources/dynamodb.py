"""DynamoDB tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.making import Made, Maker, New


def table(new: New) -> Made:
    """Make a table; time to live and point-in-time recovery are set once it exists."""
    name = new.name("TableName", longest=255)
    expiry, recovery = new.take("TimeToLiveSpecification"), new.take("PointInTimeRecoverySpecification")
    if expiry is not None:
        expiry = new.shaped("dynamodb", "update_time_to_live", "TimeToLiveSpecification", expiry)
    if recovery is not None:
        of = "PointInTimeRecoverySpecification"
        recovery = new.shaped("dynamodb", "update_continuous_backups", of, recovery)
    fixed: dict[str, Any] = {}
    if (stream := new.take("StreamSpecification")) is not None:
        fixed["StreamSpecification"] = new.shaped(
            "dynamodb", "create_table", "StreamSpecification", {"StreamEnabled": True, **stream}
        )
    made = new.call("dynamodb", "create_table", renames={"SSEEnabled": "Enabled"}, TableName=name, **fixed)
    client = new.client("dynamodb")
    if expiry is not None:
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
    if recovery is not None:
        client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    attributes = {"Arn": made["TableDescription"]["TableArn"]}
    if "LatestStreamArn" in made["TableDescription"]:
        attributes["StreamArn"] = made["TableDescription"]["LatestStreamArn"]
    return Made(name, attributes, lambda: client.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE")


MAKERS: Mapping[str, Maker] = {"AWS::DynamoDB::Table": table}
