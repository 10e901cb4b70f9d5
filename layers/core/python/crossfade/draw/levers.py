"""
The names and distributions before a load balancer, and the edges they make where users shall be divided at them.

Pure. Several levers may lead to one blue: a distribution to a name, the name to a load balancer, its rule to blue. The
rule is the fastest to move and to move back, so it is the edge, and the others keep leading to it. A record or a
distribution is the edge where green has a load balancer of its own: where weighted records of one name lead to both, or
where an operator says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crossfade.connect.gaps import gap
from crossfade.errors import BadInput
from crossfade.mesh.model import Distribution, DnsRecord, Found, HostedZone, ListenerRule, LoadBalancer
from crossfade.plan.document import Gap
from crossfade.plan.edges import CdnRef, DetourRef, DnsRef, EdgePlan, RecordRef, Rung
from crossfade.plan.services import TargetGroupRef

ROUTE_53, CLOUDFRONT = "route53", "cloudfront"
_KINDS: Final = (ROUTE_53, CLOUDFRONT)
_SHIFTED: Final = frozenset({"A", "AAAA", "CNAME"})
_SETTLE_SECONDS: Final[Mapping[str, int]] = {ROUTE_53: 60, CLOUDFRONT: 600}
_STAGED_BP: Final = (100, 500, 1_500)
_MOST_STAGED_BP: Final = 1_500
_WHOLE_BP: Final = 10_000
_PERCENT_BP: Final = 100
_MOST_NAME: Final = 32  # characters of a target group's name
_DETOUR: Final = "-detour"
_HOLE: Final = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Choice:
    """
    Where an operator has users divided: the kind of lever, green's own load balancer, and the name CloudFront dials.

    Written `route53:LOAD_BALANCER`, or `cloudfront:LOAD_BALANCER` with `,DOMAIN` where more than one name leads to it.
    """

    kind: str
    green_load_balancer: str
    green_domain: str | None = None

    @classmethod
    def of(cls, service: str, text: str) -> Choice:
        """Return what a text says; BadInput when it says nothing of the kind."""
        kind, _, rest = text.partition(":")
        green, _, domain = rest.partition(",")
        if kind not in _KINDS or not green or (domain and kind != CLOUDFRONT):
            raise BadInput(
                f"{service}: {text} names no edge; say route53:LOAD_BALANCER or cloudfront:LOAD_BALANCER[,DOMAIN], "
                "with the load balancer that stands before green"
            )
        return cls(kind, green, domain or None)


@dataclass(frozen=True, slots=True)
class Reach:
    """
    What leads to one load balancer: records and distributions, straight or by way of other names.

    `before` are the listeners of network load balancers whose target it is, `own` the names by which it is dialled: its
    own and theirs.
    """

    balancer: LoadBalancer
    records: tuple[DnsRecord, ...]
    distributions: tuple[tuple[Distribution, str], ...]
    straight: frozenset[str]
    before: tuple[ListenerRule, ...]
    own: frozenset[str]

    def in_words(self) -> tuple[str, ...]:
        """Return each name and distribution as a plan lists it; what files do not know is an ellipsis."""
        named = [f"{each.name} {each.kind}".strip() for each in self.records]
        named += [f"{each.load_balancer}:{each.listener_port}" for each in self.before]
        named += [f"distribution {_own_name(each)} (origin {origin})" for each, origin in self.distributions]
        return tuple(sorted({_HOLE.sub("…", each) for each in named}))


def reach(found: Found, balancer: LoadBalancer) -> Reach:
    """Return what leads to a load balancer."""
    before = _before(found, balancer)
    doors = {balancer.name, *(each.load_balancer for each in before)}
    own = frozenset(_plain(each.dns_name) for each in found.load_balancers if each.name in doors and each.dns_name)
    names, records, distributions = set(own), [], []
    left, left_out = list(found.records), list(found.distributions)
    while True:
        more = [each for each in left if _plain(each.target) in names]
        through = [(each, origin) for each in left_out for origin, domain in each.origins if _plain(domain) in names]
        if not more and not through:
            break
        records += more
        distributions += through
        left = [each for each in left if each not in more]
        left_out = [each for each in left_out if all(each is not taken for taken, _ in through)]
        names |= {_plain(each.name) for each in more} | {_plain(name) for each, _ in through for name in each.names}
    straight = frozenset(each.name for each in records if _plain(each.target) in own)
    return Reach(balancer, tuple(records), tuple(distributions), straight, before, own)


def _before(found: Found, balancer: LoadBalancer) -> tuple[ListenerRule, ...]:
    """Return what forwards to a target group in which the load balancer itself is the target."""
    groups = {each.name for each in found.target_groups if balancer.name in each.leads_to}
    if not groups:
        return ()
    return tuple(each for each in found.rules if groups.intersection(each.target_groups))


def standing_ready(found: Found, here: Reach) -> Choice | None:
    """Return the choice that weighted records make by themselves: one leads to blue, its sibling to a free end."""
    free = {each.name: each for each in found.load_balancers if _free_end(found, each.name) is not None}
    for record in here.records:
        if record.identifier is None or record.name not in here.straight:
            continue
        for sibling in found.records:
            if (sibling.name, sibling.kind, sibling.zone) != (record.name, record.kind, record.zone):
                continue
            for name, balancer in free.items():
                if name != here.balancer.name and _plain(sibling.target) == _plain(balancer.dns_name or "-"):
                    return Choice(ROUTE_53, name)
    return None


def lever_edges(
    found: Found, service: str, here: Reach, choice: Choice, *, blue: str, ladder: Sequence[Rung], control_share_bp: int
) -> tuple[tuple[EdgePlan, ...], tuple[Gap, ...]]:
    """
    Return the edges by which a service's users are divided before its load balancer, and who comes past them.

    Args:
        found: What the sources hold.
        service: The service users enter by.
        here: What leads to its load balancer.
        choice: Which lever, and green's own load balancer.
        blue: The service's target group.
        ladder: The rungs asked for.
        control_share_bp: As `EdgePlan` has it.

    Raises:
        BadInput: the sources lack the lever, green's load balancer or an id of theirs; the message says what to give.
    """
    balancer = next((each for each in found.load_balancers if each.name == choice.green_load_balancer), None)
    free = _free_end(found, choice.green_load_balancer)
    if balancer is None or free is None:
        why = "is no load balancer of the sources" if balancer is None else "does not lead to one free target group"
        raise BadInput(
            f"{service}: {choice.green_load_balancer} {why}; green needs a load balancer of its own, with a listener "
            "that forwards to a target group no service is in: add the source that holds it"
        )
    members = {
        "service": service,
        "kind": choice.kind,
        "blue": TargetGroupRef(name=blue),
        "green": TargetGroupRef(name=free),
        "settle_seconds": _SETTLE_SECONDS[choice.kind],
    }
    if balancer.kind == "application":
        members["detour"] = DetourRef(name=_detour(blue))
    if choice.kind == CLOUDFRONT:
        levers, past = _distribution(found, service, here, balancer, choice)
        members["ladder"] = _staged(ladder)
    else:
        levers, past = _records(found, service, here, balancer)
        members |= {"ladder": ladder, "control_share_bp": control_share_bp}
    edges = tuple(EdgePlan.model_validate({**members, "name": name, **lever}) for name, lever in levers)
    lever = "the distribution" if choice.kind == CLOUDFRONT else "the record"
    return edges, tuple(gap("EDGE_BYPASSED", f"ecsService/{service}", what=each, lever=lever) for each in past)


def _detour(blue: str) -> str:
    """Return a name for the target group by which green's load balancer leads to blue, cut to what AWS takes."""
    return f"{blue[: _MOST_NAME - len(_DETOUR)].rstrip('-')}{_DETOUR}"


