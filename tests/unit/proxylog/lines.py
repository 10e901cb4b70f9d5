"""Lines as proxies write them, and a small cluster that is called in turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


def clock(ms: int) -> str:
    """Return a time as Envoy writes it, `ms` after noon."""
    return f"{NOON + timedelta(milliseconds=ms):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def access(ms: int, host: str | None, code: int, *, request_id: str, duration: int = 2, **more: Any) -> dict[str, Any]:
    """Return an access line's fields, sorted as Envoy sorts them."""
    fields = {
        "authority": "orders.shop.local",
        "bytes_received": 0,
        "bytes_sent": 3,
        "duration": duration,
        "forwarded_for": None,
        "method": "GET",
        "path": "/",
        "protocol": "HTTP/1.1",
        "request_id": request_id,
        "response_code": code,
        "start_time": clock(ms),
        "upstream_host": host,
        "upstream_service_time": "1",
        "user_agent": "tests",
    }
    return dict(sorted((fields | more).items()))


def event(ms: int, host: str, *, enforced: bool = True, action: str = "EJECT") -> str:
    """Return an outlier event."""
    return json.dumps(
        {
            "type": "CONSECUTIVE_5XX",
            "timestamp": clock(ms),
            "cluster_name": "orders",
            "upstream_url": host,
            "action": action,
            "num_ejections": 1,
            "enforced": enforced,
        }
    )


def called_in_turn(
    hosts: Iterable[str], answers: Callable[[str, int], int], *, seconds: int, is_out: Callable[[str, int], bool]
) -> list[str]:
    """Return a client's lines: forty requests a second, over the hosts that are not out."""
    every = list(hosts)
    turn = 0
    lines: list[str] = []
    for ms in range(0, seconds * 1000, 25):
        turn += 1
        while is_out(every[turn % len(every)], ms):
            turn += 1
        host = every[turn % len(every)]
        lines.append(json.dumps(access(ms, host, answers(host, ms), request_id=f"r-{ms}")))
    return lines
