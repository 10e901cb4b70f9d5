"""The ports to an edge: how it is found, divided between blue and green, and put back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from crossfade.journal.edges import EdgeRecord, FoundEdge, StoredRequest
from crossfade.plan.edges import EdgePlan
from crossfade.plan.finding import Finding
from crossfade.shift.share import Share


class OfThePlan:
    """What a shifter of any kind says as the plan says it."""

    _edge: FoundEdge

    @property
    def ceiling(self) -> Share:
        """See `TrafficShifter`."""
        return Share(self._edge.ceiling_bp)

    @property
    def settle(self) -> timedelta:
        """See `TrafficShifter`."""
        return timedelta(seconds=self._edge.settle_seconds)


class TrafficShifter(Protocol):
    """
    An edge that divides requests between blue and green.

    An edge may have several rules, shifted as one. Weights never sum to zero, and no
    end without a healthy target is given a share. What else a rule forwards to keeps
    its part; what else a rule does is kept whole.

    Every implementation must pass `tests/contract/test_traffic_shifter.py`. Every
    method raises EdgeBusy when AWS throttles it.
    """

    @property
    def ceiling(self) -> Share:
        """The largest share green can hold here."""
        ...

    @property
    def settle(self) -> timedelta:
        """How long after a change has spread some clients still follow the old split."""
        ...

    @property
    def change(self) -> str | None:
        """What names the last change of the edge, for `FoundEdge.change`; None where its kind has no such name."""
        ...

    def spreading(self) -> str:
        """
        Return what of the edge's changes has not reached every place that serves users, in words; empty of none.

        It is told of a change sent here, and of one sent elsewhere whose name the edge keeps.
        """
        ...

    def detour(self) -> bool:
        """
        Lead those who come to green's load balancer on to blue, faster than what lies before can lead them there.

        Asks nothing of what lies before, which may be what is down. Any number of times. Returns False, and
        changes nothing, where the edge has no such way, or blue has no healthy target on it.

        Raises:
            EdgeChanged: green's load balancer is not as it was found.
            NotConfirmed: it does not yet hold what was written, or would not take it.
        """
        ...

    def shares(self) -> tuple[Share, ...]:
        """
        Return what green holds on each rule now, unjudged; NONE where it is no end.

        For an intent or a rollback, which must be able to look at an edge in any state.
        """
        ...

    def green(self) -> Share:
        """
        Return the share green holds now, read from AWS and not remembered.

        Raises:
            EdgeChanged: the rules disagree, one is gone, or blue or green is no end of it.
        """
        ...

    def set_green(self, share: Share) -> Share:
        """
        Give green this share and blue the rest; return the share really held, read back.

        Setting the share already held changes nothing. A set that was cut short
        between two rules is completed by setting the same share again. The share
        held differs from `share` by at most 40 basis points, and is neither nothing
        nor all unless `share` is.

        Raises:
            UnreachableGoal: `share` lies above `ceiling`, or the edge's weights are too coarse for it.
            GreenNotReady: green has no healthy target.
            BlueUnhealthy: blue would keep a share and has no healthy target.
            EdgeChanged: someone else changes the edge.
            EdgeSpreading: an earlier change must first have spread; nothing was written.
            NotConfirmed: the edge does not yet hold what was written.
        """
        ...

    def withdraw(self) -> Share:
        """
        Take every share from green and give it to blue; return NONE.

        Works from whatever it finds: rules that disagree, drifted, half written or
        deleted. Any number of times; a green without a share is left as it is. Waits
        for nothing to spread: see `spreading`.

        Raises:
            BlueUnhealthy: green holds a share, and blue has no healthy target to take it.
            NotConfirmed: the edge does not yet hold what was written.
        """
        ...

    def way_back(self) -> tuple[StoredRequest, ...]:
        """
        Return the calls that restore the edge as it is now, with green at zero.

        Raises:
            EdgeChanged: a rule is gone.
        """
        ...


class Edges(Protocol):
    """
    The account's edges. Every implementation must pass `tests/contract/test_traffic_shifter.py`.

    Every method raises EdgeBusy when AWS throttles it.
    """

    def find(self, plan: EdgePlan) -> FoundEdge:
        """
        Scan for every listener and rule that leads to the plan's blue target group.

        Raises:
            UnknownEdge: there is no such target group, or nothing leads to it.
            EdgeChanged: the scan finds other rules than the plan names, stickiness that
                would hold users on one side, or green with a share already.
        """
        ...

    def make_green_end(self, edge: EdgeRecord, name: str, tags: Mapping[str, str]) -> EdgeRecord:
        """
        Make green's target group, blue's copy in every attribute, and add it to each rule at weight 0.

        Idempotent: one that exists and carries these tags is finished, and the same
        record is returned, to be put in the journal.

        Raises:
            EdgeOwned: a target group of this name exists and does not carry these tags.
            EdgeChanged: a rule is not as it was found.
        """
        ...

    def check(self, edge: FoundEdge, *, scaled: bool) -> tuple[Finding, ...]:
        """
        Return what was looked at around an edge, refused where it would make a shift or its way back fail later.

        Only what `find` and the weights do not show. With `scaled` the plan's durations
        are not AWS's and are not held against them.

        Raises:
            EdgeChanged, UnknownEdge: what the edge was found to be is gone.
        """
        ...

    def clear_away(self, edge: EdgeRecord) -> EdgeRecord:
        """
        Remove what was made before the edge for green alone and leads nobody to it now; return the edge without it.

        Only for edges that `leaves_behind` something. Idempotent: what is gone already is
        passed over, and a removal cut short is finished. The way back does not need it.

        Raises:
            EdgeSpreading: a step must have spread before the next can be made; nothing is lost by waiting.
            EdgeChanged: green holds a share through it, or somebody else changes it.
        """
        ...

    def tend(self, edge: EdgeRecord) -> str:
        """
        Keep the detour of an edge ready: let it have the targets that blue has now.

        Returns why it could not be taken at the moment; empty where it could, and where the edge has none.
        """
        ...

    def end_detour(self, edge: EdgeRecord) -> EdgeRecord:
        """
        Let green's load balancer lead to green as it was found, remove the detour, and return the edge without it.

        Idempotent. Nobody may be led there by what lies before.

        Raises:
            EdgeChanged: a rule forwards to the detour alone.
            NotConfirmed: a rule still names it.
        """
        ...

    def shifter(self, edge: FoundEdge) -> TrafficShifter:
        """Return what shifts this edge."""
        ...

    def healthy_targets(self, target_group_arn: str) -> int:
        """Return how many targets of a target group answer their health checks."""
        ...
