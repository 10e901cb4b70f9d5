"""
Reads what Service Connect's proxies write: Envoy's outlier events among all else.

One proxy's standard output holds its access log, its application log and one JSON line
per ejection. Only ejections that Envoy carried out count (`enforced`); it also writes
those it merely considered. Lines of any other kind are skipped.

Source:
    Envoy, data.cluster.v3.OutlierDetectionEvent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from crossfade.judge.reading import Ejection


class LogLine(NamedTuple):
    """One line of a proxy's log, and when CloudWatch Logs has it."""

    at: datetime
    text: str


class _OutlierEvent(BaseModel):
    """An OutlierDetectionEvent as Envoy prints it; protobuf's JSON may leave out what is zero or false."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str = "CONSECUTIVE_5XX"
    cluster_name: str
    upstream_url: str
    action: str = "EJECT"
    enforced: bool = False
    timestamp: AwareDatetime | None = None


def ejections(lines: Iterable[LogLine]) -> tuple[Ejection, ...]:
    """
    Return the enforced ejections in these lines, each once, by time and host.

    The order of the lines, and lines delivered twice, change nothing.
    """
    found = {ejection for line in lines if (ejection := _ejection(line))}
    return tuple(sorted(found, key=lambda e: (e.at, e.cluster, e.host, e.kind)))


def _ejection(line: LogLine) -> Ejection | None:
    if "upstream_url" not in line.text:  # spares parsing the access log
        return None
    try:
        event = _OutlierEvent.model_validate(json.loads(line.text))
    except (json.JSONDecodeError, ValidationError):
        return None
    if event.action != "EJECT" or not event.enforced:
        return None
    return Ejection(at=event.timestamp or line.at, cluster=event.cluster_name, host=event.upstream_url, kind=event.type)
