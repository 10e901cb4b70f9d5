"""
Edges in Route 53: weighted records of one hosted zone, that lead to blue's load balancer or to green's.

A lost update is guarded against by Route 53 itself: each write is one batch that deletes
the exact records found and creates the new ones, so it fails as a whole if anyone has
changed them. All records of an edge are in that one batch. Green's record is there only
while it holds a share, because a record at weight 0 may still be answered.

Source: Amazon Route 53 API 2013-04-01, ChangeResourceRecordSets; Developer Guide,
"Weighted routing" and "Quotas": five kinds of answer for a throttled account, and
PriorRequestNotComplete while the zone applies an earlier batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crossfade.errors import EdgeBusy, EdgeChanged, NotConfirmed, PreflightRefused, UnknownEdge, UnreachableGoal
from crossfade.journal.edges import EdgeRecord, FoundEdge, Route53Edge, Route53Record, StoredRequest
from crossfade.plan.edges import DnsRef, EdgePlan, RecordRef
from crossfade.plan.finding import Finding
from crossfade.shift.detour.elbv2 import (
    DetouredEdges,
    DetouredShifter,
    fast_way_back,
    find_detour,
    lay_detour,
    way_back_finding,
)
from crossfade.shift.elbv2 import busy, take, two_balancers
from crossfade.shift.limits import of_changes
from crossfade.shift.records import (
    Change,
    Group,
    Record,
    canonical,
    divide,
    given_back,
    held,
    is_named,
    kept_seconds,
    leads_to,
    limits,
    refusals,
    same_content,
    shifted,
    way_back,
    weight_of,
)
from crossfade.shift.share import NONE, Share

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import LoadBalancerTypeDef

_GROUP_AT_MOST = 100  # records of one name and type


class Route53Edges(DetouredEdges):
    """`Edges` of the account's hosted zones, public and private."""

    def find(self, plan: EdgePlan) -> FoundEdge:
        dns = _dns(plan)
        with _busy(plan.name):
            ends = two_balancers(self._balancers, plan, dns.green_load_balancer)
            listed = _zone(self._client, dns.zone_id)
            protected = _protected(self._client, dns.zone_id)
            detour = find_detour(self._balancers, plan, ends)
        rules = tuple(self._record(plan, dns, listed, ends.blue, ends.green))
        self._refuse(plan, rules, listed, protected)
        resolved = Route53Edge(
            zone_id=dns.zone_id,
            load_balancer_arn=ends.blue["LoadBalancerArn"],
            green_load_balancer_arn=ends.green["LoadBalancerArn"],
            blue_arn=ends.blue_arn,
            green_arn=ends.green_arn,
            detour=detour,
            rules=rules,
        )
        return FoundEdge(
            name=plan.name,
            kind="route53",
            resolved=resolved,
            way_back=(way_back(dns.zone_id, [(rule, rule.found) for rule in rules]),),
            ceiling_bp=plan.ceiling_bp,
            settle_seconds=max(plan.settle_seconds, *(int(rule.found.get("TTL", 0)) for rule in rules)),
        )

    def _record(
        self,
        plan: EdgePlan,
        dns: DnsRef,
        listed: Sequence[Record],
        before_blue: LoadBalancerTypeDef,
        before_green: LoadBalancerTypeDef,
    ) -> Iterator[Route53Record]:
        leading = [record for record in listed if leads_to(record, before_blue["DNSName"])]
        unplanned = [r for r in leading if not any(is_named(r, ref.name, ref.type) for ref in dns.records)]
        if unplanned:
            names = ", ".join(f"{record['Name']} {record['Type']}" for record in unplanned)
            raise EdgeChanged(f"edge {plan.name}: {names} leads to blue too; draw the plan again")
        for ref in dns.records:
            same = [record for record in listed if is_named(record, ref.name, ref.type)]
            blue = _blues(plan, ref, same, leading)
            identifier = blue.get("SetIdentifier", f"crossfade-{plan.name}-blue")
            green = _greens(plan, ref, blue, before_green)
            yield Route53Record(
                zone_id=dns.zone_id,
                name=canonical(ref.name),
                type=ref.type,
                found=blue,
                blue_identifier=identifier,
                green={**green, "SetIdentifier": f"crossfade-{plan.name}-green"},
            )

    @staticmethod
    def _refuse(
        plan: EdgePlan,
        rules: Sequence[Route53Record],
        listed: Sequence[Record],
        protected: frozenset[tuple[str, str]],
    ) -> None:
        if any(share > NONE for share in held(Group.of(listed, rule) for rule in rules)):
            raise EdgeChanged(f"edge {plan.name}: green holds a share already")
        found = [f"{rule.name} {rule.type}: {why}" for rule in rules for why in refusals(rule.found)]
        found += [f"{rule.name} {rule.type}: {why}" for rule in rules for why in limits(Group.of(listed, rule), rule)]
        found += [
            f"{rule.name} {rule.type}: a record set protection would refuse the way back; delete the protection"
            for rule in rules
            if (rule.name, rule.type) in protected
        ]
        both = [{"Action": "UPSERT", "ResourceRecordSet": each} for rule in rules for each in (rule.found, rule.green)]
        found += [f"{beyond}; name fewer addresses, or make more edges of them" for beyond in _of_batch(both)]
        if found:
            raise PreflightRefused(f"edge {plan.name}: {' | '.join(found)}")

    def make_green_end(self, edge: EdgeRecord, name: str, tags: Mapping[str, str]) -> EdgeRecord:
        with _busy(edge.name):
            green_arn = take(self._balancers, edge.name, name, tags)
            resolved = _resolved(edge).model_copy(update={"green_arn": green_arn})
            for group, rule in zip(_groups(self._client, resolved), resolved.rules, strict=True):
                if group.blue is None or not same_content(group.blue, rule.found):
                    raise EdgeChanged(f"edge {edge.name}: {rule.name} {rule.type} is not as it was found")
            made = edge.model_copy(update={"resolved": resolved})
            return lay_detour(self._balancers, made, green_arn, tags)

    def check(self, edge: FoundEdge, *, scaled: bool) -> tuple[Finding, ...]:
        resolved = _resolved(edge)
        with _busy(edge.name):
            protected = _protected(self._client, resolved.zone_id)
        return (
            *(self._unprotected(rule, protected) for rule in resolved.rules),
            _settles(edge, resolved, scaled=scaled),
            way_back_finding(edge),
        )

    @staticmethod
    def _unprotected(rule: Route53Record, protected: frozenset[tuple[str, str]]) -> Finding:
        finding = Finding(check="is not protected from changes", subject=f"record {rule.name} {rule.type}")
        if (rule.name, rule.type) not in protected:
            return finding
        return finding.refuse("has a record set protection, which would refuse the way back", "delete the protection")

    def clear_away(self, edge: EdgeRecord) -> EdgeRecord:
        return edge

    def shifter(self, edge: FoundEdge) -> Route53Shifter:
        return Route53Shifter(self._client, self._balancers, edge)


