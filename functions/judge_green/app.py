"""Judge Green: may green have more, must it wait, or must it give back?"""

from __future__ import annotations

from crossfade.judge.action import Judged, JudgeRequest, judge_green
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(JudgeRequest)
def handler(request: JudgeRequest) -> Judged:
    """See `crossfade.judge.action.judge_green`."""
    return judge_green(
        request,
        journal=parts.journal(),
        plans=parts.plans(),
        sight=parts.sight(),
        meter=parts.look_meter(),
        now=parts.now(),
    )
