"""What a run of chaos says at its end. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rehearsal.chaos.points import Kind, is_steady
from rehearsal.chaos.run import Line
from rehearsal.chaos.verdict import End


def report(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the lines of the report; the last is `unsafe ends: 0 of N`."""
    fired = [line for line in lines if line.fired]
    alone = [line for line in fired if len(line.points) == 1]
    pairs = [line for line in fired if len(line.points) > 1]
    missed = len(lines) - len(fired)
    bad = [line for line in fired if line.unsafe]
    ends = Counter((line.points[0].kind, line.end) for line in alone)
    yield f"{'kind':26}{'points':>7}" + "".join(f"{end!s:>15}" for end in End)
    for kind in Kind:
        total = sum(count for (of, _), count in ends.items() if of is kind)
        if total:
            yield f"{kind!s:26}{total:7}" + "".join(f"{ends[kind, str(end)] or '-':>15}" for end in End)
    if pairs:
        both = Counter(line.end for line in pairs)
        yield f"{'two of them':26}{len(pairs):7}" + "".join(f"{both[str(end)] or '-':>15}" for end in End)
        yield f"both faults fired in {sum(line.fired > 1 for line in pairs)} of these"
    yield f"distinct (operation, phase, kind): {distinct(lines)}"
    if missed:
        yield f"{missed} were not reached, so their faults did not fire and they do not count:"
        yield from _unreached(lines)
    for line in bad:
        yield f"UNSAFE {line.name}: {line.end}: {'; '.join(line.unsafe)}"
    yield f"unsafe ends: {len(bad)} of {len(fired)}"


def _unreached(lines: Sequence[Line]) -> Iterator[str]:
    """Yield what was never come to, place by place, and why."""
    steady = [line for line in lines if not line.fired and all(is_steady(point) for point in line.points)]
    others = [line for line in lines if not line.fired and line not in steady]
    for why, some in (
        ("`watch`, a guard or an event, which met another moment than when it was recorded", others),
        ("a call or state that these runs of its drive did without", steady),
    ):
        places = Counter(" + ".join(point.name.rpartition(" | ")[0] for point in line.points) for line in some)
        if places:
            yield f"  {why}:"
        yield from (f"    {count} x {place}" for place, count in sorted(places.items()))


def distinct(lines: Sequence[Line]) -> int:
    """Count the distinct (operation, phase, kind) whose fault fired alone."""
    return len({line.points[0].counted_as for line in lines if line.fired and len(line.points) == 1})
