"""
The plan as one page for a browser: gaps first, the call graph drawn with blue beside green.

Pure; the same plan gives the same bytes. The page holds no script and names no other file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from crossfade.plan.document import Gap, MigrationPlan, Severity
from crossfade.plan.edges import EdgePlan
from crossfade.plan.report import (
    drawn_in_words,
    endpoint_in_words,
    ladder_in_words,
    ledger_in_words,
    meaning,
    rule_in_words,
    summary,
)
from crossfade.plan.services import ServicePlan

_BOX: Final = (206, 46)
_STEP: Final = (226, 96)
_MARGIN: Final = 12
_HEADING: Final = 26
_MOST_COLUMNS: Final = 3
_NEXT_LINE: Final = 60
"""From one line of a wave to the next, where a wave has more services than stand beside each other."""

_INNER: Final = _BOX[0] - 20
_LETTERS: Final = {"name": (22, 30), "small": (28, 38)}
"""How many letters fit a box whatever the font, and how many when they are drawn closer together."""

_MANY_ARROWS: Final = 40
_USERS: Final = "users"

_STYLE: Final = """
:root { --ink: #1b2430; --paper: #ffffff; --soft: #5b6675; --line: #d5dbe3; --blue: #1d4ed8; --blue-box: #e3ebfd;
  --green: #15803d; --green-box: #dcf3e3; --outside: #f1f3f6; --blocking: #b42318; --degrading: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf0; --paper: #14181f; --soft: #9aa5b4; --line: #343c48;
  --blue: #86a8ff; --blue-box: #1b2a4d; --green: #6fd690; --green-box: #163a24; --outside: #222831;
  --blocking: #ff8a80; --degrading: #e3b341; } }
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; color: var(--ink); background: var(--paper);
  max-width: 72rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; margin-bottom: .25rem; } h2 { font-size: 1.2rem; margin-top: 2.25rem; }
h3 { font-size: 1rem; margin-bottom: .5rem; } code { font-size: .92em; overflow-wrap: anywhere; }
a { color: inherit; } .soft { color: var(--soft); }
.blocking { color: var(--blocking); } .degrading { color: var(--degrading); } .informational { color: var(--soft); }
.gap { border-left: 4px solid currentColor; padding: .1rem 0 .1rem .8rem; margin: .8rem 0; }
.gap > div { color: var(--ink); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line); }
svg { display: block; width: 100%; height: auto; min-width: 52rem; }
svg text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
svg .name { font-weight: 600; } svg .small { font-size: 10.5px; fill: var(--soft); }
svg .blue rect { fill: var(--blue-box); stroke: var(--blue); } svg .blue path { stroke: var(--blue); }
svg .green rect { fill: var(--green-box); stroke: var(--green); } svg .green path { stroke: var(--green); }
svg .outside rect { fill: var(--outside); stroke: var(--soft); stroke-dasharray: 4 3; }
svg path { fill: none; stroke-width: 1.4; } svg .blue marker path, svg .blue .head { fill: var(--blue); }
svg .green marker path, svg .green .head { fill: var(--green); stroke: none; } svg .blue .head { stroke: none; }
svg .heading { font-size: 14px; font-weight: 600; } svg .blue .heading { fill: var(--blue); }
svg .green .heading { fill: var(--green); }
svg .many path { opacity: .3; } svg .node:hover path { opacity: 1; stroke-width: 2.6; }
"""


def page(plan: MigrationPlan) -> str:
    """Return the page; the same plan gives the same text."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: MigrationPlan) -> Iterator[str]:
    title = f"{plan.migration}: to Service Connect"
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{escape(title)}</h1>"
    yield f"<p>{escape(summary(plan))}</p>"
    yield from _gaps(plan.gaps)
    if plan.services:
        yield "<h2>Who calls whom</h2>"
        yield '<div class="wide">'
        yield from graph(plan)
        yield "</div>"
    yield from _services(plan)
    yield from _edges(plan.edges)
    yield from _left_behind(plan)
    yield "<h2>Sources</h2><ul>"
    for source in plan.sources:
        yield f'<li><code>{escape(source.path)}</code> <span class="soft">{source.sha256[:12]}</span></li>'
    yield "</ul>"
    yield f'<p class="soft">{escape(drawn_in_words(plan))}</p>'
    yield "</body></html>"


# ------------------------------------------------------------------------------------ words


