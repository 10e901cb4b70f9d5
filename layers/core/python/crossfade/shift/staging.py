"""
What CloudFront's continuous deployment can hold, and the configurations it takes: pure.

Source: Amazon CloudFront API 2020-05-31, TrafficConfig and DistributionConfig; Developer
Guide, "Quotas and other considerations for continuous deployment": a weight lies between
0 and 0.15 in steps of 0.01, a header begins with `aws-cf-cd-`, HTTP/3 is excluded.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from crossfade.errors import UnreachableGoal
from crossfade.journal.edges import CloudFrontEdge, StoredRequest
from crossfade.plan.edges import EdgePlan, Probe, Session
from crossfade.shift.limits import MOST_STAGED_WEIGHT
from crossfade.shift.rule import ROUNDING_BP
from crossfade.shift.share import ALL, NONE, Share

STEP_BP = 100
MOST_STAGING = 20
"""Staging distributions of an account, and policies too: a quota that can be raised."""

TEST_HEADER = "aws-cf-cd-crossfade"
"""A request that carries it, with the edge's name for its value, reaches green while green holds nothing."""

Config = dict[str, Any]

_NOT_CONTENT = frozenset({"ContinuousDeploymentPolicyId"})


def weight(share: Share) -> float:
    """
    Return the weight of a share between nothing and all.

    Raises:
        UnreachableGoal: above 15 %, or more than 40 basis points from a whole percent.
    """
    steps = max(1, round(share.bp / STEP_BP))
    if steps * STEP_BP > round(MOST_STAGED_WEIGHT * ALL.bp) or abs(steps * STEP_BP - share.bp) > ROUNDING_BP:
        raise UnreachableGoal(f"{share}: CloudFront holds whole percents from 1 to 15, or everything")
    return steps / 100


def reachable(share: Share) -> Share:
    """Return the share that CloudFront will hold; raises as `weight` does."""
    return share if share in {NONE, ALL} else Share(round(weight(share) * ALL.bp))


def policy(staging_domain: str, share: Share, edge: str, session: Session | None) -> Config:
    """Return the policy that sends a share to staging; at nothing, only requests with the test header."""
    if share == NONE:
        traffic: Config = {"Type": "SingleHeader", "SingleHeaderConfig": {"Header": TEST_HEADER, "Value": edge}}
    else:
        single: Config = {"Weight": weight(share)}
        if session is not None:
            single["SessionStickinessConfig"] = {
                "IdleTTL": session.idle_seconds,
                "MaximumTTL": session.longest_seconds,
            }
        traffic = {"Type": "SingleWeight", "SingleWeightConfig": single}
    return {
        "StagingDistributionDnsNames": {"Quantity": 1, "Items": [staging_domain]},
        "Enabled": True,
        "TrafficConfig": traffic,
    }


def staging_probe(plan: EdgePlan) -> Probe | None:
    """
    Return requests that lead to staging alone while the policy goes by the test header; None where none are planned.

    `Host` is left to the address: the plan's is what green's own entry needs.
    """
    probe = plan.probe
    if plan.cdn is None or probe is None or probe.staging_url is None:
        return None
    headers = {name: value for name, value in probe.headers.items() if name.lower() not in {"host", TEST_HEADER}}
    return probe.model_copy(update={"url": probe.staging_url, "headers": {**headers, TEST_HEADER: plan.name}})


def share_of(policy_config: Mapping[str, Any]) -> Share:
    """Return what a policy sends to staging by weight; a header is for tests and holds nothing."""
    traffic = policy_config.get("TrafficConfig") or {}
    if not policy_config.get("Enabled") or traffic.get("Type") != "SingleWeight":
        return NONE
    return Share(round(traffic["SingleWeightConfig"]["Weight"] * ALL.bp))


def refusals(config: Mapping[str, Any]) -> list[str]:
    """Return why a distribution cannot be shifted as it is, each with what to do about it."""
    found = []
    if config.get("Staging"):
        found.append("it is a staging distribution; name its primary")
    if not config.get("Enabled", False):
        found.append("it is disabled; enable it first")
    if config.get("HttpVersion", "http2").endswith("3"):
        found.append("HTTP/3 is on, which continuous deployment does not take; set its versions to HTTP/2")
    if config.get("ConnectionMode") == "tenant-only":
        found.append("it is multi-tenant, which continuous deployment does not take; divide users at the origin")
    return found


def domain_of(config: Mapping[str, Any], origin_id: str) -> str | None:
    """Return where an origin leads; None where the distribution has no such origin."""
    leads = {origin["Id"]: str(origin["DomainName"]) for origin in config["Origins"]["Items"]}
    return leads.get(origin_id)


def leading_to(config: Mapping[str, Any], origin_id: str, domain: str) -> Config:
    """Return the configuration with one origin leading elsewhere, and all else as it is."""
    changed = deepcopy(dict(config))
    for origin in changed["Origins"]["Items"]:
        if origin["Id"] == origin_id:
            origin["DomainName"] = domain
    return changed


def way_back(edge: CloudFrontEdge) -> tuple[StoredRequest, ...]:
    """
    Return the calls that give all to blue without a function: the origin leads to blue again, the policy is off.

    Both change what is there at the moment, under the ETag of the moment: the machine that
    sends them reads it first. What a promotion changed is the one origin, since staging is
    the primary's copy in all else.
    """
    [primary] = edge.rules
    calls = [
        StoredRequest(
            service="cloudfront",
            action="updateDistribution",
            arguments={
                "Id": primary.id,
                "OriginId": edge.origin_id,
                "DomainName": domain_of(primary.found, edge.origin_id),
            },
        )
    ]
    if edge.policy_id is not None:
        calls.append(
            StoredRequest(
                service="cloudfront", action="updateContinuousDeploymentPolicy", arguments={"Id": edge.policy_id}
            )
        )
    return tuple(calls)


def without_policy(config: Mapping[str, Any]) -> Config:
    """Return a configuration as it was before a policy was attached."""
    return {**config, "ContinuousDeploymentPolicyId": ""}


def same_but_policy(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two configurations serve the same, whatever policy is attached."""
    return {k: v for k, v in one.items() if k not in _NOT_CONTENT} == {
        k: v for k, v in other.items() if k not in _NOT_CONTENT
    }
