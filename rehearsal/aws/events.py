"""EventBridge: what happens in the embedded AWS reaches its default bus, and from there its targets."""

from __future__ import annotations

import json
from typing import Any

from moto.events.models import events_backends

from rehearsal.aws.registry import ACCOUNT, soon

REGION = "eu-west-1"


def emit(source: str, detail_type: str, detail: dict[str, Any], resources: list[str], *, region: str = REGION) -> None:
    """Put an event of an AWS service on the default bus; delivery is asynchronous and at least once."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": resources}
    soon(lambda: events_backends[ACCOUNT][region].put_events([entry]))