_Levers = Sequence[tuple[str, Mapping[str, object]]]
"""The name of each edge, and what it is described by."""


def _records(found: Found, service: str, here: Reach, green: LoadBalancer) -> tuple[_Levers, tuple[str, ...]]:
    """Return an edge for each hosted zone whose records lead to blue, and the distributions that do without them."""
    zones = _zones(found, here)
    if not zones:
        raise BadInput(f"{service}: no record of the sources leads to {here.balancer.name}; add its hosted zone")
    levers = [
        (
            service if len(zones) == 1 else f"{service}-{_of_zone(found, zone)}",
            {"dns": DnsRef(zone_id=zone, records=records, green_load_balancer=green.name)},
        )
        for zone, records in zones.items()
    ]
    past = [each for each, origin in here.distributions if _plain(dict(each.origins)[origin]) in here.own]
    return levers, tuple(f"Distribution {_own_name(each)}" for each in past)


def _distribution(
    found: Found, service: str, here: Reach, green: LoadBalancer, choice: Choice
) -> tuple[_Levers, tuple[str, ...]]:
    """Return the edge of the one distribution that leads to blue, and the names that do without it."""
    if len(here.distributions) != 1:
        raise BadInput(
            f"{service}: {len(here.distributions)} distributions of the sources lead to {here.balancer.name}; an edge "
            "is one distribution: add the source that holds it, or divide users at the load balancer"
        )
    [(distribution, origin)] = here.distributions
    cdn = CdnRef(
        distribution_id=found.known(distribution.id),
        origin_id=origin,
        green_domain=choice.green_domain or _domain(found, service, green),
        green_load_balancer=green.name,
    )
    dialled, own = _plain(dict(distribution.origins)[origin]), {_plain(name) for name in distribution.names}
    past = [each for each in here.records if _plain(each.name) != dialled and _plain(each.target) not in own]
    return [(service, {"cdn": cdn})], tuple(_HOLE.sub("…", f"{each.name} {each.kind}") for each in past)


