"""
Edges in CloudFront: a distribution whose origin leads to blue, and its staging copy that leads to green.

Up to 15 % are sent to staging by a policy; everything is reached by promoting staging's
configuration. Every write carries the ETag that was read, so a lost update is refused by
CloudFront itself. The configuration found is kept whole, and a promoted distribution
gets it back. CloudFront may send every request to the primary when it is busy, whatever
the weight: so it is green's load balancer that says how many requests green really saw.

Source: Amazon CloudFront API 2020-05-31; Developer Guide, "Use CloudFront continuous
deployment to safely test CDN configuration changes".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crossfade.errors import EdgeChanged, EdgeSpreading, NotConfirmed, PreflightRefused, UnknownEdge, UnreachableGoal
from crossfade.journal.edges import CloudFrontEdge, Distribution, EdgeRecord, FoundEdge, StoredRequest
from crossfade.plan.edges import CdnRef, EdgePlan
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
from crossfade.shift.limits import of_policy
from crossfade.shift.share import ALL, NONE, Share
from crossfade.shift.staging import (
    MOST_STAGING,
    Config,
    domain_of,
    leading_to,
    policy,
    reachable,
    refusals,
    same_but_policy,
    share_of,
    way_back,
    without_policy,
)

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

_OUR_REFERENCE = "crossfade"
_STALE = frozenset({"PreconditionFailed", "InvalidIfMatchVersion"})
_GONE = frozenset({"NoSuchDistribution", "NoSuchContinuousDeploymentPolicy"})


@dataclass(frozen=True, slots=True)
class _Versioned:
    """A configuration and the ETag under which it was read."""

    config: Config
    etag: str


class CloudFrontEdges(DetouredEdges):
    """`Edges` of the account's distributions."""

    def find(self, plan: EdgePlan) -> FoundEdge:
        cdn = _cdn(plan)
        with _busy(plan.name):
            ends = two_balancers(self._balancers, plan, cdn.green_load_balancer)
            try:
                shown = self._client.get_distribution(Id=cdn.distribution_id)["Distribution"]
            except self._client.exceptions.NoSuchDistribution as gone:
                raise UnknownEdge(f"edge {plan.name}: there is no distribution {cdn.distribution_id}") from gone
            config = shown["DistributionConfig"]
            if domain_of(config, cdn.origin_id) in {None, cdn.green_domain}:
                raise EdgeChanged(f"edge {plan.name}: origin {cdn.origin_id} is not there, or leads to green already")
            found = refusals(config)
            detour = find_detour(self._balancers, plan, ends)
            policy_id, staging_id = self._ours(plan, config.get("ContinuousDeploymentPolicyId", ""))
        if found:
            raise PreflightRefused(f"edge {plan.name}: distribution {cdn.distribution_id}: {' | '.join(found)}")
        resolved = CloudFrontEdge(
            load_balancer_arn=ends.blue["LoadBalancerArn"],
            green_load_balancer_arn=ends.green["LoadBalancerArn"],
            blue_arn=ends.blue_arn,
            green_arn=ends.green_arn,
            detour=detour,
            origin_id=cdn.origin_id,
            green_domain=cdn.green_domain,
            session=cdn.session,
            staging_id=staging_id,
            policy_id=policy_id,
            rules=(Distribution(id=cdn.distribution_id, arn=shown["ARN"], found=without_policy(config)),),
        )
        return FoundEdge(
            name=plan.name,
            kind="cloudfront",
            resolved=resolved,
            way_back=way_back(resolved),
            ceiling_bp=plan.ceiling_bp,
            settle_seconds=plan.settle_seconds,
        )

    def _ours(self, plan: EdgePlan, policy_id: str) -> tuple[str | None, str | None]:
        """Return the policy that is attached already and its staging distribution, which must be ours and idle."""
        if not policy_id:
            return None, None
        attached = _policy(self._client, policy_id)
        domains = attached.config["StagingDistributionDnsNames"].get("Items", [])
        staging = next((each for each in self._staging() if each["DomainName"] in domains), None)
        if staging is None or not self._reference(staging["Id"]).startswith(f"{_OUR_REFERENCE}/"):
            raise PreflightRefused(
                f"edge {plan.name}: a continuous deployment of somebody else is under way; end it first"
            )
        if share_of(attached.config) > NONE:
            raise EdgeChanged(f"edge {plan.name}: green holds a share already")
        return policy_id, staging["Id"]

    def make_green_end(self, edge: EdgeRecord, name: str, tags: Mapping[str, str]) -> EdgeRecord:
        resolved = _resolved(edge)
        [primary] = resolved.rules
        with _busy(edge.name):
            green_arn = take(self._balancers, edge.name, name, tags)
            now = _distribution(self._client, primary.id)
            if not same_but_policy(now.config, primary.found):
                raise EdgeChanged(f"edge {edge.name}: distribution {primary.id} is not as it was found")
            staging_id = self._make_staging(edge, primary.id, now.etag, tags)
            self._lead_to_green(resolved, staging_id)
            policy_id = self._make_policy(edge, staging_id)
            if now.config.get("ContinuousDeploymentPolicyId") != policy_id:
                wanted = {**now.config, "ContinuousDeploymentPolicyId": policy_id}
                self._client.update_distribution(Id=primary.id, IfMatch=now.etag, DistributionConfig=wanted)
            made = resolved.model_copy(
                update={"green_arn": green_arn, "staging_id": staging_id, "policy_id": policy_id}
            )
            with_green = edge.model_copy(update={"resolved": made, "way_back": way_back(made)})
            return lay_detour(self._balancers, with_green, green_arn, tags)

    def _make_staging(self, edge: EdgeRecord, primary_id: str, etag: str, tags: Mapping[str, str]) -> str:
        """Copy the primary, or find the copy that an earlier attempt made; its tag says that it may be written to."""
        found = self._own_staging(edge)
        if found is None:
            reference = f"{_reference_of(edge)}{etag}"  # a second staging is not made under the name of a first
            found = self._client.copy_distribution(
                PrimaryDistributionId=primary_id, Staging=True, IfMatch=etag, CallerReference=reference, Enabled=True
            )["Distribution"]
        items = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        self._client.tag_resource(Resource=found["ARN"], Tags={"Items": items})
        return str(found["Id"])

    def _lead_to_green(self, resolved: CloudFrontEdge, staging_id: str) -> None:
        staging = _distribution(self._client, staging_id)
        wanted = {**leading_to(staging.config, resolved.origin_id, resolved.green_domain), "Enabled": True}
        if wanted != staging.config:
            self._client.update_distribution(Id=staging_id, IfMatch=staging.etag, DistributionConfig=wanted)

    def _make_policy(self, edge: EdgeRecord, staging_id: str) -> str:
        domain = _domain(self._client, staging_id)
        found = self._policy_of(domain)
        if found is not None:
            return found
        made = self._client.create_continuous_deployment_policy(
            ContinuousDeploymentPolicyConfig=policy(domain, NONE, edge.name, None)
        )
        return str(made["ContinuousDeploymentPolicy"]["Id"])

    def _policy_of(self, staging_domain: str) -> str | None:
        asked: dict[str, str] = {}
        while True:
            listed = self._client.list_continuous_deployment_policies(**asked)["ContinuousDeploymentPolicyList"]
            for item in listed.get("Items", []):
                each = item["ContinuousDeploymentPolicy"]
                names = each["ContinuousDeploymentPolicyConfig"]["StagingDistributionDnsNames"].get("Items", [])
                if staging_domain in names:
                    return str(each["Id"])
            if not listed.get("NextMarker"):
                return None
            asked["Marker"] = listed["NextMarker"]

    def _own_staging(self, edge: EdgeRecord) -> Any:
        """Return the staging distribution that this migration made for this edge; None where it has none."""
        reference = _reference_of(edge)
        return next((each for each in self._staging() if self._reference(each["Id"]).startswith(reference)), None)

    def _staging(self) -> Iterator[Any]:
        for page in self._client.get_paginator("list_distributions").paginate():
            yield from (each for each in page["DistributionList"].get("Items", []) if each["Staging"])

    def _reference(self, distribution_id: str) -> str:
        return str(_distribution(self._client, distribution_id).config["CallerReference"])

    def check(self, edge: FoundEdge, *, scaled: bool) -> tuple[Finding, ...]:  # noqa: ARG002
        finding = Finding(check="a staging distribution can be made", subject=f"edge {edge.name}")
        goes_back = way_back_finding(edge)
        if _resolved(edge).staging_id is not None:
            return (finding, goes_back)
        with _busy(edge.name):
            others = sum(1 for _ in self._staging())
        if others < MOST_STAGING:
            return (finding, goes_back)
        return (
            finding.refuse(
                f"the account has {others} staging distributions, and CloudFront takes no more than {MOST_STAGING}",
                "delete one that is no longer used, or have the quota raised",
            ),
            goes_back,
        )

    def clear_away(self, edge: EdgeRecord) -> EdgeRecord:
        resolved = _resolved(edge)
        with _busy(edge.name):
            staging = self._own_staging(edge)
            if staging is not None:
                policy_id = self._policy_of(staging["DomainName"])
                if policy_id is not None:
                    self._remove_policy(edge, resolved, policy_id)
                self._remove_staging(edge, staging["Id"])
        cleared = resolved.model_copy(update={"staging_id": None, "policy_id": None})
        return edge.model_copy(update={"resolved": cleared, "way_back": (*fast_way_back(edge), *way_back(cleared))})

    def _remove_policy(self, edge: EdgeRecord, resolved: CloudFrontEdge, policy_id: str) -> None:
        [primary] = resolved.rules
        policy_now = _policy(self._client, policy_id)
        if share_of(policy_now.config) > NONE:
            raise EdgeChanged(f"edge {edge.name}: green still holds {share_of(policy_now.config)} by its policy")
        try:
            now = _distribution(self._client, primary.id)
        except self._client.exceptions.NoSuchDistribution:
            now = None
        if now is not None and now.config.get("ContinuousDeploymentPolicyId") == policy_id:
            self._client.update_distribution(
                Id=primary.id, IfMatch=now.etag, DistributionConfig=without_policy(now.config)
            )
        spreading = _spreading(self._client, edge.name, [primary.id])
        if spreading:
            raise EdgeSpreading(spreading)
        self._client.delete_continuous_deployment_policy(Id=policy_id, IfMatch=policy_now.etag)

    def _remove_staging(self, edge: EdgeRecord, staging_id: str) -> None:
        now = _distribution(self._client, staging_id)
        if now.config["Enabled"]:
            self._client.update_distribution(
                Id=staging_id, IfMatch=now.etag, DistributionConfig={**now.config, "Enabled": False}
            )
            now = _distribution(self._client, staging_id)
        spreading = _spreading(self._client, edge.name, [staging_id])
        if spreading:
            raise EdgeSpreading(spreading)
        self._client.delete_distribution(Id=staging_id, IfMatch=now.etag)

    def shifter(self, edge: FoundEdge) -> CloudFrontShifter:
        return CloudFrontShifter(self._client, self._balancers, edge)


