"""
Every field of an App Mesh specification that the translation reads or names in a gap.

Pure. A field that is in none of these patterns becomes a gap of its own (FIELD_NOT_READ),
so that nothing a source says is lost in silence.

Source: AWS App Mesh API reference, VirtualNodeSpec, RouteSpec, VirtualRouterSpec,
VirtualServiceSpec, MeshSpec.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Final


def _expand(patterns: str) -> frozenset[str]:
    """Return every field that lines of `a.{b,c}.d` stand for."""
    fields: set[str] = set()
    for line in patterns.split():
        parts = re.split(r"\{([^}]*)\}", line)
        choices = [part.split(",") if at % 2 else [part] for at, part in enumerate(parts)]
        fields.update("".join(choice) for choice in itertools.product(*choices))
    return frozenset(fields)


_TLS_TRUST: Final = "validation.trust.{acm.certificateAuthorityArns[],file.certificateChain,sds.secretName}"
_TLS_FILES: Final = "certificate.{file.certificateChain,file.privateKey,sds.secretName}"
_TLS_NAMES: Final = "validation.subjectAlternativeNames.match.exact[]"
_CLIENT: Final = "\n".join(
    f"{owner}.clientPolicy.tls.{field}"
    for owner in ("backendDefaults", "backends[].virtualService")
    for field in ("enforce", "ports[]", _TLS_TRUST, _TLS_FILES, _TLS_NAMES)
)

READ: Final[Mapping[str, frozenset[str]]] = {
    "mesh": _expand("egressFilter.type serviceDiscovery.ipPreference"),
    "virtualNode": _expand(
        f"""
        backends[].virtualService.virtualServiceName
        {_CLIENT}
        listeners[].portMapping.{{port,protocol}}
        listeners[].timeout.{{http,http2,grpc,tcp}}.idle.{{unit,value}}
        listeners[].timeout.{{http,http2,grpc}}.perRequest.{{unit,value}}
        listeners[].healthCheck.{{protocol,port,path,intervalMillis,timeoutMillis}}
        listeners[].healthCheck.{{healthyThreshold,unhealthyThreshold}}
        listeners[].outlierDetection.{{interval,baseEjectionDuration}}.{{unit,value}}
        listeners[].outlierDetection.{{maxServerErrors,maxEjectionPercent}}
        listeners[].connectionPool.{{http,tcp}}.maxConnections
        listeners[].connectionPool.http.maxPendingRequests
        listeners[].connectionPool.{{http2,grpc}}.maxRequests
        listeners[].tls.mode
        listeners[].tls.certificate.acm.certificateArn
        listeners[].tls.{_TLS_FILES}
        listeners[].tls.{_TLS_TRUST}
        listeners[].tls.{_TLS_NAMES}
        logging.accessLog.file.path
        logging.accessLog.file.format.text
        logging.accessLog.file.format.json[].{{key,value}}
        serviceDiscovery.awsCloudMap.{{namespaceName,serviceName,ipPreference}}
        serviceDiscovery.awsCloudMap.attributes[].{{key,value}}
        serviceDiscovery.dns.{{hostname,ipPreference,responseType}}
        """
    ),
    "virtualRouter": _expand("listeners[].portMapping.{port,protocol}"),
    "virtualService": _expand("provider.virtualNode.virtualNodeName provider.virtualRouter.virtualRouterName"),
    "route": _expand(
        """
        priority
        {http,http2,grpc,tcp}Route.action.weightedTargets[].{virtualNode,weight,port}
        {http,http2,grpc}Route.timeout.{idle,perRequest}.{unit,value}
        tcpRoute.timeout.idle.{unit,value}
        {http,http2,grpc}Route.retryPolicy.{maxRetries,httpRetryEvents[],tcpRetryEvents[]}
        {http,http2,grpc}Route.retryPolicy.perRetryTimeout.{unit,value}
        grpcRoute.retryPolicy.grpcRetryEvents[]
        {http,http2,grpc,tcp}Route.match.port
        {http,http2}Route.match.{prefix,method,scheme,path.exact,path.regex}
        {http,http2}Route.match.headers[].{name,invert}
        {http,http2}Route.match.headers[].match.{exact,prefix,suffix,regex,range.start,range.end}
        {http,http2}Route.match.queryParameters[].{name,match.exact}
        grpcRoute.match.{serviceName,methodName}
        grpcRoute.match.metadata[].{name,invert}
        grpcRoute.match.metadata[].match.{exact,prefix,suffix,regex,range.start,range.end}
        """
    ),
}
"""By kind of resource, the fields that are read, list items as `[]`."""


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield (field, value) of every leaf of a specification, list items as `[]`."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, f"{path}[]")
    elif value is not None:
        yield path, value


def unread(kind: str, spec: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield (field, value) of each field of a specification that nothing reads, each once."""
    seen = set()
    for field, value in leaves(spec):
        if field not in READ[kind] and field not in seen:
            seen.add(field)
            yield field, value