class Route53Shifter(DetouredShifter):
    """`TrafficShifter` of one edge in one hosted zone."""

    def __init__(self, client: Any, balancers: ElasticLoadBalancingv2Client, edge: FoundEdge) -> None:
        super().__init__(client, balancers, edge)
        self._resolved = _resolved(edge)
        self._change = edge.change

    @property
    def change(self) -> str | None:
        return self._change

    def spreading(self) -> str:
        if self._change is None:
            return ""
        with _busy(self._edge.name):
            try:
                status = self._client.get_change(Id=self._change)["ChangeInfo"]["Status"]
            except self._client.exceptions.NoSuchChange:  # Route 53 forgets changes that have long spread
                return ""
        return "" if status == "INSYNC" else f"edge {self._edge.name}: change {self._change} is {status}"

    def shares(self) -> tuple[Share, ...]:
        with _busy(self._edge.name):
            return held(group for group in self._groups() if group.is_there)

    def green(self) -> Share:
        with _busy(self._edge.name):
            shares = held(group for _, group in self._intact())
        if min(shares) != max(shares):
            raise EdgeChanged(f"edge {self._edge.name}: its records give green {_told(shares)}")
        return shares[0]

    def set_green(self, share: Share) -> Share:
        if share > self.ceiling:
            raise UnreachableGoal(f"{share} is above edge {self._edge.name}'s ceiling of {self.ceiling}")
        with _busy(self._edge.name):
            intact = self._intact()
            wanted = [(rule, group, divide(group, share)) for rule, group in intact]
            left = [(rule, group, then) for rule, group, then in wanted if group.split.share != then.share]
            if len({group.split.share for _, group, _ in left}) > 1:
                raise EdgeChanged(f"edge {self._edge.name}: its records give green {_told(held(g for _, g in intact))}")
            if left:
                self._refuse_unhealthy(share)
                self._send([change for rule, group, then in left for change in shifted(group, rule, then)])
            then_held = held(group for _, group in self._intact())
        if then_held == tuple(then.share for _, _, then in wanted):
            return min(then_held)
        raise EdgeChanged(f"edge {self._edge.name}: {share} was written, its records give green {_told(then_held)}")

    def withdraw(self) -> Share:
        with _busy(self._edge.name):
            left = [
                (rule, group)
                for rule, group in zip(self._resolved.rules, self._groups(), strict=True)
                if _is_to_give_back(group)
            ]
            if not left:
                return NONE
            loses = any(group.split.green or not group.split.total for _, group in left)
            if loses:
                self._refuse_without_blue()
            try:
                self._send([change for rule, group in left for change in given_back(group, rule)])
            except self._client.exceptions.InvalidChangeBatch as changed:
                raise NotConfirmed(f"edge {self._edge.name}: its records changed meanwhile: {changed}") from changed
            then = self._groups()
        if any(_is_to_give_back(group) for group in then):
            raise NotConfirmed(f"edge {self._edge.name} does not yet give all to blue")
        return NONE

    def way_back(self) -> tuple[StoredRequest, ...]:
        with _busy(self._edge.name):
            pairs = [(rule, group.blue) for rule, group in zip(self._resolved.rules, self._groups(), strict=True)]
        gone = [f"{rule.name} {rule.type}" for rule, blue in pairs if blue is None]
        if gone:
            raise EdgeChanged(f"edge {self._edge.name}: blue's records are gone: {', '.join(gone)}")
        slow = way_back(self._resolved.zone_id, [(rule, blue) for rule, blue in pairs if blue is not None])
        return (*fast_way_back(self._edge), slow)

    def _groups(self) -> list[Group]:
        return _groups(self._client, self._resolved)

    def _intact(self) -> list[tuple[Route53Record, Group]]:
        """Return the edge's records with what they are now; refuse an edge that is no longer as it was found."""
        if self._resolved.green_arn is None:
            raise EdgeChanged(f"edge {self._edge.name} has no green end yet")
        intact = list(zip(self._resolved.rules, self._groups(), strict=True))
        for rule, group in intact:
            if group.blue is None or not same_content(group.blue, rule.found):
                raise EdgeChanged(f"edge {self._edge.name}: {rule.name} {rule.type} does not lead to blue as it did")
            if group.green is not None and not same_content(group.green, rule.green):
                raise EdgeChanged(f"edge {self._edge.name}: green's {rule.name} {rule.type} leads elsewhere")
        return intact

    def _send(self, changes: Sequence[Change]) -> None:
        """Send one batch, and keep the name by which Route 53 says whether every name server answers by it."""
        for beyond in of_changes(changes):
            raise UnreachableGoal(f"edge {self._edge.name}: {beyond}")
        sent = self._client.change_resource_record_sets(
            HostedZoneId=self._resolved.zone_id, ChangeBatch={"Comment": "crossfade", "Changes": list(changes)}
        )
        self._change = str(sent["ChangeInfo"]["Id"]).rpartition("/")[2]