class CloudFrontShifter(DetouredShifter):
    """`TrafficShifter` of one distribution."""

    def __init__(self, client: Any, balancers: ElasticLoadBalancingv2Client, edge: FoundEdge) -> None:
        super().__init__(client, balancers, edge)
        self._resolved = _resolved(edge)
        [self._primary] = self._resolved.rules

    @property
    def change(self) -> str | None:
        return None  # a distribution says itself whether its last change has spread

    def spreading(self) -> str:
        staging = self._resolved.staging_id
        with _busy(self._edge.name):
            return _spreading(self._client, self._edge.name, [self._primary.id, *([staging] if staging else [])])

    def shares(self) -> tuple[Share, ...]:
        with _busy(self._edge.name):
            try:
                return (self._share(_distribution(self._client, self._primary.id)),)
            except self._client.exceptions.NoSuchDistribution:
                return ()

    def green(self) -> Share:
        with _busy(self._edge.name):
            return self._share(self._intact())

    def set_green(self, share: Share) -> Share:
        if share > self.ceiling:
            raise UnreachableGoal(f"{share} is above edge {self._edge.name}'s ceiling of {self.ceiling}")
        wanted = reachable(share)
        with _busy(self._edge.name):
            primary = self._intact()
            now = self._share(primary)
            if now == wanted:
                return now
            if now == ALL:
                raise UnreachableGoal(f"edge {self._edge.name} was promoted; from there the one way is back to blue")
            self._refuse_unhealthy(share)
            spreading = self.spreading()
            if spreading:
                raise EdgeSpreading(spreading)
            if wanted == ALL:
                self._promote(primary)
            else:
                self._send(wanted)
            held = self._share(self._intact())
        if held != wanted:
            raise EdgeChanged(f"edge {self._edge.name}: {share} was written, green holds {held}")
        return held

    def withdraw(self) -> Share:
        try:
            return self._withdraw()
        except EdgeChanged as changed:  # read under one ETag and written under another: read it again
            raise NotConfirmed(str(changed)) from changed

    def _withdraw(self) -> Share:
        with _busy(self._edge.name):
            try:
                primary = _distribution(self._client, self._primary.id)
            except self._client.exceptions.NoSuchDistribution:
                return NONE
            now = self._share(primary)
            if now == NONE:
                return NONE
            self._refuse_without_blue()
            attached = primary.config.get("ContinuousDeploymentPolicyId", "")
            if self._leads_to_green(primary):
                found = {**self._primary.found, "ContinuousDeploymentPolicyId": attached}
                self._client.update_distribution(Id=self._primary.id, IfMatch=primary.etag, DistributionConfig=found)
            if attached and attached == self._resolved.policy_id:
                self._send(NONE)
            held = self._share(_distribution(self._client, self._primary.id))
        if held > NONE:
            raise NotConfirmed(f"edge {self._edge.name}: green still holds {held}")
        return NONE

    def way_back(self) -> tuple[StoredRequest, ...]:
        with _busy(self._edge.name):
            primary = _distribution(self._client, self._primary.id)
        if not self._leads_to_green(primary) and not same_but_policy(primary.config, self._primary.found):
            raise EdgeChanged(f"edge {self._edge.name}: distribution {self._primary.id} is not as it was found")
        return (*fast_way_back(self._edge), *way_back(self._resolved))

    def _share(self, primary: _Versioned) -> Share:
        """Return what green holds: all once promoted, else what the attached policy sends, if it is ours."""
        if self._leads_to_green(primary):
            return ALL
        attached = primary.config.get("ContinuousDeploymentPolicyId", "")
        if not attached or attached != self._resolved.policy_id:
            return NONE
        return share_of(_policy(self._client, attached).config)

    def _leads_to_green(self, primary: _Versioned) -> bool:
        return domain_of(primary.config, self._resolved.origin_id) == self._resolved.green_domain

    def _intact(self) -> _Versioned:
        """Return the primary as it is; refuse one that is no longer blue's and ours, unless it was promoted."""
        if self._resolved.green_arn is None or self._resolved.staging_id is None:
            raise EdgeChanged(f"edge {self._edge.name} has no green end yet")
        primary = _distribution(self._client, self._primary.id)
        if primary.config.get("ContinuousDeploymentPolicyId", "") != self._resolved.policy_id:
            raise EdgeChanged(f"edge {self._edge.name}: the policy of distribution {self._primary.id} is not ours")
        if not self._leads_to_green(primary) and not same_but_policy(primary.config, self._primary.found):
            raise EdgeChanged(f"edge {self._edge.name}: distribution {self._primary.id} is not as it was found")
        staging = _distribution(self._client, self._resolved.staging_id)
        if domain_of(staging.config, self._resolved.origin_id) != self._resolved.green_domain:
            raise EdgeChanged(f"edge {self._edge.name}: staging no longer leads to green")
        return primary

    def _send(self, share: Share) -> None:
        policy_id = str(self._resolved.policy_id)
        found = _policy(self._client, policy_id)
        domain = found.config["StagingDistributionDnsNames"]["Items"][0]
        wanted = policy(domain, share, self._edge.name, self._resolved.session)
        for beyond in of_policy(wanted):
            raise UnreachableGoal(f"edge {self._edge.name}: {beyond}")
        self._client.update_continuous_deployment_policy(
            Id=policy_id, IfMatch=found.etag, ContinuousDeploymentPolicyConfig=wanted
        )

    def _promote(self, primary: _Versioned) -> None:
        staging_id = str(self._resolved.staging_id)
        staging = _distribution(self._client, staging_id)
        self._client.update_distribution_with_staging_config(
            Id=self._primary.id, StagingDistributionId=staging_id, IfMatch=f"{primary.etag}, {staging.etag}"
        )


