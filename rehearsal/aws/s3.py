"""
S3: bucket policies that are asked what they say.

moto reads a policy's statements without their conditions, so a policy that denies plain HTTP would
deny everything. The loopback stands for TLS here: such a statement never applies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


def _permission(bucket: Any, action: str, resource: str) -> Any:
    """Answer what a bucket's policy says of an action, over TLS."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(bucket.policy)
    document["Statement"] = [each for each in document["Statement"] if not _is_for_plain_http(each)]
    return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)


def _is_for_plain_http(statement: Mapping[str, Any]) -> bool:
    secure: object = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return str(secure).lower() == "false"


FakeBucket.get_permission = _permission