def _gaps(gaps: Sequence[Gap]) -> Iterator[str]:
    yield "<h2>Gaps</h2>"
    if not gaps:
        yield "<p>None: nothing is lost.</p>"
    for severity in Severity:
        found = [gap for gap in gaps if gap.severity is severity]
        if found:
            heading = f"{severity.value.capitalize()} ({len(found)})"
            yield f'<h3 class="{severity}">{heading}</h3><p class="soft">{escape(meaning(severity).capitalize())}.</p>'
        for gap in found:
            yield f'<div class="gap {severity}"><strong>{gap.id}</strong> <code>{escape(gap.resource)}</code>'
            yield f'<div>{escape(gap.detail)} <a href="{escape(gap.source)}">source</a></div>'
            if gap.accepted is not None:
                said = f"Accepted by {gap.accepted.who}, {gap.accepted.at:%Y-%m-%d}: {gap.accepted.why}"
                yield f'<div class="soft">{escape(said)}</div>'
            yield "</div>"


def _services(plan: MigrationPlan) -> Iterator[str]:
    services = {service.name: service for service in plan.services}
    yield '<h2>Services</h2><div class="wide"><table><thead><tr>'
    yield "".join(f"<th>{heading}</th>" for heading in ("wave", "service", "role", "green", "endpoints", "calls"))
    yield "</tr></thead><tbody>"
    for number, wave in enumerate(plan.waves, start=1):
        for name in wave:
            service = services[name]
            endpoints = "<br>".join(escape(endpoint_in_words(each)) for each in service.endpoints)
            calls = "<br>".join(escape(f"{call.dns_name}:{call.port}") for call in service.calls)
            cells = (str(number), escape(name), service.role.value, escape(service.green.service_name))
            yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in (*cells, endpoints, calls)) + "</tr>"
    yield "</tbody></table></div>"
    if plan.redeploy:
        yield f"<p>Deployed a second time, since they call each other: {escape(', '.join(plan.redeploy))}.</p>"


def _edges(edges: Sequence[EdgePlan]) -> Iterator[str]:
    yield "<h2>Edges</h2>"
    if not edges:
        yield "<p>None: there is nothing to shift.</p>"
    for edge in edges:
        yield f"<h3>{escape(edge.name)}</h3><ul>"
        for rule in edge.rules:
            said = f"{rule.load_balancer} port {rule.listener_port}, {rule_in_words(rule.priority)}"
            yield f"<li>{escape(said)}</li>"
        yield f"<li>{escape(edge.blue.name)} → {escape(edge.green.name)}: {escape(ladder_in_words(edge))}</li></ul>"


def _left_behind(plan: MigrationPlan) -> Iterator[str]:
    if plan.not_migrated:
        yield "<h2>What stays behind</h2><ul>"
        for each in plan.not_migrated:
            yield f"<li><code>{escape(each.what)}</code>: {escape(each.why)}</li>"
        yield "</ul>"
    if plan.outside_names:
        yield "<h2>Names that others may dial</h2>"
        yield "<p>They keep leading to blue, and to nobody once it is retired.</p><ul>"
        for name in plan.outside_names:
            yield f"<li><code>{escape(name.name)}</code> ({escape(name.service)})</li>"
        yield "</ul>"
    yield f"<h2>Fields of the mesh</h2><p>{escape(ledger_in_words(plan.ledger))}</p>"
    if plan.ledger.reasons:
        yield "<ul>"
        for reason in plan.ledger.reasons:
            said = f"({reason.count}): {reason.reason}."
            yield f"<li><code>{escape(reason.field)}</code> {escape(said)} "
            yield f'<a href="{escape(reason.source)}">source</a></li>'
        yield "</ul>"


