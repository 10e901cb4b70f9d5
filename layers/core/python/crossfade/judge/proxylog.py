"""
Reads what Service Connect's proxies write: Envoy's outlier events and access lines among all else.

One proxy's standard output holds its access log, its application log and one JSON line
per ejection. Only ejections that Envoy carried out count (`enforced`); it also writes
those it merely considered. Lines of any other kind, and broken ones, are skipped.

Source:
    Envoy, data.cluster.v3.OutlierDetectionEvent. Amazon ECS developer guide, "Service
    Connect access logs": its HTTP block spells `duration_ms` what its HTTP/2 and gRPC
    blocks, and the proxies themselves, spell `duration`; both are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from crossfade.judge.proxylog_shape import shape_of
from crossfade.judge.reading import Ejection

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

_GRPC_AS_HTTP: Final = {
    "unknown": 500, "2": 500,
    "deadlineexceeded": 504, "4": 504,
    "unimplemented": 501, "12": 501,
    "internal": 500, "13": 500,
    "unavailable": 503, "14": 503,
    "dataloss": 500, "15": 500,
}  # fmt: skip
"""gRPC statuses that Envoy's outlier detection takes for a 5xx: `Grpc::Utility::grpcToHttpStatus`."""

_MOST_SHAPES: Final = 8
"""How often a shape is learned from lines read together, so that a log in which none stays costs no more than JSON."""


class LogLine(NamedTuple):
    """One line of a proxy's log, and when CloudWatch Logs has it."""

    at: datetime
    text: str


class AccessLine(NamedTuple):
    """
    One request as one proxy saw it, as client or as server; times in milliseconds since 1970.

    `code` is 0 where the caller went away before an answer, `host` empty where the proxy
    found none to send it to.
    """

    start: int
    end: int
    code: int
    host: str
    request_id: str
    authority: str


class OutlierLine(NamedTuple):
    """One outlier event, enforced or not; `at` in milliseconds since 1970, None where the line does not say."""

    at: int | None
    cluster: str
    host: str
    kind: str
    action: str
    enforced: bool


ProxyLine: TypeAlias = AccessLine | OutlierLine


def read_lines(texts: Iterable[str]) -> list[ProxyLine]:
    """Return what these lines say, each once; lines of any other kind are left out."""
    found: list[ProxyLine] = []
    shape, may_learn = None, _MOST_SHAPES
    fits: Callable[..., re.Match[str] | None] = _fits_nothing
    for text in dict.fromkeys(texts):
        fit = fits(text)
        if fit is not None and shape is not None:
            authority, duration, request_id, code, second, millisecond, host = fit.group(*shape.groups)
            known = _seconds.get(second)
            if known is not None:
                start = known + int(millisecond)
                line = (start, start + int(duration), int(code), host, request_id, authority)
                found.append(_plain(AccessLine, line))
                continue
        other = read_line(text)
        if other is not None:
            found.append(other)
            if may_learn and fit is None and isinstance(other, AccessLine):
                may_learn -= 1
                learned = shape_of(text)
                if learned is not None:
                    shape, fits = learned, learned.pattern.fullmatch
    return found


def _fits_nothing(_: str) -> re.Match[str] | None:
    return None


def read_line(text: str) -> ProxyLine | None:
    """Return what a line says; None for any other line than an HTTP access line or an outlier event."""
    if "upstream_" not in text:  # spares parsing what others write
        return None
    try:
        line = json.loads(text)
    except ValueError:
        return None
    if not isinstance(line, dict):
        return None
    return _outlier(line) if "upstream_url" in line else _access(line)


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
    event = read_line(line.text)
    if not isinstance(event, OutlierLine) or event.action != "EJECT" or not event.enforced:
        return None
    return Ejection(at=_said(line), cluster=event.cluster, host=event.host, kind=event.kind)


def _said(line: LogLine) -> datetime:
    """Return an event's own time, to the microsecond; its line's where it has none."""
    said = json.loads(line.text).get("timestamp")
    return _moment(said) or line.at


def _outlier(line: dict[str, Any]) -> OutlierLine | None:
    """Read an outlier event; protobuf's JSON may leave out what is zero or false."""
    cluster, host, said = line.get("cluster_name"), line.get("upstream_url"), line.get("timestamp")
    kind, action, enforced = (
        line.get("type", "CONSECUTIVE_5XX"),
        line.get("action", "EJECT"),
        line.get("enforced", False),
    )
    if not all(isinstance(text, str) for text in (cluster, host, kind, action)) or not isinstance(enforced, bool):
        return None
    at = None if said is None else _milliseconds(said)
    if said is not None and at is None:
        return None
    return OutlierLine(at, str(cluster), str(host), kind, action, enforced)


def _access(line: dict[str, Any]) -> AccessLine | None:
    start = _milliseconds(line.get("start_time"))
    duration = line.get("duration", line.get("duration_ms"))
    code, host, request_id = line.get("response_code"), line.get("upstream_host"), line.get("request_id")
    if start is None or not isinstance(request_id, str) or not isinstance(code, int):
        return None
    if not isinstance(duration, int) or not (host is None or isinstance(host, str)):
        return None
    status = str(line.get("grpc_status", "")).lower()
    authority = str(line.get("authority") or "")
    return AccessLine(start, start + duration, _GRPC_AS_HTTP.get(status, code), host or "", request_id, authority)


_seconds: dict[str, int] = {}
"""Milliseconds since 1970 by the text of a second in UTC: neighbouring lines share it."""

_MOST_SECONDS: Final = 100_000
"""A day of them."""

_plain = tuple.__new__
"""Makes a named tuple in half the time its own name takes."""


def _milliseconds(text: object) -> int | None:
    """Return a time of Envoy's, cut to milliseconds."""
    moment = _moment(text)
    if moment is None:
        return None
    if isinstance(text, str) and text.endswith("Z"):
        if len(_seconds) > _MOST_SECONDS:
            _seconds.clear()
        _seconds[text[:19]] = (moment.replace(microsecond=0) - _EPOCH) // _MILLISECOND
    return (moment - _EPOCH) // _MILLISECOND


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
