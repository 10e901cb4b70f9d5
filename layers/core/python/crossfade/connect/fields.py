"""
The field ledger: every field of an App Mesh resource is answered for, in its specification and beside it.

Pure. A field is used by the translation, named in a gap, or without effect for a reason.
`LEDGER` says which, field by field; a pattern names one leaf and never a subtree. A field
that is in no row, or whose row does not answer for it where it stands, becomes a gap of its
own (FIELD_NOT_READ), so that nothing a source says is lost in silence.

Source: AWS App Mesh API reference, the seven Spec types.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from crossfade.plan.document import Gap, Ledger, MetadataLedger, WithoutEffect

_API: Final = "https://docs.aws.amazon.com/app-mesh/latest/APIReference/"
_GUIDE: Final = "https://docs.aws.amazon.com/app-mesh/latest/userguide/"
_REWRITES: Final = _API + "API_HttpGatewayRouteRewrite.html"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a field changes nothing in Service Connect, and the page that says so."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """
    How one field is answered for: by a gap where one of `gaps` was found on its resource, else by use, else by reason.

    `used` says what the translation makes of it, empty when nothing.
    """

    used: str = ""
    gaps: tuple[str, ...] = ()
    without: Reason | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """
    One resource of the mesh whose fields are to be answered for.

    `cover` are gaps, as (id, place), that name the resource as a whole; `idle` says why it is not in force at all.
    `beside` is what is said of it beside its specification, `mesh` the place of its mesh.
    """

    kind: str
    place: str
    spec: Mapping[str, object]
    cover: tuple[tuple[str, str], ...] = ()
    idle: Reason | None = None
    beside: Mapping[str, object] = field(default_factory=dict)
    mesh: str = ""


@dataclass(slots=True)
class Account:
    """The ledger of some resources: what was used, named and without effect, and what nothing answers for."""

    used: int = 0
    named: int = 0
    without: Counter[tuple[str, Reason]] = field(default_factory=Counter)
    open: list[tuple[Resource, str, object]] = field(default_factory=list)
    metadata: Counter[str] = field(default_factory=Counter)
    open_beside: list[tuple[Resource, str, object]] = field(default_factory=list)

    def ledger(self) -> Ledger:
        """Return the ledger as a plan keeps it; what nothing answers for is named in a gap of its own."""
        reasons = tuple(
            WithoutEffect(field=name, reason=reason.text, source=reason.source, count=count)
            for (name, reason), count in sorted(self.without.items(), key=lambda each: (each[0][0], each[0][1].text))
        )
        return Ledger(
            used=self.used,
            named_in_a_gap=self.named + len(self.open),
            without_effect=sum(self.without.values()),
            reasons=reasons,
            metadata=MetadataLedger.model_validate(self.metadata),
        )


def expand(patterns: str) -> tuple[str, ...]:
    """Return every field that lines of `a.{b,c}.d` stand for; each alternative is written out."""
    fields: dict[str, None] = {}
    for line in patterns.split():
        parts = re.split(r"\{([^}]*)\}", line)
        choices = [part.split(",") if at % 2 else [part] for at, part in enumerate(parts)]
        fields.update(("".join(choice), None) for choice in itertools.product(*choices))
    return tuple(fields)


def _rows(*rows: tuple[str, Leaf]) -> Mapping[str, Leaf]:
    return {name: leaf for patterns, leaf in rows for name in expand(patterns)}


_NO_TLS: Final = Reason("the listener's TLS mode is DISABLED, so it serves plain text", _API + "API_ListenerTls.html")
_POLICY: Final = Leaf(gaps=("TLS_CLIENT_POLICY", "TLS_ORIGINATION"))
_CLIENTS_OWN: Final = Leaf(gaps=("MTLS",))
_OWNERS: Final = "{backendDefaults,backends[].virtualService}.clientPolicy.tls"
_GATEWAYS: Final = Leaf(gaps=("VIRTUAL_GATEWAY",))
_GATEWAYS_POLICY: Final = Leaf(gaps=("GATEWAY_CLIENT_POLICY",))
_ALL_RULES: Final = "{http,http2,grpc}Route"
_HEADER_MATCH: Final = "{exact,prefix,suffix,regex,range.start,range.end}"

LEDGER: Final[Mapping[str, Mapping[str, Leaf]]] = {
    "mesh": _rows(
        (
            "egressFilter.type",
            Leaf(
                gaps=("EGRESS_FILTER",),
                without=Reason(
                    "ALLOW_ALL lets tasks call anything, as they may with Service Connect",
                    _API + "API_EgressFilter.html",
                ),
            ),
        ),
        ("serviceDiscovery.ipPreference", Leaf(gaps=("IP_PREFERENCE",))),
    ),
    "virtualNode": _rows(
        ("backends[].virtualService.virtualServiceName", Leaf(used="calls, and by them the order of creation")),
        (f"{_OWNERS}.{{enforce,ports[]}}", _POLICY),
        (
            f"{_OWNERS}.validation.trust.acm.certificateAuthorityArns[]",
            Leaf(used="the authority that issues green's certificates", gaps=_POLICY.gaps),
        ),
        (f"{_OWNERS}.validation.trust.{{file.certificateChain,sds.secretName}}", _POLICY),
        (f"{_OWNERS}.validation.subjectAlternativeNames.match.exact[]", _CLIENTS_OWN),
        (f"{_OWNERS}.certificate.{{file.certificateChain,file.privateKey,sds.secretName}}", _CLIENTS_OWN),
        ("listeners[].portMapping.{port,protocol}", Leaf(used="endpoints, named ports and appProtocol")),
        ("listeners[].timeout.{http,http2,grpc,tcp}.idle.{unit,value}", Leaf(used="the endpoint's timeout")),
        ("listeners[].timeout.{http,http2,grpc}.perRequest.{unit,value}", Leaf(used="the endpoint's timeout")),
        ("listeners[].healthCheck.{protocol,path}", Leaf(used="the container's health check", gaps=("HEALTH_CHECK",))),
        ("listeners[].healthCheck.{port,intervalMillis,timeoutMillis}", Leaf(gaps=("HEALTH_CHECK",))),
        ("listeners[].healthCheck.{healthyThreshold,unhealthyThreshold}", Leaf(gaps=("HEALTH_CHECK",))),
        (
            "listeners[].outlierDetection.{interval,baseEjectionDuration}.{unit,value}",
            Leaf(gaps=("OUTLIER_DETECTION",)),
        ),
        ("listeners[].outlierDetection.{maxServerErrors,maxEjectionPercent}", Leaf(gaps=("OUTLIER_DETECTION",))),
        ("listeners[].connectionPool.{http,tcp}.maxConnections", Leaf(gaps=("CONNECTION_POOL",))),
        ("listeners[].connectionPool.http.maxPendingRequests", Leaf(gaps=("CONNECTION_POOL",))),
        ("listeners[].connectionPool.{http2,grpc}.maxRequests", Leaf(gaps=("CONNECTION_POOL",))),
        ("listeners[].tls.mode", Leaf(gaps=("TLS_CERT_SOURCE",), without=_NO_TLS)),
        ("listeners[].tls.certificate.acm.certificateArn", Leaf(gaps=("TLS_CERT_SOURCE",), without=_NO_TLS)),
        (
            "listeners[].tls.certificate.{file.certificateChain,file.privateKey,sds.secretName}",
            Leaf(gaps=("TLS_CERT_SOURCE",), without=_NO_TLS),
        ),
        (
            "listeners[].tls.validation.trust.{file.certificateChain,sds.secretName}",
            Leaf(gaps=("MTLS",), without=_NO_TLS),
        ),
        ("listeners[].tls.validation.subjectAlternativeNames.match.exact[]", Leaf(gaps=("MTLS",), without=_NO_TLS)),
        ("logging.accessLog.file.{path,format.text}", Leaf(gaps=("ACCESS_LOG",))),
        ("logging.accessLog.file.format.json[].{key,value}", Leaf(gaps=("ACCESS_LOG",))),
        ("serviceDiscovery.awsCloudMap.{namespaceName,serviceName}", Leaf(used="the host that callers may dial")),
        ("serviceDiscovery.awsCloudMap.attributes[].{key,value}", Leaf(gaps=("CLOUDMAP_ATTRIBUTES",))),
        ("serviceDiscovery.{awsCloudMap,dns}.ipPreference", Leaf(gaps=("IP_PREFERENCE",))),
        ("serviceDiscovery.dns.hostname", Leaf(used="the host that callers may dial")),
        (
            "serviceDiscovery.dns.responseType",
            Leaf(
                without=Reason(
                    "it says how Envoy reads a DNS answer; Service Connect's proxies are told of each task instead",
                    _API + "API_DnsServiceDiscovery.html",
                )
            ),
        ),
    ),
    "virtualRouter": _rows(("listeners[].portMapping.{port,protocol}", Leaf(used="the ports that callers dial"))),
    "virtualService": _rows(
        ("provider.virtualNode.virtualNodeName", Leaf(used="who answers the name")),
        ("provider.virtualRouter.virtualRouterName", Leaf(used="who answers the name")),
    ),
    "route": _rows(
        ("priority", Leaf(used="which route decides who answers")),
        (
            "{http,http2,grpc,tcp}Route.action.weightedTargets[].{virtualNode,weight,port}",
            Leaf(used="who answers", gaps=("ROUTE_WEIGHTED",)),
        ),
        (f"{_ALL_RULES}.timeout.{{idle,perRequest}}.{{unit,value}}", Leaf(used="the endpoint's timeout")),
        ("tcpRoute.timeout.idle.{unit,value}", Leaf(used="the endpoint's timeout")),
        (f"{_ALL_RULES}.retryPolicy.{{maxRetries,httpRetryEvents[],tcpRetryEvents[]}}", Leaf(gaps=("RETRY_POLICY",))),
        (f"{_ALL_RULES}.retryPolicy.perRetryTimeout.{{unit,value}}", Leaf(gaps=("RETRY_POLICY",))),
        ("grpcRoute.retryPolicy.grpcRetryEvents[]", Leaf(gaps=("RETRY_POLICY",))),
        (
            "{http,http2,grpc,tcp}Route.match.port",
            Leaf(used="which requests are meant", gaps=("ROUTE_MATCH_PATH", "ROUTE_MATCH_GRPC_METHOD")),
        ),
        (
            "{http,http2}Route.match.{prefix,scheme,path.exact,path.regex}",
            Leaf(used="which requests are meant", gaps=("ROUTE_MATCH_PATH",)),
        ),
        ("{http,http2}Route.match.method", Leaf(used="which requests are meant", gaps=("ROUTE_MATCH_METHOD",))),
        (
            "{http,http2}Route.match.headers[].{name,invert}",
            Leaf(used="which requests are meant", gaps=("ROUTE_MATCH_HEADER",)),
        ),
        (
            f"{{http,http2}}Route.match.headers[].match.{_HEADER_MATCH}",
            Leaf(used="which requests are meant", gaps=("ROUTE_MATCH_HEADER",)),
        ),
        (
            "{http,http2}Route.match.queryParameters[].{name,match.exact}",
            Leaf(used="which requests are meant", gaps=("ROUTE_MATCH_QUERY",)),
        ),
        (
            "grpcRoute.match.{serviceName,methodName}",
            Leaf(used="which requests are meant", gaps=("ROUTE_MATCH_GRPC_METHOD",)),
        ),
        (
            "grpcRoute.match.metadata[].{name,invert}",
            Leaf(used="which requests are meant", gaps=("ROUTE_MATCH_GRPC_METHOD",)),
        ),
        (
            f"grpcRoute.match.metadata[].match.{_HEADER_MATCH}",
            Leaf(used="which requests are meant", gaps=("ROUTE_MATCH_GRPC_METHOD",)),
        ),
    ),
    "virtualGateway": _rows(
        ("backendDefaults.clientPolicy.tls.{enforce,ports[]}", _GATEWAYS_POLICY),
        (
            "backendDefaults.clientPolicy.tls.validation.trust.acm.certificateAuthorityArns[]",
            Leaf(used="the authority that issues green's certificates", gaps=_GATEWAYS_POLICY.gaps),
        ),
        ("backendDefaults.clientPolicy.tls.validation.trust.{file.certificateChain,sds.secretName}", _GATEWAYS_POLICY),
        ("backendDefaults.clientPolicy.tls.validation.subjectAlternativeNames.match.exact[]", _CLIENTS_OWN),
        (
            "backendDefaults.clientPolicy.tls.certificate.{file.certificateChain,file.privateKey,sds.secretName}",
            _CLIENTS_OWN,
        ),
        ("listeners[].portMapping.{port,protocol}", _GATEWAYS),
        ("listeners[].healthCheck.{protocol,port,path,intervalMillis,timeoutMillis}", _GATEWAYS),
        ("listeners[].healthCheck.{healthyThreshold,unhealthyThreshold}", _GATEWAYS),
        ("listeners[].connectionPool.http.{maxConnections,maxPendingRequests}", Leaf(gaps=("CONNECTION_POOL",))),
        ("listeners[].connectionPool.{http2,grpc}.maxRequests", Leaf(gaps=("CONNECTION_POOL",))),
        ("listeners[].tls.mode", Leaf(gaps=("GATEWAY_TLS",), without=_NO_TLS)),
        ("listeners[].tls.certificate.acm.certificateArn", Leaf(gaps=("GATEWAY_TLS",), without=_NO_TLS)),
        (
            "listeners[].tls.certificate.{file.certificateChain,file.privateKey,sds.secretName}",
            Leaf(gaps=("GATEWAY_TLS",), without=_NO_TLS),
        ),
        (
            "listeners[].tls.validation.trust.{file.certificateChain,sds.secretName}",
            Leaf(gaps=("MTLS",), without=_NO_TLS),
        ),
        ("listeners[].tls.validation.subjectAlternativeNames.match.exact[]", Leaf(gaps=("MTLS",), without=_NO_TLS)),
        ("logging.accessLog.file.{path,format.text}", Leaf(gaps=("ACCESS_LOG",))),
        ("logging.accessLog.file.format.json[].{key,value}", Leaf(gaps=("ACCESS_LOG",))),
    ),
    "gatewayRoute": _rows(
        ("priority", Leaf(gaps=("GATEWAY_ROUTE",))),
        (f"{_ALL_RULES}.action.target.{{port,virtualService.virtualServiceName}}", Leaf(gaps=("GATEWAY_ROUTE",))),
        (
            f"{_ALL_RULES}.action.rewrite.hostname.defaultTargetHostname",
            Leaf(
                gaps=("GATEWAY_ROUTE_REWRITE",),
                without=Reason("the route rewrites nothing, and neither does a load balancer's rule", _REWRITES),
            ),
        ),
        (
            "{http,http2}Route.action.rewrite.{path.exact,prefix.value,prefix.defaultPrefix}",
            Leaf(
                gaps=("GATEWAY_ROUTE_REWRITE",),
                without=Reason("the route rewrites nothing, and neither does a load balancer's rule", _REWRITES),
            ),
        ),
        (f"{_ALL_RULES}.match.{{hostname.exact,hostname.suffix}}", Leaf(gaps=("GATEWAY_ROUTE",))),
        (f"{_ALL_RULES}.match.port", Leaf(gaps=("GATEWAY_ROUTE", "GATEWAY_ROUTE_MATCH"))),
        ("{http,http2}Route.match.{prefix,method,path.exact,path.regex}", Leaf(gaps=("GATEWAY_ROUTE",))),
        ("{http,http2}Route.match.headers[].{name,invert}", Leaf(gaps=("GATEWAY_ROUTE",))),
        (f"{{http,http2}}Route.match.headers[].match.{_HEADER_MATCH}", Leaf(gaps=("GATEWAY_ROUTE",))),
        ("{http,http2}Route.match.queryParameters[].{name,match.exact}", Leaf(gaps=("GATEWAY_ROUTE",))),
        ("grpcRoute.match.serviceName", Leaf(gaps=("GATEWAY_ROUTE",))),
        ("grpcRoute.match.metadata[].{name,invert}", Leaf(gaps=("GATEWAY_ROUTE",))),
        (f"grpcRoute.match.metadata[].match.{_HEADER_MATCH}", Leaf(gaps=("GATEWAY_ROUTE",))),
    ),
}
"""By kind of resource, how each field is answered for; list items are written `[]`."""

_WRITTEN_BY_APP_MESH: Final = Reason(
    "App Mesh writes it about the resource itself; green has no such resource", _API + "API_ResourceMetadata.html"
)
_NAMES: Final = "{mesh,virtualNode,virtualRouter,virtualService,virtualGateway,route,gatewayRoute}Name"

BESIDE: Final[Mapping[str, Leaf]] = _rows(
    (_NAMES, Leaf(used="who is meant, and what it belongs to")),
    (
        "{meshOwner,metadata.meshOwner,metadata.resourceOwner}",
        Leaf(
            gaps=("CROSS_ACCOUNT",),
            without=Reason("the mesh belongs to the account the resource is in", _GUIDE + "sharing.html"),
        ),
    ),
    (
        "tags[].{key,value}",
        Leaf(
            without=Reason(
                "it tags a resource that green does not have; green's services carry the tags of blue's services",
                _API + "API_TagRef.html",
            )
        ),
    ),
    ("metadata.{arn,uid,version,createdAt,lastUpdatedAt}", Leaf(without=_WRITTEN_BY_APP_MESH)),
    ("status.status", Leaf(without=_WRITTEN_BY_APP_MESH)),
    (
        "clientToken",
        Leaf(without=Reason("it makes one request of several the same", _API + "API_CreateVirtualNode.html")),
    ),
)
"""How each field beside a specification is answered for, the same for all seven kinds."""

NOBODY_PLAYS_IT: Final = Reason(
    "no ECS service of the sources plays the node and nothing that moves calls it", _GUIDE + "virtual_nodes.html"
)
LEADS_TO_NOBODY: Final = Reason("the route leads to no ECS service of the sources", _GUIDE + "routes.html")


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield (field, value) of every leaf of a specification, list items as `[]`."""
    if isinstance(value, dict | Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, f"{path}[]")
    elif value is not None:
        yield path, value


