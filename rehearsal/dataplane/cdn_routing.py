"""From what CloudFront's API answers to what an edge location's proxy does. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.dataplane.metrics import Meter, Series, Served
from rehearsal.dataplane.proxy import Config, static_cluster

ORIGIN_SECONDS = 30  # CloudFront's default response timeout of an origin
SESSION_COOKIE = "rehearsal-cdn-session"
ALL = 10_000
_BASIS = "origin:"
_HTTPS = "https-only"
_NAMESPACE = "AWS/CloudFront"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a distribution's default behaviour leads."""

    distribution: str
    host: str
    port: int

    @property
    def cluster(self) -> str:
        """The name of its cluster; the distribution is told from it."""
        return f"{_BASIS}{self.distribution}:{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Session:
    """How long a viewer stays on the side it first met; another `generation` begins all sessions anew."""

    generation: str
    longest_seconds: float


@dataclass(frozen=True, slots=True)
class Divided:
    """
    One primary distribution and its continuous deployment.

    `staged_bp` is the part of the requests that staging gets, in basis points; `header` the name and value of a header
    by which a request asks for staging.
    """

    primary: Origin
    staging: Origin | None = None
    staged_bp: int = 0
    header: tuple[str, str] | None = None
    session: Session | None = None

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Return every origin that requests may go to."""
        return (self.primary,) if self.staging is None else (self.primary, self.staging)


def origin_of(distribution: str, config: Mapping[str, Any]) -> Origin:
    """Return where the default behaviour of a distribution leads."""
    wanted = config["DefaultCacheBehavior"]["TargetOriginId"]
    [origin] = [each for each in config["Origins"]["Items"] if each["Id"] == wanted]
    custom = origin.get("CustomOriginConfig") or {}
    by_tls = custom.get("OriginProtocolPolicy", _HTTPS) == _HTTPS
    port = custom.get("HTTPSPort", 443) if by_tls else custom.get("HTTPPort", 80)
    return Origin(distribution, origin["DomainName"].lower(), int(port))


def divided(primary: Origin, staging: Origin | None, policy: Mapping[str, Any] | None, etag: str = "") -> Divided:
    """Return a primary with the policy attached to it; a policy that is off, or has no staging, divides nothing."""
    traffic = (policy or {}).get("TrafficConfig") or {}
    if policy is None or not policy.get("Enabled") or staging is None:
        return Divided(primary)
    if traffic.get("Type") == "SingleHeader":
        single = traffic["SingleHeaderConfig"]
        return Divided(primary, staging, header=(single["Header"].lower(), single["Value"]))
    single = traffic.get("SingleWeightConfig") or {}
    kept = single.get("SessionStickinessConfig")
    generation = hashlib.sha256(etag.encode()).hexdigest()[:8]
    return Divided(
        primary,
        staging,
        staged_bp=round(float(single.get("Weight", 0)) * ALL),
        session=Session(generation, float(kept["MaximumTTL"])) if kept else None,
    )


def routes(name: str, state: Divided, ports: Callable[[Origin], int | None], *, time_scale: float) -> Config:
    """Return an edge location's routes; an origin that nobody knows the port of is answered for with 502."""

    def to(origin: Origin) -> Config:
        if ports(origin) is None:
            return {"direct_response": {"status": 502, "body": {"inline_string": f"no origin {origin.host}"}}}
        return {
            "route": {
                "cluster": origin.cluster,
                "host_rewrite_literal": origin.host,
                "timeout": f"{ORIGIN_SECONDS}s",
            }
        }

    found: list[Config] = []
    staging = state.staging
    if staging is not None and state.header is not None:
        header, value = state.header
        found.append({"match": _match(header, {"exact": value}), **to(staging)})
    if staging is not None and state.staged_bp and all(ports(each) is not None for each in state.origins):
        sides = ((state.primary, ALL - state.staged_bp), (staging, state.staged_bp))
        if state.session is not None:
            for origin, _ in sides:
                mark = re.escape(_mark(state.session, origin))
                found.append(
                    {"match": _match("cookie", {"safe_regex": {"regex": f"(.*; *)?{mark}(;.*)?"}}), **to(origin)}
                )
        found.append({"match": {"prefix": "/"}, **_weighted(sides, state.session, time_scale)})
    found.append({"match": {"prefix": "/"}, **to(state.primary)})
    return {"name": name, "virtual_hosts": [{"name": "distribution", "domains": ["*"], "routes": found}]}


def clusters(ports: Mapping[Origin, int]) -> list[Config]:
    """Return a cluster for every origin."""
    return [static_cluster(origin.cluster, port) for origin, port in ports.items()]


def distribution_of(cluster: str) -> str | None:
    """Return whose origin a cluster is; None for a cluster that is no origin's."""
    return cluster.split(":")[1] if cluster.startswith(_BASIS) else None


def _weighted(sides: tuple[tuple[Origin, int], ...], session: Session | None, time_scale: float) -> Config:
    weighted = []
    for origin, weight in sides:
        one: Config = {"name": origin.cluster, "weight": weight, "host_rewrite_literal": origin.host}
        if session is not None:
            age = max(1, round(session.longest_seconds / time_scale))
            value = f"{_mark(session, origin)}; Max-Age={age}"
            one["response_headers_to_add"] = [{"header": {"key": "set-cookie", "value": value}}]
        weighted.append(one)
    return {"route": {"timeout": f"{ORIGIN_SECONDS}s", "weighted_clusters": {"clusters": weighted}}}


def _mark(session: Session, origin: Origin) -> str:
    return f"{SESSION_COOKIE}={session.generation}.{origin.distribution}"


def _match(header: str, value: Config) -> Config:
    return {"prefix": "/", "headers": [{"name": header, "string_match": value}]}


def count_at_location(meter: Meter, served: Served) -> None:
    """
    Count one request that ended at an edge location, for the distribution that served it.

    A staging distribution has metrics of its own. Error rates are averages over the requests of a period.

    Source: Amazon CloudFront Developer Guide, "Types of metrics for CloudFront": in us-east-1, with the dimensions
    DistributionId and Region, which is always Global; the unit of Requests is None, that of the rates Percent.
    """
    distribution = distribution_of(served.cluster) or served.subject
    dimensions = (("DistributionId", distribution), ("Region", "Global"))
    meter.count(Series(_NAMESPACE, "Requests", "None", dimensions), served.ended_at)
    kind = served.code // 100
    for name, kinds in (("4xxErrorRate", {4}), ("5xxErrorRate", {5}), ("TotalErrorRate", {4, 5})):
        percent = 100.0 if kind in kinds else 0.0
        meter.observe(Series(_NAMESPACE, name, "Percent", dimensions), served.ended_at, percent)