@contextmanager
def _busy(name: str) -> Iterator[None]:
    """Say EdgeBusy for what a later attempt may mend, and EdgeChanged for records changed under our hands."""
    with busy(name):
        try:
            yield
        except ClientError as refused:
            code, message = refused.response["Error"]["Code"], refused.response["Error"].get("Message", "")
            if code in {"PriorRequestNotComplete", "Throttling"}:
                raise EdgeBusy(f"{name}: {code}") from refused
            if code == "InvalidChangeBatch":
                raise EdgeChanged(f"{name}: its records are not those that were read: {message}") from refused
            if code == "NoSuchHostedZone":
                raise UnknownEdge(f"{name}: {message}") from refused
            raise


def _of_batch(changes: Sequence[Change]) -> list[str]:
    """Return which limits the batch of an edge would exceed by its size; what one record may not have is told apart."""
    return [beyond for beyond in of_changes(changes) if "one batch" in beyond]


def _settles(edge: FoundEdge, resolved: Route53Edge, *, scaled: bool) -> Finding:
    longest = max(kept_seconds(rule.found) for rule in resolved.rules)
    finding = Finding(check="settles no sooner than an answer is forgotten", subject=f"edge {edge.name}")
    if scaled or edge.settle_seconds >= longest:
        return finding
    return finding.refuse(
        f"settles in {edge.settle_seconds} s, and resolvers keep an answer for {longest} s: the judge would look at a "
        "split that users do not have yet",
        f"set settle_seconds of the edge to {longest} or more",
    )