def account(resources: Iterable[Resource], gaps: Sequence[Gap]) -> Account:
    """
    Return the ledger of the resources, given every gap found so far.

    Args:
        resources: Each once.
        gaps: What was found; a field counts as named only where its gap is among them.
    """
    found = {(gap.id, gap.resource) for gap in gaps}
    kept = Account()
    for resource in resources:
        rows = LEDGER[resource.kind]
        is_covered = any(each in found for each in resource.cover)
        for name, value in leaves(resource.spec):
            leaf = rows.get(name)
            if leaf is None:
                kept.open.append((resource, name, value))
            elif is_covered or any((row, resource.place) in found for row in leaf.gaps):
                kept.named += 1
            elif resource.idle is not None:
                kept.without[f"{resource.kind} {name}", resource.idle] += 1
            elif leaf.used:
                kept.used += 1
            elif leaf.without is not None:
                kept.without[f"{resource.kind} {name}", leaf.without] += 1
            else:
                kept.open.append((resource, name, value))
        _account_beside(resource, found, kept)
    return kept


def _account_beside(resource: Resource, found: Collection[tuple[str, str]], kept: Account) -> None:
    for name, value in leaves(resource.beside):
        leaf = BESIDE.get(name)
        if leaf is None:
            kept.open_beside.append((resource, name, value))
            answer = "named_in_a_gap"
        elif any((row, place) in found for row in leaf.gaps for place in (resource.place, resource.mesh)):
            answer = "named_in_a_gap"
        else:
            answer = "used" if leaf.used else "without_effect"
        kept.metadata[answer] += 1
