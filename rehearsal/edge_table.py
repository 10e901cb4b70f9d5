"""The table of edges: how fast green loses its share at each, beside what the edge itself takes. Markdown, pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rehearsal.summary import Scenario, Summary

_NOTHING: Final = "-"


def edge_table(summaries: Sequence[Summary]) -> str:
    """
    Return a row for each kind of edge among the summaries, in their order; of several runs of one kind the last counts.

    What the rehearsal measured is in its own seconds; what the edge takes by nature is in AWS's, and divided by the
    time scale it is part of what was measured.
    """
    kinds = dict.fromkeys(summary.edges[0].kind for summary in summaries)
    lines = [_line([heading for heading, _ in _COLUMNS]), _line(["---"] * len(_COLUMNS))]
    for kind in kinds:
        played = {summary.scenario: summary for summary in summaries if summary.edges[0].kind == kind}
        healthy, sick = played.get(Scenario.HEALTHY), played.get(Scenario.SICK)
        lines.append(_line([cell(kind, healthy, sick) for _, cell in _COLUMNS]))
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ended(summary: Summary | None) -> str:
    if summary is None:
        return _NOTHING
    said = summary.outcome.replace("_", " ")
    failed = f"{summary.requests.failed:,} of {summary.requests.total:,} failed"
    return f"{said}, {failed}" if summary.passed else f"**{said}**, {failed}"


def _measured(of: Callable[[Summary], float | None]) -> Callable[[Summary | None], str]:
    def cell(sick: Summary | None) -> str:
        value = None if sick is None else of(sick)
        return _NOTHING if value is None else f"{value:.1f} s"

    return cell


def _by_nature(summary: Summary | None, of: Callable[[Summary], float | None], what: str = "") -> str | None:
    value = None if summary is None else of(summary)
    if summary is None or value is None:
        return None
    return f"{what}{value * summary.time_scale:.0f} s"


def _spreads(healthy: Summary | None, sick: Summary | None) -> str:
    return _by_nature(sick or healthy, lambda s: s.edges[0].propagation_seconds) or _NOTHING


def _scale(healthy: Summary | None, sick: Summary | None) -> str:
    of = sick or healthy
    return _NOTHING if of is None else str(of.time_scale)


def _kept(healthy: Summary | None, sick: Summary | None) -> str:
    of = sick or healthy
    ttl = _by_nature(of, lambda s: s.edges[0].ttl_seconds, "TTL ")
    connection = _by_nature(of, lambda s: s.edges[0].connection_seconds, "connection ")
    return ttl or connection or _NOTHING


_TO_ZERO = _measured(lambda s: s.seconds.decision_to_zero)
_TO_EVERYWHERE = _measured(lambda s: s.seconds.decision_to_everywhere)
_TO_LAST = _measured(lambda s: s.seconds.decision_to_last_green)

_COLUMNS: tuple[tuple[str, Callable[[str, Summary | None, Summary | None], str]], ...] = (
    ("edge", lambda kind, _healthy, _sick: f"`{kind}`"),
    ("healthy", lambda _kind, healthy, _sick: _ended(healthy)),
    ("sick", lambda _kind, _healthy, sick: _ended(sick)),
    ("decision to 0 % on green", lambda _kind, _healthy, sick: _TO_ZERO(sick)),
    ("until that is everywhere", lambda _kind, _healthy, sick: _TO_EVERYWHERE(sick)),
    ("until green's last request", lambda _kind, _healthy, sick: _TO_LAST(sick)),
    ("time scale", lambda _kind, healthy, sick: _scale(healthy, sick)),
    ("propagation on AWS", lambda _kind, healthy, sick: _spreads(healthy, sick)),
    ("users keep the old way for, on AWS", lambda _kind, healthy, sick: _kept(healthy, sick)),
)