def _dns(plan: EdgePlan) -> DnsRef:
    if plan.dns is None:
        raise TypeError(f"edge {plan.name} is not in Route 53: {plan.kind}")
    return plan.dns


def _resolved(edge: FoundEdge) -> Route53Edge:
    if isinstance(edge.resolved, Route53Edge):
        return edge.resolved
    raise TypeError(f"edge {edge.name} is not in Route 53: {edge.kind}")


def _zone(client: Any, zone_id: str) -> list[Record]:
    pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
    return [dict(record) for page in pages for record in page["ResourceRecordSets"]]


def _groups(client: Any, edge: Route53Edge) -> list[Group]:
    """Return what each of the edge's records is now, in the edge's order."""
    groups = []
    for rule in edge.rules:
        answer = client.list_resource_record_sets(
            HostedZoneId=edge.zone_id,
            StartRecordName=rule.name,
            StartRecordType=rule.type,
            MaxItems=str(_GROUP_AT_MOST),
        )
        groups.append(Group.of([dict(record) for record in answer["ResourceRecordSets"]], rule))
    return groups


def _protected(client: Any, zone_id: str) -> frozenset[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    asked = {"HostedZoneId": zone_id}
    while True:
        answer = client.list_resource_record_set_protections(**asked)
        found |= {
            (canonical(each["RecordName"]), each["RecordType"]) for each in answer["ResourceRecordSetProtections"]
        }
        if not answer.get("NextToken"):
            return frozenset(found)
        asked["NextToken"] = answer["NextToken"]


def _blues(plan: EdgePlan, ref: RecordRef, same: Sequence[Record], leading: Sequence[Record]) -> Record:
    """Return blue's record: by its identifier, by where it leads, or because it is the only one."""
    where = f"edge {plan.name}: {ref.name} {ref.type}"
    if ref.set_identifier is not None:
        chosen = [record for record in same if record.get("SetIdentifier") == ref.set_identifier]
    else:
        chosen = [record for record in same if record in leading] or [r for r in same if "SetIdentifier" not in r]
    if len(chosen) != 1:
        raise EdgeChanged(f"{where}: {len(chosen)} records lead to blue; name one by its set identifier")
    if weight_of(chosen[0]) == 0:
        raise EdgeChanged(f"{where}: blue's record has weight 0")
    return chosen[0]


def _greens(plan: EdgePlan, ref: RecordRef, blue: Record, before_green: LoadBalancerTypeDef) -> Record:
    """Return green's record but for weight and identifier: blue's form, leading to green."""
    if "AliasTarget" in blue:
        target = {
            "HostedZoneId": before_green["CanonicalHostedZoneId"],
            "DNSName": canonical(before_green["DNSName"]),
            "EvaluateTargetHealth": False,
        }
        return {"Name": blue["Name"], "Type": ref.type, "AliasTarget": target}
    values = (before_green["DNSName"],) if ref.type == "CNAME" else ref.green_values
    if not values:
        raise PreflightRefused(
            f"edge {plan.name}: {ref.name} {ref.type} holds addresses, and the plan names none for green"
        )
    return {
        "Name": blue["Name"],
        "Type": ref.type,
        "TTL": blue["TTL"],
        "ResourceRecords": [{"Value": value} for value in values],
    }


def _is_to_give_back(group: Group) -> bool:
    """Say whether green has a record here, or blue has lost all its weight."""
    return group.green is not None or (group.blue is not None and not group.split.total)


def _told(shares: Sequence[Share]) -> str:
    return ", ".join(str(share) for share in shares)