# ---------------------------------------------------------------------------------- drawing


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a box stands: its left upper corner."""

    x: int
    y: int

    @property
    def top(self) -> tuple[int, int]:
        return self.x + _BOX[0] // 2, self.y

    @property
    def bottom(self) -> tuple[int, int]:
        return self.x + _BOX[0] // 2, self.y + _BOX[1]


@dataclass(frozen=True, slots=True)
class _Row:
    """Boxes that stand beside each other, and how far below the heading."""

    names: Sequence[str]
    y: int


def graph(plan: MigrationPlan) -> Iterator[str]:
    """
    Yield the call graph as SVG, callers above those they call, blue on the left and green on the right.

    It is as wide as the page allows, so that both sides are seen at once; a wave of many services has several lines.
    """
    rows = _rows(plan)
    columns = max(len(row.names) for row in rows)
    width = columns * _STEP[0]
    height = _HEADING + rows[-1].y + _STEP[1]
    whole = 2 * width + 4 * _MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" style="max-width:{whole}px" '
        f'viewBox="0 0 {whole} {height}" role="img" aria-label="Who calls whom, blue beside green">'
    )
    today = "App Mesh" if plan.mesh else "Today"
    yield from _side(plan, rows, ("blue", f"Blue: {today}"), left=_MARGIN, width=width)
    yield from _side(plan, rows, ("green", "Green: Service Connect"), left=3 * _MARGIN + width, width=width)
    yield "</svg>"


def _rows(plan: MigrationPlan) -> list[_Row]:
    """Return the boxes from top to bottom: users, the waves backwards, and what lies outside."""
    outside = sorted(
        {_outside(call.dns_name, call.port) for each in plan.services for call in each.calls if not call.service}
    )
    first = [[_USERS]] if plan.edges else []
    groups = [*first, *(list(wave) for wave in reversed(plan.waves)), *([outside] if outside else [])]
    rows: list[_Row] = []
    y = 0
    for group in groups:
        for at in range(0, len(group), _MOST_COLUMNS):
            y += _NEXT_LINE if at else 0
            rows.append(_Row(group[at : at + _MOST_COLUMNS], y))
        y += _STEP[1]
    return rows


def _outside(name: str, port: int) -> str:
    return f"{name}:{port}"


def _side(plan: MigrationPlan, rows: Sequence[_Row], title: tuple[str, str], *, left: int, width: int) -> Iterator[str]:
    colour, heading = title
    spots: dict[str, _Spot] = {}
    for row in rows:
        indent = (width - len(row.names) * _STEP[0]) // 2
        for at, name in enumerate(row.names):
            spots[name] = _Spot(left + indent + at * _STEP[0] + 10, _HEADING + row.y + 10)
    services = {service.name: service for service in plan.services}
    called = {each.name: _callees(each) for each in plan.services}
    called[_USERS] = list(dict.fromkeys(edge.service for edge in plan.edges))
    many = " many" if sum(map(len, called.values())) > _MANY_ARROWS else ""
    yield f'<g class="{colour}{many}"><text class="heading" x="{left + 10}" y="18">{escape(heading)}</text>'
    for name, spot in spots.items():  # from the top, so that no arrow crosses a box it has nothing to do with
        yield '<g class="node">'
        for callee in called.get(name, ()):
            yield from _arrow(spot, spots[callee])
        yield from _box(name, spot, services.get(name), colour, plan)
        yield "</g>"
    yield "</g>"


def _callees(service: ServicePlan) -> list[str]:
    return list(dict.fromkeys(call.service or _outside(call.dns_name, call.port) for call in service.calls))


def _arrow(start: _Spot, end: _Spot) -> Iterator[str]:
    (x1, y1), (x2, y2) = start.bottom, end.top
    if start == end:
        return
    if y2 <= y1:  # a call within a wave or back up: around the side
        y2 = end.bottom[1]
        sag = max(y1, y2) + 26
        yield f'<path d="M{x1 + 12} {y1} C{x1 + 12} {sag} {x2 - 12} {sag} {x2 - 12} {y2 + 6}"/>'
        yield f'<path class="head" d="M{x2 - 16} {y2 + 7} L{x2 - 12} {y2} L{x2 - 8} {y2 + 7} Z"/>'
        return
    middle = (y1 + y2) // 2
    yield f'<path d="M{x1} {y1} C{x1} {middle} {x2} {middle} {x2} {y2 - 6}"/>'
    yield f'<path class="head" d="M{x2 - 4} {y2 - 7} L{x2} {y2} L{x2 + 4} {y2 - 7} Z"/>'


def _box(name: str, spot: _Spot, service: ServicePlan | None, colour: str, plan: MigrationPlan) -> Iterator[str]:
    lines = _said(name, service, colour, plan)
    kind = "" if service is not None else ' class="outside"'
    yield f"<g{kind}><title>{escape(' · '.join(lines))}</title>"
    yield f'<rect x="{spot.x}" y="{spot.y}" width="{_BOX[0]}" height="{_BOX[1]}" rx="7"/>'
    for number, (line, style) in enumerate(zip(lines, ("name", "small"), strict=False)):
        y = spot.y + (19 + 17 * number if len(lines) > 1 else 28)
        fit, most = _LETTERS[style]
        closer = f' textLength="{_INNER}" lengthAdjust="spacingAndGlyphs"' if len(line) > fit else ""
        yield f'<text class="{style}" x="{spot.x + 10}" y="{y}"{closer}>{escape(_cut(line, most))}</text>'
    yield "</g>"


def _said(name: str, service: ServicePlan | None, colour: str, plan: MigrationPlan) -> tuple[str, ...]:
    """Return what a box says: a name, and below it what answers there or where users come in."""
    if service is None:
        if name != _USERS:
            return name, "outside ECS"
        doors: Mapping[str, None] = dict.fromkeys(edge.load_balancer or edge.name for edge in plan.edges)
        return _USERS, f"through {', '.join(doors)}"
    shown = service.name if colour == "blue" else service.green.service_name
    first = next((f"{each.dns_name}:{each.port}" for each in service.endpoints), None)
    return shown, first or f"{service.role} only"


def _cut(text: str, most: int) -> str:
    """Return a text that fits; what is cut is in the middle, since names differ at their ends."""
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most - most // 2) :]}"
