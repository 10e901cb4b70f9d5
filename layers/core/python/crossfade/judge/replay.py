"""
Judges every look again from what the journal kept, and says where the evidence was tampered with.

Two things are held against each look. *The chain*: every look names the digest of the
look before it on its edge, so one that was changed, taken out or put in between no longer
fits its neighbours. *The judgement*: what was read leads to it again, to the digit.

The chain shows tampering by anyone who cannot write all the looks after it anew, and it
has no end of its own: the newest looks can be cut off unseen. Two looks may follow the
same one, since a look may be repeated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

from pydantic import AwareDatetime, ValidationError

from crossfade.frozen import Frozen
from crossfade.journal.model import Entry, bounded_detail
from crossfade.judge.judge import judge
from crossfade.judge.judgement import Judgement
from crossfade.judge.look import EVIDENCE, Look
from crossfade.shift.share import Share


class Replayed(Frozen):
    """One look judged again. `broken` says what is wrong with it, in words; None if it stands."""

    at: AwareDatetime
    edge: str
    share: str
    answer: str
    reason: str
    broken: str | None = None


class Judgements(NamedTuple):
    """The judgement that a look holds, and the one its readings lead to now."""

    kept: Judgement
    again: Judgement


def evidence_digest(entry: Entry) -> str:
    """Return the SHA-256 of a look as the journal keeps it, in hex; the next look on its edge names it."""
    kept = entry.model_copy(update={"detail": bounded_detail(entry.detail)})
    text = json.dumps(kept.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def judge_again(evidence: Entry) -> Judgements:
    """
    Return the judgement that an evidence entry holds, and the one its readings lead to now.

    They are equal, unless the entry was tampered with or the judge has changed.
    """
    look = Look.model_validate(evidence.detail)
    return Judgements(
        look.judgement, judge(look.readings, look.rung, look.bounds, tests=look.tests, following=look.following)
    )


def replay(entries: Iterable[Entry]) -> tuple[Replayed, ...]:
    """Judge every look of a story again, oldest first; entries of other kinds are passed over."""
    known: dict[str, set[str]] = {}
    told = []
    for entry in entries:
        if (entry.kind, entry.what) != ("evidence", EVIDENCE):
            continue
        before = known.setdefault(entry.subject, {""})
        told.append(_replayed(entry, before))
        before.discard("")
        before.add(evidence_digest(entry))
    return tuple(told)


def _replayed(entry: Entry, before: set[str]) -> Replayed:
    try:
        look = Look.model_validate(entry.detail)
    except ValidationError as unreadable:
        fields = ", ".join(".".join(str(part) for part in error["loc"]) or "all of it" for error in unreadable.errors())
        return Replayed(
            at=entry.at, edge=entry.subject, share="?", answer="?", reason="", broken=f"it cannot be read: {fields}"
        )
    kept, again = judge_again(entry)
    return Replayed(
        at=entry.at,
        edge=entry.subject,
        share=str(Share(look.rung.share_bp)),
        answer=kept.answer,
        reason=kept.reason,
        broken=_broken(look, kept, again, before),
    )


def _broken(look: Look, kept: Judgement, again: Judgement, before: set[str]) -> str | None:
    if look.previous not in before:
        return (
            "the chain is broken: no look before this one has the digest that it names"
            if look.previous
            else "the chain is broken: this look says that it is the first, and it is not"
        )
    if not look.shadow and look.answered is not kept.answer:
        return f"the state machine was told {look.answered}, and the judgement says {kept.answer}"
    if kept == again:
        return None
    if (kept.answer, kept.verdict) != (again.answer, again.verdict):
        return f"its readings lead to {again.answer} ({again.reason}), and it says {kept.answer}"
    changed = [name for name in Judgement.model_fields if getattr(kept, name) != getattr(again, name)]
    return f"its readings lead to another {', '.join(changed)}"
