"""The table of faults: by what each was seen, how fast, and what users noticed. Markdown, pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from crossfade.judge.signal import SIGNALS
from rehearsal.summary import Summary

_SEEN: Final[tuple[tuple[str, str], ...]] = (
    (r"^the proxies' log tells of an ejection", "enforced_ejection, delivered to on_proxy_log"),
    (r"^green's proxies ejected", "enforced_ejection, read by the judge"),
    (r"^(?:enforced|suppressed) ejection \d", "{0}"),
    (r"^alarm crossfade-.*-ejections is in ALARM", "enforced_ejection, by metric filter and alarm"),
    (r"^alarm .* is in ALARM|^in ALARM: ", "operator_alarm"),
    (r"^green is worse than", "edge_5xx, edge_refused or edge_tls"),
    (r"^green is slow more often than", "slow_request"),
    (r"^the deployment of .* failed", "deployment_failure"),
    (r"runs \d+ of the \d+ tasks that ECS wants", "below_desired"),
    (r"^\d+ tasks of .* died", "tasks that die in a row"),
    (r"^lost data", "lost data"),
)
"""How the reason of a rollback begins, and the signal it tells of; ratios inside green name theirs themselves."""

_WAITS: Final = re.compile(r"^edge .*?, which waits: ")
_NOTHING: Final = "-"


def seen_by(reason: str) -> str:
    """Return by which signal a rollback was decided, from its reason; `?` for one that no signal explains."""
    reason = _WAITS.sub("", reason)
    for pattern, name in _SEEN:
        if re.search(pattern, reason):
            return name.format("_".join(reason.split(maxsplit=2)[:2]))
    first = reason.partition(" ")[0]
    return first if first in {signal.name for signal in SIGNALS} else "?"


def fault_table(summaries: Sequence[Summary]) -> str:
    """Return a row for each summary, in their order. Seconds are the rehearsal's own, at its time scale."""
    lines = [_line(_HEADINGS), _line(["---"] * len(_HEADINGS)), *(_line(_row(summary)) for summary in summaries)]
    return "\n".join(lines) + "\n"


_HEADINGS: Final = ("fault", "ended", "seen by", "to decision", "then to 0 %", "failed requests", "of")


def _row(summary: Summary) -> list[str]:
    ended = summary.outcome.replace("_", " ")
    return [
        summary.fault or str(summary.scenario),
        ended if summary.passed else f"**{ended}**",
        seen_by(summary.reason) if summary.outcome == "rolled_back" else _NOTHING,
        _seconds(summary.seconds.fault_to_decision),
        _seconds(summary.seconds.decision_to_zero),
        f"{summary.requests.failed:,}",
        f"{summary.requests.total:,}",
    ]


def _seconds(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1f} s"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