def _zones(found: Found, here: Reach) -> dict[str, tuple[RecordRef, ...]]:
    """Return the records that lead straight to the load balancer, by the id of their hosted zone."""
    zones: dict[str, dict[tuple[str, str], RecordRef]] = {}
    for record in here.records:
        if _plain(record.target) in here.own and record.kind in _SHIFTED:
            ref = RecordRef.model_validate({"name": found.known(record.name), "type": record.kind})
            zones.setdefault(_zone_of(found, record), {}).setdefault((ref.name, ref.type), ref)
    return {zone: tuple(refs[each] for each in sorted(refs)) for zone, refs in sorted(zones.items())}


def _zone_of(found: Found, record: DnsRecord) -> str:
    if record.zone is not None:
        return found.known(record.zone)
    fitting = [each for each in found.zones if _within(record.name, each)]
    nearest = max((len(each.name) for each in fitting), default=0)
    ids = {each.id for each in fitting if len(each.name) == nearest}
    if len(ids) != 1:
        raise BadInput(
            f"{record.place}: the hosted zone of {record.name} is not known; add the answer of "
            "`aws route53 list-hosted-zones`, or a source that names the zone's id"
        )
    return found.known(ids.pop())


def _within(name: str, zone: HostedZone) -> bool:
    return f".{_plain(name)}".endswith(f".{_plain(zone.name)}")


def _of_zone(found: Found, zone: str) -> str:
    """Return what tells the edge of one zone from that of another of the same service."""
    private = {each.id for each in found.zones if each.is_private}
    public = {each.id for each in found.zones} - private
    if len(private) == 1 and zone in private:
        return "private"
    return "public" if len(public) == 1 and zone in public else zone.lower()


def _domain(found: Found, service: str, green: LoadBalancer) -> str:
    names = {each.name for each in found.records if _plain(each.target) == _plain(green.dns_name or "-")}
    if len(names) > 1:
        raise BadInput(
            f"{service}: several names lead to {green.name} ({', '.join(sorted(names))}); say which CloudFront shall "
            f"dial: cloudfront:{green.name},NAME"
        )
    return found.known(names.pop() if names else green.dns_name or "")


def _free_end(found: Found, balancer: str, *, is_behind: bool = False) -> str | None:
    """
    Return the one target group a load balancer leads to, if no service is in it.

    Where its only target is another load balancer it is that one's; `is_behind`: this one is already another's.
    """
    taken = {each.target_group for service in found.services for each in service.targets}
    groups = {name for rule in found.rules if rule.load_balancer == balancer for name in rule.target_groups}
    if len(groups) != 1 or groups & taken:
        return None
    [only] = groups
    behind = {name for each in found.target_groups if each.name == only for name in each.leads_to}
    if not behind:
        return only
    return _free_end(found, behind.pop(), is_behind=True) if len(behind) == 1 and not is_behind else None


def _staged(ladder: Sequence[Rung]) -> tuple[Rung, ...]:
    """Return the rungs CloudFront can hold: whole percents up to 15, then everything."""
    last = ladder[-1]
    fitting = [each for each in ladder if each.share_bp <= _MOST_STAGED_BP and each.share_bp % _PERCENT_BP == 0]
    if not fitting:
        fitting = [ladder[0].model_copy(update={"share_bp": share}) for share in _STAGED_BP]
    return (*fitting, *([last] if last.share_bp == _WHOLE_BP else []))


def _own_name(distribution: Distribution) -> str:
    return next((each for each in (*distribution.names[::-1], distribution.id) if "${" not in each), "…")


def _plain(name: str) -> str:
    return name.lower().rstrip(".").removeprefix("dualstack.")