@contextmanager
def _busy(name: str) -> Iterator[None]:
    """Say EdgeBusy for what a later attempt may mend, and EdgeChanged for what changed under our hands."""
    with busy(name):
        try:
            yield
        except ClientError as refused:
            code = refused.response["Error"]["Code"]
            if code in _STALE | _GONE:
                raise EdgeChanged(f"{name}: {code}: {refused.response['Error'].get('Message', '')}") from refused
            raise


def _cdn(plan: EdgePlan) -> CdnRef:
    if plan.cdn is None:
        raise TypeError(f"edge {plan.name} is not in CloudFront: {plan.kind}")
    return plan.cdn


def _resolved(edge: FoundEdge) -> CloudFrontEdge:
    if isinstance(edge.resolved, CloudFrontEdge):
        return edge.resolved
    raise TypeError(f"edge {edge.name} is not in CloudFront: {edge.kind}")


def _distribution(client: Any, identifier: str) -> _Versioned:
    answer = client.get_distribution_config(Id=identifier)
    return _Versioned(dict(answer["DistributionConfig"]), answer["ETag"])


def _reference_of(edge: EdgeRecord) -> str:
    """Return how the caller reference of an edge's staging distribution begins: by it, its own is told from others'."""
    return f"{_OUR_REFERENCE}/{edge.migration}/{edge.name}/"


def _spreading(client: Any, name: str, identifiers: Sequence[str]) -> str:
    """Return which of these distributions have a change that some edge locations do not have yet; none that is gone."""
    told = []
    for identifier in identifiers:
        try:
            status = client.get_distribution(Id=identifier)["Distribution"]["Status"]
        except client.exceptions.NoSuchDistribution:
            continue
        if status != "Deployed":
            told.append(f"distribution {identifier} is {status}")
    return f"edge {name}: {', '.join(told)}" if told else ""


def _domain(client: Any, identifier: str) -> str:
    return str(client.get_distribution(Id=identifier)["Distribution"]["DomainName"])


def _policy(client: Any, identifier: str) -> _Versioned:
    answer = client.get_continuous_deployment_policy(Id=identifier)
    return _Versioned(dict(answer["ContinuousDeploymentPolicy"]["ContinuousDeploymentPolicyConfig"]), answer["ETag"])
